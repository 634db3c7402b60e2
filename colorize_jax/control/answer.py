"""Edits of a photo to its colour fields: the one way that the library, the studio and the evaluation go.

| mode | α, what edits meet | κ, what holds it |
|---|---|---|
| `over` | the unary of each version | β, and less where edits speak |
| `alone` | nothing; a weak pull to gray | 0 |
| `guided` | the model's own single answer | the confidence learned with it; then refined and corrected |

Eq. (6) with these α and κ is in `control.propagate`. Edits of less reach than everything alike follow, over what the
others made.
"""

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from colorize_jax import color
from colorize_jax.control import propagate
from colorize_jax.control.document import REACHES
from colorize_jax.control.prior import Correction, Prior
from colorize_jax.control.propagate import Inverse, System
from colorize_jax.control.raster import CellEdits
from colorize_jax.shapes import Float

MODES = ("over", "alone", "guided")


@runtime_checkable
class Evidence(Protocol):
    """What is told of a photo's colours, for fields of any side: `raster.Marks` of a document, or reveals."""

    def cells(self, side: int) -> CellEdits:
        """The edits on the side x side cells of a field."""
        ...


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
    versions: Float[np.ndarray, "N F F 2"] | None,
    solver: EditSolver,
    *,
    confidence: float | Float[np.ndarray, "F F"] | None = None,
) -> Float[np.ndarray, "N G G 2"]:
    """The colour fields of a photo under edits, network units: Eq. (6), and in mode 'guided' what follows it.

    Args:
      prior: of the photo.
      marks: its edits.
      mode: one of `MODES`; 'alone' and 'guided' have one answer, N = 1.
      versions: of mode 'over', the unary of each version.
      solver: of the model.
      confidence: of mode 'over', see `system_of`.

    Raises:
      ValueError: an unknown mode, a bad confidence, or mode 'over' without versions.
    """
    if mode == "over" and versions is None:
        raise ValueError("versions is None, but mode 'over' edits versions; give their unary, (N, F, F, 2).")
    cells = marks.cells(len(prior.unary))
    everywhere, *limited = cells.parts or (cells,)
    system = system_of(prior, everywhere, mode, solver, confidence)
    unary = _unary(prior, cells, mode) if versions is None or mode != "over" else versions
    fields = propagate.solve(system, unary, solver.inverse)
    for reach, part in zip(REACHES[1:], limited, strict=False):
        fields = propagate.again(
            prior.similarity,
            part,
            reach,
            fields,
            weight=solver.weight,
            floor=solver.floor,
            inverse=solver.inverse,
        )
    return _finished(prior, marks, cells, fields[0], solver)[None] if mode == "guided" else fields


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
        speaks. By default the weight of an edit.

    Raises:
      ValueError: an unknown mode, or a confidence that is not positive and finite.
    """
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}; allowed are {', '.join(MODES)}.")
    if mode == "guided":
        return propagate.guided(prior.similarity, cells, weight=solver.weight, confidence=prior.confidence)
    if mode == "alone":
        return propagate.alone(prior.similarity, cells, weight=solver.weight, floor=solver.floor)
    return propagate.over(
        prior.similarity,
        cells,
        weight=solver.weight,
        floor=solver.floor,
        confidence=solver.weight if confidence is None else confidence,
        inverse=solver.inverse,
    )


def _finished(
    prior: Prior, marks: Evidence, cells: CellEdits, coarse: Float[np.ndarray, "F F 2"], solver: EditSolver
) -> Float[np.ndarray, "G G 2"]:
    """The coarse field of mode 'guided', refined and corrected where the model has learned to."""
    if prior.fine is None:
        return coarse
    side = len(prior.fine.confidence)
    lifted = propagate.lifted(coarse, side)
    field = propagate.refine(prior.fine, lifted, marks.cells(side), weight=solver.weight, within=coarse)
    if solver.correction is None or prior.context is None:
        return field
    system = system_of(prior, cells, "guided", solver)
    reach = propagate.reach(system, solver.inverse).reshape(coarse.shape[:2])
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
