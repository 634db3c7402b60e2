"""What a photo's file says beside its pixels, and how it goes on into the files of its pictures.

| kept | as |
|---|---|
| EXIF, with what a camera's maker wrote | it was; upright, of the picture's size, in sRGB, without its gray thumbnail |
| XMP | it was, likewise; with the provenance of the colours |
| IPTC's records | they were; in XMP where a format has no place for them |
| dots per inch | they were |
| the words of a PNG, the comment of a JPEG | they were; in XMP where a format has no place for them |
| the colour profile | it was if it is sRGB, else sRGB's |

Pictures are sRGB and say so. They are not turned into the profile of the photo: gray profiles cannot hold colours,
wide ones lose levels at 8 bits, and every program shows sRGB right.
"""

import io
import logging
import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from PIL import Image

from colorize_jax.photos import icc, ifd
from colorize_jax.photos.errors import one_line

ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 274, 282, 283, 296
XMP, IPTC, PHOTOSHOP, EXIF, GPS, INTEROPERABILITY = 700, 33723, 34377, 34665, 34853, 40965
_COLOR_SPACE, _PIXEL_WIDTH, _PIXEL_HEIGHT = 0xA001, 0xA002, 0xA003
_IPTC_RESOURCE = 0x0404
_INCH, _CENTIMETER = 2, 3
_PREFIX = b"Exif\0\0"

# Of a TIFF's first directory: how its own pixels lie, which are others in the picture.
OF_PIXELS = (
    *range(254, 267),
    *(273, *range(277, 282), 284, *range(288, 294), 301, *range(317, 329), 330, *range(332, 348)),
    *(*range(512, 522), 529, 530, 532, 559),
    *(XMP, IPTC, PHOTOSHOP, 34675, 37724, 50215, 50216),
)
Value = TypeVar("Value")

_XMP_KEY = "XML:com.adobe.xmp"


class Metadata(NamedTuple):
    """What a file says beside its pixels.

    Attributes:
      exif: a TIFF without pixels, or empty.
      xmp: a packet, or empty.
      iptc: records of IPTC-IIM, or empty.
      profile: ICC, or empty.
      dpi: dots per inch across and down, or None.
      words: by PNG's keywords, such as Title and Comment.
      provenance: of the colours, by the names that XMP gives them; none for a photo.
    """

    exif: bytes = b""
    xmp: bytes = b""
    iptc: bytes = b""
    profile: bytes = b""
    dpi: tuple[float, float] | None = None
    words: Mapping[str, str] = MappingProxyType({})
    provenance: Mapping[str, str] = MappingProxyType({})


def orientation_of(image: Image.Image, name: str) -> object:
    """EXIF's orientation, 1 to 8; 1 where damaged EXIF does not tell, with a warning."""
    return _tried(name, "EXIF", lambda: image.getexif().get(ORIENTATION, 1), 1)


def of_image(image: Image.Image, *, name: str = "image") -> Metadata:
    """Of an image that Pillow has opened and loaded; what is damaged is left out with a warning."""
    info = image.info
    exif = _tried(name, "EXIF", lambda: _exif(info), b"")
    return Metadata(
        exif=exif,
        xmp=_tried(name, "XMP", lambda: _xmp(info), b""),
        iptc=_tried(name, "IPTC", lambda: _iptc(info), b""),
        profile=bytes(info.get("icc_profile") or b""),
        dpi=_tried(name, "resolution", lambda: _dpi(info.get("dpi")) or _dpi_of_exif(exif), None),
        words=_words(info),
    )


def of_tiff(file: ifd.File, tags: ifd.Directory, *, name: str = "image") -> Metadata:
    """Of a page of a TIFF; what is damaged is left out with a warning."""

    def data(tag: int) -> bytes:
        return tags.entries[tag].data if tag in tags.entries else b""

    return Metadata(
        exif=_tried(name, "EXIF", lambda: _standing_alone(file, tags), b""),
        xmp=data(XMP).rstrip(b"\0"),
        iptc=_tried(
            name, "IPTC", lambda: _of_photoshop(_in_order(data(IPTC))) or _of_photoshop(data(PHOTOSHOP)), b""
        ),
        profile=data(34675),
        dpi=_tried(name, "resolution", lambda: _dpi_of_tags(tags), None),
    )


