"""Edits of a photo to its colour fields: the one way that the library, the studio and the evaluation go.

| mode | α, what edits meet | κ, what holds it |
|---|---|---|
| `over` | each version | four times the confidence learned with S; or β, and less where edits speak |
| `alone` | nothing; a weak pull to gray | 0 |
| `guided` | the model's own single answer | the confidence learned with S |

Eq. (6) with these α and κ is in `control.propagate`. Edits of less reach than everything alike follow, over what the
others made. In modes 'over' and 'guided' the field is then refined and corrected, where the model has learned to; in
mode 'over' as far as edits speak of a cell, so that each version is itself without them.
"""

from functools import partial
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from colorize_jax import color
from colorize_jax.control import propagate
from colorize_jax.control.document import REACHES
from colorize_jax.control.prior import Correction, Fine, Prior
from colorize_jax.control.propagate import Inverse, System
from colorize_jax.control.raster import CellEdits
from colorize_jax.photos import upsample
from colorize_jax.shapes import Float

MODES = ("over", "alone", "guided")

_FIRMER = 4.0
"""κ of versions over κ of the model's single answer.

On four photos of BSDS val, strokes as `colorize-eval` has them: at 1, 4 and 16 they overlap their segments by 0.771,
0.753 and 0.714; with true colours the photo comes to 30.77, 30.86 and 30.23 dB, with such as are chosen by eye to
24.96, 25.29 and 25.52 (by hand).
"""


@runtime_checkable
class Evidence(Protocol):
    """What is told of a photo's colours, for fields of any side: `raster.Marks` of a document, or reveals."""

    def cells(self, side: int) -> CellEdits:
        """The edits on the side x side cells of a field."""
        ...


class Held(NamedTuple):
    """Versions as mode 'over' edits them, network units.

    Attributes:
      unary: what the equation has of them. By a learned confidence, `propagate.smoothed`; by β, their α.
      field: the versions themselves.
    """

    unary: Float[np.ndarray, "N F F 2"]
    field: Float[np.ndarray, "N F F 2"]


def of_versions(confidence: Float[np.ndarray, "F F"]) -> Float[np.ndarray, "F F"]:
    """κ by which mode 'over' holds versions: firmly, so that they stay apart, and no wrong colour floods."""
    firm: np.ndarray = np.float32(_FIRMER) * confidence
    return firm


class EditSolver(NamedTuple):
    """How the fields of a model are solved for.

    Attributes:
      weight: w of an edit of weight 1 where it covers its cell; the paper's β.
      floor: γ > 0, gray's weight in every cell in modes 'over' and 'alone'.
      inverse: to A⁻¹ b on the coarse field; the studio has a quicker one than the default.
      correction: what is added to the fine field, its variables bound; None for a model that learned none.
    """

    weight: float
    floor: float
    inverse: Inverse = propagate.dense_inverse
    correction: Correction | None = None


def answer(
    prior: Prior,
    marks: Evidence,
    mode: str,
    versions: Held | None,
    solver: EditSolver,
    *,
    confidence: float | Float[np.ndarray, "F F"] | None = None,
    lightness: Float[np.ndarray, "H W"] | None = None,
) -> Float[np.ndarray, "N G G 2"]:
    """The colour fields of a photo under edits, network units: Eq. (6), and in two modes what follows it.

    Args:
      prior: of the photo.
      marks: its edits.
      mode: one of `MODES`; 'alone' and 'guided' have one answer, N = 1.
      versions: of mode 'over'.
      solver: of the model.
      confidence: of mode 'over', see `system_of`.
      lightness: of mode 'over', the photo's CIE L*, along which a version is lifted to the cells of its finished field;
        None leaves the fields as they are solved for, unrefined.

    Raises:
      ValueError: an unknown mode, a bad confidence, or mode 'over' without versions.
    """
    if mode == "over" and versions is None:
        raise ValueError("versions is None, but mode 'over' edits versions; give what holds them, `Held`.")
    cells = marks.cells(len(prior.unary))
    edited = versions if mode == "over" else None
    if edited is not None and not (cells.weights.any() or cells.links):
        return edited.field
    if edited is not None and prior.confidence is not None:
        prior = prior._replace(confidence=of_versions(prior.confidence))
    everywhere, *others = cells.parts or (cells,)
    system = system_of(prior, everywhere, mode, solver, confidence)
    if edited is None:
        fields = propagate.solve(system, _unary(prior, cells, mode), solver.inverse)
    elif prior.confidence is None or confidence is not None:
        fields = propagate.solve(system, edited.unary, solver.inverse)
    else:
        changed = propagate.solve_change(system, edited.unary, prior.similarity, solver.inverse)
        share = propagate.counted(_spoken(prior, everywhere, solver))[..., None]
        fields = (edited.field + share * (changed - edited.field)).astype(np.float32)
    numbers = {"weight": solver.weight, "floor": solver.floor}
    shares = [
        propagate.limited(prior.similarity, part, reach, **numbers, inverse=solver.inverse)
        for reach, part in zip(REACHES[1:], others, strict=False)
    ]
    for part, share in zip(others, shares, strict=True):
        fields = propagate.again(prior.similarity, part, share, fields, **numbers)
    if mode == "alone" or prior.fine is None:
        return fields
    finish = partial(_finished, prior, prior.fine, marks, _spoken(prior, cells, solver), solver)
    if edited is None:
        return finish(fields[0])[None]
    if lightness is None:
        return fields
    spoken = np.maximum.reduce([_spoken(prior, everywhere, solver), *shares])
    return _mixed(fields, np.stack([finish(field) for field in fields]), spoken, lightness)


