"""A released model's folder with random weights, small enough for tests."""

from pathlib import Path

import jax
import numpy as np

from colorize_jax import bundle, config, methods


def save(folder: Path, *, width: float = 0.02) -> Path:
    """Writes the paper's method at `width` with random kernels, plain normalisation and no biases."""
    chosen = config.load("base")
    chosen.width = width
    resolved = methods.resolve(chosen, images=1000)
    rng = np.random.default_rng(0)

    def draw(path: tuple, shape: jax.ShapeDtypeStruct) -> np.ndarray:
        if len(shape.shape) < 2:
            return np.full(shape.shape, path[-1].key in ("scale", "var"), np.float32)
        return rng.normal(0, np.prod(shape.shape[:-1]) ** -0.5, shape.shape).astype(np.float32)

    variables = jax.tree_util.tree_map_with_path(draw, methods.build(resolved).abstract_variables())
    bundle.save_bundle(folder, resolved, variables, {"trained_on": "nothing", "seed": 0})
    return folder
