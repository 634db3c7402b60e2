"""A toy autoregressive method: sixteen cells one after another, each one of nine colours, given the cells before."""

from itertools import product
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from colorize_jax.config import stage_defaults
from colorize_jax.methods.base import Batch, Colors, LossResult, Method, Samples, Stages, Variables
from colorize_jax.methods.parts.networks import ExampleInputs, abstract, apply, example_batch
from colorize_jax.methods.parts.pictures import gray_and_truth, picture
from colorize_jax.methods.parts.stages import build_stage
from colorize_jax.models.layers import resize_field
from colorize_jax.shapes import Array, Float, Int

SIDE = 4
COLORS = np.array(list(product((-0.5, 0.0, 0.5), repeat=2)), np.float32)


class NextColor(nn.Module):
    """Log-probabilities of each cell's colour, given the lightness and the colours of the cells before it."""

    @nn.compact
    def __call__(
        self, lightness: Float[Array, "B H W 1"], cells: Int[Array, "B P"], train: bool
    ) -> Float[Array, "B P Q"]:
        count = cells.shape[1]
        before = jnp.tril(jnp.ones((count, count)), -1)[None, :, :, None] * jax.nn.one_hot(
            cells, len(COLORS)
        ).reshape(len(cells), 1, count, -1)
        gray = resize_field(lightness, SIDE).reshape(len(cells), count, 1)
        x = jnp.concatenate([gray, before.reshape(len(cells), count, -1)], axis=-1)
        return nn.log_softmax(nn.Dense(len(COLORS))(nn.relu(nn.Dense(16)(x))))


NETWORKS = {"next": NextColor()}


def defaults() -> ConfigDict:
    return ConfigDict({"stages": {"next": stage_defaults(epochs=2.0, batch_size=4, lr=0.01)}})


def check(config: ConfigDict) -> None:
    """There is nothing that could be wrong."""


def build(config: Any) -> Method:
    return Method(
        Stages(lambda: [_stage(config)]),
        lambda: abstract(NETWORKS, _inputs(example_batch(config)), ("next",)),
        colors=Colors(
            sample, rules=("draw", "likeliest"), most={"likeliest": 1}, deterministic=("likeliest",)
        ),
    )


def sample(variables: Variables, batch: Batch, rng: Array, *, samples: int, rule: str) -> Samples:
    """Cell by cell, drawn or the likeliest."""
    gray = jnp.repeat(batch["lightness"], samples, axis=0)

    def next_cell(place: Array, cells: Int[Array, "B P"]) -> Int[Array, "B P"]:
        logs = apply(NETWORKS, variables, "next", gray, cells)[0][:, place]
        drawn = jax.random.categorical(jax.random.fold_in(rng, place), logs)
        return cells.at[:, place].set(drawn if rule == "draw" else logs.argmax(-1))

    cells = jax.lax.fori_loop(0, SIDE**2, next_cell, jnp.zeros((len(gray), SIDE**2), jnp.int32))
    field = jnp.asarray(COLORS)[cells].reshape(-1, samples, SIDE, SIDE, 2)
    return Samples(field, field, jnp.full(field.shape[:2], 1 / samples))


def log_likelihood(variables: Variables, batch: Batch) -> Float[Array, " B"]:
    """Nats a cell of the true colours."""
    true = resize_field(batch["ab"], SIDE).reshape(len(batch["ab"]), -1, 1, 2)
    cells = jnp.square(true - COLORS.reshape(1, 1, -1, 2)).sum(-1).argmin(-1)
    logs, _ = apply(NETWORKS, variables, "next", batch["lightness"], cells)
    return jnp.take_along_axis(logs, cells[..., None], axis=-1).mean((1, 2))


def loss(variables: Variables, batch: Batch, rng: Array, step: Array) -> LossResult:
    return -log_likelihood(variables, batch).mean(), ({}, {})


def _stage(config: Any) -> Any:
    return build_stage(
        config,
        "next",
        NETWORKS,
        _inputs,
        trained=("next",),
        loss=loss,
        evaluate=lambda variables, batch, rng: {"nats_a_cell": -log_likelihood(variables, batch)},
        pictures=_pictures,
    )


def _inputs(batch: Batch) -> ExampleInputs:
    return {"next": (batch["lightness"][:1], jnp.zeros((1, SIDE**2), jnp.int32))}


def _pictures(variables: Variables, batch: Batch, rng: Array) -> dict[str, Array]:
    field = sample(variables, batch, rng, samples=2, rule="draw").field
    drawn = {f"draw {n + 1}": picture(batch["lightness"], field[:, n]) for n in range(2)}
    return gray_and_truth(batch) | drawn
