"""Any image file to its lightness, and pictures to files; every mistake is one line that names the file."""

import contextlib
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Shaped, UInt8
from PIL import Image

from colorize_jax import color, files
from colorize_jax.photos.border import Inside, inside_of
from colorize_jax.photos.decode import Bands, on_white, to_srgb
from colorize_jax.photos.encode import QUALITY, encode
from colorize_jax.photos.errors import PhotoError, one_line
from colorize_jax.photos.metadata import Metadata
from colorize_jax.photos.read import MAX_PIXELS, check_size, read_bands

__all__ = [
    *("MAX_PIXELS", "MIN_SIDE", "Photo", "PhotoError", "as_photo", "check_writable", "photo_from_array"),
    *("photo_from_image", "read_photo", "read_rgb", "write_pictures"),
]

_ROW_PIXELS = 1 << 18  # converted at a time, so that 24 megapixels do not need gigabytes


class Photo(NamedTuple):
    """What colorizing takes of a photo.

    Attributes:
      lightness: CIE L* in [0, 100]; photos of 16 bits keep their precision.
      alpha: opacity, 0 to 255, or None where the photo has none.
      bits: of a channel in the file, 8 or, where it has more, 16; its pictures have as many.
      about: what its file says beside the pixels; its pictures say it, too.
      inside: what lies within its border, which takes no colour; None where it has none, or where that is coloured.
    """

    lightness: Float32[np.ndarray, "H W"]
    alpha: UInt8[np.ndarray, "H W"] | None
    bits: int = 8
    about: Metadata = Metadata()
    inside: Inside | None = None


def read_photo(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS, page: int = 0) -> Photo:
    """Reads an image file of a kind in `read.FORMATS`: one page, upright by its EXIF orientation.

    Colours are decoded as `decode.to_srgb` says. `page` counts from 0, see `read.read_bands`.

    Raises:
      PhotoError: missing, empty, truncated, not an image, more than `max_pixels`, a side below `MIN_SIDE`, or
        pixels whose meaning is not known: without a fixed range (floats, integers of 32 bits or with a sign), or of a
        kind that `tiff` refuses.
    """
    return _photo(_bands(path, max_pixels, page))


def read_rgb(path: str | os.PathLike[str]) -> UInt8[np.ndarray, "H W 3"]:
    """As `read_photo`, for its colours: 8-bit sRGB, transparent parts on white."""
    return np.asarray(on_white(_bands(path, MAX_PIXELS)))


def _bands(path: str | os.PathLike[str], max_pixels: int, page: int = 0) -> Bands:
    name = os.fspath(path)
    if not os.path.isfile(name):
        raise PhotoError(f"{name}: {_not_a_file(name)}")
    if os.path.getsize(name) == 0:
        raise PhotoError(f"{name}: the file is empty (0 bytes)")
    try:
        with _quiet_and_unlimited(), open(name, "rb") as file:
            return read_bands(file, name=name, page=page, max_pixels=max_pixels)
    except OSError as error:
        raise PhotoError(f"{name}: cannot be read ({error.strerror or one_line(error)})") from error


def _not_a_file(name: str) -> str:
    if "://" in name:
        return "an address, and only files are read; download it"
    if os.path.isdir(name):
        return "is a folder, not an image"
    return "a pipe or a device, and only files are read" if os.path.exists(name) else "no such file"


@contextlib.contextmanager
def _quiet_and_unlimited() -> Iterator[None]:
    """Pillow without its own pixel limit, which only warns below twice its value (`check_size` is strict).

    And without its warnings of damaged metadata, after which it decodes or raises: one line a photo is enough.
    """
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def photo_from_image(image: Image.Image, *, name: str = "image", max_pixels: int = MAX_PIXELS) -> Photo:
    """As `read_photo`, for an image in memory; `name` is what errors call it."""
    check_size(name, image.size, max_pixels)
    return _photo(to_srgb(image, name=name))


def _photo(bands: Bands) -> Photo:
    values = np.asarray(bands.colors)
    alpha = None if bands.alpha is None else np.asarray(bands.alpha, np.uint8)
    lightness = _lightness(values)
    return Photo(lightness, alpha, 8 * values.itemsize, bands.about, inside_of(lightness))