def _tried(name: str, what: str, read: Callable[[], Value], missing: Value) -> Value:
    try:
        return read()
    except Exception as error:  # of damaged values Pillow and struct make anything
        told = "%s: its %s is damaged and is left out (%s)"
        logging.getLogger(__name__).warning(told, name, what, one_line(error))
        return missing


def _exif(info: Mapping[Any, Any]) -> bytes:
    return _checked(bytes(info.get("exif") or _raw_profile(info, "exif", "APP1")).removeprefix(_PREFIX))


def _xmp(info: Mapping[Any, Any]) -> bytes:
    xmp = info.get("xmp") or info.get(_XMP_KEY) or _raw_profile(info, "xmp")
    return xmp.encode() if isinstance(xmp, str) else bytes(xmp)


def _iptc(info: Mapping[Any, Any]) -> bytes:
    resources = info.get("photoshop")
    if isinstance(resources, dict) and isinstance(resources.get(_IPTC_RESOURCE), bytes):
        found: bytes = resources[_IPTC_RESOURCE]
        return found
    return _of_photoshop(_raw_profile(info, "iptc", "8bim"))


def _in_order(iptc: bytes) -> bytes:
    """IPTC's records, which some writers put into words of the other byte order."""
    if iptc[:1] == b"\x1c" or iptc[3:4] != b"\x1c":
        return iptc
    return b"".join(iptc[n : n + 4][::-1] for n in range(0, len(iptc), 4))


def _checked(exif: bytes) -> bytes:
    """EXIF, or nothing where it has no directory."""
    return exif if exif[:4] in ifd.MAGIC and any(ifd.directories(io.BytesIO(exif))) else b""


def _words(info: Mapping[Any, Any]) -> dict[str, str]:
    words = {key: str(value) for key, value in info.items() if isinstance(key, str) and _is_word(key, value)}
    comment = info.get("comment")
    if isinstance(comment, bytes) and not comment.startswith(b"Created by OpenJPEG"):
        words["Comment"] = comment.decode("utf-8", "replace").rstrip("\0")
    return words


def _is_word(key: str, value: object) -> bool:
    """Pillow has the words of a PNG among its own entries, which are in small letters."""
    is_another = key == _XMP_KEY or key.startswith("Raw profile type ") or not key[:1].isupper()
    return isinstance(value, str) and not is_another


def _raw_profile(info: Mapping[Any, Any], *names: str) -> bytes:
    """What ImageMagick keeps in a PNG's words: a length, and bytes in hexadecimal digits."""
    for name in names:
        found = info.get(f"Raw profile type {name}")
        if isinstance(found, str):
            _, _, _, *digits = found.split("\n")  # nothing, its name, the length
            return bytes.fromhex("".join(digits))
    return b""


def _of_photoshop(content: bytes) -> bytes:
    """IPTC's records, among Photoshop's resources or alone."""
    content = content.removeprefix(b"Photoshop 3.0\0")
    place = 0
    while content[place : place + 4] == b"8BIM":
        (kind,) = struct.unpack_from(">H", content, place + 4)
        place += 6 + (content[place + 6] + 2) // 2 * 2  # past its name
        (size,) = struct.unpack_from(">I", content, place)
        if kind == _IPTC_RESOURCE:
            return content[place + 4 : place + 4 + size]
        place += 4 + size + size % 2
    return content if content[:1] == b"\x1c" else b""


def in_photoshop(iptc: bytes) -> bytes:
    """IPTC's records as one of Photoshop's resources."""
    return b"8BIM" + struct.pack(">HHI", _IPTC_RESOURCE, 0, len(iptc)) + iptc + bytes(len(iptc) % 2)


def _dpi(found: object) -> tuple[float, float] | None:
    if not isinstance(found, tuple) or len(found) != 2:
        return None
    across, down = float(found[0]), float(found[1])
    return (across, down) if 1 < across < 1e6 and 1 < down < 1e6 else None  # 1 says nothing


