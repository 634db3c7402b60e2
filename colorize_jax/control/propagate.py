"""Edits spread through the learned similarity: first over the colour field, then exactly on the photo's pixels.

**Over the field.** With the edits' colours c and weights w, the unary's colours α and weights κ, and a weak pull γ
to gray, the field is the minimiser of Eq. (5):

    A x = w ∘ c + κ ∘ α,      A = (I−S)ᵀ(I−S) + diag(w + κ + γ)                                    Eq. (6)

Mode 'alone' has no unary, κ = 0: the paper's H and α (Sec. 4, *Controllability*). Mode 'guided' has the model's own
single answer for α, and for κ the confidence in it that was learned with S. Mode 'over' has four times this κ, and for
α the version x₀ itself. Since S smooths it where no edit speaks (x₁, of w = 0), the version is taken back there:

    x = x₀ + min(1, m / ρ) (x₁ + d − x₀),      A d = w ∘ (c − x₁)

A model whose S was not learned for edits has no such κ. The unary of its versions has the confidence β, which would
hold it against any edit: at β = 5 an edit stays in its cell. So κ is β only where no edit speaks. How much the edits
speak of a cell is m, the answer to edits of 1 over a field of 0:

    m = A⁻¹ w under κ = 0, clipped to [0, 1],      κ = β^(1 − m) γ^m

and a version keeps its colours where m = 0. Without any edit it is the version, exactly, in either way.

In mode 'guided' the unary is first made no more colourful than the edits are (`control.calibrate`). In both modes the
field is refined: solved once more on cells of half the side, each leaning on near ones, with the coarse field for its
unary. Where a model has learned to, a network then adds what solving cannot know, at the photo's resolution
(`methods.guided.fields.correct`), and the result settles along the lightness (module `settle`). Which mode takes which
of these steps is in `control.answer`.

**Links** change S. The rows of the two regions lean on the mean of both, and less on the rest. A x₁ is another
one then, and A d has the difference besides. m is there at least the share that the rows give up.

**Reach.** Edits whose reach is less than everything alike come after those that have it. `territory` says of which
cells they speak, and Eq. (6) holds for what they change there (`again`). All other cells keep their bits.

**Range.** This energy has no maximum principle: around a far-reaching orange it would turn gray into cyan. The result
is clipped, channel by channel, to the range of the unedited field, gray and the edits' colours.

**On the pixels.** The field is lifted to full size (`upsample`). What it misses of the exact edits there is spread
from their pixels over at most one cell of a solved field, less where the lightness differs from the edit's, and then
the exact pixels themselves are set: the colour is exact, and there is no pasted patch around it.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy import linalg, ndimage

from colorize_jax import color, gcrf
from colorize_jax.control import calibrate
from colorize_jax.control.prior import Fine
from colorize_jax.control.raster import CellEdits, CellLink, Marks
from colorize_jax.gcrf.interactive import host
from colorize_jax.photos import upsample
from colorize_jax.shapes import Bool, Float

# Along a side, at most: a corrected field, whose cells are pixels, has the halo of a solved one.
_HALO_CELLS = 64
_BLOCKS = 8  # of the coarse grid on which residuals are averaged, to a cell
_LEAST = 0.02  # how much an edit of less reach speaks of the cells that it changes
_ENOUGH = 0.2  # ρ: how much edits speak of the cells whose version is not taken back
_SPOT = (
    3.0  # cells: how far from its spot a colour goes; in full for the first, and fading over the other two
)

# L*, as in `upsample`: pixels that differ more from an exact edit keep more of their own colour.
_SIGMA_RANGE = 12.0

Inverse = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""S (P, P), right-hand sides b (P, K) and diagonal weights (P, 1) > 0 to A⁻¹ b."""


_calibrated = jax.jit(calibrate.calibrated)


class System(NamedTuple):
    """A of Eq. (6) for one photo under edits, and what else its right-hand side needs.

    Attributes:
      similarity: S, with the links in it.
      edits: of `Marks.cells`.
      known: w, the edits' weights.
      unary: κ, the unary's weights; 0 in mode 'alone'.
      floor: γ, gray's weight in every cell.
    """

    similarity: Float[np.ndarray, "P P"]
    edits: CellEdits
    known: Float[np.ndarray, "P 1"]
    unary: Float[np.ndarray, "P 1"]
    floor: float

    @property
    def weights(self) -> Float[np.ndarray, "P 1"]:
        """w + κ + γ."""
        total: np.ndarray = self.known + self.unary + self.floor
        return total


