"""Encoded photo -> square RGB pixels -> lightness and colour field in network units. NumPy and Pillow only.

Workers import this module: it must never import jax.
"""

import io
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int16, UInt8
from PIL import Image

from colorize_jax import color
from colorize_jax.data import regions
from colorize_jax.photos.decode import on_white
from colorize_jax.photos.read import read_bands

Pixels = dict[str, np.ndarray]
"""`rgb` (..., S, S, 3) uint8 sRGB and, where asked for, `rgb_large` (..., L, L, 3) and `regions` (..., R, R) int16."""

Example = dict[str, np.ndarray]
"""float32, network units: `lightness` (..., S, S, 1), `ab` (..., S, S, 2) and, where asked for,
`lightness_large` (..., L, L, 1) and `ab_large` (..., L, L, 2). `regions` (..., R, R), int16, are as of
`regions.by_size`, and `regions.NOBODY` where nobody has divided the photo."""

_LINEAR = color.srgb_to_linear(np.arange(256) / 255).astype(np.float32)
_CHUNK = 16384  # pixels to convert at a time: more leave the cache, fewer cost more calls


class View(NamedTuple):
    """How a photo becomes a training image.

    Attributes:
      image_size: side S of the image in pixels.
      lightness_large: side L of a second, larger gray image of the same crop; 0 for none.
      crop: side of the smallest random square crop as a fraction of the photo's short side, in (0, 1].
      crop_largest: side of the largest, at least 1; what lies outside of the photo is its mirror image.
      stretch: largest ratio of a crop's sides, at least 1; a crop is squashed to a square, as photos are that are
        colorized. Where all three are 1 the crop is the centre.
      flip: whether half of the images are mirrored.
      ab_large: whether the larger image keeps its colours.
      regions: side R of people's regions of the same crop; 0 for none.
    """

    image_size: int = 64
    lightness_large: int = 0
    crop: float = 1.0
    crop_largest: float = 1.0
    stretch: float = 1.0
    flip: bool = False
    ab_large: bool = False
    regions: int = 0

    def centerd(self) -> "View":
        """The view without anything random: what evaluation uses."""
        return self._replace(crop=1.0, crop_largest=1.0, stretch=1.0, flip=False)


class Box(NamedTuple):
    """A rectangle, in pixels of a photo, which it can exceed."""

    left: float
    top: float
    right: float
    bottom: float


def decode(content: bytes, at_least: int) -> Image.Image:
    """Decodes a photo of any kind to RGB, the right way up.

    JPEG is decoded at 1/2, 1/4 or 1/8 of its size where that keeps the short side at `at_least` pixels or
    more, which takes a fraction of the time. Colours are those that `photos.decode` gives the photo when it is
    colorized; transparent pixels are laid on white, 16 bits are rounded to 8.

    Raises:
      PhotoError: not an image, a truncated one, or of a kind that is not read.
    """
    return on_white(read_bands(io.BytesIO(content), at_least=at_least))


def center_box(width: int, height: int) -> Box:
    """The largest square in the middle of a photo."""
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return Box(left, top, left + side, top + side)


def random_box(width: int, height: int, view: View, rng: np.random.Generator) -> Box:
    """A random box of the view, in the photo where it is small enough, else around it."""
    if view.crop == view.crop_largest == view.stretch == 1:
        return center_box(width, height)
    side = min(width, height) * rng.uniform(view.crop, view.crop_largest)
    # No draw for what is not asked for: the crops of a seed stay those of older configs.
    ratio = view.stretch ** rng.uniform(-1, 1) if view.stretch > 1 else 1.0
    wide, high = side * ratio**0.5, side / ratio**0.5
    left, top = (rng.uniform(*sorted((0, spare))) for spare in (width - wide, height - high))
    return Box(left, top, left + wide, top + high)


def pixels(content: bytes, view: View, rng: np.random.Generator | None, divided: bytes = b"") -> Pixels:
    """Decodes, crops, scales and perhaps mirrors one photo.

    Args:
      content: the bytes of an image file.
      view: see there.
      rng: decides crop, mirroring and whose regions, and nothing else does; None for the view's centre, unmirrored, and
        the first person's.
      divided: people's regions of the photo, see `regions.packed`; empty where there are none.
    """
    if rng is None:
        view = view.centerd()
    image = decode(content, math.ceil(max(view.image_size, view.lightness_large) / view.crop))
    mirrored = view.flip and rng is not None and rng.random() < 0.5
    box = center_box(*image.size) if rng is None else random_box(*image.size, view, rng)
    sizes = {"rgb": view.image_size, "rgb_large": view.lightness_large}
    around, moved = _around(image, box)
    found = {key: _scaled(around, moved, size, mirrored) for key, size in sizes.items() if size}
    if view.regions:
        found["regions"] = _divided(divided, image.size, box, view.regions, mirrored, rng)
    return found


