"""Colour profiles (ICC.1:2022) of tone curves and a matrix, at any depth; and the one of what we write.

Pillow's LittleCMS takes 8 bits a channel. Profiles of cameras, screens and gray scanners are curves and a matrix, which
are applied here to 16 bits. Those that are tables of colours are LittleCMS's, at 8 bits (`decode`).
"""

import functools
import struct
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Shaped, UInt16
from PIL import ImageCms

from colorize_jax import color
from colorize_jax.photos.errors import PhotoError

_LEVELS = 65535
_ROW_PIXELS = 1 << 18  # converted at a time
_WHITE = np.array([[0.9642], [1.0], [0.8249]])  # D50
_NEARLY = 1.5 / 255  # of sRGB: what a profile's rounded curves and matrix differ by
_SPACES = {b"GRAY": ("k",), b"RGB ": ("r", "g", "b")}


class Shaper(NamedTuple):
    """What the values of a gray or RGB image mean: linear light by a curve each, then CIE XYZ.

    Attributes:
      curves: of each channel at 65536 levels, in [0, 1].
      matrix: from linear light to CIE XYZ, D50; one column a channel.
      is_srgb: whether the values are sRGB, up to what profiles are rounded by.
    """

    curves: Float64[np.ndarray, "channels 65536"]
    matrix: Float64[np.ndarray, "3 channels"]
    is_srgb: bool = False


@functools.lru_cache(maxsize=8)
def shaper(profile: bytes) -> Shaper | None:
    """The curves and the matrix of a profile; None for one that is made of other things.

    Raises:
      PhotoError: a damaged profile.
    """
    names, found = _SPACES.get(profile[16:20]), tags(profile)
    if names is None or "A2B0" in found or any(f"{name}TRC" not in found for name in names):
        return None
    curves = np.stack([_curve(found[f"{name}TRC"]) for name in names])
    if names == ("k",):
        in_lab = profile[20:24] == b"Lab "
        return _recognized(Shaper(_light(100 * curves) if in_lab else curves, _WHITE))
    if any(f"{name}XYZ" not in found for name in names):
        return None
    return _recognized(
        Shaper(curves, np.stack([_fixed(found[f"{name}XYZ"][8:20]) for name in names], axis=1))
    )


SRGB_PRIMARIES = np.array([[0.3127, 0.329], [0.64, 0.33], [0.3, 0.6], [0.15, 0.06]])
"""x and y of white, red, green and blue."""


def of_gamma(
    exponent: float, channels: int, primaries: Float64[np.ndarray, "4 2"] = SRGB_PRIMARIES
) -> Shaper:
    """Values to the power of an exponent are linear light.

    Args:
      exponent: 1 for values that are linear light.
      channels: 1 or 3.
      primaries: as `SRGB_PRIMARIES`; of gray they say nothing.
    """
    curve = np.linspace(0, 1, _LEVELS + 1) ** exponent
    matrix = color.primaries_to_d50(primaries) if channels == 3 else _WHITE
    return Shaper(np.stack([curve] * channels), matrix)


def _recognized(meaning: Shaper) -> Shaper:
    levels = (np.linspace(0, 1, 6) * _LEVELS).astype(np.uint16)
    channels = len(meaning.curves)
    lattice = np.stack(np.meshgrid(*[levels] * channels), axis=-1).reshape(-1, 1, channels)
    found = to_srgb(lattice if channels == 3 else lattice[..., 0], meaning)
    error = np.abs(found.reshape(lattice.shape) / _LEVELS - lattice / _LEVELS).max()
    return meaning._replace(is_srgb=bool(error < _NEARLY))


