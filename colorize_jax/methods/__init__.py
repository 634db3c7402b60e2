"""One file a method: `build(config) -> Method`. `config.method = 'scc'` finds `methods/scc.py`."""

import importlib
import pkgutil
from typing import Any

from colorize_jax.methods.base import Batch, Method, Samples, Stage, TrainState, Variables

_SHARED = ("base", "pictures", "updates")

__all__ = ["Batch", "Method", "Samples", "Stage", "TrainState", "Variables", "available", "build"]


def available() -> list[str]:
    """Names that `config.method` may have."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name not in _SHARED)


def build(config: Any) -> Method:
    """The method that `config.method` names, built from the whole config.

    Raises:
      ValueError: there is no file of that name.
    """
    if config.method not in available():
        raise ValueError(f"config.method is {config.method!r}; the methods present are {available()}")
    return importlib.import_module(f"{__name__}.{config.method}").build(config)
