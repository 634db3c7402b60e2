"""The stages `spread_coarse` and `spread`: an S for edits, trained on a few revealed pixels (paper, Sec. 4).

The paper's masks keep 100 to 10 % of the unary; a user makes one to a hundred edits. Here a photo reveals as many
patches of its own colours, of the size of the reveal benchmark's, and the rest is to follow:

    A x = β r ∘ c + κ ∘ u,      A = (I−S)ᵀ(I−S) + diag(β r + κ)                               Eq. (6)

with r the share of a pixel that is revealed, c its colour, u the regressed colours and κ the learned confidence in
them. S is that of `models.spread`, on frozen features. A photo's loss is the logarithm of its squared error: the mean
of the PSNRs, as the benchmark has it, in ab. Both stages train the same network; the coarse one on small fields, which
cost a tenth.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from colorize_jax import gcrf
from colorize_jax.methods.base import Batch, Stage, Variables
from colorize_jax.methods.networks import Inputs, Learned, Networks, apply
from colorize_jax.methods.pictures import gray_and_truth, picture
from colorize_jax.methods.stages import build_stage
from colorize_jax.models import features as feature_models
from colorize_jax.models.layers import resize_field
from colorize_jax.models.spread import SpreadNetwork
from colorize_jax.shapes import Array, Float

FIELDS = {"spread_coarse": 16, "spread": 32}
"""Sides of the fields that the stages train on."""

PATCH = 7 / 256
"""Side of a revealed patch, of the photo's: protocol `paper` of `reveals`."""

MOST = 100
"""Reveals of a photo, at most; their number is drawn evenly on a logarithmic scale."""

SHOWN = (1, 10, 50, 100)
"""Numbers of reveals that are evaluated."""

_LEAST_ERROR = 1e-5  # network units², 41 dB


class Spread(NamedTuple):
    """What edits of a batch of photos are spread by.

    Attributes:
      embeddings: of S = softmax(E Eᵀ) without its diagonal.
      unary: u, network units; gray where the features are VGG-16's.
      confidence: κ > 0.
    """

    embeddings: Float[Array, "B P D"]
    unary: Float[Array, "B P 2"]
    confidence: Float[Array, "B P"]


def spread_of(
    networks: Networks, variables: Variables, batch: Batch, side: int, *, train: bool = False
) -> tuple[Spread, dict[str, Any]]:
    """The Spread of a batch on a field of `side`², and new batch statistics."""
    lightness = batch["lightness"]
    gray = apply(networks, variables, "gray", lightness)[0]
    source = feature_models.source(networks["features"], batch)
    features, colours = apply(networks, variables, "features", source)[0]
    (embeddings, confidence), stats = apply(
        networks,
        variables,
        "spread",
        lightness,
        resize_field(lightness, side),
        (*gray, features),
        train=train,
    )
    if colours is None:  # VGG-16 predicts none
        unary = jnp.zeros((*confidence.shape, 2))
    else:
        unary = resize_field(colours, side).reshape(*confidence.shape, 2)
    return Spread(embeddings, unary, confidence), stats


def solve(
    spread: Spread, colours: Float[Array, "B P 2"], revealed: Float[Array, "B P"], *, beta: float
) -> Float[Array, "B P 2"]:
    """x of Eq. (6), network units: `colours` where `revealed` (shares in [0, 1]), spread to the rest."""
    known = beta * revealed
    weights = known + spread.confidence
    targets = (known[..., None] * colours + spread.confidence[..., None] * spread.unary) / weights[..., None]
    solution = gcrf.solve_on_mesh(
        spread.embeddings, targets, weights, temperature=1.0, exclude_diagonal=True, solver="cholesky"
    )
    return solution.value


def reveal(
    rng: Array, true: Float[Array, "B F F 2"], counts: Float[Array, " B"]
) -> tuple[Float[Array, "B P 2"], Float[Array, "B P"]]:
    """(Colours, revealed shares) of the first `counts` of `MOST` patches at random places of each field.

    Args:
      rng: draws the places.
      true: colour fields.
      counts: patches of each photo, in [0, MOST].
    """
    batch, side = true.shape[:2]
    patch = PATCH * side
    first = jax.random.uniform(rng, (batch, MOST, 2, 1)) * (side - patch)
    cells = jnp.arange(side, dtype=first.dtype).reshape(1, 1, 1, side)
    covered = jnp.clip(jnp.minimum(first + patch, cells + 1) - jnp.maximum(first, cells), 0, None)
    used = (jnp.arange(MOST)[None, :] < counts[:, None]).astype(true.dtype)
    rows, columns = covered[:, :, 0] * used[:, :, None], covered[:, :, 1]
    share = jnp.einsum("bny,bnx->byx", rows, columns)
    # A patch has one colour, its mean, in all cells that it touches.
    mean = jnp.einsum("bny,bnx,byxc->bnc", rows, columns, true) / patch**2
    summed = jnp.einsum("bny,bnx,bnc->byxc", rows, columns, mean)
    colours = summed / jnp.maximum(share, 1e-9)[..., None]
    return colours.reshape(batch, -1, 2), jnp.minimum(share, 1).reshape(batch, -1)


