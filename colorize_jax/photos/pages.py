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
    """Counts the pages of a file, those of `tiff.pages`; one for a file that cannot be read, which reading tells."""
    kinds.prepare()
    try:
        with open(path, "rb") as file:
            if file.read(4) in ifd.MAGIC:
                return Pages(max(1, sum(1 for _ in tiff.pages(file))), True)
            with Image.open(file) as image:
                # A second frame of an MPO is a preview, a gain map or the other eye's view.
                return Pages(1 if image.format == "MPO" else getattr(image, "n_frames", 1), False)
    except Exception:  # on broken bytes decoders raise anything
        return Pages(1, False)