def to_srgb(
    values: Shaped[np.ndarray, "H W *channels"], meaning: Shaper
) -> UInt16[np.ndarray, "H W *channels"]:
    """8- or 16-bit gray (H, W) or RGB (H, W, 3) to 16-bit sRGB, gray where it was gray."""
    step = _LEVELS // np.iinfo(values.dtype).max
    if values.ndim == 2:
        # Neutral in the connection space is neutral in sRGB, of the same linear light.
        gray: np.ndarray = color.linear_to_srgb_words(meaning.curves[0][::step])[values]
        return gray
    curves = meaning.curves[:, ::step].astype(np.float32)
    to_linear = color.d50_to_linear(meaning.matrix.T).astype(np.float32)
    found = np.empty(values.shape, np.uint16)
    rows = max(1, _ROW_PIXELS // values.shape[1])
    for start in range(0, len(values), rows):
        part = values[start : start + rows]
        light = np.stack([curve[part[..., n]] for n, curve in enumerate(curves)], axis=-1)
        found[start : start + rows] = color.linear_to_srgb_words(light @ to_linear)
    return found


@functools.cache
def srgb() -> bytes:
    """The profile of what we write, the same bytes every time."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)  # LittleCMS writes the time of day
    return bytes(profile)


def tags(profile: bytes) -> dict[str, bytes]:
    """The contents of a profile by their names.

    Raises:
      PhotoError: it is too short.
    """
    try:
        (count,) = struct.unpack_from(">I", profile, 128)
        table = [struct.unpack_from(">4sII", profile, 132 + 12 * n) for n in range(min(count, 100))]
    except struct.error:
        raise PhotoError("a damaged profile") from None
    return {tag.decode("latin-1"): profile[start : start + size] for tag, start, size in table}


def _fixed(content: bytes) -> Float64[np.ndarray, " N"]:
    """Numbers of 16 bits and a fraction of 16 bits."""
    return np.frombuffer(content, ">i4") / 65536


def _curve(tag: bytes) -> Float64[np.ndarray, " 65536"]:
    """A tone curve at 65536 levels."""
    x = np.linspace(0, 1, _LEVELS + 1)
    try:
        if tag[:4] == b"para":
            return _parametric(
                x, struct.unpack_from(">H", tag, 8)[0], _fixed(tag[12 : 12 + (len(tag) - 12) // 4 * 4])
            )
        (count,) = struct.unpack_from(">I", tag, 8)
        points = np.frombuffer(tag, ">u2", count, 12)
    except (struct.error, ValueError, KeyError, IndexError):
        raise PhotoError("a damaged tone curve") from None
    if tag[:4] != b"curv":
        raise PhotoError("a tone curve of an unknown kind")
    if count < 2:
        return x ** (points[0] / 256) if count else x
    found: np.ndarray = np.interp(x, np.linspace(0, 1, count), points / _LEVELS)
    return found


_PARAMETERS = {0: "g", 1: "gab", 2: "gabc", 3: "gabcd", 4: "gabcdef"}


def _parametric(
    x: Float64[np.ndarray, " N"], kind: int, numbers: Float64[np.ndarray, " P"]
) -> Float64[np.ndarray, " N"]:
    """ICC.1:2022, table 68: (a x + b)^g + e from d on, c x + f below; kinds 1 and 2 name the parts otherwise."""
    named = dict(zip(_PARAMETERS[kind], numbers[: len(_PARAMETERS[kind])].tolist(), strict=True))
    g, a, b = named["g"], named.get("a", 1.0), named.get("b", 0.0)
    c, d, e, f = (named.get(name, 0.0) for name in "cdef")
    if kind in (1, 2):
        c, d, e, f = 0.0, -b / a, c, c
    above = np.maximum(a * x + b, 0) ** g + e
    found: np.ndarray = np.where(x >= d, above, c * x + f).clip(0, 1)
    return found


def _light(lightness: Float64[np.ndarray, "*shape"]) -> Float64[np.ndarray, "*shape"]:
    """CIE L* to relative luminance."""
    lab = np.stack([lightness, 0 * lightness, 0 * lightness], axis=-1)
    linear: np.ndarray = color.d50_lab_to_linear(lab)[..., 1]
    return linear.clip(0, 1)
