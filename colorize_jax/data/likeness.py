"""Which photos show the same picture, whatever its size, mirrored or cut to its centre: difference hashes.

A hash says for 8 rows of 9 cells where lightness rises from left to right (Krawetz 2013, "Kind of like that").
Two hashes are compared by the number of bits in which they differ, of 64.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, UInt64
from PIL import Image, ImageOps

from colorize_jax.data import transforms

COPY, TWIN = 5, 3
"""Bits in which copies differ at most: where crops are compared, too, and where whole photos are."""

_ROWS, _CELLS = 8, 9
_CUT = 7 / 8  # the side of a centre crop as most image classifiers take it: 224 of 256 pixels
_NONE = -1


class Known(NamedTuple):
    """Photos to compare with: what each is called, its hashes, and which sets and archives they are from."""

    names: Sequence[str]
    hashes: UInt64[np.ndarray, "known 2 3"]
    origins: Sequence[str]


NOTHING_KNOWN = Known((), np.empty((0, 2, 3), np.uint64), ())


def hashes(image: Image.Image) -> UInt64[np.ndarray, "2 3"]:
    """The photo's hashes as it is and mirrored, each of the whole, its centre square and the middle of that.

    Args:
      image: RGB or gray, of any size; a short side of 32 pixels is enough.
    """
    gray = image.convert("L")
    square = transforms.center_box(*gray.size)
    boxes = ((0, 0, *gray.size), square, _middle(square))
    return np.array([[_hash(view, box) for box in boxes] for view in (gray, ImageOps.mirror(gray))])


def copies(
    photos: UInt64[np.ndarray, "photos 3"], known: UInt64[np.ndarray, "known 2 3"], *, within: int = COPY
) -> Int[np.ndarray, "photos"]:
    """For each photo the index of the known one that it is a near-copy of, whole or cut, or -1 where it is of none.

    Args:
      photos: hashes of photos as they are.
      known: hashes of the known ones, as they are and mirrored.
      within: bits in which copies differ at most.
    """
    flat = known.reshape(-1)
    found = np.full(len(photos), _NONE)
    for i, own in enumerate(photos if flat.size else ()):
        distance = np.bitwise_count(own[:, None] ^ flat)
        nearest = int(distance.argmin())
        if distance.flat[nearest] <= within:
            found[i] = nearest % flat.size // known[0].size
    return found


def twins(photos: UInt64[np.ndarray, "photos 2"], *, within: int = TWIN) -> Int[np.ndarray, "photos"]:
    """For each photo the index of an earlier one that it repeats and that repeats none, or -1.

    Args:
      photos: hashes of whole photos, as they are and mirrored.
      within: bits in which twins differ at most.
    """
    kept = np.empty_like(photos)
    places: list[int] = []
    found = np.full(len(photos), _NONE)
    for i, own in enumerate(photos):
        near = (np.bitwise_count(kept[: len(places)] ^ own[0]) <= within).any(axis=1)
        if near.any():
            found[i] = places[int(near.argmax())]
        else:
            kept[len(places)] = own
            places.append(i)
    return found


def _middle(box: transforms.Box) -> transforms.Box:
    cut = (box.right - box.left) * (1 - _CUT) / 2
    return transforms.Box(box.left + cut, box.top + cut, box.right - cut, box.bottom - cut)


def _hash(gray: Image.Image, box: tuple[float, float, float, float]) -> np.uint64:
    cells = np.asarray(gray.resize((_CELLS, _ROWS), Image.Resampling.BOX, box=box))
    return np.packbits(cells[:, 1:] > cells[:, :-1]).view(np.uint64)[0]
