"""A photo in the colours of another one, by Welsh's transfer: no model is loaded.

reference = read_reference("old_postcard.jpg")
colorize_like("photo.jpg", reference).rgb[0]  # (H, W, 3) uint8
"""

import os
from typing import NamedTuple

import numpy as np
from PIL import Image

from colorize_jax import color
from colorize_jax.classical import welsh
from colorize_jax.inference import origin
from colorize_jax.inference.colorizer import Versions, render
from colorize_jax.photos import upsample
from colorize_jax.photos.decode import PhotoError
from colorize_jax.photos.photo import Photo, as_photo, read_rgb
from colorize_jax.shapes import Float

SIDE = 256
"""Pixels of the square that both photos are squashed to: texture is compared at one scale, whatever their sizes."""

_COLORLESS = 4.0  # of a*, b*: what compression leaves on a gray photo stays below


class ColorReference(NamedTuple):
    """A photo that lends its colours.

    Attributes:
      lightness: CIE L* in [0, 100].
      ab: network units, [-1, 1].
      name: of its file.
    """

    lightness: Float[np.ndarray, "F F"]
    ab: Float[np.ndarray, "F F 2"]
    name: str = ""


def read_reference(path: str | os.PathLike[str]) -> ColorReference:
    """Reads a photo for its colours.

    Raises:
      PhotoError: it cannot be read, or has no colours.
    """
    small = Image.fromarray(read_rgb(path)).resize((SIDE, SIDE), Image.Resampling.HAMMING)
    lab = color.srgb_to_lab(np.asarray(small, np.float32) / 255)
    if np.abs(lab[..., 1:]).max() < _COLORLESS:
        raise PhotoError(f"{os.fspath(path)}: a gray photo lends no colours; give one in colour")
    return ColorReference(lab[..., 0], color.ab_to_network(lab[..., 1:]), os.path.basename(os.fspath(path)))


def colorize_like(photo: Photo | str | os.PathLike[str], reference: ColorReference) -> Versions:
    """One version, each pixel in the colour of the reference's pixel that it resembles most; see `welsh.transfer`.

    Args:
      photo: of any size; colours that it has already only count for their lightness.
      reference: of `read_reference`.

    Raises:
      PhotoError: a photo that cannot be read.
    """
    photo = as_photo(photo)
    lightness = upsample.resize(photo.lightness, SIDE, SIDE).clip(0, 100)
    field = welsh.transfer(lightness, reference.lightness, reference.ab)[None]
    about = origin.told(photo.about, {"Method": "Welsh 2002"}, Reference=reference.name or None, Versions=1)
    return Versions(render(photo, field), np.ones(1, np.float32), field, field, about)