def spread_loss(
    networks: Networks, variables: Variables, batch: Batch, rng: Array, step: Array, *, side: int, beta: float
) -> Learned:
    """Mean over the photos of log ‖x − truth‖² / P, from a random number of reveals each."""
    places, number = jax.random.split(rng)
    true = resize_field(batch["ab"], side)
    counts = jnp.floor((MOST + 1.0) ** jax.random.uniform(number, (len(true),)))
    spread, stats = spread_of(networks, variables, batch, side, train=True)
    field = solve(spread, *reveal(places, true, counts), beta=beta)
    error = jnp.square(field - true.reshape(field.shape)).mean(axis=(1, 2))
    loss = jnp.log(error + _LEAST_ERROR).mean()
    gains = {
        name.removeprefix("log_"): jnp.exp(value)
        for name, value in variables["params"]["spread"].items()
        if name.startswith("log_gain")
    }
    told = {"squared_error": error.mean(), "confidence": spread.confidence.mean(), **gains}
    return loss, (stats, told)


def _spread_from(
    networks: Networks, variables: Variables, batch: Batch, rng: Array, *, side: int, beta: float
) -> tuple[Array, dict[int, Array]]:
    """The truth, and {number of reveals: field}, the same places for all."""
    true = resize_field(batch["ab"], side)
    spread, _ = spread_of(networks, variables, batch, side)
    counts = {count: jnp.full(len(true), float(count)) for count in SHOWN}
    revealed = {n: reveal(jax.random.clone(rng), true, each) for n, each in counts.items()}
    fields = {n: solve(spread, *given, beta=beta) for n, given in revealed.items()}
    return true, {n: field.reshape(true.shape) for n, field in fields.items()}


def evaluate_spread(
    networks: Networks, variables: Variables, batch: Batch, rng: Array, *, side: int, beta: float
) -> dict[str, Array]:
    """−10 log₁₀ of the squared error in network units, after each number of reveals; higher is better."""
    true, fields = _spread_from(networks, variables, batch, rng, side=side, beta=beta)
    errors = {n: jnp.square(field - true).mean(axis=(1, 2, 3)) for n, field in fields.items()}
    return {f"decibels_{n}_reveals": -10 * jnp.log10(error + 1e-9) for n, error in errors.items()}


def picture_spread(
    networks: Networks, variables: Variables, batch: Batch, rng: Array, *, side: int, beta: float
) -> dict[str, Array]:
    """Gray, truth and the fields after each number of reveals."""
    _, fields = _spread_from(networks, variables, batch, rng, side=side, beta=beta)
    shown = {f"reveals {n:3d}": picture(batch["lightness"], field) for n, field in fields.items()}
    return {**gray_and_truth(batch), **shown}


def spread_networks(config: Any) -> Networks:
    """The network of `config.spread`; none where it is not asked for, as in models from before it was there."""
    spread = config.get("spread")
    if not (spread and spread.learned):
        return {}
    return {
        "spread": SpreadNetwork(
            width=spread.width, hidden=spread.hidden, dtype=jnp.dtype(config.compute_dtype)
        )
    }


def spread_inputs(gray: tuple[Array, ...], networks: Networks, batch: Batch, side: int) -> Inputs:
    """What it takes: `gray` are f1-f4 of one image."""
    if "spread" not in networks:
        return {}
    features = jnp.zeros((1, 28, 28, feature_models.channels(networks["features"])))
    lightness = jnp.zeros_like(batch["lightness"][:1])
    return {"spread": (lightness, resize_field(lightness, side), (*gray, features))}


def spreader(networks: Networks, side: int) -> Callable[..., tuple[Array, Array, Array]] | None:
    """`Method.spread`; None where no S for edits is learned."""
    if "spread" not in networks:
        return None

    def spread(variables: Variables, batch: Batch) -> tuple[Array, Array, Array]:
        found, _ = spread_of(networks, variables, batch, side)
        similarity = jax.vmap(partial(gcrf.similarity, temperature=1.0, exclude_diagonal=True))
        return (
            similarity(found.embeddings),
            found.unary.reshape(-1, side, side, 2),
            found.confidence.reshape(-1, side, side),
        )

    return spread


def stages(config: Any, networks: Networks, inputs: Callable[[Batch], Inputs]) -> list[Stage]:
    """Both stages, where the config asks for an S of its own for edits."""
    if "spread" not in networks:
        return []
    return [
        build_stage(
            config,
            name,
            networks,
            inputs,
            trained=("spread",),
            loss=partial(spread_loss, networks, side=side, beta=config.gcrf.beta_test),
            evaluate=partial(evaluate_spread, networks, side=side, beta=config.gcrf.beta_test),
            pictures=partial(picture_spread, networks, side=side, beta=config.gcrf.beta_test),
        )
        for name, side in FIELDS.items()
    ]
