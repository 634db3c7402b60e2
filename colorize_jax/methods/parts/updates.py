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
    loss: Loss, trained: tuple[str, ...], optimizer: Optimizer, *, accumulate: int = 1, remat: bool = False
) -> Callable[[TrainState, Batch, Array], tuple[TrainState, dict[str, Array]]]:
    """A stage's `update`: one step on `loss` for the networks named in `trained`; the others are left alone.

    Args:
      loss: see `Loss`.
      trained: names of networks.
      optimizer: of them.
      accumulate: the gradient is the mean over as many equal parts of the batch, taken one after another, each with
        a key of its own; BatchNorm sees a part at a time.
      remat: keep only what is dear (`_dear`) for the backward pass, and compute the rest again.
    """

    def gradients(state: TrainState, batch: Batch, rng: Array) -> Any:
        """((loss, (batch statistics, metrics)), gradients of the trained parameters)."""

        def trained_loss(part: dict[str, Any]) -> Any:
            variables = {"params": {**state.params, **part}, "batch_stats": state.batch_stats}
            return loss(variables, batch, rng, state.step)

        kept = jax.checkpoint(trained_loss, policy=_dear) if remat else trained_loss
        return jax.value_and_grad(kept, has_aux=True)({name: state.params[name] for name in trained})

    def update(state: TrainState, batch: Batch, rng: Array) -> tuple[TrainState, dict[str, Array]]:
        import optax

        if accumulate == 1:
            (value, (stats, metrics)), mean = gradients(state, batch, rng)
        else:
            (value, (stats, metrics)), mean = _accumulated(gradients, accumulate, state, batch, rng)
        part = {name: state.params[name] for name in trained}
        changes, opt_state = optimizer().update(mean, state.opt_state, part)
        params = {**state.params, **optax.apply_updates(part, changes)}
        metrics = {"loss": value, "gradient_norm": optax.tree.norm(mean), **metrics}
        return TrainState(state.step + 1, params, {**state.batch_stats, **stats}, opt_state), metrics

    return update


def _dear(primitive: Any, *_: Any, **__: Any) -> bool:
    """What is not worth computing again: products, convolutions and solves."""
    return primitive.name in ("dot_general", "conv_general_dilated", "cholesky", "triangular_solve")


def _accumulated(
    gradients: Callable[..., Any], parts: int, state: TrainState, batch: Batch, rng: Array
) -> Any:
    """What `gradients` gives for the whole batch, as means over its parts; the statistics run on through them.

    Part j has the rows j, j + parts, ...: every device has as many of them in each part, and none moves.
    """

    def of_part(stats: dict[str, Any], numbered: tuple[Array, Batch]) -> tuple[dict[str, Any], Any]:
        number, rows = numbered
        current = state._replace(batch_stats={**state.batch_stats, **stats})
        (value, (new, metrics)), part = gradients(current, rows, jax.random.fold_in(rng, number))
        return {name: new[name] for name in stats}, ((value, metrics), part)

    rows = jax.tree.map(lambda x: jnp.moveaxis(x.reshape(-1, parts, *x.shape[1:]), 1, 0), batch)
    first = jax.tree.map(lambda x: x[0], rows)
    (_, (changed, _)), _ = jax.eval_shape(gradients, state, first, rng)
    stats = {name: state.batch_stats[name] for name in changed}
    stats, found = jax.lax.scan(of_part, stats, (jnp.arange(parts), rows))
    (value, metrics), mean = jax.tree.map(lambda x: x.mean(axis=0), found)
    return (value, (stats, metrics)), mean


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
