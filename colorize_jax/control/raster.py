"""Edits on the pixels of one photo, and on the cells of its colour field."""

import itertools
from collections.abc import Callable, Container, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int16
from scipy import ndimage

from colorize_jax.control.document import REACHES, Edit, EditDocument, EditError, Shape, name_of

EXACT_WEIGHT = 20.0
"""Of an exact edit in the field, where a soft one has 1: its cells follow it, and leave little to repair."""

_PIECE = 64.0  # pixels of a path drawn at once: boxes around long diagonals would be nearly empty


class Patch(NamedTuple):
    """The pixels of a shape: `mask`, whose first row and column are the photo's `top` and `left`."""

    top: int
    left: int
    mask: Bool[np.ndarray, "h w"]

    @property
    def box(self) -> tuple[slice, slice]:
        height, width = self.mask.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


CellLink = tuple[float, Float[np.ndarray, "F F"], Float[np.ndarray, "F F"]]
"""A link on the cells of a field: its strength in (0, 1], and the coverage of its two regions, of maximum 1."""


class CellEdits(NamedTuple):
    """What edits say of each cell of a field.

    Attributes:
      weights: 1 where an edit of weight 1 covers a cell best; the edits of a cell add up.
      ab: their mean colour, CIE a* and b*; 0 where the weight is 0.
      links: between regions of the field.
      parts: the same edits by their reach, in the order of `document.REACHES`; links reach everything alike. Empty
        where all edits do.
    """

    weights: Float[np.ndarray, "F F"]
    ab: Float[np.ndarray, "F F 2"]
    links: tuple[CellLink, ...]
    parts: tuple["CellEdits", ...] = ()

    def cells(self, side: int) -> "CellEdits":
        """Itself: edits that are on the cells of a field already.

        Raises:
          ValueError: a field of another side.
        """
        if side != len(self.weights):
            raise ValueError(
                f"side is {side}, but these edits are on {len(self.weights)} x {len(self.weights)} cells; "
                "give the marks that they were made of, which know the cells of any field."
            )
        return self


class Marks(NamedTuple):
    """What edits say of each pixel of a photo: the index of the edit that has the last word there, or -1.

    Attributes:
      edits: as given.
      soft: of the edits that are not exact; -1 also under an exact one.
      exact: of the exact edits.
      links: for each link, its two regions.
      closed: the whole of the closed region, where the marks are of one answer of `control.layers`.
    """

    edits: tuple[Edit, ...]
    soft: Int16[np.ndarray, "H W"]
    exact: Int16[np.ndarray, "H W"]
    links: tuple[tuple[Edit, Patch, Patch], ...]
    closed: Patch | None = None

    def cells(self, side: int) -> CellEdits:
        """The edits on the side x side cells of a field.

        Of each edit, the cell that it covers best counts in full, and the others by their coverage beside that one: a
        pixel of a large photo speaks for its cell as loudly as one of a small photo.
        """
        height, width = self.soft.shape
        spoken = [
            (edit, self._weights(edit, Patch(box[0].start, box[1].start, plane[box] == index), side))
            for plane in (self.soft, self.exact)
            for index, box in _boxes(plane)
            for edit in (self.edits[index],)
        ]
        links = tuple(
            (edit.strength, _coverage(first, height, width, side), _coverage(second, height, width, side))
            for edit, first, second in self.links
        )
        whole = _summed(spoken, side, links)
        if all(edit.reach == REACHES[0] for edit, _ in spoken):
            return whole
        parts = (
            _summed(
                [one for one in spoken if one[0].reach == reach], side, links if reach == REACHES[0] else ()
            )
            for reach in REACHES
        )
        return whole._replace(parts=tuple(parts))

    def _weights(self, edit: Edit, found: Patch, side: int) -> Float[np.ndarray, "F F"]:
        """Of an edit whose pixels were found, on the cells."""
        height, width = self.soft.shape
        share = (
            _coverage(found, height, width, side)
            if self.closed is None or not edit.closed
            else _filled(found, self.closed, height, width, side)
        )
        return (EXACT_WEIGHT if edit.exact else edit.strength) * share


DrawShape = Callable[[Shape, str, int, int, str], Patch]
"""A shape, its units, a photo's height and width, and a name for messages: to the pixels that it covers."""


