"""Pictures to the bytes of files, with what the photo's file said beside its pixels. The program, the studio and the
library write by it.

PNG and TIFF keep 16 bits a channel and opacity, WebP opacity; JPEG neither.
"""

import io
import logging
import struct
import zlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image

from colorize_jax.photos import ifd, metadata, png, tiff, xmp
from colorize_jax.photos.errors import PhotoError
from colorize_jax.photos.metadata import Metadata
from colorize_jax.photos.samples import to_bytes

QUALITY = 95
"""Of JPEG and WebP, 1 to 100."""

SUFFIXES = {"png": "png", "jpeg": "jpg", "jpg": "jpg", "tiff": "tif", "tif": "tif", "webp": "webp"}
"""Of the files of each format, by its names."""

LOSSY = ("jpg", "webp")
"""The suffixes whose files have a quality."""

KEEPS_16_BITS = ("png", "tif")
KEEPS_OPACITY = ("png", "tif", "webp")

_MOST_OF_A_SEGMENT = 65533  # bytes of a JPEG's
_STRIP_BYTES = 1 << 18
_METERS_PER_INCH = 0.0254


_LONG = (tiff.WIDTH, tiff.LENGTH, tiff.STRIP_OFFSETS, tiff.STRIP_BYTES, tiff.ROWS_PER_STRIP)
_KINDS = dict.fromkeys(_LONG, ifd.LONG) | {
    metadata.XMP: ifd.BYTE,
    metadata.IPTC: ifd.BYTE,
    tiff.PROFILE: ifd.UNDEFINED,
}


class Packed(NamedTuple):
    """`Metadata` as the picture's file has it.

    Attributes:
      exif: a TIFF without pixels, or empty.
      xmp: a packet, or empty.
      profile: ICC, or empty.
    """

    exif: bytes
    xmp: bytes
    profile: bytes


def encode(
    picture: Shaped[np.ndarray, "H W *channels"],
    suffix: str,
    about: Metadata | None = None,
    *,
    quality: int = QUALITY,
) -> bytes:
    """The bytes of a picture's file.

    Args:
      picture: sRGB, uint8 or uint16, RGB or RGB with opacity.
      suffix: one of the values of `SUFFIXES`, or another name for it.
      about: what the photo's file said; None writes nothing beside the pixels.
      quality: see `QUALITY`.

    Raises:
      PhotoError: a suffix of no format that is written, or opacity in a JPEG.
    """
    kind = SUFFIXES.get(suffix.lower())
    if kind is None:
        raise PhotoError(f"pictures are not written as {suffix!r}; allowed are {', '.join(SUFFIXES)}")
    if picture.shape[2:] == (4,) and kind not in KEEPS_OPACITY:
        raise PhotoError("JPEG keeps no opacity, and the photo has some; save it as png, tiff or webp")
    if picture.dtype != np.uint8 and kind not in KEEPS_16_BITS:
        picture = to_bytes(picture)
    return _WRITERS[kind](picture, about, quality)


def _packed(about: Metadata | None, picture: np.ndarray, *, words: bool = True, iptc: bool = True) -> Packed:
    """What goes into the file; words and IPTC's records go into XMP where the format has no place for them."""
    if about is None:
        return Packed(b"", b"", b"")
    height, width = picture.shape[:2]
    spelled_out = ({} if iptc else xmp.words_of_iptc(about.iptc)) | ({} if words else dict(about.words))
    return Packed(
        metadata.exif_of(about, width, height),
        xmp.packet(about.xmp, about.provenance, spelled_out),
        metadata.profile_of(about),
    )


def _png(picture: np.ndarray, about: Metadata | None, quality: int) -> bytes:
    packed = _packed(about, picture)
    chunks = [(b"iCCP", b"ICC profile\0\0" + zlib.compress(packed.profile))] if packed.profile else []
    if about is not None and about.dpi is not None:
        across, down = (round(n / _METERS_PER_INCH) for n in about.dpi)
        chunks.append((b"pHYs", struct.pack(">IIB", across, down, 1)))
    if packed.exif:
        chunks.append((b"eXIf", packed.exif))
    if packed.xmp:
        chunks.append((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packed.xmp))
    if about is not None:
        chunks += [(b"iTXt", _word(name, text)) for name, text in about.words.items()]
        if about.iptc:
            chunks.append((b"zTXt", _raw_profile(metadata.in_photoshop(about.iptc))))
    if picture.dtype == np.uint16:
        return png.encode(picture, chunks)
    # Level 1 is four times as fast as Pillow's 6 for files a tenth larger.
    return png.with_chunks(_by_pillow(picture, "png", compress_level=1), chunks)


def _word(name: str, text: str) -> bytes:
    return name.encode("latin-1", "replace")[:79] + b"\0\0\0\0\0" + text.encode()


