"""The answers that look at no lightness: what a propagation method has to beat before anything else."""

import numpy as np

from colorize_jax.classical.given import Weights, confidences, mean_reveal
from colorize_jax.shapes import Float


def gray(
    lightness: Float[np.ndarray, "H W"], targets: Float[np.ndarray, "H W 2"], weights: Weights
) -> Float[np.ndarray, "H W 2"]:
    """No colour anywhere, whatever was revealed. Arguments and errors as in `classical`."""
    confidences(lightness, targets, weights)
    return np.zeros((*lightness.shape, 2), np.float32)


def constant(
    lightness: Float[np.ndarray, "H W"], targets: Float[np.ndarray, "H W 2"], weights: Weights
) -> Float[np.ndarray, "H W 2"]:
    """The weighted mean of the revealed colours at every pixel. Arguments and errors as in `classical`."""
    mean = mean_reveal(targets, confidences(lightness, targets, weights))
    return np.broadcast_to(mean.astype(np.float32), (*lightness.shape, 2)).copy()