def mark(
    edits: EditDocument,
    height: int,
    width: int,
    draw: DrawShape | None = None,
    *,
    only: Container[int] | None = None,
) -> Marks:
    """Draws edits on a photo of height x width pixels, all on one another; `control.layers` keeps closed ones apart.

    Args:
      edits: all of the photo.
      height: pixels.
      width: pixels.
      draw: in place of `draw_shape`, such as one that remembers the shapes that it has drawn.
      only: the indices of the edits that are drawn, at most one closed region among them; all by default.

    Raises:
      EditError: another size than the edits are for, a point outside the photo, a shape that covers no pixel, exact
        edits that want two colours of one pixel, or a link whose regions overlap.
    """
    if edits.size is not None and edits.size != (width, height):
        raise EditError(
            f"the edits are for a photo of {edits.size[0]}x{edits.size[1]} pixels, and this one has "
            f"{width}x{height}; leave out size, or give fractions"
        )
    soft, exact = (np.full((height, width), -1, np.int16) for _ in range(2))
    marks = Marks(edits.edits, soft, exact, links=())
    for index, edit in enumerate(edits.edits):
        if edit.kind == "lock" or (only is not None and index not in only):
            continue
        patches = [
            (draw or draw_shape)(shape, edits.units, height, width, name_of(index, edit))
            for shape in edit.shapes
        ]
        if edit.kind == "link":
            _check_apart(patches, name_of(index, edit))
            marks = marks._replace(links=(*marks.links, (edit, patches[0], patches[1])))
        else:
            _paint(marks, index, patches[0])
            if edit.closed and only is not None:
                marks = marks._replace(closed=patches[0])
    marks.soft[marks.exact >= 0] = -1
    return marks


def _summed(
    spoken: list[tuple[Edit, Float[np.ndarray, "F F"]]], side: int, links: tuple[CellLink, ...]
) -> CellEdits:
    """The mean colours of edits with their weights on cells."""
    weights, colors = np.zeros((side, side)), np.zeros((side, side, 2))
    for edit, own in spoken:
        weights += own
        colors += own[..., None] * np.array(edit.ab)
    return CellEdits(weights, colors / np.where(weights > 0, weights, 1.0)[..., None], links)


def _paint(marks: Marks, index: int, patch: Patch) -> None:
    edit, (soft, exact) = marks.edits[index], (plane[patch.box] for plane in (marks.soft, marks.exact))
    if edit.kind == "eraser":
        soft[patch.mask] = exact[patch.mask] = -1
        return
    if edit.exact:
        for other in np.unique(exact[patch.mask & (exact >= 0)]):
            if marks.edits[other].ab != edit.ab:
                raise EditError(
                    f"{name_of(index, edit)} and {name_of(int(other), marks.edits[other])} contradict each other: "
                    "both are exact, share a pixel, and have different colours; move or erase one"
                )
    (exact if edit.exact else soft)[patch.mask] = index


def _check_apart(patches: list[Patch], name: str) -> None:
    first, second = patches
    rows = slice(max(first.top, second.top), min(first.box[0].stop, second.box[0].stop))
    columns = slice(max(first.left, second.left), min(first.box[1].stop, second.box[1].stop))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    parts = [
        patch.mask[
            rows.start - patch.top : rows.stop - patch.top,
            columns.start - patch.left : columns.stop - patch.left,
        ]
        for patch in patches
    ]
    if (parts[0] & parts[1]).any():
        raise EditError(f"{name} contradicts itself: its two regions overlap; draw them apart")


def draw_shape(shape: Shape, units: str, height: int, width: int, name: str) -> Patch:
    """The pixels that a shape covers.

    Raises:
      EditError: a point outside the photo, or no pixel.
    """
    fraction = units == "fraction"
    points = shape.points * ((width, height) if fraction else (1, 1))
    _check_inside(points, shape.points, units, height, width, name)
    if shape.radius is None:
        patch = _polygon(points, height, width)
    else:
        patch = _brushed(points, shape.radius * (min(height, width) if fraction else 1), height, width)
    if not patch.mask.any():
        raise EditError(f"{name} covers no pixel of a photo of {width}x{height} pixels; draw it larger")
    return patch


def _check_inside(
    points: np.ndarray, given: np.ndarray, units: str, height: int, width: int, name: str
) -> None:
    outside = ((points < 0) | (points > (width, height))).any(axis=1)
    if outside.any():
        first = int(np.argmax(outside))
        x, y = given[first].tolist()
        span = f"{width}x{height} pixels" if units == "pixels" else "1x1, in fractions"
        raise EditError(f"{name}: its point {first}, [{x:g}, {y:g}], lies outside the photo, which is {span}")


def _polygon(points: Float[np.ndarray, "K 2"], height: int, width: int) -> Patch:
    """Even-odd rule: a pixel is inside where an odd number of edges crosses its row to its left."""
    low, high = np.floor(points.min(axis=0)).astype(int), np.ceil(points.max(axis=0)).astype(int)
    (left, top), (right, bottom) = low, np.minimum(np.maximum(high, low + 1), (width, height))
    crossed = np.zeros((max(bottom - top, 0), max(right - left, 0) + 1), np.uint8)
    for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        first, stop = (np.ceil(np.array([min(y0, y1), max(y0, y1)]) - 0.5)).astype(int)
        rows = np.arange(first, min(stop, bottom))
        crossing = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
        columns = np.ceil(crossing - 0.5).astype(int) - left
        crossed[rows - top, np.clip(columns, 0, crossed.shape[1] - 1)] ^= 1
    inside = np.bitwise_xor.accumulate(crossed, axis=1)[:, :-1].astype(bool)
    return Patch(int(top), int(left), inside)