def _raw_profile(content: bytes) -> bytes:
    """As ImageMagick writes it, and ExifTool reads it."""
    digits = content.hex()
    lines = "\n".join(digits[n : n + 72] for n in range(0, len(digits), 72))
    return b"Raw profile type iptc\0\0" + zlib.compress(f"\niptc\n{len(content):8}\n{lines}\n".encode())


def _jpeg(picture: np.ndarray, about: Metadata | None, quality: int) -> bytes:
    packed = _packed(about, picture, words=False)
    # Subsampled chroma would blur the colours.
    options: dict[str, object] = {"quality": quality, "subsampling": 0, "icc_profile": packed.profile}
    if about is None:
        return _by_pillow(picture, "jpeg", **options)
    segments = [_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0", packed.xmp, "XMP")]
    if about.iptc:
        segments.append(_segment(0xED, b"Photoshop 3.0\0", metadata.in_photoshop(about.iptc), "IPTC"))
    if about.dpi is not None:
        options["dpi"] = tuple(max(1, min(round(n), 65535)) for n in about.dpi)
    if len(packed.exif) < _MOST_OF_A_SEGMENT - 6:
        options["exif"] = b"Exif\0\0" + packed.exif if packed.exif else b""
    else:
        _warn("EXIF", len(packed.exif))
    if comment := about.words.get("Comment"):
        options["comment"] = comment.encode()[:_MOST_OF_A_SEGMENT]
    return _by_pillow(picture, "jpeg", extra=b"".join(segments), **options)


def _segment(marker: int, start: bytes, content: bytes, what: str) -> bytes:
    if not content:
        return b""
    if len(start) + len(content) > _MOST_OF_A_SEGMENT:
        _warn(what, len(content))
        return b""
    return struct.pack(">BBH", 0xFF, marker, 2 + len(start) + len(content)) + start + content


def _warn(what: str, size: int) -> None:
    logging.getLogger(__name__).warning(
        "its %s has %d bytes, more than a JPEG can hold, and is left out; PNG and TIFF can", what, size
    )


def _webp(picture: np.ndarray, about: Metadata | None, quality: int) -> bytes:
    packed = _packed(about, picture, words=False, iptc=False)
    return _by_pillow(
        picture, "webp", quality=quality, exif=packed.exif, xmp=packed.xmp, icc_profile=packed.profile
    )


def _tiff(picture: np.ndarray, about: Metadata | None, quality: int) -> bytes:
    """Strips after EXIF, whose directory then has the tags of the pixels, too."""
    packed = _packed(about, picture, words=False)
    start = packed.exif or ifd.empty()
    order = "<" if start[:2] == b"II" else ">"
    rows = max(1, _STRIP_BYTES // picture[0].nbytes)
    strips = [_strip(picture[n : n + rows], order) for n in range(0, len(picture), rows)]
    start += bytes(len(start) % 2)
    places = np.cumsum([len(start), *map(len, strips)])[:-1].tolist()
    channels, bits = picture.shape[2], 8 * picture.itemsize
    numbers = {tiff.WIDTH: [picture.shape[1]], tiff.LENGTH: [len(picture)], tiff.BITS: [bits] * channels}
    numbers |= {tiff.COMPRESSION: [8], tiff.PHOTOMETRIC: [2], tiff.SAMPLES: [channels], tiff.PREDICTOR: [2]}
    numbers |= {
        tiff.STRIP_OFFSETS: places,
        tiff.STRIP_BYTES: list(map(len, strips)),
        tiff.ROWS_PER_STRIP: [rows],
    }
    numbers |= {tiff.PLANAR: [1], tiff.SAMPLE_FORMAT: [1] * channels, tiff.ORIENTATION: [1]}
    if channels == 4:
        numbers[tiff.EXTRA_SAMPLES] = [2]
    entries = {tag: ifd.entry(order, _kind_of(tag), *found) for tag, found in numbers.items()}
    iptc = about.iptc if about is not None else b""
    contents = ((metadata.XMP, packed.xmp), (metadata.IPTC, iptc), (tiff.PROFILE, packed.profile))
    entries |= {tag: ifd.text(_kind_of(tag), content) for tag, content in contents if content}
    return ifd.amended(start + b"".join(strips), entries)


def _kind_of(tag: int) -> int:
    return _KINDS.get(tag, ifd.SHORT)


def _strip(rows: np.ndarray, order: str) -> bytes:
    """Each sample as the difference to its neighbour, in half as many bytes."""
    differences = rows.copy()
    differences[:, 1:] -= rows[:, :-1]
    return zlib.compress(differences.astype(f"{order}u{rows.itemsize}").tobytes(), 1)


def _by_pillow(picture: UInt8[np.ndarray, "H W *channels"], kind: str, **options: object) -> bytes:
    made = io.BytesIO()
    Image.fromarray(picture).save(made, kind, **options)
    return made.getvalue()


_WRITERS: dict[str, Callable[[np.ndarray, Metadata | None, int], bytes]] = {
    "png": _png,
    "jpg": _jpeg,
    "tif": _tiff,
    "webp": _webp,
}
