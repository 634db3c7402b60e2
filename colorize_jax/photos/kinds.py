"""Which files are photos, by their names' endings, and what must be there to read them.

Workers import this module: it must never import jax.
"""

import functools
import importlib
import os
from pathlib import PurePath

SUFFIXES = (
    *(
        ".apng",
        ".avif",
        ".bmp",
        ".dib",
        ".gif",
        ".heic",
        ".heif",
        ".hif",
        ".j2c",
        ".j2k",
        ".jfif",
        ".jif",
        ".jp2",
    ),
    *(
        ".jpc",
        ".jpe",
        ".jpeg",
        ".jpf",
        ".jpg",
        ".jpx",
        ".mpo",
        ".pbm",
        ".pcx",
        ".pgm",
        ".png",
        ".pnm",
        ".ppm",
    ),
    *(".qoi", ".sgi", ".tga", ".tif", ".tiff", ".webp"),
)
"""What counts as a photo in a folder; a file that is named itself is always tried."""

HEIF = (".heic", ".heif", ".hif")
"""Of these the extra `heic` reads the pixels."""

UNREAD = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dng", ".erf", ".iiq", ".jxl", ".jxr", ".kdc", ".mrw", ".nef"),
    *(".nrw", ".orf", ".pef", ".psb", ".psd", ".raf", ".raw", ".rw2", ".sr2", ".srf", ".srw", ".x3f", ".xcf"),
)
"""Photos that no reader here has pixels for: raw files of cameras, and documents; in a folder they are told."""

DEVELOP = "open them in the program that they come from, and save TIFF or PNG"
"""What to do with `UNREAD`."""


def is_photo(path: str | os.PathLike[str]) -> bool:
    """Whether a file's name ends as a photo's does, in letters of any size."""
    return PurePath(path).suffix.lower() in SUFFIXES


@functools.cache
def prepare() -> bool:
    """Lets Pillow read HEIC where `pillow-heif` is installed, the extra `heic`; returns whether it is."""
    try:
        importlib.import_module("pillow_heif").register_heif_opener()
    except ImportError:
        return False
    return True


def hint(path: str | os.PathLike[str]) -> str:
    """What to do about a file that cannot be identified, by its name; '' where nothing is known."""
    suffix = PurePath(path).suffix.lower()
    if suffix in HEIF and not prepare():
        return "HEIC is read with pip install 'colorize_jax[heic]'"
    return DEVELOP if suffix in UNREAD else ""