def dense_inverse(
    similarity: Float[np.ndarray, "P P"], right: Float[np.ndarray, "P K"], weights: Float[np.ndarray, "P 1"]
) -> Float[np.ndarray, "P K"]:
    """A⁻¹ b of one Cholesky factor, float32; an `Inverse`."""
    arrays = (np.asarray(a, np.float32) for a in (similarity, right / weights, weights[:, 0]))
    return np.asarray(gcrf.solve_similarity(*map(jnp.asarray, arrays), solver="cholesky").value)


def alone(similarity: Float[np.ndarray, "P P"], edits: CellEdits, *, weight: float, floor: float) -> System:
    """Mode 'alone': edits and a weak pull to gray.

    Args:
      similarity: S of the photo.
      edits: of `Marks.cells`.
      weight: w of an edit of weight 1 where it covers its cell; the paper's β.
      floor: γ > 0; the smaller, the further edits reach.
    """
    known = weight * edits.weights.reshape(-1, 1)
    linked, _ = linked_similarity(similarity, edits.links)
    return System(linked, edits, known, np.zeros_like(known), floor)


def over(
    similarity: Float[np.ndarray, "P P"],
    edits: CellEdits,
    *,
    weight: float,
    floor: float,
    confidence: float | Float[np.ndarray, "F F"],
    inverse: Inverse = dense_inverse,
) -> System:
    """Mode 'over' without a learned confidence: edits and the unary of versions, which gives way to them.

    Args:
      similarity: S of the photo.
      edits: of `Marks.cells`.
      weight: w of an edit of weight 1 where it covers its cell.
      floor: γ > 0 of gray, and of the unary where edits speak alone.
      confidence: β > 0 of the unary where no edit speaks, of the whole field or of each cell.
      inverse: of `reach`.

    Raises:
      ValueError: a confidence that is not positive and finite.
    """
    beta = np.broadcast_to(np.asarray(confidence, np.float32), edits.weights.shape).reshape(-1, 1)
    if not (np.isfinite(beta).all() and (beta > 0).all()):
        raise ValueError(f"confidence is {confidence}; allowed are finite numbers > 0.")
    _, given_up = linked_similarity(similarity, edits.links)
    without = alone(similarity, edits, weight=weight, floor=floor)
    spoken = np.maximum(reach(without, inverse), given_up)
    return without._replace(unary=beta ** (1 - spoken) * floor**spoken)


def guided(
    similarity: Float[np.ndarray, "P P"],
    edits: CellEdits,
    *,
    weight: float,
    confidence: Float[np.ndarray, "F F"],
) -> System:
    """Modes 'guided' and 'over': edits, and a unary that is held by its own confidence where they do not reach.

    Args:
      similarity: S of the photo.
      edits: of `Marks.cells`.
      weight: w of an edit of weight 1 where it covers its cell.
      confidence: κ > 0 of the unary in each cell, as the model learned it.
    """
    without = alone(similarity, edits, weight=weight, floor=0.0)
    return without._replace(unary=confidence.reshape(-1, 1).astype(np.float32))


def reach(system: System, inverse: Inverse = dense_inverse) -> Float[np.ndarray, "P 1"]:
    """m in [0, 1]: how much the edits speak of each cell, where the system is that of mode 'alone'."""
    if not system.known.any():
        return np.zeros_like(system.known)
    return np.clip(inverse(system.similarity, system.known, system.weights), 0, 1)


def counted(spoken: Float[np.ndarray, "*cells"]) -> Float[np.ndarray, "*cells"]:
    """min(1, m / ρ): how far an answer under edits stands for its version, where they speak of it by m."""
    share: np.ndarray = np.minimum(1, spoken / _ENOUGH)
    return share


def territory(
    spoken: Float[np.ndarray, "F F"], marked: Bool[np.ndarray, "F F"], reach: str
) -> Float[np.ndarray, "F F"]:
    """How much edits of a reach speak of each cell.

    Of a thing: on the best way from a marked cell, from neighbour to neighbour, the least that they speak of any cell.
    This is the grayscale reconstruction of Vincent 1993, Eq. (7). So what is alike but lies apart is not reached.

    Args:
      spoken: m, of `reach`.
      marked: the cells of the edits themselves.
      reach: 'thing' or 'spot'.
    """
    if reach == "spot":
        distance = ndimage.distance_transform_edt(~marked)
        near: np.ndarray = spoken * np.clip((_SPOT - distance) / 2, 0, 1)
        return near
    reached: np.ndarray = np.where(marked, spoken, 0)
    while True:
        grown = np.minimum(ndimage.grey_dilation(reached, (3, 3)), spoken)
        if (grown == reached).all():
            return reached
        reached = grown


