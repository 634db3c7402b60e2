"""Any image file to its lightness, and pictures to files; every mistake is one line that names the file."""

import contextlib
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Shaped, UInt8
from PIL import Image

from colorize_jax import color, files
from colorize_jax.photos.decode import PhotoError, on_white, one_line, to_srgb

MAX_PIXELS = 178_956_970
"""Of a photo: where Pillow, too, calls an image a decompression bomb."""

MIN_SIDE = 2
"""Pixels: a 1 x 1 image, or a line, has no structure to colour."""

_ROW_PIXELS = 1 << 18  # converted at a time, so that 24 megapixels do not need gigabytes


class Photo(NamedTuple):
    """What colorizing takes of a photo.

    Attributes:
      lightness: CIE L* in [0, 100]; 16-bit gray keeps its precision.
      alpha: opacity, 0 to 255, or None where the photo has none.
    """

    lightness: Float32[np.ndarray, "H W"]
    alpha: UInt8[np.ndarray, "H W"] | None


def read_photo(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Photo:
    """Reads an image file of any mode that Pillow decodes: its first frame, upright by its EXIF orientation.

    Colours are decoded as `decode.to_srgb` says.

    Raises:
      PhotoError: missing, empty, truncated, not an image, more than `max_pixels`, a side below `MIN_SIDE`, or
        pixels without a fixed range (32-bit integers and floats).
    """
    with _opened(path, max_pixels) as image:
        return photo_from_image(image, name=os.fspath(path), max_pixels=max_pixels)


def read_rgb(path: str | os.PathLike[str]) -> UInt8[np.ndarray, "H W 3"]:
    """As `read_photo`, for its colours: 8-bit sRGB, transparent parts on white."""
    with _opened(path, MAX_PIXELS) as image:
        _check_size(os.fspath(path), image.size, MAX_PIXELS)
        return np.asarray(on_white(to_srgb(image, name=os.fspath(path))))


@contextlib.contextmanager
def _opened(path: str | os.PathLike[str], max_pixels: int) -> Iterator[Image.Image]:
    name = os.fspath(path)
    if not os.path.isfile(name):
        raise PhotoError(f"{name}: {'is a folder, not an image' if os.path.isdir(name) else 'no such file'}")
    if os.path.getsize(name) == 0:
        raise PhotoError(f"{name}: the file is empty (0 bytes)")
    with _quiet_and_unlimited(), _decoded(name, max_pixels) as image:
        yield image


@contextlib.contextmanager
def _quiet_and_unlimited() -> Iterator[None]:
    """Pillow without its own pixel limit, which only warns below twice its value (`_check_size` is strict).

    And without its warnings of damaged metadata, after which it decodes or raises: one line a photo is enough.
    """
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


@contextlib.contextmanager
def _decoded(name: str, max_pixels: int) -> Iterator[Image.Image]:
    with contextlib.ExitStack() as stack:
        try:
            image = stack.enter_context(Image.open(name))
            _check_size(name, image.size, max_pixels)
            image.load()
        except PhotoError:
            raise
        except Image.UnidentifiedImageError:
            raise PhotoError(
                f"{name}: not an image of a kind that can be read, or cut off in its header"
            ) from None
        except (
            Exception
        ) as error:  # on broken bytes decoders raise anything: OSError, SyntaxError, struct.error
            if isinstance(error, OSError) and error.strerror:
                raise PhotoError(f"{name}: cannot be read ({error.strerror})") from error
            raise PhotoError(f"{name}: a truncated or damaged image ({one_line(error)})") from error
        yield image


def photo_from_image(image: Image.Image, *, name: str = "image", max_pixels: int = MAX_PIXELS) -> Photo:
    """As `read_photo`, for an image in memory; `name` is what errors call it."""
    _check_size(name, image.size, max_pixels)
    bands, alpha = to_srgb(image, name=name)
    return Photo(_lightness(np.asarray(bands)), None if alpha is None else np.asarray(alpha, np.uint8))


def photo_from_array(array: Shaped[np.ndarray, "H W *channels"], *, name: str = "array") -> Photo:
    """A gray (H, W), gray + alpha (H, W, 2), RGB or RGBA array, sRGB: uint8, uint16, bool, or floats in [0, 1]."""
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 2, 3, 4)):
        raise PhotoError(f"{name} has the shape {array.shape}; allowed are (H, W) and (H, W, 1 to 4).")
    _check_size(name, array.shape[1::-1], MAX_PIXELS)
    if array.dtype == bool:
        array = array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind == "f" and not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
        raise PhotoError(f"{name} has floats outside [0, 1]; divide by the largest value of its range.")
    if array.dtype.kind != "f" and array.dtype not in (np.uint8, np.uint16):
        raise PhotoError(
            f"{name} has the type {array.dtype}; allowed are uint8, uint16, bool and floats in [0, 1]."
        )
    if array.ndim == 2 or array.shape[2] in (1, 3):
        return Photo(_lightness(array if array.ndim == 2 or array.shape[2] == 3 else array[..., 0]), None)
    top = 1 if array.dtype.kind == "f" else np.iinfo(array.dtype).max
    alpha = np.round(array[..., -1].astype(np.float32) * (255 / top)).astype(np.uint8)
    return Photo(_lightness(array[..., 0] if array.shape[2] == 2 else array[..., :3]), alpha)


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


def _check_size(name: str, size: tuple[int, ...], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise PhotoError(
            f"{name}: {width}x{height} pixels; allowed are at most {max_pixels:,}; make it smaller"
        )
    if min(width, height) < MIN_SIDE:
        raise PhotoError(f"{name}: {width}x{height} pixels; a photo has at least {MIN_SIDE}x{MIN_SIDE}")


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
    pictures: Mapping[Path, UInt8[np.ndarray, "H W *channels"]], *, overwrite: bool = False
) -> None:
    """Writes 8-bit sRGB pictures, the format by each name's suffix.

    Where one cannot be encoded or stored, none appears.

    Raises:
      PhotoError: a file that exists (without `overwrite`), a folder that cannot be written, opacity in a JPEG.
    """
    for path, picture in pictures.items():
        if path.exists() and not overwrite:
            raise PhotoError(f"{path}: exists already; --overwrite (overwrite=True) replaces it")
        if path.suffix.lower() in (".jpg", ".jpeg") and picture.shape[2:] == (4,):
            raise PhotoError(f"{path}: JPEG keeps no opacity, and the photo has some; choose PNG")
    try:
        with (
            files.all_replaced(list(pictures), overwrite=overwrite) as temporary,
            ThreadPoolExecutor() as pool,
        ):
            list(pool.map(_encode, pictures, temporary, pictures.values()))
    except OSError as error:
        raise PhotoError(f"{error.filename}: cannot be written ({error.strerror})") from error


def _encode(path: Path, temporary: Path, picture: np.ndarray) -> None:
    try:
        Image.fromarray(picture).save(temporary, **_encoding(path.suffix.lower()))
    except (OSError, ValueError, KeyError) as error:
        raise PhotoError(f"{path}: cannot be written ({one_line(error)})") from error


def _encoding(suffix: str) -> dict[str, Any]:
    # Level 1 is four times as fast as Pillow's 6 for files a tenth larger; subsampled chroma would blur the colours.
    if suffix == ".png":
        return {"compress_level": 1}
    return {"quality": 95, "subsampling": 0} if suffix in (".jpg", ".jpeg") else {}


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
