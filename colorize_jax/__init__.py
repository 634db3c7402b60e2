"""Diverse, structurally consistent colorization of gray photos.

from colorize_jax import Colorizer, edit

Colorizer.load().colorize("photo.jpg", samples=5).rgb[0]  # (H, W, 3) uint8
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from colorize_jax.control.document import EditError
    from colorize_jax.inference.colorizer import Colorizer, Versions
    from colorize_jax.inference.edit import edit
    from colorize_jax.photos.decode import PhotoError
    from colorize_jax.photos.photo import Photo

__all__ = ["Colorizer", "EditError", "Photo", "PhotoError", "Versions", "edit"]

_PLACES = {
    "Colorizer": "inference.colorizer",
    "EditError": "control.document",
    "Photo": "photos.photo",
    "PhotoError": "photos.decode",
    "Versions": "inference.colorizer",
    "edit": "inference.edit",
}


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first asked for: `import colorize_jax` alone loads no JAX."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
