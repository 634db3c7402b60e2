"""Colour propagation without a learned model: the classics to measure against, each from its paper.

Every method of `METHODS` answers `method(lightness, targets, weights) -> colours`:

| argument | shape | unit |
|---|---|---|
| `lightness` | `H W` | CIE L* in [0, 100] |
| `targets` | `H W 2` | ab / 128; read only where a weight is positive |
| `weights` | `H W` | bool: True where the colour is given; or a confidence ≥ 0, 1 for an ordinary reveal |
| answer | `H W 2` | ab / 128, float32 |

With nothing revealed the answer is gray: none of these methods knows a colour of its own. `welsh.transfer` takes
colours from another photo instead: `colorize photo.jpg --reference=other.jpg`.
"""

from collections.abc import Callable
from types import MappingProxyType

import numpy as np

from colorize_jax.classical import bilateral_solver, deepprop, fill, levin, segmenting, welsh

Propagate = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""`(lightness (H, W) L*, targets (H, W, 2), weights (H, W)) -> (H, W, 2)`, colours in network units."""

METHODS: MappingProxyType[str, Propagate] = MappingProxyType(
    {
        "gray": fill.gray,
        "constant": fill.constant,
        "levin": levin.levin,
        "bilateral_solver": bilateral_solver.bilateral_solver,
        "deepprop": deepprop.deepprop,
        "random_walker": segmenting.random_walker,
        "geodesic": segmenting.geodesic,
    }
)
"""Name -> propagation method, for loops over all of them."""

__all__ = ["METHODS", "Propagate", "bilateral_solver", "deepprop", "fill", "levin", "segmenting", "welsh"]