def _unary(prior: Prior, cells: CellEdits, mode: str) -> Float[np.ndarray, "1 F F 2"]:
    """α of the modes with one answer."""
    unary = np.zeros_like(prior.unary) if mode == "alone" else propagate.calibrated(prior.unary, cells)
    return unary[None]


def system_of(
    prior: Prior,
    cells: CellEdits,
    mode: str,
    solver: EditSolver,
    confidence: float | Float[np.ndarray, "F F"] | None = None,
) -> System:
    """A of Eq. (6) on the coarse field.

    Args:
      prior: of the photo.
      cells: its edits on the coarse field.
      mode: one of `MODES`.
      solver: its numbers.
      confidence: β > 0 of mode 'over', of the whole field or of each cell: what holds a version's unary where no edit
        speaks, and gives way where one does. By default the learned one, which does not; or else the weight of an edit.

    Raises:
      ValueError: an unknown mode, or a confidence that is not positive and finite.
    """
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}; allowed are {', '.join(MODES)}.")
    learned = prior.confidence
    if learned is not None and (mode == "guided" or (mode == "over" and confidence is None)):
        return propagate.guided(prior.similarity, cells, weight=solver.weight, confidence=learned)
    if mode in ("alone", "guided"):
        return propagate.alone(prior.similarity, cells, weight=solver.weight, floor=solver.floor)
    return propagate.over(
        prior.similarity,
        cells,
        weight=solver.weight,
        floor=solver.floor,
        confidence=solver.weight if confidence is None else confidence,
        inverse=solver.inverse,
    )


def _spoken(prior: Prior, cells: CellEdits, solver: EditSolver) -> Float[np.ndarray, "F F"]:
    """How much edits speak of each cell, beside the confidence that was learned."""
    system = system_of(prior, cells, "guided", solver)
    _, given_up = propagate.linked_similarity(prior.similarity, cells.links)
    reached: np.ndarray = np.maximum(propagate.reach(system, solver.inverse), given_up)
    return reached.reshape(cells.weights.shape)


def _mixed(
    fields: Float[np.ndarray, "N F F 2"],
    finished: Float[np.ndarray, "N G G 2"],
    spoken: Float[np.ndarray, "F F"],
    lightness: Float[np.ndarray, "H W"],
) -> Float[np.ndarray, "N G G 2"]:
    """Fields that are finished as far as edits speak of a cell, and elsewhere lifted along the photo."""
    count, side = finished.shape[:2]
    along = upsample.resize(lightness, side, side).clip(0, 100)
    columns = np.concatenate([*fields, propagate.counted(spoken)[..., None]], axis=-1)
    lifted = upsample.lift(columns, along)
    versions = np.moveaxis(lifted[..., :-1].reshape(side, side, count, 2), 2, 0)
    share = lifted[..., -1:].clip(0, 1)
    mixed: np.ndarray = versions + share * (finished - versions)
    return mixed


def _finished(
    prior: Prior,
    fine: Fine,
    marks: Evidence,
    reach: Float[np.ndarray, "F F"],
    solver: EditSolver,
    coarse: Float[np.ndarray, "F F 2"],
) -> Float[np.ndarray, "G G 2"]:
    """A coarse field, refined, and corrected where the model has learned to."""
    side = len(fine.confidence)
    lifted = propagate.lifted(coarse, side)
    field = propagate.refine(fine, lifted, marks.cells(side), weight=solver.weight, within=coarse)
    if solver.correction is None or prior.context is None:
        return field
    return _corrected(prior, marks, field, reach, solver.correction)


def _corrected(
    prior: Prior,
    marks: Evidence,
    field: Float[np.ndarray, "G G 2"],
    reach: Float[np.ndarray, "F F"],
    correction: Correction,
) -> Float[np.ndarray, "m m 2"]:
    near = [marks.cells(side) for side in (correction.side, 2 * correction.side)]
    edits = [array for each in near for array in (color.ab_to_network(each.ab), each.weights)]
    arrays = (np.asarray(array, np.float32)[None] for array in (field, reach, *edits))
    return np.asarray(correction.apply(prior.context, *arrays)[0])
