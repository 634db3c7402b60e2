"""Stages `spread_coarse`, `spread`, `spread_fine` and `correct`: edits that spread, from a few reveals (Sec. 4).

The paper's masks keep 100 to 10 % of the unary; a user makes one to a hundred edits. Here a photo reveals as many
patches of its own colours, of the size of the reveal benchmark's, and the rest is to follow:

    A x = β r ∘ c + κ ∘ u,      A = (I−S)ᵀ(I−S) + diag(β r + κ)                               Eq. (6)

with r the share of a pixel that is revealed, c its colour, u the regressed colours, no more colourful than these
(`control.calibrate`), and κ the learned confidence in them. S is that of `models.spread`, on frozen features. A photo's
loss is the logarithm of its squared error: the mean of the PSNRs, as the benchmark has it, in ab. The first two stages
train the same network; the coarse one on small fields, which cost a tenth.

`spread_fine` solves once more on a field of twice the side, with the reveals at its resolution and the coarse field,
lifted, for u. Its S is that of `models.refine`: colours have travelled already, so cells lean on near cells only, and
edges of the lightness part what a coarse cell mixes.

`correct` learns what no solve can know, on top of the others: a network (`models.correct`) sees the fine field, the
edits and the photo, and changes the field at the photo's own resolution, which then settles along the lightness
(`settle`). Solving costs more than that network, and S is the photo's, so a photo is revealed several times a step.
With `config.spread.together` both S learn from the corrected answer, too, through the solves. A share of the photos
have their true and regressed colours turned together by a random angle, or mirrored: what no photo's content can tell
is then learned from the edits.
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
from colorize_jax.methods.base import Batch, LossResult, SpreadPrior, Stage, Variables
from colorize_jax.methods.parts.networks import ExampleInputs, Networks, apply
from colorize_jax.methods.parts.pictures import gray_and_truth, picture
from colorize_jax.methods.parts.stages import build_stage
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

_LEAST_ERROR = 1e-5  # network units², 41 dB
_LEAST_RGB_ERROR = 3e-5  # 45 dB
_BELIEF = -3.9  # log-odds before training: κ = 0.03
_LEAST_CHROMA = 0.01  # network units, 1.3 in ab: what a gray photo's colours are measured in


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
    """What the fine field of a batch of photos and its correction are made from, besides the edits.

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
    features, colors = apply(networks, variables, "features", source)[0]
    (embeddings, confidence), stats = apply(
        networks,
        variables,
        "spread",
        lightness,
        resize_field(lightness, side),
        (*gray, features),
        train=train,
    )
    if colors is None:  # VGG-16 predicts none
        unary = jnp.zeros((*confidence.shape, 2))
    else:
        unary = resize_field(colors, side).reshape(*confidence.shape, 2)
    return Spread(embeddings, unary, confidence), stats


def solve(
    spread: Spread, colors: Float[Array, "B P 2"], revealed: Float[Array, "B P"], *, beta: float
) -> Answer:
    """Eq. (6): `colors`, network units, where `revealed` (shares in [0, 1]), spread to the rest."""
    unary = jax.vmap(calibrated)(spread.unary, colors, revealed)
    targets, weights = _believed(colors, revealed, unary, spread.confidence, beta)
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
    colors: Array, revealed: Array, unary: Array, confidence: Array, beta: float
) -> tuple[Array, Array]:
    """Targets and weights of Eq. (6)."""
    known = beta * revealed
    weights = known + confidence
    return (known[..., None] * colors + confidence[..., None] * unary) / weights[..., None], weights


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
    field: Float[Array, "B F F 2"],
    reach: Float[Array, "B f f"],
    colors: Float[Array, "B n n 2"],
    revealed: Float[Array, "B n n"],
    pixel_colors: Float[Array, "B m m 2"],
    pixels_revealed: Float[Array, "B m m"],
) -> Float[Array, "B m m 2"]:
    """A field at the resolution of the photos, m = 2n, corrected by the network that was trained for that.

    The network's unit of colour is the field's own root mean square: its normalised layers could not tell a pale photo
    from a colourful one, and what helps the one is noise in the other. It tells as well how much each pixel's colour is
    to be believed, and with that the field settles along the lightness, see `settle`.

    Args:
      networks, variables: of the method.
      seen: of the photos.
      field: the fine field, network units.
      reach: `Answer.reach`.
      colors: of the edits, on the network's cells.
      revealed: the shares of these cells that they cover; more than 1 count as 1.
      pixel_colours, pixels_revealed: likewise, on the pixels.
    """
    batch, side = revealed.shape[:2]
    cells, lifted = (jax.image.resize(field, (batch, n, n, 2), "cubic") for n in (side, 2 * side))
    known = jnp.minimum(revealed, 1)[..., None]
    chroma = jnp.sqrt(jnp.square(field).mean(axis=(1, 2, 3), keepdims=True)) + _LEAST_CHROMA
    fields = [each / chroma for each in (cells, resize_field(seen.unary, side), known * (colors - cells))]
    shares = [known, resize_field(jnp.concatenate([reach[..., None], seen.log_confidence], axis=-1), side)]
    inputs = (seen.lightness, seen.maps, *(jnp.concatenate(each, axis=-1) for each in (fields, shares)))
    change, belief = apply(networks, variables, "correct", *inputs)[0]
    confidence = settle.LEAST + (settle.MOST - settle.LEAST) * jax.nn.sigmoid(belief + _BELIEF)
    lightness = color.network_to_lightness(resize_field(seen.lightness, 2 * side))[..., 0].clip(0, 100)
    neighbors = jax.lax.stop_gradient(jax.vmap(settle.shares)(lightness))
    given = (lifted + chroma * change, confidence, pixel_colors, pixels_revealed)
    return jax.vmap(settle.settle)(neighbors, *given)


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
    colors = summed / jnp.maximum(share, 1e-9)[..., None]
    return colors.reshape(batch, -1, 2), jnp.minimum(share, 1).reshape(batch, -1)


