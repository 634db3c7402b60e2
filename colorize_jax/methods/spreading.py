"""The stages `spread_coarse`, `spread` and `spread_fine`: an S for edits, trained on a few revealed pixels (Sec. 4).

The paper's masks keep 100 to 10 % of the unary; a user makes one to a hundred edits. Here a photo reveals as many
patches of its own colours, of the size of the reveal benchmark's, and the rest is to follow:

    A x = β r ∘ c + κ ∘ u,      A = (I−S)ᵀ(I−S) + diag(β r + κ)                               Eq. (6)

with r the share of a pixel that is revealed, c its colour, u the regressed colours, no more colourful than these
(`gcrf.calibrated`), and κ the learned confidence in them. S is that of `models.spread`, on frozen features. A photo's
loss is the logarithm of its squared error: the mean of the PSNRs, as the benchmark has it, in ab. The first two stages
train the same network; the coarse one on small fields, which cost a tenth.

`spread_fine` solves once more on a field of twice the side, with the reveals at its resolution and the coarse field for
u, lifted and corrected by `models.correct`. Its S is that of `models.refine`: colours have travelled already, so cells
lean on near cells only, and edges of the lightness part what a coarse cell mixes. A share of its photos have their true
and regressed colours turned together by a random angle, or mirrored: what no photo's content can tell is then learned
from the edits.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from colorize_jax import gcrf
from colorize_jax.methods.base import Batch, SpreadPrior, Stage, Variables
from colorize_jax.methods.networks import Inputs, Learned, Networks, apply
from colorize_jax.methods.pictures import gray_and_truth, picture
from colorize_jax.methods.stages import build_stage
from colorize_jax.models import features as feature_models
from colorize_jax.models.correct import CorrectNetwork
from colorize_jax.models.layers import resize_field
from colorize_jax.models.refine import RefineNetwork
from colorize_jax.models.spread import SpreadNetwork, embedding_size
from colorize_jax.shapes import Array, Float

FIELDS = {"spread_coarse": 16, "spread": 32}
"""Sides of the fields that the stages train on."""

FINE = 2
"""Cells of the fine field along the side of a coarse cell."""

PATCH = 7 / 256
"""Side of a revealed patch, of the photo's: protocol `paper` of `reveals`."""

MOST = 100
"""Reveals of a photo, at most; their number is drawn evenly on a logarithmic scale."""

SHOWN = (1, 10, 50, 100)
"""Numbers of reveals that are evaluated."""

_FINE = ("refine", "correct")  # networks of the fine field

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


class Answer(NamedTuple):
    """The coarse fields of a batch of photos.

    Attributes:
      field: x, network units.
      reach: m = A⁻¹ (β r), clipped to [0, 1]: how much of each colour is the edits'.
    """

    field: Float[Array, "B P 2"]
    reach: Float[Array, "B P"]


class Seen(NamedTuple):
    """What the correction of a batch of photos is made from, besides the edits.

    Attributes:
      lightness: network units, the largest there is.
      maps: feature maps (B, h, w, K).
      unary: of the Spread, as an image.
      log_confidence: of the Spread, likewise.
    """

    lightness: Float[Array, "B H W 1"]
    maps: tuple[Array, ...]
    unary: Float[Array, "B f f 2"]
    log_confidence: Float[Array, "B f f 1"]


class Fine(NamedTuple):
    """What the fields of a batch of photos are refined by.

    Attributes:
      rows: S by window, see `gcrf.solve_windowed`; F is the fine field's side.
      confidence: κ > 0 in the coarse field.
    """

    rows: Float[Array, "B K F F"]
    confidence: Float[Array, "B F F"]


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
) -> Answer:
    """Eq. (6): `colours`, network units, where `revealed` (shares in [0, 1]), spread to the rest."""
    unary = jax.vmap(gcrf.calibrated)(spread.unary, colours, revealed)
    targets, weights = _believed(colours, revealed, unary, spread.confidence, beta)
    # The reach is the answer to 1 where something is revealed and 0 in the unary: one more column.
    told = (beta * revealed / weights)[..., None]
    solution = gcrf.solve_on_mesh(
        spread.embeddings,
        jnp.concatenate([targets, told], axis=-1),
        weights,
        temperature=1.0,
        exclude_diagonal=True,
        solver="cholesky",
    )
    return Answer(solution.value[..., :2], jnp.clip(solution.value[..., 2], 0, 1))


