"""What generators and critics of several methods have in common: versions by noise, judged and drawn."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from colorize_jax.methods.base import USUAL, Batch, Player, Samples, Stage, Variables
from colorize_jax.methods.parts.clusters import kmeans
from colorize_jax.methods.parts.networks import ExampleInputs, Networks
from colorize_jax.methods.parts.pictures import gray_and_truth, picture
from colorize_jax.methods.parts.stages import build_stage_of
from colorize_jax.shapes import Array, Float

CHUNK = 32
"""Versions made at once while clustering."""

Paint = Callable[[Variables, Array, Array], Array]
"""`(variables, lightness (H, W, 1), rng) -> (H, W, 2)`, network units: one version of one photo."""


def random_versions(paint: Paint, variables: Variables, batch: Batch, rng: Array, samples: int) -> Samples:
    """Single draws of equal weight."""
    lightness = batch["lightness"]
    keys = jax.random.split(rng, (len(lightness), samples))
    each_key = jax.vmap(partial(paint, variables), (None, 0))
    fields = jax.vmap(each_key)(lightness, keys)
    return Samples(fields, fields, jnp.full(keys.shape, 1 / samples))


def clustered_versions(
    paint: Paint,
    variables: Variables,
    batch: Batch,
    rng: Array,
    samples: int,
    *,
    draws: int,
    iterations: int,
) -> Samples:
    """Cluster centres of many draws, weighted by their shares of them (Deshpande et al. 2017, Sec. 5)."""

    def one(arrays: tuple[Array, Array]) -> tuple[Array, Array]:
        lightness, key = arrays
        draw, begin = jax.random.split(key)
        keys = jax.random.split(draw, draws)
        fields = jax.lax.map(partial(paint, variables, lightness), keys, batch_size=CHUNK)
        found = kmeans(fields.reshape(draws, -1), begin, clusters=samples, iterations=iterations)
        return found.centers.reshape(samples, *fields.shape[1:]), found.shares

    lightness = batch["lightness"]
    fields, shares = jax.lax.map(one, (lightness, jax.random.split(rng, len(lightness))))
    return Samples(fields, fields, shares)


def evaluate_draws(
    paint: Paint, variables: Variables, batch: Batch, rng: Array
) -> dict[str, Float[Array, "B"]]:
    """Error of the best and of the first of five draws, and their variance, network units."""
    fields = random_versions(paint, variables, batch, rng, USUAL).field
    errors = jnp.abs(fields - batch["ab"][:, None]).mean(axis=(2, 3, 4))
    return {
        "best_absolute_error": errors.min(axis=1),
        "first_absolute_error": errors[:, 0],
        "variance": fields.var(axis=1).mean(axis=(1, 2, 3)),
    }


def picture_draws(
    paint: Paint, variables: Variables, batch: Batch, rng: Array
) -> dict[str, Float[Array, "B H W 3"]]:
    """Gray, truth and five draws."""
    fields = random_versions(paint, variables, batch, rng, USUAL).field
    drawn = {f"version {n + 1}": picture(batch["lightness"], fields[:, n]) for n in range(USUAL)}
    return gray_and_truth(batch) | drawn


def gan_stages(
    config: Any,
    networks: Networks,
    inputs: Callable[[Batch], ExampleInputs],
    players: tuple[Player, ...],
    paint: Paint,
) -> list[Stage]:
    """The one stage `gan`: the players' turns, judged and drawn by what `paint` makes."""
    stage = build_stage_of(
        config,
        "gan",
        networks,
        inputs,
        players=players,
        evaluate=partial(evaluate_draws, paint),
        pictures=partial(picture_draws, paint),
    )
    return [stage]
