"""Colours of a few edits over the fields of a photo: the networks, what they say, and the solves (paper, Sec. 4).

    A x = β r ∘ c + κ ∘ u,      A = (I−S)ᵀ(I−S) + diag(β r + κ)                               Eq. (6)

with r the share of a cell that is revealed, c its colour, u the regressed colours, no more colourful than these
(`control.calibrate`), and κ the learned confidence in them. There are up to three steps, each with a network:

1. **Coarse.** S is that of `models.spread`, on frozen features. Every cell may lean on every other one.
2. **Fine.** Eq. (6) once more, on a field of twice the side, with the edits at its resolution and the coarse field,
   lifted, for u. S is that of `models.refine`: colours have travelled already, so cells lean on near cells only, and
   edges of the lightness part what a coarse cell mixes.
3. **Corrected.** `models.correct` learns what no solve can know. It sees the fine field, the edits and the photo, and
   changes the field at the photo's own resolution, which then settles along the lightness (`control.settle`).
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from colorize_jax import color, gcrf
from colorize_jax.control import settle
from colorize_jax.control.calibrate import calibrated
from colorize_jax.control.prior import Correction, Fine, Prior
from colorize_jax.methods.base import Batch, Variables
from colorize_jax.methods.parts import features
from colorize_jax.methods.parts.networks import ExampleInputs, Networks, apply
from colorize_jax.models.correct import CorrectNetwork
from colorize_jax.models.layers import resize_field
from colorize_jax.models.refine import RefineNetwork
from colorize_jax.models.spread import SpreadNetwork, embedding_size
from colorize_jax.shapes import Array, Float

FIELDS = {"spread_coarse": 16, "spread": 32}
"""Sides of the coarse fields that the stages train on."""

FINE = 2
"""Cells of the fine field along the side of a coarse cell."""

_BELIEF = -3.9  # log-odds before training: κ = 0.03
_LEAST_CHROMA = 0.01  # network units, 1.3 in ab: what a gray photo's colours are measured in


class Coarse(NamedTuple):
    """What the coarse fields of a batch of photos are solved from, besides the edits.

    Attributes:
      embeddings: E of S = softmax(E Eᵀ) without its diagonal.
      unary: u, network units; gray where the features are VGG-16's.
      confidence: κ > 0.
    """

    embeddings: Float[Array, "B P D"]
    unary: Float[Array, "B P 2"]
    confidence: Float[Array, "B P"]


class CoarseField(NamedTuple):
    """The coarse fields of a batch of photos.

    Attributes:
      colors: x, network units.
      reach: m = A⁻¹ (β r), clipped to [0, 1]: how much of each colour is the edits'.
    """

    colors: Float[Array, "B P 2"]
    reach: Float[Array, "B P"]


class Context(NamedTuple):
    """What the networks of the fine and the corrected field are told of a batch of photos.

    Attributes:
      lightness: network units, the largest there is.
      maps: feature maps (B, h, w, K), and the embeddings of the coarse field.
      unary: u of the coarse field, as an image.
      log_confidence: log κ of it, likewise.
    """

    lightness: Float[Array, "B H W 1"]
    maps: tuple[Array, ...]
    unary: Float[Array, "B f f 2"]
    log_confidence: Float[Array, "B f f 1"]


def spread_networks(config: Any) -> Networks:
    """The networks of `config.spread`; none where it is not asked for."""
    spread = config.spread
    if not spread.learned:
        return {}
    side, dtype = FINE * FIELDS["spread"], jnp.dtype(config.compute_dtype)
    found: Networks = {"spread": SpreadNetwork(width=spread.width, hidden=spread.hidden, dtype=dtype)}
    if spread.fine:
        sizes = {"width": spread.fine_width, "hidden": spread.fine_hidden}
        found["refine"] = RefineNetwork(side=side, **sizes, dtype=dtype)
        if spread.correct:
            found["correct"] = CorrectNetwork(side=spread.correct_side, width=spread.correct, dtype=dtype)
    return found


def spread_inputs(gray: tuple[Array, ...], networks: Networks, batch: Batch, side: int) -> ExampleInputs:
    """What they take: `gray` are f1-f4 of one image."""
    if "spread" not in networks:
        return {}
    seen = features.blank(networks, batch)
    one = {name: jnp.zeros_like(value[:1]) for name, value in batch.items() if name.startswith("lightness")}
    found: ExampleInputs = {"spread": (one["lightness"], resize_field(one["lightness"], side), (*gray, seen))}
    spread, correct = networks["spread"], networks.get("correct")
    if "refine" in networks and isinstance(spread, SpreadNetwork):
        embeddings = jnp.zeros((1, side, side, embedding_size(spread.width)))
        context = (one.get("lightness_large", one["lightness"]), (gray[-1], seen, embeddings))
        found["refine"] = context
        if isinstance(correct, CorrectNetwork):
            n = correct.side
            found["correct"] = (*context, jnp.zeros((1, n, n, 6)), jnp.zeros((1, n, n, 3)))
    return {name: inputs for name, inputs in found.items() if name in networks}


def coarse_of(
    networks: Networks, variables: Variables, batch: Batch, side: int, *, train: bool = False
) -> tuple[Coarse, dict[str, Any]]:
    """What a field of `side`² is solved from, and new batch statistics."""
    lightness = batch["lightness"]
    gray, _ = features.read_gray(networks, variables, batch)
    seen, colors = features.read(networks, variables, batch)
    (embeddings, confidence), stats = apply(
        networks,
        variables,
        "spread",
        lightness,
        resize_field(lightness, side),
        (*gray, seen),
        train=train,
    )
    if colors is None:  # VGG-16 predicts none
        unary = jnp.zeros((*confidence.shape, 2))
    else:
        unary = resize_field(colors, side).reshape(*confidence.shape, 2)
    return Coarse(embeddings, unary, confidence), stats


def solve(
    coarse: Coarse, colors: Float[Array, "B P 2"], revealed: Float[Array, "B P"], *, beta: float
) -> CoarseField:
    """Eq. (6): x, on the coarse cells.

    Args:
      coarse: S = softmax(E Eᵀ), u and κ of the photos.
      colors: c, network units.
      revealed: r, shares in [0, 1].
      beta: β of an edit.
    """
    unary = jax.vmap(calibrated)(coarse.unary, colors, revealed)
    targets, weights = _believed(colors, revealed, unary, coarse.confidence, beta)
    # The reach is the answer to 1 where something is revealed and 0 in the unary: one more column.
    told = (beta * revealed / weights)[..., None]
    solution = gcrf.solve_on_mesh(
        coarse.embeddings,
        jnp.concatenate([targets, told], axis=-1),
        weights,
        temperature=1.0,
        exclude_diagonal=True,
        solver="cholesky",
    )
    return CoarseField(solution.value[..., :2], jnp.clip(solution.value[..., 2], 0, 1))


def _believed(
    colors: Array, revealed: Array, unary: Array, confidence: Array, beta: float
) -> tuple[Array, Array]:
    """Targets and weights of Eq. (6)."""
    known = beta * revealed
    weights = known + confidence
    return (known[..., None] * colors + confidence[..., None] * unary) / weights[..., None], weights


def context_of(networks: Networks, variables: Variables, batch: Batch, coarse: Coarse) -> Context:
    """The context of a batch, with what its coarse fields are solved from."""
    gray, _ = features.read_gray(networks, variables, batch)
    seen, _ = features.read(networks, variables, batch)
    count, pixels, width = coarse.embeddings.shape
    side = math.isqrt(pixels)
    return Context(
        batch.get("lightness_large", batch["lightness"]),
        (gray[-1], seen, coarse.embeddings.reshape(count, side, side, width)),
        coarse.unary.reshape(count, side, side, 2),
        jnp.log(coarse.confidence).reshape(count, side, side, 1),
    )


def fine_of(networks: Networks, variables: Variables, context: Context, *, train: bool = False) -> Fine:
    """What the fine fields of a batch are solved from."""
    return Fine(*apply(networks, variables, "refine", context.lightness, context.maps, train=train)[0])


def refine(
    fine: Fine,
    unary: Float[Array, "B F F 2"],
    colors: Float[Array, "B F F 2"],
    revealed: Float[Array, "B F F"],
    *,
    beta: float,
) -> Float[Array, "B F F 2"]:
    """x of Eq. (6) on the fine field.

    Args:
      fine: of the photos.
      unary: the coarse answer, lifted.
      colors: of the edits, on the fine field.
      revealed: the shares of its cells that they cover.
      beta: β of an edit.
    """
    flat = [x.reshape(len(x), -1, 2) for x in (colors, unary)]
    known, confidence = (x.reshape(len(x), -1) for x in (revealed, fine.confidence))
    targets, weights = _believed(flat[0], known, flat[1], confidence, beta)
    return gcrf.solve_windowed_on_mesh(fine.rows, targets, weights).value.reshape(unary.shape)


def correct(
    networks: Networks,
    variables: Variables,
    context: Context,
    field: Float[Array, "B F F 2"],
    reach: Float[Array, "B f f"],
    colors: Float[Array, "B n n 2"],
    revealed: Float[Array, "B n n"],
    pixel_colors: Float[Array, "B m m 2"],
    pixels_revealed: Float[Array, "B m m"],
) -> Float[Array, "B m m 2"]:
    """A field at the resolution of the photos, m = 2n, changed by the network and settled, see `control.settle`.

    The network tells as well how much each pixel's colour is to be believed: κ of settling.

    Args:
      networks, variables: of the method.
      context: of the photos.
      field: the fine field, network units.
      reach: `CoarseField.reach`.
      colors: of the edits, on the network's cells.
      revealed: the shares of these cells that they cover; more than 1 count as 1.
      pixel_colors, pixels_revealed: likewise, on the pixels.
    """
    side = 2 * revealed.shape[1]
    chroma = jnp.sqrt(jnp.square(field).mean(axis=(1, 2, 3), keepdims=True)) + _LEAST_CHROMA
    inputs = _correct_inputs(context, field, reach, colors, revealed, chroma)
    change, belief = apply(networks, variables, "correct", *inputs)[0]
    changed = jax.image.resize(field, (len(field), side, side, 2), "cubic") + chroma * change
    confidence = settle.LEAST + (settle.MOST - settle.LEAST) * jax.nn.sigmoid(belief + _BELIEF)
    lightness = color.network_to_lightness(resize_field(context.lightness, side))[..., 0].clip(0, 100)
    neighbors = jax.lax.stop_gradient(jax.vmap(settle.shares)(lightness))
    return jax.vmap(settle.settle)(neighbors, changed, confidence, pixel_colors, pixels_revealed)


def _correct_inputs(
    context: Context,
    field: Array,
    reach: Array,
    colors: Array,
    revealed: Array,
    chroma: Float[Array, "B 1 1 1"],
) -> tuple[Any, ...]:
    """What `models.correct` takes.

    Its unit of colour is `chroma`, the field's own root mean square: its normalised layers could not tell a pale photo
    from a colourful one, and what helps the one is noise in the other.
    """
    side = revealed.shape[1]
    cells = jax.image.resize(field, (len(field), side, side, 2), "cubic")
    known = jnp.minimum(revealed, 1)[..., None]
    fields = [each / chroma for each in (cells, resize_field(context.unary, side), known * (colors - cells))]
    prior = jnp.concatenate([reach[..., None], context.log_confidence], axis=-1)
    shares = [known, resize_field(prior, side)]
    return (context.lightness, context.maps, *(jnp.concatenate(each, axis=-1) for each in (fields, shares)))


def spreader(networks: Networks, side: int) -> Callable[..., Prior] | None:
    """`Edits.spread`: the prior of a batch, fields of `side`²; None where no S for edits is learned."""
    if "spread" not in networks:
        return None

    def spread(variables: Variables, batch: Batch) -> Prior:
        coarse, _ = coarse_of(networks, variables, batch, side)
        similarity = jax.vmap(partial(gcrf.similarity, temperature=1.0, exclude_diagonal=True))
        fine = context = None
        if "refine" in networks:
            context = context_of(networks, variables, batch, coarse)
            fine = fine_of(networks, variables, context)
        return Prior(
            similarity(coarse.embeddings),
            coarse.unary.reshape(-1, side, side, 2),
            coarse.confidence.reshape(-1, side, side),
            fine,
            context if "correct" in networks else None,
        )

    return spread


def corrector(networks: Networks) -> Correction | None:
    """`Edits.correct`; None where no network for it is learned."""
    network = networks.get("correct")
    return (
        Correction(network.side, partial(correct, networks)) if isinstance(network, CorrectNetwork) else None
    )