def _believed(
    colours: Array, revealed: Array, unary: Array, confidence: Array, beta: float
) -> tuple[Array, Array]:
    """Targets and weights of Eq. (6)."""
    known = beta * revealed
    weights = known + confidence
    return (known[..., None] * colours + confidence[..., None] * unary) / weights[..., None], weights


def seen_of(networks: Networks, variables: Variables, batch: Batch, spread: Spread) -> Seen:
    """The Seen of a batch, with the embeddings of the coarse field among its maps."""
    gray = apply(networks, variables, "gray", batch["lightness"])[0]
    source = feature_models.source(networks["features"], batch)
    features = apply(networks, variables, "features", source)[0][0]
    count, pixels, width = spread.embeddings.shape
    side = math.isqrt(pixels)
    return Seen(
        batch.get("lightness_large", batch["lightness"]),
        (gray[-1], features, spread.embeddings.reshape(count, side, side, width)),
        spread.unary.reshape(count, side, side, 2),
        jnp.log(spread.confidence).reshape(count, side, side, 1),
    )


def fine_of(networks: Networks, variables: Variables, seen: Seen, *, train: bool = False) -> Fine:
    """The Fine of a batch."""
    return Fine(*apply(networks, variables, "refine", seen.lightness, seen.maps, train=train)[0])


def correct(
    networks: Networks,
    variables: Variables,
    seen: Seen,
    coarse: Float[Array, "B f f 2"],
    reach: Float[Array, "B f f"],
    colours: Float[Array, "B F F 2"],
    revealed: Float[Array, "B F F"],
    *,
    train: bool = False,
) -> Float[Array, "B F F 2"]:
    """The coarse answer lifted to the fine field, and corrected where a network for that was trained.

    Args:
      networks, variables: of the method.
      seen: of the photos.
      coarse: `Answer.field`, network units.
      reach: `Answer.reach`.
      colours: of the edits, on the fine field.
      revealed: the shares of its cells that they cover.
      train: the network's mode.
    """
    batch, side = revealed.shape[:2]
    lifted = jax.image.resize(coarse, (batch, side, side, 2), "cubic")
    if "correct" not in networks:
        return lifted
    known = revealed[..., None]
    fields = [lifted, resize_field(seen.unary, side), known * colours]
    shares = [known, resize_field(jnp.concatenate([reach[..., None], seen.log_confidence], axis=-1), side)]
    inputs = (seen.lightness, seen.maps, *(jnp.concatenate(each, axis=-1) for each in (fields, shares)))
    return lifted + apply(networks, variables, "correct", *inputs, train=train)[0]


def refine(
    fine: Fine,
    unary: Float[Array, "B F F 2"],
    colours: Float[Array, "B F F 2"],
    revealed: Float[Array, "B F F"],
    *,
    beta: float,
) -> Float[Array, "B F F 2"]:
    """x of Eq. (6) on the fine field, whose unary `correct` gives; `colours` and `revealed` as there."""
    flat = [x.reshape(len(x), -1, 2) for x in (colours, unary)]
    known, confidence = (x.reshape(len(x), -1) for x in (revealed, fine.confidence))
    targets, weights = _believed(flat[0], known, flat[1], confidence, beta)
    return gcrf.solve_windowed_on_mesh(fine.rows, targets, weights).value.reshape(unary.shape)


def turned(
    rng: Array, share: float, ab: Float[Array, "B H W 2"], unary: Float[Array, "B P 2"]
) -> tuple[Float[Array, "B H W 2"], Float[Array, "B P 2"]]:
    """True and regressed colours of a `share` of the photos, turned about gray by one random angle, and mirrored."""
    which, angles, signs = jax.random.split(rng, 3)
    count = (len(ab),)
    angle = jax.random.uniform(angles, count, maxval=2 * jnp.pi) * jax.random.bernoulli(which, share, count)
    mirror = jnp.where((angle > 0) & jax.random.bernoulli(signs, 0.5, count), -1.0, 1.0)
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    turn = jnp.stack([jnp.stack([cos, -sin * mirror], -1), jnp.stack([sin, cos * mirror], -1)], -2)
    return jnp.einsum("bij,byxj->byxi", turn, ab), jnp.einsum("bij,bpj->bpi", turn, unary)


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
    field = solve(spread, *reveal(places, true, counts), beta=beta).field
    return _learned(variables["params"]["spread"], field, true, spread.confidence, stats)


