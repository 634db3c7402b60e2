"""A decoded image of any kind to upright sRGB: the one place that knows of modes, ICC profiles and orientation.

Training, colorizing and the studio all see a photo through it. Workers import this module: it must never import jax.
"""

import io
import logging
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageCms, ImageOps

_ORIENTATION = 0x0112  # the EXIF tag; 1 is upright


class PhotoError(ValueError):
    """A photo that cannot be read or written; the message is one line and names it."""


class Bands(NamedTuple):
    """An image without its container.

    Attributes:
      colors: sRGB in mode RGB, or gray of sRGB's curve in mode L or one of I;16.
      alpha: opacity in mode L, or None where every pixel is opaque.
    """

    colors: Image.Image
    alpha: Image.Image | None


def to_srgb(image: Image.Image, *, name: str = "image") -> Bands:
    """Turns an image upright by its EXIF orientation and its colours into sRGB.

    Colours count as sRGB, or by the embedded ICC profile; a profile that cannot be applied is ignored with a warning.
    16-bit colour has 8 bits, as Pillow reads it; 16-bit gray keeps its 16.

    Args:
      image: of any mode that Pillow has.
      name: what errors call it.

    Raises:
      PhotoError: pixels without a fixed range (32-bit integers and floats).
    """
    if image.getexif().get(_ORIENTATION, 1) != 1:
        image = ImageOps.exif_transpose(image)
    colors, alpha = _split_alpha(image, name)
    return Bands(_through_own_profile(colors, image.info.get("icc_profile"), name), alpha)


def on_white(bands: Bands) -> Image.Image:
    """The image in mode RGB, transparent parts laid on white; 16 bits are cut to 8."""
    rgb = _as_rgb(bands.colors)
    if bands.alpha is None:
        return rgb
    layer = Image.merge("RGBA", (*rgb.split(), bands.alpha))
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


def one_line(error: BaseException) -> str:
    """An error's message without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__


def _as_rgb(colors: Image.Image) -> Image.Image:
    if colors.mode.startswith("I;16"):
        colors = Image.fromarray((np.asarray(colors) >> 8).astype(np.uint8))
    return _converted(colors, "RGB")


def _converted(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)  # to its own mode, convert would copy


def _split_alpha(image: Image.Image, name: str) -> Bands:
    """Colours in mode L, I;16*, RGB or CMYK, not yet sRGB, and the opacity."""
    mode = image.mode
    if mode == "F":
        raise PhotoError(f"{name}: 32-bit floats have no fixed range; save it with 8 or 16 bits")
    if mode == "I":
        return Bands(_as_16_bit(image, name), None)
    if mode.startswith("I;16"):
        return Bands(image, _alpha_of_16_bit(image))
    if mode == "LAB":
        profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return Bands(_through_profiles(image, *profiles), None)
    gray = mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        *bands, alpha = _converted(image, "LA" if gray else "RGBA").split()
        return Bands(bands[0] if gray else Image.merge("RGB", bands), alpha)
    return Bands(image if mode == "CMYK" else _converted(image, "L" if gray else "RGB"), None)


def _as_16_bit(image: Image.Image, name: str) -> Image.Image:
    """Pillow opens some 16-bit formats with 32 bits."""
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        raise PhotoError(f"{name}: 32-bit integers have no fixed range; save it with 8 or 16 bits")
    return Image.fromarray(values.astype(np.uint16))


def _alpha_of_16_bit(image: Image.Image) -> Image.Image | None:
    """One of its levels may stand for transparency."""
    level = image.info.get("transparency")
    if level is None:
        return None
    return Image.fromarray(np.where(np.asarray(image) == level, 0, 255).astype(np.uint8))


def _through_own_profile(colors: Image.Image, profile: bytes | None, name: str) -> Image.Image:
    """Through the ICC profile where there is one; otherwise gray stays gray and CMYK turns RGB as Pillow does."""
    plain = colors.convert("RGB") if colors.mode == "CMYK" else colors
    if not profile:
        return plain
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return plain
        if source.profile.xcolor_space.strip() == "RGB":
            colors = plain.convert("RGB")
        return _through_profiles(colors, source, ImageCms.createProfile("sRGB"))
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        logging.getLogger(__name__).warning(
            "%s: its colour profile is ignored, sRGB assumed (%s)", name, one_line(error)
        )
        return plain


def _through_profiles(colors: Image.Image, source: Any, target: Any) -> Image.Image:
    return ImageCms.buildTransform(source, target, colors.mode, "RGB").apply(colors)
