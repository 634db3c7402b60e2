"""How many pictures of its own a file has: pages of a TIFF, frames of an animation.

Workers import this module: it must never import jax.
"""

import os
from typing import NamedTuple

from PIL import Image

from colorize_jax.photos import ifd, kinds, tiff


class Pages(NamedTuple):
    """How many pages a file has, and whether they are photos, as scans are, or frames of an animation."""

    number: int
    are_photos: bool


def look(path: str | os.PathLike[str]) -> Pages:
    """Counts the pages of a file, see `count`; one for a file that cannot be opened."""
    try:
        with open(path, "rb") as file:
            return count(file)
    except OSError:
        return Pages(1, False)


def count(file: ifd.File) -> Pages:
    """Counts the pages of an open file, those of `tiff.pages`; one where it cannot be read, which reading tells."""
    kinds.prepare()
    try:
        file.seek(0)
        if file.read(4) in ifd.MAGIC:
            return Pages(max(1, sum(1 for _ in tiff.pages(file))), True)
        # Not closed here: `file` is the caller's.
        image = Image.open(file)
        # A second frame of an MPO is a preview, a gain map or the other eye's view.
        return Pages(1 if image.format == "MPO" else getattr(image, "n_frames", 1), False)
    except Exception:  # on broken bytes decoders raise anything
        return Pages(1, False)