def limited(
    similarity: Float[np.ndarray, "P P"],
    edits: CellEdits,
    reach_of: str,
    *,
    weight: float,
    floor: float,
    inverse: Inverse = dense_inverse,
) -> Float[np.ndarray, "F F"]:
    """How much edits of less reach speak of each cell: their `territory`.

    Args:
      similarity: S of the photo.
      edits: of one reach.
      reach_of: 'thing' or 'spot'.
      weight, floor: as of `alone`.
      inverse: of `reach`.
    """
    if not edits.weights.any():
        return np.zeros_like(edits.weights)
    system = alone(similarity, edits, weight=weight, floor=floor)
    spoken = reach(system, inverse).reshape(edits.weights.shape)
    return territory(spoken, edits.weights > 0, reach_of)


def again(
    similarity: Float[np.ndarray, "P P"],
    edits: CellEdits,
    share: Float[np.ndarray, "F F"],
    fields: Float[np.ndarray, "N F F 2"],
    *,
    weight: float,
    floor: float,
) -> Float[np.ndarray, "N F F 2"]:
    """Edits of less reach over the answer to the others: what they change is a field, 0 outside of their territory.

    Eq. (6) holds for this field, on the cells of the territory, each leaning on those: S of these rows and columns,
    normalised. Its unary is 0, which gives way as that of a version does.

    Args:
      similarity: S of the photo.
      edits: of one reach.
      share: their `limited`.
      fields: the answer to the others, network units.
      weight, floor: as of `over`, whose confidence is `weight`.
    """
    spoken = share.reshape(-1, 1)
    at = np.flatnonzero(spoken > _LEAST)
    if not len(at):
        return fields
    count, side = fields.shape[:2]
    before = np.moveaxis(fields, 0, 2).reshape(side * side, 2 * count)
    colors = np.tile(color.ab_to_network(edits.ab).reshape(-1, 2), count)
    known = weight * edits.weights.reshape(-1, 1)[at]
    kept = weight ** (1 - spoken[at]) * floor ** spoken[at]
    matrix = host.system_matrix(_among(similarity, at), (known + kept)[:, 0])
    changed = before.copy()
    changed[at] += linalg.solve(matrix, known * (colors - before)[at], assume_a="pos")
    low, high = (f([f(before, axis=0), f(colors, axis=0)], axis=0) for f in (np.min, np.max))
    changed = np.clip(changed, np.minimum(low, 0), np.maximum(high, 0))
    after: np.ndarray = np.moveaxis(changed.reshape(side, side, count, 2), 2, 0).astype(np.float32)
    return after


def _among(similarity: Float[np.ndarray, "P P"], at: np.ndarray) -> Float[np.ndarray, "n n"]:
    """S of some cells that lean on each other alone; a cell that leans on none of them leans on itself."""
    own = similarity[np.ix_(at, at)]
    total = own.sum(axis=1, keepdims=True)
    rows: np.ndarray = np.where(
        total > 0, own / np.where(total > 0, total, 1), np.eye(len(at), dtype=own.dtype)
    )
    return rows


def solve(
    system: System,
    unary: Float[np.ndarray, "N F F 2"],
    inverse: Inverse = dense_inverse,
) -> Float[np.ndarray, "N F F 2"]:
    """Eq. (6), clipped: the fields of N versions, network units; they share one factorisation.

    Args:
      system: of `alone`, `over` or `guided`.
      unary: α of each version, network units; 0 for mode 'alone'.
      inverse: to A⁻¹ b.

    Source: Messaoud et al. 2018, Eq. (6) and Sec. 4; floor, links, clipping and a unary that gives way are additions.
    """
    count, side = unary.shape[:2]
    columns = np.moveaxis(unary, 0, 2).reshape(side * side, 2 * count)
    colors = np.tile(color.ab_to_network(system.edits.ab).reshape(-1, 2), count)
    right = system.known * colors + system.unary * columns
    field = inverse(system.similarity, right, system.weights)
    # The colours are 0, gray, where there is no edit.
    low, high = (f([f(columns, axis=0), f(colors, axis=0)], axis=0) for f in (np.min, np.max))
    field = np.clip(field, np.minimum(low, 0), np.maximum(high, 0))
    return np.moveaxis(field.reshape(side, side, count, 2), 2, 0).astype(np.float32)


