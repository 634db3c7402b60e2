"""What all propagation methods ask of their arguments."""

import numpy as np

from colorize_jax.shapes import Bool, Float

Weights = Float[np.ndarray, "H W"] | Bool[np.ndarray, "H W"]


def confidences(
    lightness: Float[np.ndarray, "H W"], targets: Float[np.ndarray, "H W 2"], weights: Weights
) -> Float[np.ndarray, "H W"]:
    """The weights as float64, after a look at all three arguments.

    Raises:
      ValueError: lightness outside [0, 100], a negative or infinite weight, or a target that is not finite where its
        weight is positive.
    """
    if not (np.isfinite(lightness).all() and lightness.min() >= -0.01 and lightness.max() <= 100.01):
        raise ValueError(
            f"lightness runs from {lightness.min():.4g} to {lightness.max():.4g}; give CIE L* in [0, 100]"
        )
    confidence = weights.astype(np.float64)
    if not (np.isfinite(confidence).all() and confidence.min() >= 0):
        raise ValueError(
            f"weights run from {confidence.min():.4g} to {confidence.max():.4g}; "
            "give finite values ≥ 0, or booleans"
        )
    if not np.isfinite(targets[confidence > 0]).all():
        raise ValueError("targets are not finite at a pixel of positive weight; give each of them a colour")
    return confidence


def mean_reveal(targets: Float[np.ndarray, "H W 2"], confidence: Float[np.ndarray, "H W"]) -> np.ndarray:
    """(2,) weighted mean of the revealed colours; gray (0) when there is none."""
    shown = confidence > 0
    if not shown.any():
        return np.zeros(2)
    return np.average(targets[shown].astype(np.float64), axis=0, weights=confidence[shown])
