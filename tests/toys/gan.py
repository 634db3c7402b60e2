"""A toy of two players: a generator whose noise is dropout (Isola et al. 2017), and a critic with a gradient penalty
(Gulrajani et al. 2017) that takes two turns a step. The generator that is sampled is an average over its training."""

from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from colorize_jax import losses
from colorize_jax.config import stage_defaults
from colorize_jax.methods.base import Batch, Colors, LossResult, Method, Player, Samples, Stages, Variables
from colorize_jax.methods.parts.networks import ExampleInputs, abstract, apply, example_batch
from colorize_jax.methods.parts.pictures import gray_and_truth, picture
from colorize_jax.methods.parts.stages import build_stage_of, stage_adam
from colorize_jax.shapes import Array, Float


class Generator(nn.Module):
    """Colours of a gray image."""

    @nn.compact
    def __call__(self, lightness: Float[Array, "B H W 1"], train: bool) -> Float[Array, "B H W 2"]:
        x = nn.relu(nn.Conv(8, (3, 3))(lightness))
        x = nn.BatchNorm(momentum=0.9)(x, use_running_average=not train)
        x = nn.Dropout(0.5)(x, deterministic=not train)
        return nn.tanh(nn.Conv(2, (3, 3))(x))


class Critic(nn.Module):
    """A score of colours beside their gray image."""

    @nn.compact
    def __call__(
        self, lightness: Float[Array, "B H W 1"], ab: Float[Array, "B H W 2"], train: bool
    ) -> Float[Array, " B"]:
        x = jnp.concatenate([lightness, ab], axis=-1)
        x = nn.leaky_relu(nn.Conv(8, (3, 3), strides=(2, 2))(x))
        return nn.Dense(1)(x.reshape(len(x), -1))[:, 0]


NETWORKS = {"generator": Generator(), "critic": Critic()}


def defaults() -> ConfigDict:
    return ConfigDict({"stages": {"gan": stage_defaults(epochs=2.0, batch_size=4, lr=0.01)}})


def check(config: ConfigDict) -> None:
    """There is nothing that could be wrong."""


def build(config: Any) -> Method:
    return Method(
        Stages(lambda: [_stage(config)]),
        lambda: abstract(NETWORKS, _inputs(example_batch(config)), ("generator",)),
        colors=Colors(sample, rules=("noise",)),
    )


def sample(variables: Variables, batch: Batch, rng: Array, *, samples: int, rule: str) -> Samples:
    """Versions that differ by their dropout, normalised by the batch's statistics."""
    paint = partial(apply, NETWORKS, variables, "generator", batch["lightness"], batch_statistics=True)
    field = jnp.stack([paint(rng=key)[0] for key in jax.random.split(rng, samples)], axis=1)
    return Samples(field, field, jnp.full(field.shape[:2], 1 / samples))


def critic_loss(variables: Variables, batch: Batch, rng: Array, step: Array) -> LossResult:
    drop, mix = jax.random.split(rng)
    made, _ = apply(NETWORKS, variables, "generator", batch["lightness"], train=True, rng=drop)
    share = jax.random.uniform(mix, (len(made), 1, 1, 1))
    between = share * made + (1 - share) * batch["ab"]
    slope = jax.grad(lambda ab: score(variables, batch, ab).sum())(between)
    penalty = jnp.square(jnp.sqrt(jnp.square(slope).sum((1, 2, 3)) + 1e-12) - 1).mean()
    gap = score(variables, batch, made).mean() - score(variables, batch, batch["ab"]).mean()
    return gap + 10 * penalty, ({}, {"penalty": penalty})


def generator_loss(variables: Variables, batch: Batch, rng: Array, step: Array) -> LossResult:
    made, stats = apply(NETWORKS, variables, "generator", batch["lightness"], train=True, rng=rng)
    error = losses.absolute_error(made, batch["ab"]).mean()
    return 10 * error - score(variables, batch, made).mean(), (stats, {"absolute_error": error})


def score(variables: Variables, batch: Batch, ab: Array) -> Float[Array, " B"]:
    return apply(NETWORKS, variables, "critic", batch["lightness"], ab)[0]


def _stage(config: Any) -> Any:
    adam = partial(stage_adam, config, "gan")
    critic = Player("critic", ("critic",), critic_loss, adam(repeats=2), repeats=2)
    generator = Player("generator", ("generator",), generator_loss, adam(), ema=0.9)
    return build_stage_of(
        config, "gan", NETWORKS, _inputs, players=(critic, generator), evaluate=_evaluate, pictures=_pictures
    )


def _inputs(batch: Batch) -> ExampleInputs:
    gray, ab = batch["lightness"][:1], batch["ab"][:1]
    return {"generator": (gray,), "critic": (gray, ab)}


def _evaluate(variables: Variables, batch: Batch, rng: Array) -> dict[str, Array]:
    field = sample(variables, batch, rng, samples=1, rule="noise").field[:, 0]
    return {"absolute_error": losses.absolute_error(field, batch["ab"])}


def _pictures(variables: Variables, batch: Batch, rng: Array) -> dict[str, Array]:
    field = sample(variables, batch, rng, samples=2, rule="noise").field
    drawn = {f"version {n + 1}": picture(batch["lightness"], field[:, n]) for n in range(2)}
    return gray_and_truth(batch) | drawn
