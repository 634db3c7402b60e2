"""Which images are left out: unreadable, gray, toned and small ones, copies of known photos, and repetitions."""

import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8, UInt64
from PIL import Image
from tqdm import tqdm

from colorize_jax.data import likeness, transforms
from colorize_jax.photos import pages
from colorize_jax.photos.read import size_of

_SIDE = 32  # the scale at which photos are looked at; JPEG decodes to it at a fraction of the price
_READ_AT_ONCE = 512  # encoded photos held in memory while they are looked at


class Screen(NamedTuple):
    """What a photo must be, beside a readable one in colour.

    Attributes:
      least_side: of its short side, in pixels.
      toned_tolerance: of 255; a photo with no larger `tone_residue` is left out.
      distinct: whether a photo that repeats an earlier one, perhaps mirrored, is left out.
      unlike: photos, of tests for example, whose near-copies are left out.
    """

    least_side: int = 0
    toned_tolerance: int = 0
    distinct: bool = False
    unlike: likeness.Known = likeness.NOTHING_KNOWN


READABLE = Screen()


class Look(NamedTuple):
    """What one photo by itself shows: why it is of no use, None when it is, and the hashes of one that decodes.

    `pages` are those of its file, of which the first is read.
    """

    reason: str | None
    hashes: UInt64[np.ndarray, "2 3"] | None
    pages: int = 1


def reasons(names: Sequence[str], looks: Sequence[Look], screen: Screen) -> list[str | None]:
    """Why each photo is left out; None for those that are kept.

    Args:
      names: of the photos.
      looks: at each of them.
      screen: what is asked of them together.

    Returns:
      Reasons of `look`, or 'copy: of ...', 'twin: of ...' with the name of the other photo.
    """
    told = [look.reason for look in looks]
    left, hashes = _left(told, looks)
    for i, other in zip(left, likeness.copies(hashes[:, 0], screen.unlike.hashes), strict=True):
        if other >= 0:
            told[i] = f"copy: of {screen.unlike.names[other]}"
    if screen.distinct:
        left, hashes = _left(told, looks)
        for i, other in zip(left, likeness.twins(hashes[:, :, 0]), strict=True):
            if other >= 0:
                told[i] = f"twin: of {names[left[other]]}"
    return told


def known(reads: Mapping[str, Callable[[], bytes]], origins: Sequence[str]) -> likeness.Known:
    """The hashes of photos to compare with, by name; those that do not decode are left out."""
    seen = zip(reads, looks([*reads.values()], READABLE), strict=True)
    hashed = {name: look.hashes for name, look in seen if look.hashes is not None}
    return likeness.Known([*hashed], _stacked(hashed.values()), origins)


def looks(reads: Sequence[Callable[[], bytes]], screen: Screen) -> Iterator[Look]:
    """A look at each photo, in order; see `look`.

    Args:
      reads: return the bytes of one photo each, and are called by this thread alone.
      screen: what is asked of each.
    """
    # Decoders release the interpreter's lock, so threads share their work.
    progress = tqdm(total=len(reads), desc="screening", unit=" photos", disable=None)
    waiting = iter(reads)
    with progress, ThreadPoolExecutor(max_workers=os.cpu_count()) as workers:
        while group := list(islice(waiting, _READ_AT_ONCE)):
            yield from workers.map(partial(_look_or_error, screen), [_content(read) for read in group])
            progress.update(len(group))


def look(content: bytes, screen: Screen = READABLE, *, gray_tolerance: int = 16) -> Look:
    """Whether one encoded image is of use for learning colour, and its hashes.

    Args:
      content: the bytes of an image file.
      screen: what is asked of it.
      gray_tolerance: an image is gray when, scaled down, no pixel's channels differ by more, of 255. Measured on
        LFW: 40 photos stay below 9, the toned and noisy black-and-white ones reach 16 and rarely 34, and the
        palest colour photo has 35.

    Returns:
      With the reason 'corrupt: ...' in the decoder's words, 'small: ...' with its size, 'gray', 'toned', or None.
    """
    try:
        width, height = size_of(io.BytesIO(content))
        image = transforms.decode(content, _SIDE)
    # Decoders raise whatever their parser stumbles over (struct.error, SyntaxError, zlib.error, ...); one bad
    # file among 100,000 must not stop the others, and it is listed.
    except Exception as error:
        return Look(f"corrupt: {type(error).__name__}: {error}", None)
    hashes = likeness.hashes(image)
    if min(width, height) < screen.least_side:
        return Look(f"small: {width}x{height} pixels", hashes)
    small = np.asarray(image.resize((_SIDE, _SIDE), Image.Resampling.BOX))
    if int(np.ptp(small, axis=-1).max()) <= gray_tolerance:
        return Look("gray", hashes)
    toned = screen.toned_tolerance and tone_residue(small) <= screen.toned_tolerance
    return Look("toned" if toned else None, hashes, pages.count(io.BytesIO(content)).number)


def tone_residue(small: UInt8[np.ndarray, "H W 3"]) -> float:
    """How far colours depart from one tone for each lightness, of 255; one pixel in a hundred may depart further.

    Sepia and split-toned photos have colours that are a smooth function of lightness, here a quadratic one. Those that
    were looked at had 1 to 8; so had a few photos of gray things, which teach little colour.
    """
    red, green, blue = small.reshape(-1, 3).T.astype(np.float64)
    lightness = (0.299 * red + 0.587 * green + 0.114 * blue) / 255
    powers = np.stack([np.ones_like(lightness), lightness, lightness**2], axis=1)
    colors = np.stack([red - green, blue - green], axis=1)
    tone = powers @ np.linalg.lstsq(powers, colors, rcond=None)[0]
    return float(np.percentile(np.hypot(*(colors - tone).T), 99))


def _left(
    told: Sequence[str | None], looks: Sequence[Look]
) -> tuple[list[int], UInt64[np.ndarray, "left 2 3"]]:
    """The places of the photos that are not left out, and their hashes."""
    left = [i for i, reason in enumerate(told) if reason is None]
    return left, _stacked(looks[i].hashes for i in left)


def _stacked(hashes: Iterable[np.ndarray | None]) -> UInt64[np.ndarray, "photos 2 3"]:
    return np.array([*hashes], np.uint64).reshape(-1, 2, 3)


def _content(read: Callable[[], bytes]) -> bytes | Exception:
    try:
        return read()
    except Exception as error:  # of whatever type the archive's reader raises for one damaged member
        return error


def _look_or_error(screen: Screen, content: bytes | Exception) -> Look:
    if isinstance(content, bytes):
        return look(content, screen)
    return Look(f"corrupt: {type(content).__name__}: {content}", None)
