"""Colorizers of functions that are written down, for tests that need no networks."""

from collections.abc import Callable
from typing import Any

from colorize_jax.inference.colorizer import Colorizer
from colorize_jax.methods.base import Colors, Edits, Method


def colorizer_of(
    config: Any, sample: Callable, variables: dict | None = None, **edits: Callable
) -> Colorizer:
    """Versions by `sample`, under the rules of the paper's method; edits by functions of `Edits`, if there are any."""
    colors = Colors(sample, rules=("modes", "random"), deterministic=("modes",))
    method = Method((), dict, colors=colors, edits=Edits(**edits) if edits else None)
    return Colorizer(config, method, variables or {})