def smoothed(
    similarity: Float[np.ndarray, "P P"],
    fields: Float[np.ndarray, "N F F 2"],
    confidence: Float[np.ndarray, "F F"],
    inverse: Inverse = dense_inverse,
) -> Float[np.ndarray, "N F F 2"]:
    """x₁ of the module's equations: what S and κ make of versions without an edit, network units."""
    side = fields.shape[1]
    none = CellEdits(np.zeros((side, side), np.float32), np.zeros((side, side, 2), np.float32), ())
    return solve(guided(similarity, none, weight=0.0, confidence=confidence), fields, inverse)


def solve_change(
    system: System,
    fields: Float[np.ndarray, "N F F 2"],
    similarity: Float[np.ndarray, "P P"],
    inverse: Inverse = dense_inverse,
) -> Float[np.ndarray, "N F F 2"]:
    """x₁ + d of the module's equations, clipped: Eq. (6) from its answer without edits, network units.

    Args:
      system: of `guided`.
      fields: x₁ of the versions.
      similarity: S without links; the system has them.
      inverse: to A⁻¹ b.
    """
    count, side = fields.shape[:2]
    before = np.moveaxis(fields, 0, 2).reshape(side * side, 2 * count)
    colors = np.tile(color.ab_to_network(system.edits.ab).reshape(-1, 2), count)
    right = system.known * (colors - before)
    if system.edits.links:
        right = right + _quadratic(similarity, before) - _quadratic(system.similarity, before)
    changed = before + inverse(system.similarity, right, system.weights)
    low, high = (f([f(before, axis=0), f(colors, axis=0)], axis=0) for f in (np.min, np.max))
    changed = np.clip(changed, np.minimum(low, 0), np.maximum(high, 0))
    after: np.ndarray = np.moveaxis(changed.reshape(side, side, count, 2), 2, 0).astype(np.float32)
    return after


def _quadratic(similarity: Float[np.ndarray, "P P"], rows: Float[np.ndarray, "P K"]) -> np.ndarray:
    """(I−S)ᵀ(I−S) x."""
    off = rows - similarity @ rows
    image: np.ndarray = off - similarity.T @ off
    return image


def calibrated(unary: Float[np.ndarray, "F F 2"], edits: CellEdits) -> Float[np.ndarray, "F F 2"]:
    """The unary, no more colourful than the edits; see `control.calibrate`."""
    colors = color.ab_to_network(edits.ab)
    rows = [jnp.asarray(x, jnp.float32) for x in (unary.reshape(-1, 2), colors.reshape(-1, 2))]
    known = jnp.asarray(edits.weights.reshape(-1), jnp.float32)
    return np.asarray(_calibrated(rows[0], rows[1], known)).reshape(unary.shape)


def refine(
    fine: Fine,
    unary: Float[np.ndarray, "G G 2"],
    edits: CellEdits,
    *,
    weight: float,
    within: Float[np.ndarray, "*field 2"],
) -> Float[np.ndarray, "G G 2"]:
    """Eq. (6) on the fine field; clipped to the range of `within`, gray and the edits' colours.

    Args:
      fine: of the photo.
      unary: the coarse field on the fine cells (`lifted`), network units.
      edits: on the fine field's cells; links change the coarse field alone.
      weight: w of an edit of weight 1 where it covers its cell.
      within: colours, network units: the unary's before it was lifted, whose interpolation can leave their range.
    """
    held = unary.reshape(-1, 2)
    colors = color.ab_to_network(edits.ab).reshape(-1, 2)
    known, kept = weight * edits.weights.reshape(-1, 1), fine.confidence.reshape(-1, 1)
    targets = (known * colors + kept * held) / (known + kept)
    rows, targets, weights = (jnp.asarray(x, jnp.float32) for x in (fine.rows, targets, (known + kept)[:, 0]))
    field = np.asarray(gcrf.solve_windowed(rows, targets, weights).value)
    seen = within.reshape(-1, 2)
    low, high = (f([f(seen, axis=0), f(colors, axis=0)], axis=0) for f in (np.min, np.max))
    clipped: np.ndarray = np.clip(field, np.minimum(low, 0), np.maximum(high, 0))
    return clipped.reshape(unary.shape)


