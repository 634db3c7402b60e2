"""Interactive segmentation as propagation: every distinct colour is a label, and each pixel takes labels' colours.

Neither knows colours between the given ones: they are what a colour that fills one thing and stops at its edge is
measured against. Both need scikit-image, of the extra [train].
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from colorize_jax.classical.fill import gray
from colorize_jax.classical.given import Weights, confidences
from colorize_jax.shapes import Float, Int

STIFFNESS = 300.0
"""β of the random walker's edges, exp(−β |ΔL|²) with L in [0, 1]."""

CROSSING = 50.0
"""What a step of the whole lightness' range costs a geodesic, beside a pixel's length."""


def random_walker(
    lightness: Float[np.ndarray, "H W"], targets: Float[np.ndarray, "H W 2"], weights: Weights
) -> Float[np.ndarray, "H W 2"]:
    """Colours in the shares in which a random walker from a pixel arrives at them first (Grady 2006, Eqs. 1-3, 8).

    Args:
      lightness, targets, weights: as `classical` has them.

    Raises:
      ValueError: see `given.confidences`.
    """

    def walked(labels: np.ndarray, count: int) -> np.ndarray:
        found: np.ndarray = _skimage("segmentation").random_walker(
            lightness / 100.0, labels, beta=STIFFNESS, mode="cg_j", tol=1e-5, return_full_prob=True
        )
        return found

    return _mixed(lightness, targets, weights, walked)


def geodesic(
    lightness: Float[np.ndarray, "H W"], targets: Float[np.ndarray, "H W 2"], weights: Weights
) -> Float[np.ndarray, "H W 2"]:
    """The colour of the shortest way that crosses few edges (Bai and Sapiro 2007; one label a colour).

    Args:
      lightness, targets, weights: as `classical` has them.

    Raises:
      ValueError: see `given.confidences`.
    """

    def nearest(labels: np.ndarray, count: int) -> np.ndarray:
        costs, graph = 1 + CROSSING * np.hypot(*np.gradient(lightness / 100.0)), _skimage("graph")
        # A finder for each label: the next search of one overwrites what the last one gave.
        lengths = [
            graph.MCP_Geometric(costs).find_costs(np.argwhere(labels == number + 1))[0]
            for number in range(count)
        ]
        return np.equal(np.arange(count)[:, None, None], np.argmin(lengths, axis=0)).astype(float)

    return _mixed(lightness, targets, weights, nearest)


def _mixed(
    lightness: np.ndarray,
    targets: np.ndarray,
    weights: Weights,
    shares: Callable[[np.ndarray, int], np.ndarray],
) -> Float[np.ndarray, "H W 2"]:
    """The given colours in the shares (K, H, W) that `shares` finds for the labels 1 to K; 0 is a pixel without one."""
    labels, colors = _labels(lightness, targets, weights)
    if len(colors) < 2:
        return _plain(lightness, colors)
    return np.einsum("khw,kc->hwc", shares(labels, len(colors)), colors).astype(np.float32)


def _labels(
    lightness: np.ndarray, targets: np.ndarray, weights: Weights
) -> tuple[Int[np.ndarray, "H W"], Float[np.ndarray, "K 2"]]:
    """1 to K where a colour is given and 0 elsewhere; and the K colours."""
    known = confidences(lightness, targets, weights) > 0
    colors, numbers = np.unique(targets[known].round(5), axis=0, return_inverse=True)
    labels = np.zeros(lightness.shape, int)
    labels[known] = numbers.reshape(-1) + 1
    return labels, colors


def _plain(lightness: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """The only colour everywhere, or gray where there is none."""
    nothing = np.zeros((*lightness.shape, 2), np.float32)
    return (
        nothing + colors[0].astype(np.float32) if len(colors) else gray(lightness, nothing, nothing[..., 0])
    )


def _skimage(name: str) -> Any:
    try:
        import skimage
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "random_walker and geodesic need scikit-image; pip install 'colorize_jax[train]'"
        ) from error
    return getattr(skimage, name)