def _divided(
    content: bytes,
    size: tuple[int, int],
    box: Box,
    side: int,
    mirrored: bool,
    rng: np.random.Generator | None,
) -> Int16[np.ndarray, "R R"]:
    """One person's regions of a crop of a photo, which `size` is in pixels."""
    if not content:
        return np.full((side, side), regions.NOBODY, np.int16)
    labels = regions.of_one(content, rng)
    factor = labels.shape[1] / size[0]  # the photo may be decoded at a part of its size
    image, box = _around(Image.fromarray(labels), Box(*(factor * edge for edge in box)))
    # One label a cell, that of its middle: labels have no average.
    found = np.asarray(image.resize((side, side), Image.Resampling.NEAREST, box=_within(box, image.size)))
    return regions.by_size(found[:, ::-1] if mirrored else found)


def _within(box: Box, size: tuple[int, int]) -> Box:
    """A box without what rounding puts beyond the image."""
    return Box(*(min(max(edge, 0), most) for edge, most in zip(box, size * 2, strict=True)))


def _scaled(image: Image.Image, box: Box, size: int, mirrored: bool) -> UInt8[np.ndarray, "S S 3"]:
    # Hamming's window antialiases as well as bicubic at half the price, and does not ring at edges.
    small = np.asarray(image.resize((size, size), Image.Resampling.HAMMING, box=box))
    return small[:, ::-1] if mirrored else small


def _around(image: Image.Image, box: Box) -> tuple[Image.Image, Box]:
    """A photo that is mirrored at its borders as far as the box exceeds it, and the same box in that."""
    width, height = image.size
    before = [max(0, math.ceil(-low)) for low in (box.left, box.top)]
    after = [max(0, math.ceil(high)) for high in (box.right - width, box.bottom - height)]
    if not any(before + after):
        return image, box
    values = np.asarray(image)
    pad = ((before[1], after[1]), (before[0], after[0]), (0, 0))[: values.ndim]
    left, top = before
    moved = Box(box.left + left, box.top + top, box.right + left, box.bottom + top)
    return Image.fromarray(np.pad(values, pad, mode="symmetric")), moved


def to_network(photo: Pixels, *, ab_large: bool = False) -> Example:
    """sRGB bytes to lightness and colour field in network units; the same as `color.srgb_to_lab` to 1e-4.

    Args:
      photo: `rgb` (..., S, S, 3) uint8 and perhaps `rgb_large` (..., L, L, 3) uint8; `regions` stay as they are.
      ab_large: whether the larger image keeps its colours.

    Returns:
      float32 `lightness` (..., S, S, 1), `ab` (..., S, S, 2) and, if `rgb_large` came, `lightness_large`, perhaps with
      `ab_large`.
    """
    lightness, ab = _lightness_and_ab(photo["rgb"])
    out = {"lightness": lightness, "ab": ab}
    if "rgb_large" in photo and ab_large:
        out["lightness_large"], out["ab_large"] = _lightness_and_ab(photo["rgb_large"])
    elif "rgb_large" in photo:
        out["lightness_large"] = _lightness(photo["rgb_large"])
    if "regions" in photo:
        out["regions"] = photo["regions"]
    return out


def _lightness_and_ab(
    rgb: UInt8[np.ndarray, "*shape 3"],
) -> tuple[Float32[np.ndarray, "*shape 1"], Float32[np.ndarray, "*shape 2"]]:
    lightness = np.empty((*rgb.shape[:-1], 1), np.float32)
    ab = np.empty((*rgb.shape[:-1], 2), np.float32)
    lightness_row, ab_rows = lightness.reshape(-1), ab.reshape(-1, 2).T
    for chunk, linear in _linear_planes(rgb):
        l_star, a_star, b_star = color.linear_planes_to_lab(linear)
        lightness_row[chunk] = color.lightness_to_network(l_star)
        ab_rows[0, chunk] = color.ab_to_network(a_star)
        ab_rows[1, chunk] = color.ab_to_network(b_star)
    return lightness, ab


def _lightness(rgb: UInt8[np.ndarray, "*shape 3"]) -> Float32[np.ndarray, "*shape 1"]:
    lightness = np.empty((*rgb.shape[:-1], 1), np.float32)
    row = lightness.reshape(-1)
    for chunk, linear in _linear_planes(rgb):
        row[chunk] = color.lightness_to_network(color.linear_planes_to_lightness(linear))
    return lightness


def _linear_planes(rgb: UInt8[np.ndarray, "*shape 3"]) -> Iterator[tuple[slice, np.ndarray]]:
    """Where each chunk of the pixels lies and its linear light in [0, 1], planes (3, N), by a table of 256."""
    pixels = rgb.reshape(-1, 3)
    for start in range(0, len(pixels), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        # Every byte is in the table; the mode "clip" is the one that checks least.
        yield chunk, np.take(_LINEAR, pixels[chunk].T, mode="clip")
