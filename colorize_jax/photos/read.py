"""The bytes of any image file to upright sRGB, each kind by what reads it right.

TIFF is read by `tiff`, PNG of 16 bits by `png`, and all other kinds by Pillow. A kind that is not in `FORMATS` is
refused, though Pillow may know it: in some, such as FITS or PSD, values have other meanings than those that it takes.
Workers import this module: it must never import jax.
"""

import functools
import io

from PIL import Image

from colorize_jax.photos import cicp, ifd, kinds, metadata, png, tiff
from colorize_jax.photos.decode import Bands, as_srgb, to_srgb
from colorize_jax.photos.errors import PhotoError, one_line

MAX_PIXELS = 178_956_970
"""Of a photo: where Pillow, too, calls an image a decompression bomb."""

MIN_SIDE = 2
"""Pixels: a 1 x 1 image, or a line, has no structure to colour."""

_JPEG_BLOCK = 64
"""Pixels of which a Huffman code has one bit at least."""

FORMATS = (
    *("AVIF", "BMP", "DIB", "GIF", "HEIF", "JPEG", "JPEG2000", "MPO"),
    *("PCX", "PNG", "PPM", "QOI", "SGI", "TGA", "TIFF", "WEBP"),
)
"""What is read, by Pillow's names; AVIF, QOI and HEIF where Pillow, or a plugin of it, can."""


def read_bands(
    file: ifd.File,
    *,
    name: str = "image",
    page: int = 0,
    max_pixels: int = MAX_PIXELS,
    at_least: int | None = None,
) -> Bands:
    """Reads an image from an open file.

    Args:
      file: from its start.
      name: what errors call it.
      page: from 0; of a TIFF without reduced copies and masks, see `tiff.pages`.
      max_pixels: more are refused before they are decoded.
      at_least: JPEG may be decoded at 1/2, 1/4 or 1/8 of its size where its short side keeps so many pixels.

    Raises:
      PhotoError: not an image of `FORMATS`, truncated or damaged, of a kind that is not read, or of a bad size.
    """
    try:
        return _read(file, name, page, max_pixels, at_least)
    except Image.UnidentifiedImageError:
        read = ", ".join(kind for kind in FORMATS if kind not in ("DIB", "MPO"))
        hint = kinds.hint(name) or f"read are {read}; or it is cut off in its header"
        raise PhotoError(f"{name}: not an image of a kind that can be read here; {hint}") from None
    except PhotoError as error:
        raise error if str(error).startswith(name) else PhotoError(f"{name}: {error}") from error
    except Exception as error:  # on broken bytes decoders raise anything: OSError, SyntaxError, struct.error
        if isinstance(error, OSError) and error.strerror:
            raise PhotoError(f"{name}: cannot be read ({error.strerror})") from error
        raise PhotoError(f"{name}: a truncated or damaged image ({one_line(error)})") from error


def size_of(file: ifd.File) -> tuple[int, int]:
    """Width and height as they are stored, of an image whose pixels are not decoded.

    Raises:
      PhotoError: as `read_bands`, for a TIFF.
      OSError: not an image.
    """
    return tiff.page_of(file).size if _is_tiff(file) else Image.open(file, formats=_formats()).size


def check_size(name: str, size: tuple[int, ...], max_pixels: int) -> None:
    """Raises: PhotoError, for a width and height that are too large or too small."""
    width, height = size
    if width * height > max_pixels:
        raise PhotoError(
            f"{name}: {width}x{height} pixels; allowed are at most {max_pixels:,}; make it smaller"
        )
    if min(width, height) < MIN_SIDE:
        raise PhotoError(f"{name}: {width}x{height} pixels; a photo has at least {MIN_SIDE}x{MIN_SIDE}")


def _read(file: ifd.File, name: str, number: int, max_pixels: int, at_least: int | None) -> Bands:
    if _is_tiff(file):
        page = tiff.page_of(file, number)
        check_size(name, page.size, max_pixels)
        about = metadata.of_tiff(file, page.tags, name=name)
        return as_srgb(tiff.decode(file, page), name=name)._replace(about=about)
    is_sixteen = number == 0 and png.is_sixteen(_start(file))
    points = cicp.of_file(file)
    image = Image.open(file, formats=_formats())
    check_size(name, image.size, max_pixels)
    if image.format in ("JPEG", "MPO"):
        _check_length(file, image.size)
    if is_sixteen:
        sixteen = png.decode(file, name=name, points=points)
        about = metadata.of_image(sixteen.image, name=name)
        return as_srgb(sixteen.samples, name=name)._replace(about=about)
    if number:
        image.seek(number)
    if at_least is not None:
        image.draft(None, (at_least, at_least))
    image.load()
    image.info[cicp.KEY] = points
    return to_srgb(image, name=name)


def _check_length(file: ifd.File, size: tuple[int, int]) -> None:
    """Refuses a JPEG whose header tells more than its bytes can hold, which Pillow would fill up with gray."""
    place = file.tell()
    length = file.seek(0, io.SEEK_END)
    file.seek(place)
    if 8 * length * _JPEG_BLOCK < size[0] * size[1]:
        raise PhotoError(
            f"a truncated or damaged image ({length} bytes cannot hold {size[0]}x{size[1]} pixels)"
        )


def _is_tiff(file: ifd.File) -> bool:
    return _start(file)[:4] in ifd.MAGIC


def _start(file: ifd.File) -> bytes:
    file.seek(0)
    start = file.read(32)
    file.seek(0)
    return start


@functools.cache
def _formats() -> tuple[str, ...]:
    Image.init()
    kinds.prepare()
    return tuple(kind for kind in FORMATS if kind in Image.OPEN)
