"""Closed regions and locks: what leaves no region, and what enters none, to the last bit.

Colours spread over cells, and a cell has pixels on both sides of an edge. So what is to stay within its edge is another
answer of the same equation, under other edits, and each pixel shows one of these answers:

| pixels | show the answer to |
|---|---|
| of no closed region | the edits that are not closed |
| of a closed region | the same edits, and this region |
| of a lock | what they showed before it: the edits before the lock alone |

A pixel outside a closed region shows an answer that never heard of it. Of closed regions that overlap, the later one
has the pixel; an eraser makes holes in those before it; nothing after a lock changes its pixels.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int16

from colorize_jax.control import propagate
from colorize_jax.control.document import EditDocument, EditError, name_of
from colorize_jax.control.raster import DrawShape, Marks, draw_shape, mark
from colorize_jax.photos import upsample

Kept = frozenset[int]
"""The indices of the edits that an answer is to."""


MOST = 64
"""Answers of one photo: each is solved for and lifted by itself."""


class Plan(NamedTuple):
    """Which answer each pixel shows.

    Attributes:
      layers: the edits of each answer.
      plane: its index at each pixel; None where there is one answer.
    """

    layers: tuple[Kept, ...]
    plane: Int16[np.ndarray, "H W"] | None


class Layers(NamedTuple):
    """The marks of each answer, and a `Plan.plane` of the same pixels."""

    marks: tuple[Marks, ...]
    plane: Int16[np.ndarray, "H W"] | None


def plan(edits: EditDocument, height: int, width: int, draw: DrawShape = draw_shape) -> Plan:
    """Of a photo of height x width pixels.

    Raises:
      EditError: more than `MOST` answers; see also `raster.draw_shape`.
    """
    count = len(edits.edits)
    if not any(edit.closed or edit.kind == "lock" for edit in edits.edits):
        return Plan((frozenset(range(count)),), None)
    inside = np.full((height, width), -1, np.int16)
    before = np.full((height, width), count, np.int16)
    for index, edit in enumerate(edits.edits):
        if not (edit.closed or edit.kind in ("lock", "eraser")):
            continue
        patch = draw(edit.shapes[0], edits.units, height, width, name_of(index, edit))
        free = patch.mask & (before[patch.box] == count)
        if edit.kind == "lock":
            before[patch.box][free] = index
        else:
            inside[patch.box][free] = index if edit.closed else -1
    return _told_apart(edits, before, inside)


def _told_apart(edits: EditDocument, before: np.ndarray, inside: np.ndarray) -> Plan:
    count = len(edits.edits) + 1
    codes = before.astype(np.int32) * count + inside + 1
    everywhere = (count - 1) * count  # first, though no pixel may show it
    found: list[int] = np.flatnonzero(np.bincount(codes.ravel())).tolist()
    seen = [everywhere, *(code for code in found if code != everywhere)]
    if len(seen) > MOST:
        raise EditError(
            f"the closed regions and locks make {len(seen)} answers of their own; allowed are {MOST}; leave some out"
        )
    places = np.zeros(count**2, np.int16)
    places[seen] = np.arange(len(seen))
    kept = (_kept(edits, *divmod(code, count)) for code in seen)
    return Plan(tuple(kept), places[codes])


def _kept(edits: EditDocument, before: int, inside: int) -> Kept:
    return frozenset(i for i, edit in enumerate(edits.edits[:before]) if not edit.closed or i == inside - 1)


def layered(edits: EditDocument, height: int, width: int) -> Layers:
    """Draws edits on a photo of height x width pixels, once for each answer.

    Raises:
      EditError: see `raster.mark`.
    """
    layers, plane = plan(edits, height, width)
    return Layers(tuple(mark(edits, height, width, only=kept) for kept in layers), plane)


def tiles(
    columns: Sequence[Float[np.ndarray, "F F K"]], lightness: Float[np.ndarray, "H W"], layers: Layers
) -> Iterator[upsample.Tile]:
    """`propagate.exact_tiles` of each pixel's own answer.

    Args:
      columns: of each answer, N fields in CIE ab side by side (K = 2N).
      lightness: the photo's CIE L*.
      layers: of the photo's pixels.
    """
    lifted = (
        propagate.exact_tiles(each, lightness, marks)
        for each, marks in zip(columns, layers.marks, strict=True)
    )
    if layers.plane is None:
        return next(lifted)
    return _chosen(list(lifted), layers.plane)


def window(
    columns: Sequence[Float[np.ndarray, "F F K"]],
    lightness: Float[np.ndarray, "H W"],
    layers: Layers,
    box: upsample.PixelBox,
) -> Float[np.ndarray, "K R C"]:
    """The part of `tiles` in a box, but for rounding, for about the price of the box."""
    lifted = [
        propagate.exact_window(each, lightness, marks, box)
        for each, marks in zip(columns, layers.marks, strict=True)
    ]
    if layers.plane is None:
        return lifted[0]
    shown = lifted[0]
    for index, other in enumerate(lifted[1:], 1):
        shown = np.where(layers.plane[box] == index, other, shown)
    return shown


def _chosen(
    lifted: list[Iterator[upsample.Tile]], plane: Int16[np.ndarray, "H W"]
) -> Iterator[upsample.Tile]:
    for (rows, planes), *others in zip(*lifted, strict=True):
        for index, (_, other) in enumerate(others, 1):
            planes = np.where(plane[rows] == index, other, planes)
        yield rows, planes
