"""Stages `spread_coarse`, `spread`, `spread_fine` and `correct`: each trains one step of `fields` on `reveals`.

In the first three a share of the photos is painted (`strokes`): strokes in colours of their own fill things.

| stage | trains | field |
|---|---|---|
| `spread_coarse` | S and the confidence of the coarse field | 16², which costs a tenth |
| `spread` | the same network | 32² |
| `spread_fine` | S and the confidence of the fine field | 64² |
| `correct` | the network that corrects | the photo's pixels |

A photo's loss is the logarithm of its squared error: the mean of the PSNRs, as the benchmark has it; in ab, and in
`correct` in sRGB. In `correct` solving costs more than the network, and S is the photo's, so a photo is revealed
several times a step. With `config.spread.together` both S learn from the corrected answer, too, through the solves. A
share of the photos have their true and regressed colours turned together by a random angle, or mirrored. The content
of such a photo no longer tells its hues, so that they must be learned from the edits.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from colorize_jax import color
from colorize_jax.control.prior import Fine
from colorize_jax.methods.base import Batch, LossResult, Stage, Variables
from colorize_jax.methods.guided.fields import (
    FIELDS,
    FINE,
    Coarse,
    Context,
    coarse_of,
    context_of,
    correct,
    fine_of,
    refine,
    solve,
)
from colorize_jax.methods.guided.reveals import MOST, reveal, revealed_fields, turned
from colorize_jax.methods.guided.strokes import Strokes, paint, shrunk, things
from colorize_jax.methods.parts import features
from colorize_jax.methods.parts.networks import ExampleInputs, Networks
from colorize_jax.methods.parts.pictures import gray_and_truth, picture
from colorize_jax.methods.parts.stages import build_stage
from colorize_jax.models.layers import resize_field
from colorize_jax.shapes import Array, Float, Int

SHOWN = (1, 10, 50, 100)
"""Numbers of reveals that are evaluated."""

_LEAST_ERROR = 1e-5  # network units², 41 dB
_LEAST_RGB_ERROR = 3e-5  # 45 dB

RevealedFields = Callable[..., tuple[Array, dict[int, Array]]]
"""`(variables, batch, rng) -> (truth, {number of reveals: field})`, as `_coarse_fields`."""


class Systems(NamedTuple):
    """What all fields of a batch of photos are made from, besides the edits."""

    coarse: Coarse
    fine: Fine
    context: Context


def build_stages(config: Any, networks: Networks, inputs: Callable[[Batch], ExampleInputs]) -> list[Stage]:
    """The stages of the networks that the config asks for."""

    def stage(
        name: str,
        trained: tuple[str, ...],
        loss: Callable[..., LossResult],
        fields: RevealedFields,
        **size: int,
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

    coarse_error, fine_error = (
        partial(loss, painted=config.spread.painted) for loss in (spread_loss, fine_loss)
    )
    found = []
    if "spread" in networks:
        found += [
            stage(name, ("spread",), coarse_error, _coarse_fields, side=side) for name, side in FIELDS.items()
        ]
    if "refine" in networks:
        found.append(stage("spread_fine", ("refine",), fine_error, _fine_fields))
    if "correct" in networks:
        together = config.spread.together
        own = {"turn": config.spread.turn, "draws": config.spread.draws, "together": together}
        found.append(stage("correct", _corrects(together), partial(correct_loss, **own), _corrected_fields))
    return found


def spread_loss(
    networks: Networks,
    variables: Variables,
    batch: Batch,
    rng: Array,
    step: Array,
    *,
    side: int,
    beta: float,
    painted: float = 0.0,
) -> LossResult:
    """Mean over the photos of log ‖x − wanted‖² / P, from a random number of reveals each, or from strokes."""
    told = _edits(networks, variables, batch, rng, side, painted)
    coarse, stats = coarse_of(networks, variables, batch, side, train=True)
    field = solve(coarse, *_flat(told), beta=beta).colors
    return _learned(variables["params"]["spread"], field, told.wanted, coarse.confidence, stats)


def fine_loss(
    networks: Networks,
    variables: Variables,
    batch: Batch,
    rng: Array,
    step: Array,
    *,
    beta: float,
    painted: float = 0.0,
) -> LossResult:
    """As `spread_loss`, of the fine field; the coarse one gets no gradient."""
    coarse = jax.lax.stop_gradient(coarse_of(networks, variables, batch, FIELDS["spread"])[0])
    fine = fine_of(networks, variables, context_of(networks, variables, batch, coarse), train=True)
    told = _edits(networks, variables, batch, rng, fine.confidence.shape[1], painted)
    field, _ = _refined(coarse, fine, shrunk(told, FINE), told, beta=beta)
    stats = {"refine": variables["batch_stats"].get("refine", {})}
    return _learned(variables["params"]["refine"], field, told.wanted, fine.confidence, stats)


def _edits(
    networks: Networks, variables: Variables, batch: Batch, rng: Array, side: int, painted: float
) -> Strokes:
    """What is known of each photo, and wanted: reveals of its own colours; or, of the share `painted`, strokes."""
    places, number, which, clusters, marks = jax.random.split(rng, 5)
    true = resize_field(batch["ab"], side)
    counts = jnp.floor((MOST + 1.0) ** jax.random.uniform(number, (len(true),)))
    revealed = Strokes(true, *revealed_fields(places, true, counts))
    if not painted:
        return revealed
    lightness = batch.get("lightness_large", batch["lightness"])
    seen = jax.lax.stop_gradient(features.read(networks, variables, batch)[0])
    strokes = paint(marks, true, _divided(batch, things(clusters, seen, lightness, side)))
    chosen = jax.random.bernoulli(which, painted, (len(true),))

    def choose(one: Array, other: Array) -> Array:
        return jnp.where(chosen.reshape(-1, *[1] * (one.ndim - 1)), one, other)

    return Strokes(*map(choose, strokes, revealed))


def _divided(batch: Batch, found: Int[Array, "B F F"]) -> Int[Array, "B F F"]:
    """What is one thing in each photo: what people say where they have divided it, else what is `found`."""
    if "regions" not in batch:
        return found
    step = batch["regions"].shape[1] // found.shape[1]
    said = batch["regions"][:, step // 2 :: step, step // 2 :: step].astype(found.dtype)
    return jnp.where(said >= 0, said, found)


def _flat(told: Strokes) -> tuple[Float[Array, "B P 2"], Float[Array, "B P"]]:
    """Colours and revealed shares, as `solve` takes them."""
    return told.colors.reshape(len(told.colors), -1, 2), told.revealed.reshape(len(told.colors), -1)


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
    systems = _systems(networks, variables, batch)
    systems = systems if together else jax.lax.stop_gradient(systems)

    def error(field: Array, true: Array) -> Array:
        rgb = (color.lab_to_srgb(color.network_to_lab(lightness, each)) for each in (field, true))
        return jnp.square(jnp.subtract(*rgb)).mean(axis=(1, 2, 3))

    def one(places: Array, turning: Array, counts: Array) -> tuple[Array, Array]:
        true, unary = turned(turning, turn, ab, systems.coarse.unary)
        before, after = _corrected(
            networks, variables, _with_unary(systems, unary), true, places, counts, beta=beta
        )
        return error(jax.image.resize(before, true.shape, "cubic"), true), error(after, true)

    places, number, turning = (jax.random.split(key, draws) for key in jax.random.split(rng, 3))
    # Many reveals more often than few: there is more to be learned from. One in a hundred is 0.
    even = jnp.sqrt(jax.vmap(lambda key: jax.random.uniform(key, (len(ab),)))(number))
    counts = jnp.floor((MOST + 1.0) ** even - 0.5)
    before, after = jax.vmap(one)(places, turning, counts)
    told = {"squared_error": after.mean(), "gain": 10 * jnp.log10(before / after).mean()}
    stats = {name: variables["batch_stats"].get(name, {}) for name in _corrects(together)}
    return jnp.log(after + _LEAST_RGB_ERROR).mean(), (stats, told)


def _refined(
    coarse: Coarse, fine: Fine, small: Strokes, told: Strokes, *, beta: float
) -> tuple[Float[Array, "B F F 2"], Float[Array, "B f f"]]:
    """The fine field from edits, which are given on the coarse one as well, and how far they reach in that one."""
    found = solve(coarse, *_flat(small), beta=beta)
    lifted = jax.image.resize(found.colors.reshape(small.colors.shape), told.colors.shape, "cubic")
    field = refine(fine, lifted, told.colors, told.revealed, beta=beta)
    return field, found.reach.reshape(small.revealed.shape)


def _revealed(true: Float[Array, "B F F 2"], places: Array, counts: Array) -> tuple[Strokes, Strokes]:
    """The first `counts` reveals of `true`, on the coarse field and on the fine one."""
    small = resize_field(true, true.shape[1] // FINE)
    return (
        Strokes(small, *revealed_fields(places, small, counts)),
        Strokes(true, *revealed_fields(places, true, counts)),
    )


def _systems(networks: Networks, variables: Variables, batch: Batch) -> Systems:
    coarse, _ = coarse_of(networks, variables, batch, FIELDS["spread"])
    context = context_of(networks, variables, batch, coarse)
    return Systems(coarse, fine_of(networks, variables, context), context)


def _corrected(
    networks: Networks,
    variables: Variables,
    systems: Systems,
    true: Float[Array, "B m m 2"],
    places: Array,
    counts: Array,
    *,
    beta: float,
) -> tuple[Float[Array, "B F F 2"], Float[Array, "B m m 2"]]:
    """The fine field from the first `counts` reveals of `true`, and what `correct` makes of it."""
    small = resize_field(true, systems.fine.confidence.shape[1])
    told = _revealed(small, places, counts)
    field, reach = _refined(systems.coarse, systems.fine, *told, beta=beta)
    cells = resize_field(true, networks["correct"].side)
    edits = (*revealed_fields(places, cells, counts), *revealed_fields(places, true, counts))
    return field, correct(networks, variables, systems.context, field, reach, *edits)


def _with_unary(systems: Systems, unary: Float[Array, "B P 2"]) -> Systems:
    image = unary.reshape(systems.context.unary.shape)
    return systems._replace(
        coarse=systems.coarse._replace(unary=unary), context=systems.context._replace(unary=image)
    )


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


def _coarse_fields(
    networks: Networks, variables: Variables, batch: Batch, rng: Array, *, side: int, beta: float
) -> tuple[Array, dict[int, Array]]:
    """The truth, and {number of reveals: field}, the same places for all."""
    true = resize_field(batch["ab"], side)
    coarse, _ = coarse_of(networks, variables, batch, side)

    def field(counts: Array) -> Array:
        told = reveal(jax.random.clone(rng), true, counts)
        return solve(coarse, *told, beta=beta).colors.reshape(true.shape)

    return true, _after_each_number(field, len(true))


def _fine_fields(
    networks: Networks, variables: Variables, batch: Batch, rng: Array, *, beta: float
) -> tuple[Array, dict[int, Array]]:
    """As `_coarse_fields`, of the fine field."""
    systems = _systems(networks, variables, batch)
    true = resize_field(batch["ab"], systems.fine.confidence.shape[1])

    def field(counts: Array) -> Array:
        return _refined(systems.coarse, systems.fine, *_revealed(true, rng, counts), beta=beta)[0]

    return true, _after_each_number(field, len(true))


def _corrected_fields(
    networks: Networks, variables: Variables, batch: Batch, rng: Array, *, beta: float
) -> tuple[Array, dict[int, Array]]:
    """As `_coarse_fields`, at full resolution."""
    systems, true = _systems(networks, variables, batch), batch["ab_large"]

    def field(counts: Array) -> Array:
        return _corrected(networks, variables, systems, true, rng, counts, beta=beta)[1]

    return true, _after_each_number(field, len(true))


def _after_each_number(field: Callable[[Array], Array], photos: int) -> dict[int, Array]:
    """{number of reveals: field}, of the numbers `SHOWN`; `field` takes the number of reveals of each photo."""
    return {number: field(jnp.full(photos, float(number))) for number in SHOWN}


def evaluate_spread(
    fields: RevealedFields, variables: Variables, batch: Batch, rng: Array
) -> dict[str, Array]:
    """−10 log₁₀ of the squared error in network units, after each number of reveals; higher is better."""
    true, found = fields(variables, batch, rng)
    errors = {n: jnp.square(field - true).mean(axis=(1, 2, 3)) for n, field in found.items()}
    return {f"decibels_{n}_reveals": -10 * jnp.log10(error + 1e-9) for n, error in errors.items()}


def picture_spread(
    fields: RevealedFields, variables: Variables, batch: Batch, rng: Array
) -> dict[str, Array]:
    """Gray, truth and the fields after each number of reveals."""
    _, found = fields(variables, batch, rng)
    shown = {f"reveals {n:3d}": picture(batch["lightness"], field) for n, field in found.items()}
    return {**gray_and_truth(batch), **shown}