def fine_loss(
    networks: Networks,
    variables: Variables,
    batch: Batch,
    rng: Array,
    step: Array,
    *,
    beta: float,
    turn: float,
) -> Learned:
    """As `spread_loss`, of the fine field; the coarse one gets no gradient."""
    places, number, turning = jax.random.split(rng, 3)
    counts = jnp.floor((MOST + 1.0) ** jax.random.uniform(number, (len(batch["ab"]),)))
    spread = jax.lax.stop_gradient(spread_of(networks, variables, batch, FIELDS["spread"])[0])
    ab, unary = turned(turning, turn, batch["ab"], spread.unary)
    spread = spread._replace(unary=unary)
    seen = seen_of(networks, variables, batch, spread)
    fine = fine_of(networks, variables, seen, train=True)
    true, field = _refined(networks, variables, spread, seen, fine, ab, places, counts, beta=beta, train=True)
    stats = {name: variables["batch_stats"].get(name, {}) for name in _FINE if name in networks}
    return _learned(variables["params"]["refine"], field, true, fine.confidence, stats)


def _refined(
    networks: Networks,
    variables: Variables,
    spread: Spread,
    seen: Seen,
    fine: Fine,
    ab: Array,
    places: Array,
    counts: Array,
    *,
    beta: float,
    train: bool = False,
) -> tuple[Array, Array]:
    """The truth and the field at the fine resolution, from the first `counts` reveals."""
    side = fine.confidence.shape[1]
    true, coarse_true = (resize_field(ab, each) for each in (side, side // FINE))
    answer = solve(spread, *reveal(jax.random.clone(places), coarse_true, counts), beta=beta)
    field, reach = jax.lax.stop_gradient(
        (answer.field.reshape(coarse_true.shape), answer.reach.reshape(coarse_true.shape[:3]))
    )
    colours, revealed = reveal(jax.random.clone(places), true, counts)
    given = (colours.reshape(true.shape), revealed.reshape(true.shape[:3]))
    unary = correct(networks, variables, seen, field, reach, *given, train=train)
    return true, refine(fine, unary, *given, beta=beta)


def _learned(params: dict[str, Any], field: Array, true: Array, confidence: Array, stats: Any) -> Learned:
    error = jnp.square(field - true.reshape(field.shape)).mean(axis=(1, 2))
    gains = {
        name.removeprefix("log_"): jnp.exp(value)
        for name, value in params.items()
        if name.startswith("log_gain")
    }
    told = {"squared_error": error.mean(), "confidence": confidence.mean(), **gains}
    return jnp.log(error + _LEAST_ERROR).mean(), (stats, told)


def _spread_from(
    networks: Networks, variables: Variables, batch: Batch, rng: Array, *, side: int, beta: float
) -> tuple[Array, dict[int, Array]]:
    """The truth, and {number of reveals: field}, the same places for all."""
    true = resize_field(batch["ab"], side)
    spread, _ = spread_of(networks, variables, batch, side)
    counts = {count: jnp.full(len(true), float(count)) for count in SHOWN}
    revealed = {n: reveal(jax.random.clone(rng), true, each) for n, each in counts.items()}
    fields = {n: solve(spread, *given, beta=beta).field for n, given in revealed.items()}
    return true, {n: field.reshape(true.shape) for n, field in fields.items()}


def _fine_from(
    networks: Networks, variables: Variables, batch: Batch, rng: Array, *, beta: float
) -> tuple[Array, dict[int, Array]]:
    """As `_spread_from`, of the fine field."""
    spread, _ = spread_of(networks, variables, batch, FIELDS["spread"])
    seen = seen_of(networks, variables, batch, spread)
    whole = (networks, variables, spread, seen, fine_of(networks, variables, seen), batch["ab"], rng)
    many = {n: jnp.full(len(batch["ab"]), float(n)) for n in SHOWN}
    found = {n: _refined(*whole, counts, beta=beta) for n, counts in many.items()}
    return found[SHOWN[0]][0], {n: field for n, (_, field) in found.items()}


Fields = Callable[..., tuple[Array, dict[int, Array]]]
"""`(variables, batch, rng) -> (truth, {number of reveals: field})`, `_spread_from` or `_fine_from`."""


def evaluate_spread(fields: Fields, variables: Variables, batch: Batch, rng: Array) -> dict[str, Array]:
    """−10 log₁₀ of the squared error in network units, after each number of reveals; higher is better."""
    true, found = fields(variables, batch, rng)
    errors = {n: jnp.square(field - true).mean(axis=(1, 2, 3)) for n, field in found.items()}
    return {f"decibels_{n}_reveals": -10 * jnp.log10(error + 1e-9) for n, error in errors.items()}


def picture_spread(fields: Fields, variables: Variables, batch: Batch, rng: Array) -> dict[str, Array]:
    """Gray, truth and the fields after each number of reveals."""
    _, found = fields(variables, batch, rng)
    shown = {f"reveals {n:3d}": picture(batch["lightness"], field) for n, field in found.items()}
    return {**gray_and_truth(batch), **shown}


def spread_networks(config: Any) -> Networks:
    """The networks of `config.spread`; none where it is not asked for, as in models from before it was there."""
    spread = config.get("spread")
    if not (spread and spread.learned):
        return {}
    side, dtype = FINE * FIELDS["spread"], jnp.dtype(config.compute_dtype)
    found: Networks = {"spread": SpreadNetwork(width=spread.width, hidden=spread.hidden, dtype=dtype)}
    if spread.get("fine"):
        sizes = {"width": spread.fine_width, "hidden": spread.fine_hidden}
        found["refine"] = RefineNetwork(side=side, **sizes, dtype=dtype)
        if spread.get("correct"):
            found["correct"] = CorrectNetwork(side=side, width=spread.correct, dtype=dtype)
    return found


def spread_inputs(gray: tuple[Array, ...], networks: Networks, batch: Batch, side: int) -> Inputs:
    """What they take: `gray` are f1-f4 of one image."""
    if "spread" not in networks:
        return {}
    features = jnp.zeros((1, 28, 28, feature_models.channels(networks["features"])))
    one = {name: jnp.zeros_like(value[:1]) for name, value in batch.items() if name.startswith("lightness")}
    found: Inputs = {"spread": (one["lightness"], resize_field(one["lightness"], side), (*gray, features))}
    spread, large = networks["spread"], FINE * FIELDS["spread"]
    if "refine" in networks and isinstance(spread, SpreadNetwork):
        embeddings = jnp.zeros((1, side, side, embedding_size(spread.width)))
        seen = (one.get("lightness_large", one["lightness"]), (gray[-1], features, embeddings))
        found["refine"] = seen
        found["correct"] = (*seen, jnp.zeros((1, large, large, 6)), jnp.zeros((1, large, large, 3)))
    return {name: inputs for name, inputs in found.items() if name in networks}


def spreader(networks: Networks, side: int) -> Callable[..., SpreadPrior] | None:
    """`Method.spread`; None where no S for edits is learned."""
    if "spread" not in networks:
        return None

    def spread(variables: Variables, batch: Batch) -> SpreadPrior:
        found, _ = spread_of(networks, variables, batch, side)
        similarity = jax.vmap(partial(gcrf.similarity, temperature=1.0, exclude_diagonal=True))
        fine = seen = None
        if "refine" in networks:
            seen = seen_of(networks, variables, batch, found)
            fine = tuple(fine_of(networks, variables, seen))
        return SpreadPrior(
            similarity(found.embeddings),
            found.unary.reshape(-1, side, side, 2),
            found.confidence.reshape(-1, side, side),
            fine,
            seen if "correct" in networks else None,
        )

    return spread


def corrector(networks: Networks) -> Callable[..., Array] | None:
    """`Method.correct`; None where no network for it is learned."""
    return partial(correct, networks) if "correct" in networks else None


def stages(config: Any, networks: Networks, inputs: Callable[[Batch], Inputs]) -> list[Stage]:
    """The stages of the networks that the config asks for."""

    def stage(
        name: str, trained: tuple[str, ...], loss: Callable[..., Learned], fields: Fields, **size: int
    ) -> Stage:
        fixed = {"beta": config.gcrf.beta_test, **size}
        own = partial(fields, networks, **fixed)
        return build_stage(
            config,
            name,
            networks,
            inputs,
            trained=trained,
            loss=partial(loss, networks, **fixed),
            evaluate=partial(evaluate_spread, own),
            pictures=partial(picture_spread, own),
        )

    found = []
    if "spread" in networks:
        found += [
            stage(name, ("spread",), spread_loss, _spread_from, side=side) for name, side in FIELDS.items()
        ]
    if "refine" in networks:
        trained = tuple(name for name in _FINE if name in networks)
        found.append(stage("spread_fine", trained, partial(fine_loss, turn=config.spread.turn), _fine_from))
    return found
