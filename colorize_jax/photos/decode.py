"""A decoded image of any kind to upright sRGB: the one place that knows of modes, ICC profiles and orientation.

Training, colorizing and the studio all see a photo through it. Workers import this module: it must never import jax.
"""

import io
import logging
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageCms

from colorize_jax.photos import cicp, icc, png
from colorize_jax.photos.errors import PhotoError, one_line
from colorize_jax.photos.metadata import Metadata, of_image, orientation_of
from colorize_jax.photos.samples import Colors, StoredPixels, as_colors, channels_of, to_bytes

__all__ = ["Bands", "PhotoError", "as_srgb", "on_white", "one_line", "to_srgb"]

_TURN = Image.Transpose
TURNS: Mapping[object, Image.Transpose] = {
    2: _TURN.FLIP_LEFT_RIGHT,
    3: _TURN.ROTATE_180,
    4: _TURN.FLIP_TOP_BOTTOM,
    5: _TURN.TRANSPOSE,
    6: _TURN.ROTATE_270,
    7: _TURN.TRANSVERSE,
    8: _TURN.ROTATE_90,
}
"""By EXIF's orientation."""


class Bands(NamedTuple):
    """An image without its container.

    Attributes:
      colors: sRGB, or gray of its curve. 8 bits are an image in mode RGB or L, 16 an array (H, W, 3) or (H, W).
      alpha: opacity in mode L, or None where every pixel is opaque.
      about: what its file said beside the pixels.
    """

    colors: Colors
    alpha: Image.Image | None
    about: Metadata = Metadata()


def to_srgb(image: Image.Image, *, name: str = "image") -> Bands:
    """Turns an image upright by its EXIF orientation and its colours into sRGB.

    Colours count as sRGB, or by the embedded ICC profile, or by a PNG's gamma. A profile that cannot be applied is
    ignored with a warning.

    Args:
      image: of any mode that Pillow has.
      name: what errors call it.

    Raises:
      PhotoError: pixels without a fixed range (32-bit integers, floats and HDR).
    """
    turn = TURNS.get(orientation_of(image, name))
    colors, alpha, _ = _split_alpha(image if turn is None else image.transpose(turn), name)
    pixels = StoredPixels(colors, alpha, png.meaning(image.info, channels_of(colors)))
    return as_srgb(pixels, name=name)._replace(about=of_image(image, name=name))


def as_srgb(samples: StoredPixels, *, name: str) -> Bands:
    """As `to_srgb`, for pixels that are upright already."""
    return Bands(_through_own_profile(samples.colors, samples.profile, name), samples.alpha)


def on_white(bands: Bands) -> Image.Image:
    """The image in mode RGB, transparent parts laid on white; 16 bits are rounded to 8."""
    rgb = _converted(_of_8_bits(bands.colors), "RGB")
    if bands.alpha is None:
        return rgb
    layer = Image.merge("RGBA", (*rgb.split(), bands.alpha))
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


def _of_8_bits(colors: Colors) -> Image.Image:
    image: Image.Image = colors if isinstance(colors, Image.Image) else as_colors(to_bytes(colors))
    return image


def _converted(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)  # to its own mode, convert would copy


def _split_alpha(image: Image.Image, name: str) -> StoredPixels:
    """Colours, not yet sRGB, and the opacity."""
    mode = image.mode
    if mode == "F":
        raise PhotoError(f"{name}: 32-bit floats have no fixed range; save it with 8 or 16 bits")
    if mode == "I" or mode.startswith("I;16"):
        values = _as_16_bit(image, name)
        return StoredPixels(values, _alpha_of_level(values, image.info.get("transparency")))
    if mode == "LAB":
        profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return StoredPixels(ImageCms.buildTransform(*profiles, mode, "RGB").apply(image))
    gray = mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        *bands, alpha = _converted(image, "LA" if gray else "RGBA").split()
        return StoredPixels(bands[0] if gray else Image.merge("RGB", bands), alpha)
    return StoredPixels(image if mode == "CMYK" else _converted(image, "L" if gray else "RGB"))


def _as_16_bit(image: Image.Image, name: str) -> np.ndarray:
    """Pillow opens some 16-bit formats with 32 bits."""
    values = np.asarray(image)
    # In a file of another format than these, as in FITS, integers of 32 bits may mean anything.
    is_wide = image.mode == "I" and image.format not in (None, "PNG", "PPM")
    if is_wide or values.min() < 0 or values.max() > 65535:
        raise PhotoError(f"{name}: 32-bit integers have no fixed range; save it with 8 or 16 bits")
    return values.astype(np.uint16)


def _alpha_of_level(values: np.ndarray, level: object) -> Image.Image | None:
    """One of the levels may stand for transparency."""
    if level is None:
        return None
    opacity: UInt8[np.ndarray, "H W"] = np.where(values == level, 0, 255).astype(np.uint8)
    return Image.fromarray(opacity)


def _through_own_profile(colors: Colors, profile: bytes | icc.Shaper | None, name: str) -> Colors:
    """Through the profile where there is one; otherwise gray stays gray and CMYK turns RGB as Pillow does."""
    is_cmyk = channels_of(colors) == 4
    plain = _of_8_bits(colors).convert("RGB") if is_cmyk else colors
    if not profile:
        return plain
    if isinstance(profile, bytes) and (points := cicp.of_profile(profile)) is not None:
        cicp.check(points)
    try:
        meaning = icc.shaper(profile) if isinstance(profile, bytes) else profile
        if isinstance(profile, bytes) and (meaning is None or is_cmyk):
            return _through_tables(colors, plain, profile)
        assert meaning is not None
        return plain if meaning.is_srgb else _through_curves(plain, meaning, profile)
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        logging.getLogger(__name__).warning(
            "%s: its colour profile is ignored, sRGB assumed (%s)", name, one_line(error)
        )
        return plain


def _through_curves(colors: Colors, meaning: icc.Shaper, profile: bytes | icc.Shaper) -> Colors:
    """By `icc`; RGB of 8 bits by LittleCMS, which takes a third of the time."""
    wanted, is_image = len(meaning.curves), isinstance(colors, Image.Image)
    if wanted < channels_of(colors):
        raise PhotoError("a profile of gray for a picture in colour")
    values = np.asarray(colors)
    if wanted > channels_of(colors):
        values = np.repeat(values[..., None], 3, axis=-1)
    if is_image and wanted == 3 and isinstance(profile, bytes):
        return _by_littlecms(as_colors(values), profile)
    found = icc.to_srgb(values, meaning)
    converted: Colors = as_colors(to_bytes(found)) if is_image else found
    return converted


def _through_tables(colors: Colors, plain: Colors, profile: bytes) -> Image.Image:
    """A profile that is more than curves, of 8 bits."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if source.profile.xcolor_space.strip() == "RGB":
        rgb = _converted(_of_8_bits(plain), "RGB")
        return (
            rgb if "srgb" in ImageCms.getProfileDescription(source).lower() else _by_littlecms(rgb, profile)
        )
    return _by_littlecms(_of_8_bits(colors), profile)


def _by_littlecms(colors: Image.Image, profile: bytes) -> Image.Image:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    target = ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(source, target, colors.mode, "RGB").apply(colors)
