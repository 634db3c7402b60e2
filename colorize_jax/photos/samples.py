"""Pixels of a file before its colour profile is applied."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Shaped, UInt8, UInt16
from PIL import Image

from colorize_jax.photos.icc import Shaper

Colors = Image.Image | UInt16[np.ndarray, "..."]
"""Of 8 bits an image in mode L, RGB or CMYK; of 16 an array, gray (H, W) or RGB (H, W, 3)."""


class StoredPixels(NamedTuple):
    """An image without its container, upright.

    Attributes:
      colors: in the space of `profile`.
      alpha: opacity in mode L, or None where every pixel is opaque.
      profile: its ICC profile, or curves where it has these instead, or None.
    """

    colors: Colors
    alpha: Image.Image | None = None
    profile: bytes | Shaper | None = None


def as_colors(values: Shaped[np.ndarray, "H W *channels"]) -> Any:
    """Gray, RGB or CMYK of 8 or 16 bits as `Colors`."""
    if values.dtype != np.uint8:
        return np.ascontiguousarray(values)
    mode = "L" if values.ndim == 2 else {3: "RGB", 4: "CMYK"}[values.shape[2]]
    return Image.frombytes(mode, (values.shape[1], values.shape[0]), values.tobytes())


def channels_of(colors: Colors) -> int:
    """1 for gray, 3 for RGB, 4 for CMYK."""
    if isinstance(colors, Image.Image):
        return len(colors.getbands())
    return 1 if colors.ndim == 2 else colors.shape[2]


def to_bytes(values: Shaped[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """16-bit values rounded to 8 bits; 8-bit ones as they are."""
    if values.dtype == np.uint8:
        return values
    return ((values.astype(np.uint32) * 255 + 32895) >> 16).astype(np.uint8)


def upright(values: Shaped[np.ndarray, "H W S"], orientation: int) -> Shaped[np.ndarray, "h w S"]:
    """Pixels turned and mirrored by EXIF's and TIFF's orientation, 1 to 8; another number says nothing."""
    turned = values.swapaxes(0, 1) if orientation in (5, 6, 7, 8) else values
    across, down = orientation in (2, 3, 6, 7), orientation in (3, 4, 7, 8)
    return turned[:: -1 if down else 1, :: -1 if across else 1]