def spread_loss(
    networks: Networks, variables: Variables, batch: Batch, rng: Array, step: Array, *, side: int, beta: float
) -> LossResult:
    """Mean over the photos of log ‖x − truth‖² / P, from a random number of reveals each."""
    places, number = jax.random.split(rng)
    true = resize_field(batch["ab"], side)
    counts = jnp.floor((MOST + 1.0) ** jax.random.uniform(number, (len(true),)))
    spread, stats = spread_of(networks, variables, batch, side, train=True)
    field = solve(spread, *reveal(places, true, counts), beta=beta).field
    return _learned(variables["params"]["spread"], field, true, spread.confidence, stats)


def fine_loss(
    networks: Networks, variables: Variables, batch: Batch, rng: Array, step: Array, *, beta: float
) -> LossResult:
    """As `spread_loss`, of the fine field; the coarse one gets no gradient."""
    places, number = jax.random.split(rng)
    counts = jnp.floor((MOST + 1.0) ** jax.random.uniform(number, (len(batch["ab"]),)))
    spread = jax.lax.stop_gradient(spread_of(networks, variables, batch, FIELDS["spread"])[0])
    fine = fine_of(networks, variables, seen_of(networks, variables, batch, spread), train=True)
    true = resize_field(batch["ab"], fine.confidence.shape[1])
    field, _ = _refined(spread, fine, true, places, counts, beta=beta)
    stats = {"refine": variables["batch_stats"].get("refine", {})}
    return _learned(variables["params"]["refine"], field, true, fine.confidence, stats)