def photo_from_array(array: Shaped[np.ndarray, "H W *channels"], *, name: str = "array") -> Photo:
    """A gray (H, W), gray + alpha (H, W, 2), RGB or RGBA array, sRGB: uint8, uint16, bool, or floats in [0, 1]."""
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 2, 3, 4)):
        raise PhotoError(f"{name} has the shape {array.shape}; allowed are (H, W) and (H, W, 1 to 4).")
    check_size(name, array.shape[1::-1], MAX_PIXELS)
    if array.dtype == bool:
        array = array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind == "f" and not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
        raise PhotoError(f"{name} has floats outside [0, 1]; divide by the largest value of its range.")
    if array.dtype.kind != "f" and array.dtype not in (np.uint8, np.uint16):
        raise PhotoError(
            f"{name} has the type {array.dtype}; allowed are uint8, uint16, bool and floats in [0, 1]."
        )
    bits = 16 if array.dtype == np.uint16 else 8
    channels = 1 if array.ndim == 2 else array.shape[2]
    values = array if array.ndim == 2 else array[..., 0] if channels < 3 else array[..., :3]
    lightness, alpha = _lightness(values), None
    if channels in (2, 4):
        top = 1 if array.dtype.kind == "f" else np.iinfo(array.dtype).max
        alpha = np.round(array[..., -1].astype(np.float32) * (255 / top)).astype(np.uint8)
    return Photo(lightness, alpha, bits, inside=inside_of(lightness))


def as_photo(source: Photo | str | os.PathLike[str] | Image.Image | np.ndarray) -> Photo:
    """A path, a PIL image or an array as a Photo; see `read_photo` and `photo_from_array`."""
    if isinstance(source, Photo):
        return source
    if isinstance(source, Image.Image):
        return photo_from_image(source)
    if isinstance(source, np.ndarray):
        return photo_from_array(source)
    if isinstance(source, (str, os.PathLike)):
        return read_photo(source)
    raise TypeError(f"image is a {type(source).__name__}; allowed are a path, a PIL image and a NumPy array.")


def _lightness(values: np.ndarray) -> Float32[np.ndarray, "H W"]:
    """Gray (H, W) or RGB (H, W, 3) values, sRGB, to CIE L*."""
    lightness = np.empty(values.shape[:2], np.float32)
    if values.dtype.kind == "f":
        to_linear = color.srgb_to_linear
    else:
        levels = np.arange(np.iinfo(values.dtype).max + 1)
        table = color.srgb_to_linear(levels / levels[-1]).astype(np.float32)
        to_linear = table.__getitem__
    step = max(1, _ROW_PIXELS // values.shape[1])
    for start in range(0, len(values), step):
        linear = to_linear(values[start : start + step])
        lightness[start : start + step] = (
            color.luminance_to_lightness(linear)
            if values.ndim == 2
            else color.linear_to_lightness(linear)[..., 0]
        )
    return lightness.clip(0, 100, out=lightness)


def write_pictures(
    pictures: Mapping[Path, Shaped[np.ndarray, "H W *channels"]],
    about: Mapping[Path, Metadata] = MappingProxyType({}),
    *,
    quality: int = QUALITY,
    overwrite: bool = False,
) -> None:
    """Writes sRGB pictures of 8 or 16 bits, the format by each name's suffix; see `encode.encode`.

    Where one cannot be encoded or stored, none appears.

    Args:
      pictures: by file.
      about: what goes beside the pixels, of those files that have it.
      quality: of JPEG and WebP, 1 to 100.
      overwrite: whether files that are there are replaced.

    Raises:
      PhotoError: a file that exists (without `overwrite`), a folder that cannot be written, opacity in a JPEG.
    """
    for path in pictures:
        if path.exists() and not overwrite:
            raise PhotoError(f"{path}: exists already; --overwrite (overwrite=True) replaces it")

    def write(path: Path, temporary: Path) -> None:
        try:
            temporary.write_bytes(encode(pictures[path], path.suffix[1:], about.get(path), quality=quality))
        except (OSError, ValueError) as error:
            raise PhotoError(f"{path}: cannot be written ({one_line(error)})") from error

    try:
        with (
            files.all_replaced(list(pictures), overwrite=overwrite) as temporary,
            ThreadPoolExecutor() as pool,
        ):
            list(pool.map(write, pictures, temporary))
    except OSError as error:
        raise PhotoError(f"{error.filename}: cannot be written ({error.strerror})") from error


def check_writable(folder: Path) -> None:
    """Tries to write, so that work whose result could not be kept is never started; nothing is left behind.

    Args:
      folder: need not exist; then the nearest folder above it that exists is tried.

    Raises:
      PhotoError: it cannot be written.
    """
    try:
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise PhotoError(f"{folder}: cannot be written ({error.strerror})") from error
