"""The border around a scanned photo: paper, a mount, the scanner's lid, the bars of a film. It takes no colour.

A border is even, nearly white or black, and ends on a straight line. It lies along three sides or all; along two that
face each other where it is pure white or black, as a film's bars are. So a sky is none, and neither is the white ground
that a thing stands on. Borders may lie in each other, as paper does on a scanner's lid.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

_DARK, _LIGHT = 14.0, 82.0  # L*: a border is darker or lighter
_BLACK, _WHITE = 4.0, 98.0  # likewise, of a pure one
_EVEN = 7.0  # L*: a border's pixels differ by no more from its middle one
_SPECKS = 0.06  # share of a line's pixels that may, as dust and a date do
_SHARP, _STRAIGHT = 0.6, 0.3  # shares of a line just after it that do, along two sides and along all
_RAGGED = 0.01  # of the photo's side: outermost lines that may be anything, such as a scan's
_SLANT = 0.02  # of the photo's side: how far an edge may take to end, askew or blurred
_DEEPEST = 0.3  # of the photo's side
_NESTED = 3


class Inside(NamedTuple):
    """The part of a photo within its border, in pixels."""

    rows: slice
    columns: slice


class _Edge(NamedTuple):
    """The border along one side: its lines, its L*, and which share of a line ends with it; no lines are no border."""

    depth: int = 0
    tone: float = 0.0
    sharpness: float = 0.0


def inside_of(lightness: Float[np.ndarray, "H W"]) -> Inside | None:
    """Where the photo lies within its border; None where it has none.

    Args:
      lightness: CIE L*.
    """
    found = None
    for _ in range(_NESTED):
        within = _within(lightness if found is None else lightness[found])
        if within is None:
            break
        found = within if found is None else Inside(*map(_part_of, found, within))
    return found


def _part_of(whole: slice, part: slice) -> slice:
    """A slice of what is a slice itself."""
    return slice(whole.start + part.start, whole.start + part.stop)


def scaled(inside: Inside, size: tuple[int, int], to: tuple[int, int]) -> Inside:
    """The same part of a photo that has been scaled; sizes are (height, width)."""
    edges = [
        slice(round(part.start * new / old), round(part.stop * new / old))
        for part, old, new in zip(inside, size, to, strict=True)
    ]
    return Inside(*edges)


def outside(inside: Inside, rows: slice, width: int) -> Bool[np.ndarray, "R W"]:
    """Which pixels of some rows of a photo are its border's."""
    mask = np.ones((rows.stop - rows.start, width), bool)
    first, last = (
        min(max(row, rows.start), rows.stop) - rows.start for row in (inside.rows.start, inside.rows.stop)
    )
    mask[first:last, inside.columns] = False
    return mask


def filled(lightness: Float[np.ndarray, "H W"], inside: Inside) -> Float[np.ndarray, "H W"]:
    """The photo's mirror image in place of its border: what networks are to see."""
    sides = zip(inside, lightness.shape, strict=True)
    padding = [(part.start, side - part.stop) for part, side in sides]
    return np.pad(lightness[inside], padding, mode="symmetric")


def _within(lightness: Float[np.ndarray, "H W"]) -> Inside | None:
    """Without the outermost border."""
    height, width = lightness.shape
    above, below = _edge(lightness), _edge(lightness[::-1])
    between = lightness[above.depth : height - below.depth].T
    before, after = _edge(between), _edge(between[::-1])
    edges = [edge for edge in (above, below, before, after) if edge.depth]
    if not _is_border(edges, [(above, below), (before, after)]):
        return None
    return Inside(slice(above.depth, height - below.depth), slice(before.depth, width - after.depth))


def _is_border(edges: Sequence[_Edge], facing: Sequence[tuple[_Edge, _Edge]]) -> bool:
    """Whether what lies along some sides is one border, by the sides that have something and by the pairs of all."""
    tones = [edge.tone for edge in edges]
    if len(edges) < 2 or max(tones) - min(tones) > 2 * _EVEN:
        return False
    if sum(edge.sharpness >= _SHARP for edge in edges) < 2:
        return False
    are_pure = all(not _BLACK < tone < _WHITE for tone in tones)
    return len(edges) >= 3 or (are_pure and any(one.depth and other.depth for one, other in facing))


def _edge(lines: Float[np.ndarray, "n m"]) -> _Edge:
    """The border along the first lines."""
    count = len(lines)
    ragged, deepest = int(_RAGGED * count), int(_DEEPEST * count)
    tone = float(np.median(lines[: ragged + 1]))
    if _DARK < tone < _LIGHT:
        return _Edge()

    def differing(line: int) -> float:
        return float((np.abs(lines[line] - tone) > _EVEN).mean())

    depth = next((n for n in range(deepest) if n >= ragged and differing(n) > _SPECKS), deepest)
    even = sum(differing(n) <= _SPECKS for n in range(min(depth, 2 * ragged + 1)))
    after = range(depth, min(depth + 2 + int(_SLANT * count), count))
    sharpness = max(map(differing, after), default=0.0)
    if depth == deepest or even <= ragged // 2 or sharpness < _STRAIGHT:
        return _Edge()
    return _Edge(depth, tone, sharpness)