def _refined(
    spread: Spread, fine: Fine, true: Array, places: Array, counts: Array, *, beta: float
) -> tuple[Float[Array, "B F F 2"], Float[Array, "B f f"]]:
    """The fine field from the first `counts` reveals of `true`, and how far they reach in the coarse one."""
    side = true.shape[1]
    coarse_true = resize_field(true, side // FINE)
    answer = solve(spread, *reveal(jax.random.clone(places), coarse_true, counts), beta=beta)
    lifted = jax.image.resize(answer.field.reshape(coarse_true.shape), true.shape, "cubic")
    field = refine(fine, lifted, *_revealed(places, true, counts), beta=beta)
    return field, answer.reach.reshape(coarse_true.shape[:3])


def _revealed(places: Array, true: Array, counts: Array) -> tuple[Array, Array]:
    """`reveal` at places that are drawn more than once, as fields."""
    colors, revealed = reveal(jax.random.clone(places), true, counts)
    return colors.reshape(true.shape), revealed.reshape(true.shape[:3])


class Known(NamedTuple):
    """What the frozen networks make of a batch of photos."""

    spread: Spread
    seen: Seen
    fine: Fine


def _known(networks: Networks, variables: Variables, batch: Batch) -> Known:
    spread, _ = spread_of(networks, variables, batch, FIELDS["spread"])
    seen = seen_of(networks, variables, batch, spread)
    return Known(spread, seen, fine_of(networks, variables, seen))


def _corrected(
    networks: Networks,
    variables: Variables,
    known: Known,
    true: Float[Array, "B m m 2"],
    places: Array,
    counts: Array,
    *,
    beta: float,
) -> tuple[Float[Array, "B F F 2"], Float[Array, "B m m 2"]]:
    """The fine field from the first `counts` reveals of `true`, and what `correct` makes of it."""
    small = resize_field(true, known.fine.confidence.shape[1])
    field, reach = _refined(known.spread, known.fine, small, places, counts, beta=beta)
    cells = resize_field(true, networks["correct"].side)
    given = (*_revealed(places, cells, counts), *_revealed(places, true, counts))
    return field, correct(networks, variables, known.seen, field, reach, *given)


def correct_loss(
    networks: Networks,
    variables: Variables,
    batch: Batch,
    rng: Array,
    step: Array,
    *,
    beta: float,
    turn: float,
    draws: int,
    together: bool = False,
) -> LossResult:
    """Mean over the photos and `draws` of their reveals of the log of the squared sRGB error, at full resolution.

    The solves get a gradient where all is trained `together`. The metric `gain` is what the network's field is ahead of
    the one that it was given, in dB.
    """
    lightness, ab = batch["lightness_large"], batch["ab_large"]
    known = _known(networks, variables, batch)
    known = known if together else jax.lax.stop_gradient(known)
    shape = known.seen.unary.shape

    def error(field: Array, true: Array) -> Array:
        rgb = (color.lab_to_srgb(color.network_to_lab(lightness, each)) for each in (field, true))
        return jnp.square(jnp.subtract(*rgb)).mean(axis=(1, 2, 3))

    def one(places: Array, turning: Array, counts: Array) -> tuple[Array, Array]:
        true, unary = turned(turning, turn, ab, known.spread.unary)
        own = known._replace(
            spread=known.spread._replace(unary=unary), seen=known.seen._replace(unary=unary.reshape(shape))
        )
        before, after = _corrected(networks, variables, own, true, places, counts, beta=beta)
        return error(jax.image.resize(before, true.shape, "cubic"), true), error(after, true)

    places, number, turning = (jax.random.split(key, draws) for key in jax.random.split(rng, 3))
    # Many reveals more often than few: there is more to be learned from. One in a hundred is 0.
    even = jnp.sqrt(jax.vmap(lambda key: jax.random.uniform(key, (len(ab),)))(number))
    counts = jnp.floor((MOST + 1.0) ** even - 0.5)
    before, after = jax.vmap(one)(places, turning, counts)
    told = {"squared_error": after.mean(), "gain": 10 * jnp.log10(before / after).mean()}
    stats = {name: variables["batch_stats"].get(name, {}) for name in _corrects(together)}
    return jnp.log(after + _LEAST_RGB_ERROR).mean(), (stats, told)


def _corrects(together: bool) -> tuple[str, ...]:
    """The networks that the stage `correct` trains."""
    return ("spread", "refine", "correct") if together else ("correct",)


def _learned(params: dict[str, Any], field: Array, true: Array, confidence: Array, stats: Any) -> LossResult:
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
    known = _known(networks, variables, batch)
    true = resize_field(batch["ab"], known.fine.confidence.shape[1])
    many = {n: jnp.full(len(true), float(n)) for n in SHOWN}
    return true, {
        n: _refined(known.spread, known.fine, true, rng, counts, beta=beta)[0] for n, counts in many.items()
    }


def _correct_from(
    networks: Networks, variables: Variables, batch: Batch, rng: Array, *, beta: float
) -> tuple[Array, dict[int, Array]]:
    """As `_spread_from`, at full resolution."""
    known, true = _known(networks, variables, batch), batch["ab_large"]
    many = {n: jnp.full(len(true), float(n)) for n in SHOWN}
    return true, {
        n: _corrected(networks, variables, known, true, rng, counts, beta=beta)[1]
        for n, counts in many.items()
    }


Fields = Callable[..., tuple[Array, dict[int, Array]]]
"""`(variables, batch, rng) -> (truth, {number of reveals: field})`, as `_spread_from`."""


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
            found["correct"] = CorrectNetwork(side=spread.correct_side, width=spread.correct, dtype=dtype)
    return found


def spread_inputs(gray: tuple[Array, ...], networks: Networks, batch: Batch, side: int) -> ExampleInputs:
    """What they take: `gray` are f1-f4 of one image."""
    if "spread" not in networks:
        return {}
    features = jnp.zeros((1, 28, 28, feature_models.channels(networks["features"])))
    one = {name: jnp.zeros_like(value[:1]) for name, value in batch.items() if name.startswith("lightness")}
    found: ExampleInputs = {
        "spread": (one["lightness"], resize_field(one["lightness"], side), (*gray, features))
    }
    spread, correct = networks["spread"], networks.get("correct")
    if "refine" in networks and isinstance(spread, SpreadNetwork):
        embeddings = jnp.zeros((1, side, side, embedding_size(spread.width)))
        seen = (one.get("lightness_large", one["lightness"]), (gray[-1], features, embeddings))
        found["refine"] = seen
        if isinstance(correct, CorrectNetwork):
            n = correct.side
            found["correct"] = (*seen, jnp.zeros((1, n, n, 6)), jnp.zeros((1, n, n, 3)))
    return {name: inputs for name, inputs in found.items() if name in networks}


def spreader(networks: Networks, side: int) -> Callable[..., SpreadPrior] | None:
    """`Edits.spread`; None where no S for edits is learned."""
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
    """`Edits.correct`; None where no network for it is learned."""
    return partial(correct, networks) if "correct" in networks else None


def stages(config: Any, networks: Networks, inputs: Callable[[Batch], ExampleInputs]) -> list[Stage]:
    """The stages of the networks that the config asks for."""

    def stage(
        name: str, trained: tuple[str, ...], loss: Callable[..., LossResult], fields: Fields, **size: int
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
        found.append(stage("spread_fine", ("refine",), fine_loss, _fine_from))
    if "correct" in networks:
        together = config.spread.get("together", False)
        own = {"turn": config.spread.turn, "draws": config.spread.draws, "together": together}
        found.append(stage("correct", _corrects(together), partial(correct_loss, **own), _correct_from))
    return found
