"""Code points of colours (ITU-T H.273), by which PNG, AVIF, HEIC and profiles tell primaries and the curve of light.

Levels of HDR (PQ and HLG) stand for light that depends on the screen, so no one lightness is theirs: they are refused.
The curves of television are taken for sRGB's, as browsers show them. An image that becomes HDR by a gain map beside it
is read without the map: its levels are those of standard range. Sources: PNG, third edition, 11.3.2.6;
ISO/IEC 14496-12, 12.1.5; ISO/IEC 23008-12, 9.3; ICC.1:2022, 9.2.17. Workers import this module: it must never import
jax.
"""

import contextlib
import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from colorize_jax import color
from colorize_jax.photos import icc
from colorize_jax.photos.errors import PhotoError
from colorize_jax.photos.ifd import File

KEY = "colorize_jax code points"
"""Of `CodePoints` in an image's `info`."""

_UNSPECIFIED = 2
_HDR = {16: "PQ", 18: "HLG"}
_AS_SRGB = (1, _UNSPECIFIED, 6, 13, 14, 15)
_EXPONENTS = {4: 2.2, 5: 2.8, 8: 1.0}
_D65 = (0.3127, 0.329)
_PRIMARIES = {
    1: icc.SRGB_PRIMARIES,
    _UNSPECIFIED: icc.SRGB_PRIMARIES,
    5: np.array([_D65, (0.64, 0.33), (0.29, 0.6), (0.15, 0.06)]),
    6: np.array([_D65, (0.63, 0.34), (0.31, 0.595), (0.155, 0.07)]),
    7: np.array([_D65, (0.63, 0.34), (0.31, 0.595), (0.155, 0.07)]),
    9: np.array([_D65, (0.708, 0.292), (0.17, 0.797), (0.131, 0.046)]),
    11: np.array([(0.314, 0.351), (0.68, 0.32), (0.265, 0.69), (0.15, 0.06)]),
    12: np.array([_D65, (0.68, 0.32), (0.265, 0.69), (0.15, 0.06)]),
}
_PNG = b"\x89PNG\r\n\x1a\n"


class CodePoints(NamedTuple):
    """What an image says of its values.

    Attributes:
      primaries, transfer: H.273's numbers.
      is_first: whether they count where the image has a profile, too.
    """

    primaries: int
    transfer: int
    is_first: bool = True


def of_file(file: File) -> CodePoints | None:
    """The code points of a PNG, an AVIF or a HEIC; None of one that has none, and of other files."""
    file.seek(0)
    start = file.read(12)
    file.seek(0)
    # Where they are damaged, so is the image, which its decoder tells.
    with contextlib.suppress(struct.error, IndexError):
        if start[:8] == _PNG:
            return _of_png(file)
        if start[4:8] == b"ftyp":
            return _of_boxes(file.read())
    return None


def of_profile(profile: bytes) -> CodePoints | None:
    """Those of a profile of curves; one of tables leads to a standard range by itself."""
    try:
        tags = icc.tags(profile)
    except PhotoError:
        return None
    found = tags.get("cicp", b"")[8:10]
    return CodePoints(*found) if len(found) == 2 and "A2B0" not in tags else None


def meaning(points: CodePoints, channels: int) -> icc.Shaper | None:
    """What the values of a gray or RGB image mean; None where they are sRGB.

    Raises:
      PhotoError: HDR, or code points that are not read.
    """
    check(points)
    primaries, transfer = points.primaries, points.transfer
    if (transfer not in _AS_SRGB and transfer not in _EXPONENTS) or primaries not in _PRIMARIES:
        raise PhotoError(
            f"its colours are of the kind {primaries}, {transfer} (ITU-T H.273), which is not read; save it as sRGB"
        )
    if transfer in _AS_SRGB and (channels != 3 or _PRIMARIES[primaries] is icc.SRGB_PRIMARIES):
        return None
    made = icc.of_gamma(_EXPONENTS.get(transfer, 1.0), channels, _PRIMARIES[primaries])
    if transfer not in _AS_SRGB:
        return made
    curve = color.srgb_to_linear(np.linspace(0, 1, made.curves.shape[1]))
    return made._replace(curves=np.stack([curve] * channels))


def check(points: CodePoints) -> None:
    """Raises: PhotoError, where they are those of HDR."""
    if points.transfer in _HDR:
        raise PhotoError(
            f"its levels are HDR ({_HDR[points.transfer]}), which have no one lightness; save it in standard range "
            "(SDR), as sRGB"
        )


def _of_png(file: File) -> CodePoints | None:
    place = len(_PNG)
    while True:
        file.seek(place)
        size, name = struct.unpack(">I4s", file.read(8))
        if name in (b"IDAT", b"IEND"):
            return None
        if name == b"cICP":
            return CodePoints(*struct.unpack(">BB", file.read(2)))
        place += 12 + size


def _of_boxes(content: bytes) -> CodePoints | None:
    """The property `nclx` of the primary item of a file of boxes."""
    meta = dict(_boxes(dict(_boxes(content)).get(b"meta", b"")[4:]))
    properties = dict(_boxes(meta.get(b"iprp", b"")))
    found = [*_boxes(properties.get(b"ipco", b""))]
    if b"pitm" not in meta or b"ipma" not in properties:
        return None
    for index in _associated(properties[b"ipma"], _primary(meta[b"pitm"])):
        name, data = found[index - 1]
        if index and name == b"colr" and data[:4] == b"nclx":
            primaries, transfer = struct.unpack_from(">HH", data, 4)
            return CodePoints(primaries, transfer, is_first=False)
    return None


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    while place + 8 <= len(content):
        size, name = struct.unpack_from(">I4s", content, place)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", content, place + 8)
            head = 16
        end = place + size if size else len(content)
        if end < place + head:
            return
        yield name, content[place + head : end]
        place = end


def _primary(pitm: bytes) -> int:
    (item,) = struct.unpack_from(">I" if pitm[0] else ">H", pitm, 4)
    return int(item)


def _associated(ipma: bytes, item: int) -> list[int]:
    """Places of an item's properties, from 1; 0 is none."""
    is_wide, code = ipma[3] & 1, ">I" if ipma[0] else ">H"
    (count,) = struct.unpack_from(">I", ipma, 4)
    place = 8
    for _ in range(count):
        (of_item,) = struct.unpack_from(code, ipma, place)
        place += struct.calcsize(code)
        number, place = ipma[place], place + 1
        if of_item == item:
            places = struct.unpack_from(f">{number}{'H' if is_wide else 'B'}", ipma, place)
            return [each & (0x7FFF if is_wide else 0x7F) for each in places]
        place += number * (2 if is_wide else 1)
    return []
