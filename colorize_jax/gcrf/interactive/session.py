"""Editing one field without refactoring: what changes with each edit is a small system, of the size of the edits.

Let A₀ x = b₀ be the unedited system of Eq. (6). A soft edit of weight v and colour c at pixel j adds v to Aⱼⱼ and
v c to bⱼ, as one more observation beside the unary; an exact edit fixes xⱼ = c. With G = A⁻¹ and x̂ = G b of a *base*
system kept (at first the unedited one), δ and β what the edits of now add to diag(A) and b beyond the base, and K the
pixels that are fixed or whose δ ≠ 0, the field is (Woodbury for the soft ones, Schur for the exact, in one system)

    x̃ = x̂ + G β′                           β′: β where δ = 0, of an absorbed edit that was recoloured; else 0
    (G_KK + diag(1/δ)) y = c − x̃_K          c = β/δ; 1/δ = 0 at exact pixels, whose c is given
    x = x̃ + G_:K y

and the covariance G − G_:K (G_KK + diag(1/δ))⁻¹ G_K:. No step builds on the result of an earlier one: rounding does
not add up over a session, and any order of operations gives the same field.

**Why G and not a factor.** G costs one inversion more at the start, then its rows are read instead of solved for: a
stroke of m pixels would cost 2m triangular solves of P² each (`benchmarks/session.py` prints both).

**Refactoring** absorbs the soft edits of now into the base, so that K is empty again but for exact pixels; δ < 0 then
stands for an absorbed edit that was taken back. It happens when the small systems since the last time have cost as much
as it does, so that it at most doubles the work of a session; and when measured drift exceeds the tolerance.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from scipy.linalg import cho_factor, cho_solve, lu_factor, lu_solve

from colorize_jax.gcrf.gaussian.posterior import check_colors, check_pixels
from colorize_jax.gcrf.interactive import host
from colorize_jax.gcrf.interactive.suggest import Suggestions, greedy
from colorize_jax.gcrf.layer import check_solvable
from colorize_jax.shapes import Bool, Float, Int

MEASURE_EVERY = 32  # solutions between two measurements of drift, which cost two products with P×P matrices
CANCELLATION = (
    1e-4  # a taken-back edit that leaves so little of a base variance's inverse is measured at once
)


class Edit(NamedTuple):
    """One stroke: `weight` at every pixel, infinite where the colours are exact."""

    pixels: Int[np.ndarray, " K"]
    colors: Float[np.ndarray, "_ C"]  # one row for each pixel, or one for all
    weight: float


class _Sum(NamedTuple):
    """All edits together, pixel by pixel."""

    weights: Float[np.ndarray, " P"]  # Σ v of the soft ones
    moments: Float[np.ndarray, "P C"]  # Σ v c
    exact: Bool[np.ndarray, " P"]
    values: Float[np.ndarray, "P C"]  # where exact


class _Base(NamedTuple):
    weights: Float[np.ndarray, " P"]  # absorbed: added to diag(A₀)
    moments: Float[np.ndarray, "P C"]  # absorbed: added to b₀
    field: Float[np.ndarray, "P C"]  # x̂
    covariance: Float[np.ndarray, "P P"]  # G


class _Change(NamedTuple):
    """What the edits change of the base's covariance: G − rowsᵀ (small)⁻¹ rows."""

    pixels: Int[np.ndarray, " K"]
    rows: Float[np.ndarray, "K P"]
    factor: tuple
    definite: bool

    def solve(self, right: np.ndarray) -> np.ndarray:
        if not len(right):
            return right
        return (cho_solve if self.definite else lu_solve)(self.factor, right, check_finite=False)

    def applied(self, covariance: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(edited A)⁻¹ right."""
        image = covariance @ right
        return image - self.rows.T @ self.solve(image[self.pixels])


class Session:
    """The edits of one image, and the field that follows from them at interactive speed.

        session = Session(similarity, targets, weights)
        stroke = session.add([40, 41, 73], [0.3, -0.1], weight=5.0)
        session.recolor(stroke, [0.1, 0.2])
        session.field  # (P, C)

    An edit is one observation more beside the unary of its pixels, and does not replace it: use a weight well above
    theirs, or exact ones. Soft edits on one pixel add up. Where exact ones meet, the one added last counts, as in
    painting over; when it goes, the one beneath shows again. Exact edits overrule soft ones.

    Not safe for threads: one session, one thread at a time. Float64 within; P×P twice, 268 MB for 64×64 pixels.
    """

    def __init__(
        self,
        similarity: Float[np.ndarray, "P P"],
        targets: Float[np.ndarray, "P C"],
        weights: Float[np.ndarray, " P"],
        *,
        tolerance: float = 1e-5,
    ):
        """Factor the unedited system: P³ once.

        Args:
          similarity: S of the image.
          targets: α, network units; N samples of the image side by side, C = 2N columns, share all the work.
          weights: w ≥ 0 of the unary, some positive: edits can be taken back, and the field must remain defined.
          tolerance: drift, in network units, at which the session refactors.

        Raises:
          ValueError: shapes that do not agree, weights that leave A singular, or a system too badly conditioned for
            float64 to stay within the tolerance.
        """
        pixels = len(weights)
        if np.shape(similarity) != (pixels, pixels) or np.ndim(targets) != 2 or len(targets) != pixels:
            raise ValueError(
                f"similarity {np.shape(similarity)}, targets {np.shape(targets)} and weights {np.shape(weights)} do "
                "not agree; allowed are (P, P), (P, C) and (P,). A session holds one image."
            )
        check_solvable(jnp.asarray(weights))
        self.tolerance = tolerance
        self.refactored = 0
        weights = np.asarray(weights, np.float64)
        self._matrix = host.system_matrix(similarity, weights)
        self._right = weights[:, None] * np.asarray(targets, np.float64)
        self._edits: dict[int, Edit] = {}
        self._history: list[dict[int, Edit]] = []
        self._next = 0
        self._solved: tuple[_Change, np.ndarray] | None = None
        self._factor()
        self._hold_tolerance()

    @property
    def edits(self) -> Mapping[int, Edit]:
        """What is applied, by id, in the order of adding."""
        return MappingProxyType(self._edits)

    def add(self, pixels: Any, colors: Any, *, weight: float | None = None, exact: bool = False) -> int:
        """A stroke; returns its id.

        Args:
          pixels: one index in [0, P), row by row, or several different ones.
          colors: network units, (C,) for all of them or (K, C) for each; of 2 for C = 2N the same to all N samples.
          weight: v > 0, in the unit of the unary's weights; the paper tests with 5.
          exact: the field is to have these very colours instead.

        Raises:
          ValueError: a pixel outside the field or named twice, non-finite colours, colours that do not fit, or not
            just one of `weight` > 0 and `exact`.
        """
        if exact == (weight is not None):
            raise ValueError(
                f"weight is {weight} and exact is {exact}; allowed is either a weight or exact=True."
            )
        if weight is not None and not 0 < weight < np.inf:
            raise ValueError(
                f"weight is {weight}; allowed are finite numbers > 0, or exact=True without a weight."
            )
        edit = Edit(self._pixels(pixels), self._colors(colors), np.inf if weight is None else float(weight))
        identity, self._next = self._next, self._next + 1
        self._put(identity, edit)
        return identity

    def move(self, identity: int, pixels: Any) -> None:
        """The same stroke at other pixels; as many as before where each has a colour of its own."""
        self._put(identity, self._find(identity)._replace(pixels=self._pixels(pixels)))

    def recolor(self, identity: int, colors: Any) -> None:
        """The same stroke in other colours, given as to `add`."""
        self._put(identity, self._find(identity)._replace(colors=self._colors(colors)))

    def remove(self, identity: int) -> None:
        self._find(identity)
        self._become({key: edit for key, edit in self._edits.items() if key != identity})

    def undo(self) -> None:
        """Takes back the last `add`, `move`, `recolor` or `remove` that is not taken back yet."""
        if not self._history:
            raise ValueError("nothing is left to undo; allowed is one undo for each operation.")
        self._edits = self._history.pop()
        self._solved = None

    @property
    def field(self) -> Float[np.ndarray, "P C"]:
        """x under all edits, float32, network units; solved at the first reading after an operation."""
        return self._solution()[1].astype(np.float32)

    def variance(self, noise: float = 1.0) -> Float[np.ndarray, " P"]:
        """σ² diag of the remaining covariance, for each colour channel; 0 at exact pixels."""
        change, _ = self._solution()
        gone = np.sum(change.rows * change.solve(change.rows), axis=0)
        variance = np.maximum(np.diag(self._base.covariance) - gone, 0)
        variance[_sum(self._edits, self._right.shape).exact] = 0
        return (noise * variance).astype(np.float32)

    def suggest(self, count: int, *, weight: float = np.inf) -> Suggestions:
        """The `count` pixels where edits of this weight would reduce the remaining variance most; see `suggest`."""
        change, _ = self._solution()
        return greedy(self._base.covariance - change.rows.T @ change.solve(change.rows), count, weight)

    def drift(self) -> float:
        """How far rounding has taken the field off the solution of the real system, network units.

        The residual b − A x of the edited system, through the inverse at hand: an estimate of the error itself, whose
        own relative error is the inverse's.
        """
        change, field = self._solution()
        return self._drift(change, field)

    def refactor(self) -> None:
        """Absorb the soft edits into the base. The field stays; nothing needs to call this but a test or a pause."""
        self._factor()
        self.refactored += 1

    def _pixels(self, pixels: Any) -> np.ndarray:
        values = np.atleast_1d(np.asarray(pixels))
        if values.ndim != 1 or not values.size or not np.issubdtype(values.dtype, np.integer):
            raise ValueError(
                f"pixels is {pixels!r}; allowed are one whole number or a non-empty list of them."
            )
        check_pixels(values, len(self._right))
        return values.copy()

    def _colors(self, colors: Any) -> np.ndarray:
        values = np.atleast_2d(np.asarray(colors, np.float64))
        columns = self._right.shape[1]
        if values.ndim != 2 or values.shape[1] not in (2, columns) or columns % values.shape[1]:
            raise ValueError(
                f"colors is of shape {np.shape(colors)}; allowed are ({columns},) or (K, {columns}), or 2 columns for "
                "all samples alike."
            )
        check_colors(values)
        return np.tile(values, columns // values.shape[1])

    def _find(self, identity: int) -> Edit:
        if identity not in self._edits:
            raise ValueError(
                f"edit {identity} is unknown; allowed are {list(self._edits)}. It may have been removed."
            )
        return self._edits[identity]

    def _put(self, identity: int, edit: Edit) -> None:
        if len(edit.colors) not in (1, len(edit.pixels)):
            raise ValueError(
                f"{len(edit.pixels)} pixels do not fit {len(edit.colors)} colours; allowed are one colour, or one for "
                "each pixel."
            )
        self._become({**self._edits, identity: edit})

    def _become(self, edits: dict[int, Edit]) -> None:
        self._history.append(self._edits)
        self._edits = edits
        self._solved = None

    def _solution(self) -> tuple[_Change, np.ndarray]:
        if self._solved is None:
            total = _sum(self._edits, self._right.shape)
            if self._work > len(self._right) ** 3 / 2 and (total.weights != self._base.weights).any():
                self.refactor()
            self._solved = self._edited(total)
            self._since_measured += 1
            if self._since_measured >= MEASURE_EVERY or self._cancels(total):
                self._hold_tolerance()
        return self._solved

    def _edited(self, total: _Sum) -> tuple[_Change, np.ndarray]:
        """x and the change of the covariance, from the base; the letters are those above."""
        base = self._base
        delta = np.where(total.exact, 0, total.weights - base.weights)
        beta = np.where(total.exact[:, None], 0, total.moments - base.moments)
        change = _change(base.covariance, delta, total.exact)
        only = np.flatnonzero((delta == 0) & beta.any(axis=1))
        field = base.field + base.covariance[only].T @ beta[only]
        at = change.pixels
        wanted = np.where(total.exact[at, None], total.values[at], beta[at] / _nonzero(delta[at])[:, None])
        field += (change.solve(wanted - field[at]).T @ change.rows).T  # rowsᵀ y would read across the rows
        field[total.exact] = total.values[total.exact]
        self._work += len(at) ** 3 / 6 + len(at) * field.size
        return change, field

    def _cancels(self, total: _Sum) -> bool:
        delta = total.weights - self._base.weights
        return bool((1 + np.minimum(delta, 0) * np.diag(self._base.covariance) < CANCELLATION).any())

    def _hold_tolerance(self) -> None:
        """Measure; refactor on too much drift; raise where that does not help."""
        self._since_measured = 0
        if self.drift() <= self.tolerance:
            return
        self.refactor()
        solved = self._edited(_sum(self._edits, self._right.shape))
        drift = self._drift(*solved)
        if not drift <= self.tolerance:
            self._since_measured = MEASURE_EVERY  # nothing is handed out before a measurement agrees
            raise ValueError(
                f"the field is uncertain by {drift:.1e}, and tolerance is {self.tolerance:.1e}: the system is too "
                "badly conditioned. Allowed are weights that bound the field and do not differ too much: keep 1e-3 or "
                "more on every pixel, and take exact edits rather than very large weights."
            )
        self._solved = solved

    def _drift(self, change: _Change, field: np.ndarray) -> float:
        total = _sum(self._edits, self._right.shape)
        residual = self._right + total.moments - self._matrix @ field - total.weights[:, None] * field
        residual[total.exact] = 0
        return float(np.abs(change.applied(self._base.covariance, residual)).max())

    def _factor(self) -> None:
        total = _sum(self._edits, self._right.shape)
        matrix = self._matrix.copy()
        host.diagonal(matrix)[:] += total.weights
        field, covariance = host.solve_and_invert(matrix, self._right + total.moments)
        self._base = _Base(total.weights, total.moments, field, covariance)
        self._solved = None
        self._work, self._since_measured = 0.0, 0


def _sum(edits: Mapping[int, Edit], shape: tuple[int, int]) -> _Sum:
    pixels = shape[0]
    total = _Sum(np.zeros(pixels), np.zeros(shape), np.zeros(pixels, bool), np.zeros(shape))
    for edit in edits.values():
        if np.isinf(edit.weight):
            total.exact[edit.pixels] = True
            total.values[edit.pixels] = edit.colors
        else:
            total.weights[edit.pixels] += edit.weight
            total.moments[edit.pixels] += edit.weight * edit.colors
    return total


def _change(covariance: np.ndarray, delta: np.ndarray, exact: np.ndarray) -> _Change:
    """Of what is fixed and of weights `delta` more; a Cholesky factor where none is taken back, LU otherwise."""
    pixels = np.flatnonzero(exact | (delta != 0))
    rows = covariance[pixels]
    small = rows[:, pixels]
    host.diagonal(small)[:] += np.where(exact[pixels], 0, 1 / _nonzero(delta[pixels]))
    definite = bool((delta >= 0).all())
    if not len(pixels):
        return _Change(pixels, rows, (), definite)
    factor = (cho_factor if definite else lu_factor)(small, check_finite=False)
    return _Change(pixels, rows, factor, definite)


def _nonzero(values: np.ndarray) -> np.ndarray:
    """1 instead of 0, for a quotient that is not used there."""
    return np.where(values == 0, 1, values)