def _dpi_of_exif(exif: bytes) -> tuple[float, float] | None:
    first = next(ifd.directories(io.BytesIO(exif)), None) if _checked(exif) else None
    return None if first is None else _dpi_of_tags(first)


def _dpi_of_tags(tags: ifd.Directory) -> tuple[float, float] | None:
    unit = {_INCH: 1.0, _CENTIMETER: 2.54}.get(tags.number(RESOLUTION_UNIT, _INCH))
    across, down = tags.values(X_RESOLUTION), tags.values(Y_RESOLUTION)
    if unit is None or len(across) != 2 or len(down) != 2 or not across[1] or not down[1]:
        return None
    return _dpi((across[0] / across[1] * unit, down[0] / down[1] * unit))


def _standing_alone(file: ifd.File, tags: ifd.Directory) -> bytes:
    """What a TIFF's directory says, but of its pixels, as EXIF; empty where that is nothing."""
    kept = {tag: entry for tag, entry in tags.entries.items() if tag not in OF_PIXELS and entry.kind <= 13}
    content = ifd.empty(tags.order)
    for tag in (EXIF, GPS):
        if tag in kept and ifd.is_there(file, tags.number(tag, 0)):
            content, kept[tag] = _moved(file, content, tags, tag)
        else:
            kept.pop(tag, None)
    return ifd.amended(content, kept) if kept else b""


def _moved(file: ifd.File, content: bytes, tags: ifd.Directory, tag: int) -> tuple[bytes, ifd.Entry]:
    """A directory that a tag of another one points to, appended to `content`; and the tag's new value."""
    found = ifd.directory_at(file, tags.number(tag, 0))
    kept = {name: entry for name, entry in found.entries.items() if entry.kind <= 13}
    if INTEROPERABILITY in kept and ifd.is_there(file, found.number(INTEROPERABILITY, 0)):
        content, kept[INTEROPERABILITY] = _moved(file, content, found, INTEROPERABILITY)
    else:
        kept.pop(INTEROPERABILITY, None)
    content += bytes(len(content) % 2)
    place = len(content)
    return content + ifd.packed(tags.order, kept, place), ifd.entry(tags.order, ifd.LONG, place)


def exif_of(about: Metadata, width: int, height: int) -> bytes:
    """EXIF of an upright sRGB picture: that of the photo, with what is true of the picture. Empty where there is none.

    Args:
      about: the photo's.
      width, height: of the picture, in pixels.
    """
    if not about.exif and about.dpi is None:
        return b""
    exif = about.exif or ifd.empty()
    first = next(ifd.directories(io.BytesIO(exif)))
    changed = {ORIENTATION: ifd.entry(first.order, ifd.SHORT, 1)}
    if about.dpi is not None:
        changed |= resolution(first.order, about.dpi)
    content = io.BytesIO(exif)
    lost = [tag for tag in (EXIF, GPS) if not ifd.is_there(content, first.number(tag, 0))]
    if EXIF not in lost:
        now = {_COLOR_SPACE: 1, _PIXEL_WIDTH: width, _PIXEL_HEIGHT: height}
        exif = ifd.patched(exif, first.number(EXIF, 0), now)
    return ifd.amended(exif, changed, without=(*OF_PIXELS, *lost))


def resolution(order: str, dpi: tuple[float, float]) -> dict[int, ifd.Entry]:
    """The tags of dots per inch."""
    across, down = (ifd.entry(order, ifd.RATIONAL, round(n * 1000), 1000) for n in dpi)
    return {X_RESOLUTION: across, Y_RESOLUTION: down, RESOLUTION_UNIT: ifd.entry(order, ifd.SHORT, _INCH)}


def profile_of(about: Metadata) -> bytes:
    """The profile of the picture: the photo's where that is sRGB's, else one of sRGB."""
    try:
        meaning = icc.shaper(about.profile) if about.profile else None
    except ValueError:
        meaning = None
    is_kept = meaning is not None and meaning.is_srgb and len(meaning.curves) == 3
    return about.profile if is_kept else icc.srgb()
