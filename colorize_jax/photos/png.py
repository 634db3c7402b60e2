"""PNG of 16 bits a channel, which Pillow reads with 8 and does not write. Source: PNG, third edition (W3C, 2025)."""

import io
import struct
import zlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt16
from PIL import Image

from colorize_jax.photos import cicp, icc
from colorize_jax.photos.ifd import File
from colorize_jax.photos.metadata import orientation_of
from colorize_jax.photos.samples import StoredPixels, as_colors, channels_of, to_bytes, upright

_KINDS = {1: 0, 2: 4, 3: 2, 4: 6}  # by channels: gray, gray with opacity, RGB, RGB with opacity
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MODES = {2: "RGB", 6: "RGBA"}
_UP = 2
_NEARLY = 0.002  # of a chromaticity
_OF_SRGB = (0.45, 0.46)  # gAMA of 1/2.2, which writers give for sRGB, as the specification asks them to


def meaning(info: Mapping[Any, Any], channels: int) -> bytes | icc.Shaper | None:
    """What an image's values mean by Pillow's `info`: its code points, ICC profile, sRGB where it says so, or gamma."""
    points = info.get(cicp.KEY)
    if points is not None:
        cicp.check(points)
        if points.is_first or not info.get("icc_profile"):
            return cicp.meaning(points, channels)
    gamma, primaries = info.get("gamma"), np.reshape(info.get("chromaticity", icc.SRGB_PRIMARIES), (4, 2))
    are_srgb = bool(np.abs(primaries - icc.SRGB_PRIMARIES).max() < _NEARLY) or channels != 3
    if info.get("icc_profile") or "srgb" in info or not gamma:
        return info.get("icc_profile")
    if are_srgb and _OF_SRGB[0] <= gamma <= _OF_SRGB[1]:
        return None
    return icc.of_gamma(1 / gamma, channels, primaries)


class Sixteen(NamedTuple):
    """An image of 16 bits, and what Pillow knows of it beside its pixels."""

    samples: StoredPixels
    image: Image.Image


def is_sixteen(start: bytes) -> bool:
    """Whether a file that begins so is a PNG of 16 bits with colours or opacity; Pillow reads any other as it is."""
    return start[:8] == _SIGNATURE and start[24:25] == b"\x10" and start[25:26] in (b"\2", b"\4", b"\6")


def decode(file: File, *, name: str = "image", points: cicp.CodePoints | None = None) -> Sixteen:
    """An image that `is_sixteen`; `name` is what warnings call it, `points` are its code points."""
    file.seek(0)
    start = file.read(33)
    values, image = _gray_and_alpha(file, start) if start[25] == 4 else _by_halves(file, _MODES[start[25]])
    orientation = orientation_of(image, name)
    values = upright(values, orientation if isinstance(orientation, int) else 1)
    channels = values.shape[2]
    colors = np.ascontiguousarray(values[..., 0] if channels == 2 else values[..., :3])
    alpha = values[..., -1] if channels != 3 else _outside_of(image.info.get("transparency"), colors)
    opacity = None if alpha is None else as_colors(to_bytes(alpha))
    image.info[cicp.KEY] = points
    return Sixteen(StoredPixels(colors, opacity, meaning(image.info, channels_of(colors))), image)


def _opened(file: File) -> Image.Image:
    file.seek(0)
    return Image.open(file, formats=["PNG"])


def _by_halves(file: File, mode: str) -> tuple[UInt16[np.ndarray, "H W channels"], Image.Image]:
    """Its upper bytes, and its lower ones, which Pillow gives where it is told the other byte order."""

    def half(order: str) -> tuple[np.ndarray, Any]:
        image: Any = _opened(file)
        image.tile = [tile._replace(args=f"{mode};16{order}") for tile in image.tile]
        return np.asarray(image, np.uint16), image

    upper, image = half("B")
    return upper << 8 | half("L")[0], image


def _gray_and_alpha(file: File, start: bytes) -> tuple[UInt16[np.ndarray, "H W 2"], Image.Image]:
    """Two channels of 16 bits have the bytes of four channels of 8."""
    header = b"IHDR" + start[16:24] + b"\x08\x06" + start[26:29]
    file.seek(33)
    image = _opened(io.BytesIO(start[:12] + header + struct.pack(">I", zlib.crc32(header)) + file.read()))
    return np.asarray(image).view(">u2").astype(np.uint16), image


def _outside_of(level: object, colors: UInt16[np.ndarray, "H W 3"]) -> UInt16[np.ndarray, "H W"] | None:
    """One colour may stand for transparency."""
    if not isinstance(level, tuple):
        return None
    return np.where((colors == level).all(axis=-1), np.uint16(0), np.uint16(65535))


def encode(values: UInt16[np.ndarray, "H W *channels"], chunks: Iterable[tuple[bytes, bytes]] = ()) -> bytes:
    """A PNG of 16 bits.

    Args:
      values: 1 to 4 channels.
      chunks: names and contents of further chunks, which stand before the pixels.
    """
    height, width = values.shape[:2]
    rows = values.astype(">u2").reshape(height, -1).view(np.uint8)
    filtered = np.empty((height, rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    kind = _KINDS[1 if values.ndim == 2 else values.shape[2]]
    all_chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)),
        *chunks,
        (b"IDAT", zlib.compress(filtered.tobytes(), 1)),
        (b"IEND", b""),
    ]
    return _SIGNATURE + b"".join(_chunk(*each) for each in all_chunks)


def with_chunks(content: bytes, chunks: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A PNG with further chunks, which stand before its pixels."""
    return content[:33] + b"".join(_chunk(*each) for each in chunks) + content[33:]


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