def lifted(coarse: Float[np.ndarray, "F F 2"], side: int) -> Float[np.ndarray, "G G 2"]:
    """A field on finer cells, bicubic."""
    return np.asarray(jax.image.resize(coarse, (side, side, 2), "cubic"))


def held(
    similarity: Float[np.ndarray, "P P"],
    field: Float[np.ndarray, "N F F 2"],
    *,
    confidence: float | Float[np.ndarray, "F F"],
    floor: float,
) -> Float[np.ndarray, "N F F 2"]:
    """The unary α that mode 'over' turns into `field` where no edit speaks, for an S that did not make the field.

    A₀ x = κ α has the solution x = `field` for α = A₀ field / κ, with A₀ of the system without edits.

    Args:
      similarity: S of the photo.
      field: versions, network units.
      confidence: κ without edits, of the whole field or of each cell.
      floor: γ of the system.
    """
    rows = np.moveaxis(field, 0, 2).reshape(len(similarity), -1).astype(np.float64)
    beta = np.broadcast_to(np.asarray(confidence, np.float64), field.shape[1:3]).reshape(-1, 1)
    unary = rows + (_quadratic(similarity, rows) + floor * rows) / beta
    return np.moveaxis(unary.reshape(*field.shape[1:3], len(field), 2), 2, 0).astype(np.float32)


def linked_similarity(
    similarity: Float[np.ndarray, "P P"], links: tuple[CellLink, ...]
) -> tuple[Float[np.ndarray, "P P"], Float[np.ndarray, "P 1"]]:
    """S whose linked rows lean on the means of both regions, and the share of each row that was given up to them.

    A cell that a region covers by the share r gives up r·strength of its row to a row that is half the mean of
    one region and half the mean of the other, so that a small region is heard as well as a large one.
    """
    kept: np.ndarray = np.ones((len(similarity), 1), np.float32)
    for strength, *regions in links:
        first, second = (region.reshape(-1).astype(np.float32) for region in regions)
        both = (first / first.sum() + second / second.sum()) / 2
        share = strength * np.maximum(first, second)[:, None]
        similarity = (1 - share) * similarity + share * both[None, :]
        kept = (1 - share) * kept
    return similarity, 1 - kept


def exact_tiles(
    columns: Float[np.ndarray, "F F K"], lightness: Float[np.ndarray, "H W"], marks: Marks
) -> Iterator[upsample.Tile]:
    """`upsample.lift_tiles` of N fields in CIE ab side by side (K = 2N), with the exact edits of `marks` enforced."""
    if not (marks.exact >= 0).any():
        return upsample.lift_tiles(columns, lightness)
    return _repaired(columns, lightness, marks)


def _repaired(columns: np.ndarray, lightness: np.ndarray, marks: Marks) -> Iterator[upsample.Tile]:
    wanted = _wanted(marks, columns)
    halo = _Halo(marks.exact >= 0, _halo_reach(columns, lightness))
    for rows, planes in upsample.lift_tiles(columns, lightness):
        y, x = np.nonzero(marks.exact[rows] >= 0)
        missed = wanted[:, marks.exact[rows][y, x]] - planes[:, y, x]
        halo.add(y + rows.start, x, missed, lightness[rows][y, x])
    halo.smooth()
    for rows, planes in upsample.lift_tiles(columns, lightness):
        y, x = halo.near(rows)
        planes[:, y, x] += halo(y + rows.start, x, lightness[rows][y, x])
        y, x = np.nonzero(marks.exact[rows] >= 0)
        planes[:, y, x] = wanted[:, marks.exact[rows][y, x]]
        yield rows, planes


def exact_window(
    columns: Float[np.ndarray, "F F K"],
    lightness: Float[np.ndarray, "H W"],
    marks: Marks,
    box: upsample.PixelBox,
) -> Float[np.ndarray, "K R C"]:
    """The part of `exact_tiles` in a box, but for rounding, for about the price of the box."""
    reach = _halo_reach(columns, lightness)
    wide = upsample.PixelBox(
        *(_widened(part, reach, size) for part, size in zip(box, lightness.shape, strict=True))
    )
    exact = marks.exact[wide]
    if not (exact >= 0).any():
        return upsample.lift_window(columns, lightness, box)
    planes, near = upsample.lift_window(columns, lightness, wide), lightness[wide]
    wanted, halo = _wanted(marks, columns), _Halo(exact >= 0, reach)
    y, x = np.nonzero(exact >= 0)
    halo.add(y, x, wanted[:, exact[y, x]] - planes[:, y, x], near[y, x])
    halo.smooth()
    around = halo.near(slice(0, len(exact)))
    planes[:, around[0], around[1]] += halo(*around, near[around])
    planes[:, y, x] = wanted[:, exact[y, x]]
    own = (slice(p.start - w.start, p.stop - w.start) for p, w in zip(box, wide, strict=True))
    return planes[:, *own]