def _brushed(points: Float[np.ndarray, "K 2"], radius: float, height: int, width: int) -> Patch:
    """Every pixel whose centre is within the radius of the path, and the pixels of its vertices."""
    low = np.maximum(np.floor(points.min(axis=0) - radius), 0).astype(int)
    high = np.minimum(np.ceil(points.max(axis=0) + radius) + 1, (width, height)).astype(int)
    own = np.minimum(points.astype(int), (width - 1, height - 1))
    low = np.minimum(low, own.min(axis=0))
    (left, top), (right, bottom) = low, high
    mask = np.zeros((bottom - top, right - left), bool)
    for start, end in _pieces(points - low, radius):
        (x0, y0), (x1, y1) = np.minimum(start, end), np.maximum(start, end)
        rows = slice(max(int(y0 - radius) - 1, 0), int(y1 + radius) + 2)
        columns = slice(max(int(x0 - radius) - 1, 0), int(x1 + radius) + 2)
        part = mask[rows, columns]
        part |= _near(part.shape, start - (columns.start, rows.start), end - start, radius)
    mask[own[:, 1] - top, own[:, 0] - left] = True
    return Patch(int(top), int(left), mask)


def _pieces(points: np.ndarray, radius: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The segments of a path in pieces about as long as the brush is wide, or `_PIECE` pixels."""
    if len(points) == 1:
        yield points[0], points[0]
    for start, end in itertools.pairwise(points):
        count = max(1, int(np.ceil(np.hypot(*(end - start)) / max(_PIECE, 2 * radius))))
        stops = start + np.linspace(0, 1, count + 1)[:, None] * (end - start)
        yield from itertools.pairwise(stops)


def _near(shape: tuple[int, ...], start: np.ndarray, along: np.ndarray, radius: float) -> np.ndarray:
    """Pixels whose centres are within `radius` of the segment from `start` to `start + along`."""
    x = np.arange(shape[1])[None, :] + 0.5 - start[0]
    y = np.arange(shape[0])[:, None] + 0.5 - start[1]
    share = np.clip((x * along[0] + y * along[1]) / max(float(along @ along), 1e-12), 0, 1)
    squared: np.ndarray = (x - share * along[0]) ** 2 + (y - share * along[1]) ** 2
    return squared <= radius**2


def _boxes(plane: Int16[np.ndarray, "H W"]) -> Iterator[tuple[int, tuple[slice, slice]]]:
    """The indices in a plane of marks, and the box around each."""
    for index, box in enumerate(ndimage.find_objects(plane + np.int16(1))):
        if box is not None:
            yield index, box


def _coverage(patch: Patch, height: int, width: int, side: int) -> Float[np.ndarray, "F F"]:
    """The share of each cell that a patch covers, divided by the largest."""
    covered = _covered(patch, height, width, side)
    shares: np.ndarray = covered / covered.max()
    return shares


def _filled(found: Patch, whole: Patch, height: int, width: int, side: int) -> Float[np.ndarray, "F F"]:
    """Of a closed region: the share of its part of each cell that is its own still, and 1 in the cells around it.

    Only its own pixels show these cells, and they are to have its colour up to its edge.
    """
    own, all_ = (_covered(patch, height, width, side) for patch in (found, whole))
    around = ndimage.binary_dilation(all_ > 0, np.ones((3, 3)))
    shares: np.ndarray = np.where(all_ > 0, own / np.where(all_ > 0, all_, 1), around)
    return shares


def _covered(patch: Patch, height: int, width: int, side: int) -> Float[np.ndarray, "F F"]:
    """Pixels of a patch in each cell."""
    rows = _overlap(np.arange(patch.box[0].start, patch.box[0].stop), height, side)
    columns = _overlap(np.arange(patch.box[1].start, patch.box[1].stop), width, side)
    covered: np.ndarray = rows.T @ patch.mask.astype(np.float32) @ columns
    return covered


def _overlap(pixels: np.ndarray, size: int, side: int) -> Float[np.ndarray, "n F"]:
    """The part of each pixel that lies in each cell, of `side` cells over `size` pixels."""
    cells = np.arange(side) * (size / side)
    low = np.maximum(pixels[:, None], cells)
    high = np.minimum(pixels[:, None] + 1, cells + size / side)
    overlap: np.ndarray = np.maximum(high - low, 0.0).astype(np.float32)
    return overlap
