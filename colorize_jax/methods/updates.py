"""From a loss to the `update` of a stage: gradients for the trained parameters only, one optimiser."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from colorize_jax.methods.base import Batch, TrainState, Variables
from colorize_jax.models.layers import MOMENTUM
from colorize_jax.shapes import Array

if TYPE_CHECKING:
    import optax

Optimizer = Callable[[], "optax.GradientTransformation"]
"""Built when it is first used: colorizing a photo builds the method, too, and has no optax installed."""

Loss = Callable[[Variables, Batch, Array, Array], tuple[Array, tuple[dict[str, Any], dict[str, Array]]]]
"""`(variables, batch, rng, step) -> (loss, (new batch statistics by network, metrics))`."""


def adam(optim: Any, learning_rate: float, total_steps: int) -> Optimizer:
    """Adam with decoupled weight decay, global-norm clipping, linear warm-up and cosine decay to 1 % of the rate."""

    @functools.cache
    def build() -> "optax.GradientTransformation":
        import optax

        warmup = min(optim.warmup_steps, total_steps // 10)
        rate = optax.warmup_cosine_decay_schedule(
            0.0, learning_rate, warmup, total_steps, 0.01 * learning_rate
        )
        return optax.chain(
            optax.clip_by_global_norm(optim.clip_norm),
            optax.adamw(rate, b1=optim.b1, b2=optim.b2, weight_decay=optim.weight_decay),
        )

    return build


def init_state(
    params: dict[str, Any],
    batch_stats: dict[str, Any],
    trained: tuple[str, ...],
    optimizer: Optimizer,
) -> TrainState:
    """State at step 0 of a stage that trains the networks named in `trained`."""
    opt_state = optimizer().init({name: params[name] for name in trained})
    return TrainState(jnp.zeros((), jnp.int32), params, batch_stats, opt_state)


def loss_to_update(
    loss: Loss, trained: tuple[str, ...], optimizer: Optimizer
) -> Callable[[TrainState, Batch, Array], tuple[TrainState, dict[str, Array]]]:
    """A stage's `update`: one step on `loss` for the networks named in `trained`; the others are left alone."""

    def update(state: TrainState, batch: Batch, rng: Array) -> tuple[TrainState, dict[str, Array]]:
        import optax

        def trained_loss(part: dict[str, Any]) -> Any:
            variables = {"params": {**state.params, **part}, "batch_stats": state.batch_stats}
            return loss(variables, batch, rng, state.step)

        part = {name: state.params[name] for name in trained}
        (value, (stats, metrics)), gradients = jax.value_and_grad(trained_loss, has_aux=True)(part)
        changes, opt_state = optimizer().update(gradients, state.opt_state, part)
        params = {**state.params, **optax.apply_updates(part, changes)}
        metrics = {"loss": value, "gradient_norm": optax.tree.norm(gradients), **metrics}
        return TrainState(state.step + 1, params, {**state.batch_stats, **stats}, opt_state), metrics

    return update


def loss_to_calibrate(
    loss: Loss, trained: tuple[str, ...]
) -> Callable[[Variables, Batch, Array], dict[str, Any]]:
    """A stage's `calibrate`: what BatchNorm measures on one batch, of the networks named in `trained`."""

    def calibrate(variables: Variables, batch: Batch, rng: Array) -> dict[str, Any]:
        # From running statistics of zero, a step leaves (1 - MOMENTUM) times the batch's own.
        blank = {name: jax.tree.map(jnp.zeros_like, variables["batch_stats"][name]) for name in trained}
        blanked = {**variables, "batch_stats": {**variables["batch_stats"], **blank}}
        _, (stats, _) = loss(blanked, batch, rng, jnp.zeros((), jnp.int32))
        return jax.tree.map(lambda running: running / (1 - MOMENTUM), stats)

    return calibrate