def _widened(part: slice, reach: float, size: int) -> slice:
    more = int(np.ceil(reach)) + 1
    return slice(max(0, part.start - more), min(size, part.stop + more))


def _wanted(marks: Marks, columns: Float[np.ndarray, "F F K"]) -> Float[np.ndarray, "K n"]:
    """The colours of the edits, for each field."""
    colors = np.array([edit.ab or (0, 0) for edit in marks.edits], np.float32)
    return np.tile(colors, columns.shape[-1] // 2).T


def _halo_reach(columns: Float[np.ndarray, "F F K"], lightness: Float[np.ndarray, "H W"]) -> float:
    """Pixels."""
    pixels: int = max(lightness.shape)
    return max(pixels / min(len(columns), _HALO_CELLS), 1.0)


class _Halo:
    """The mean residual of the exact pixels nearby, falling to 0 within `reach` pixels and across lightness.

    Means are taken on a grid of blocks, `_BLOCKS` to the reach, with a Gaussian of half the reach: a residual that is
    wanted up to 130 pixels away (one cell of a photo of 12 megapixels) needs no resolution of single pixels.
    """

    def __init__(self, exact: np.ndarray, reach: float):
        self._reach, self._block = reach, max(1, int(reach / _BLOCKS))
        rows, columns = (np.flatnonzero(exact.any(axis=axis)) for axis in (1, 0))
        pad = int(np.ceil(reach)) + 1
        self._top, self._left = max(rows[0] - pad, 0), max(columns[0] - pad, 0)
        crop = exact[self._top : rows[-1] + pad + 1, self._left : columns[-1] + pad + 1]
        self._distance = ndimage.distance_transform_edt(~crop).astype(np.float32)
        self._shape = tuple(side // self._block + 1 for side in crop.shape)
        self._sums: Any = None

    def add(self, y: np.ndarray, x: np.ndarray, missed: np.ndarray, lightness: np.ndarray) -> None:
        """Counts exact pixels, whose lifted colours miss their own by `missed` (K, n)."""
        places = (y - self._top) // self._block * self._shape[1] + (x - self._left) // self._block
        values = (np.ones_like(lightness), lightness, lightness**2, *missed)
        sums = np.stack(
            [np.bincount(places, v, self._shape[0] * self._shape[1]).reshape(self._shape) for v in values]
        )
        self._sums = sums if self._sums is None else self._sums + sums

    def smooth(self) -> None:
        """Sums to local means: of the lightness, its square, and the residuals."""
        sigma = (0, *2 * (self._reach / self._block / 2,))
        near = ndimage.gaussian_filter(self._sums, sigma, mode="constant", truncate=6.0)
        self._means = near[1:] / np.maximum(near[0], 1e-30)

    def near(self, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        """Pixels of these rows, counted from their first, that a residual reaches."""
        first = max(rows.start, self._top)
        part = self._distance[first - self._top : max(rows.stop - self._top, 0)]
        y, x = np.nonzero(part < self._reach)
        return y + first - rows.start, x + self._left

    def __call__(self, y: np.ndarray, x: np.ndarray, lightness: np.ndarray) -> Float[np.ndarray, "K n"]:
        """The residual to add at these pixels."""
        place = np.stack([y - self._top, x - self._left]).astype(np.float32)
        grid = (place + 0.5) / self._block - 0.5
        center, square, *missed = (
            ndimage.map_coordinates(mean, grid, order=1, mode="nearest") for mean in self._means
        )
        spread = np.maximum(square - center**2, 0) + _SIGMA_RANGE**2
        alike = np.exp(-((lightness - center) ** 2) / (2 * spread))
        share = 1 - self._distance[y - self._top, x - self._left] / self._reach
        added: np.ndarray = np.stack(missed) * (alike * share**2 * (3 - 2 * share))
        return added
