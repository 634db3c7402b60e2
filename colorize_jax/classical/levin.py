"""Levin, Lischinski and Weiss 2004, *Colorization using optimization*: neighbours of like luminance share a colour.

The paper minimises J(U) = Σ_r (U(r) − Σ_{s ∈ N(r)} w_rs U(s))² with the stroked pixels held at their colour. As in the
authors' program, r goes over the pixels without a stroke. J then reaches zero, so that every such pixel is the
weighted mean of its neighbours: one sparse, square, non-symmetric system, whose answer stays within the range of the
given colours. The weights (Eq. 2) and their constants are the program's.
"""

import math
from typing import Any

import numpy as np
import scipy.sparse as sparse
from scipy.sparse import linalg

from colorize_jax.classical.given import Weights, confidences
from colorize_jax.shapes import Float, Int

MAX_PIXELS = 1 << 20
"""Largest photo: even the incomplete factor of a larger one takes gigabytes and minutes."""

# The exact factor grows faster than the number of pixels; above this the incomplete one is the smaller.
_DIRECT_PIXELS = 1 << 19
_VARIANCE_SHARE = 0.6  # of the window's variance, in the exponent
_LEAST_WEIGHT = 0.01  # of a pixel's most similar neighbour, before normalisation
_LEAST_SPREAD = 2e-6
_NEIGHBORS = tuple((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0))
_LEAF = 8  # side of the blocks that nested dissection leaves whole
_TOLERANCE = 1e-6
_ITERATIONS = 1000


def levin(
    lightness: Float[np.ndarray, "H W"], targets: Float[np.ndarray, "H W 2"], weights: Weights
) -> Float[np.ndarray, "H W 2"]:
    """Levin 2004's colorization of a photo from its revealed pixels.

    Args:
      lightness: CIE L* in [0, 100]; the paper's luminance Y is L* / 100.
      targets: ab / 128, read where a weight is positive.
      weights: booleans hold their pixels exactly. A confidence w turns pixel r's row into (1 + w) x_r − Σ_s w_rs x_s
        = w t_r: it lies between its neighbours' mean and its target.

    Returns:
      ab / 128, within the range of the targets; gray when nothing is revealed.

    Raises:
      ValueError: see `given.confidences`; or a photo of more than `MAX_PIXELS`.
    """
    confidence = confidences(lightness, targets, weights).ravel()
    if lightness.size > MAX_PIXELS:
        raise ValueError(
            f"lightness: {lightness.shape[1]}×{lightness.shape[0]} pixels, {lightness.size:,} in all, and Levin's "
            f"system holds at most {MAX_PIXELS:,}; scale the photo down and lift the colours with upsample.lift"
        )
    colors = np.where(confidence[:, None] > 0, targets.reshape(-1, 2), 0).astype(np.float64)
    held = confidence > 0 if weights.dtype == bool else np.zeros(lightness.size, bool)
    if confidence.any() and not held.all():
        pull = np.where(held, 0, confidence)
        mean = neighbor_weights(lightness.astype(np.float64) / 100)
        free = _dissection(np.arange(lightness.size).reshape(lightness.shape))
        free = free[~held[free]]
        rows = mean[free]
        system = sparse.diags_array(1 + pull[free]) - rows[:, free]
        given = rows[:, np.flatnonzero(held)] @ colors[held] + (pull[:, None] * colors)[free]
        colors[free] = _solve(sparse.csc_array(system), given)
    return colors.reshape(targets.shape).astype(np.float32)


def neighbor_weights(luminance: Float[np.ndarray, "H W"]) -> sparse.csr_array:
    """Eq. 2: w_rs ∝ exp(−(Y(r) − Y(s))² / 2σ_r²) over the 3×3 window, rows summing to 1.

    Args:
      luminance: Y in [0, 1].

    Returns:
      (HW, HW) sparse, no diagonal.
    """
    around = _shifted(luminance, np.nan)
    affinity = neighbor_shares(luminance, around)
    places = np.arange(luminance.size).reshape(luminance.shape)
    inside = ~np.isnan(around)
    columns = _shifted(places, 0)[inside]
    rows = np.broadcast_to(places, inside.shape)[inside]
    return sparse.csr_array((affinity[inside], (rows, columns)), shape=(luminance.size,) * 2)


def neighbor_shares(luminance: Any, around: Any, library: Any = np) -> Any:
    """Eq. 2's weights (8, H, W) of each pixel's neighbours, 0 beyond the border.

    2σ_r² is 0.6 of the variance in r's window, at least so much that the most similar neighbour keeps a weight of
    0.01.

    Args:
      luminance: Y in [0, 1], (H, W).
      around: Y of the neighbours (8, H, W), not a number beyond the border.
      library: `numpy`, or `jax.numpy` for its arrays.
    """
    squared = library.square(around - luminance[None])
    spread = _VARIANCE_SHARE * library.nanvar(library.concatenate([around, luminance[None]]), axis=0)
    least = library.maximum(-library.nanmin(squared, axis=0) / math.log(_LEAST_WEIGHT), _LEAST_SPREAD)
    affinity = library.nan_to_num(library.exp(-squared / library.maximum(spread, least)[None]))
    return affinity / affinity.sum(axis=0)[None]


def _shifted(plane: np.ndarray, outside: float) -> np.ndarray:
    """(8, H, W): each pixel's eight neighbours, `outside` beyond the border."""
    height, width = plane.shape
    padded = np.pad(plane, 1, constant_values=outside)
    return np.stack([padded[1 + y : 1 + y + height, 1 + x : 1 + x + width] for y, x in _NEIGHBORS])


def _dissection(places: Int[np.ndarray, "H W"]) -> Int[np.ndarray, "P"]:
    """George 1973's nested dissection of the pixel grid: halves first, then the line between them.

    SuperLU's own orderings know no grid, and their factor takes several times as long.
    """
    height, width = places.shape
    if max(height, width) <= _LEAF:
        return places.ravel()
    if height < width:
        return _dissection(places.T)
    middle = height // 2
    halves = [_dissection(places[:middle]), _dissection(places[middle + 1 :])]
    return np.concatenate([*halves, places[middle]])


def _solve(system: sparse.csc_array, given: Float[np.ndarray, "P 2"]) -> Float[np.ndarray, "P 2"]:
    """Exactly, or above `_DIRECT_PIXELS` by BiCGSTAB behind an incomplete factor: the system is not symmetric."""
    # Rows are diagonally dominant: no pivoting, which keeps the ordering.
    kept = {"permc_spec": "NATURAL", "diag_pivot_thresh": 0.0, "options": {"SymmetricMode": True}}
    if system.shape[0] <= _DIRECT_PIXELS:
        return linalg.splu(system, **kept).solve(given)
    factor = linalg.spilu(system, drop_tol=1e-3, fill_factor=8, **kept)
    near = linalg.LinearOperator(system.shape, factor.solve)
    columns = [_iterate(system, column, near) for column in given.T]
    return np.stack(columns, axis=1)


def _iterate(system: sparse.csc_array, given: np.ndarray, near: linalg.LinearOperator) -> np.ndarray:
    answer, failed = linalg.bicgstab(system, given, rtol=_TOLERANCE, maxiter=_ITERATIONS, M=near)
    if failed:
        raise ValueError(
            f"levin: no convergence in {_ITERATIONS} iterations on {system.shape[0]:,} pixels; "
            f"reveal more of them, or scale the photo below {_DIRECT_PIXELS:,}, which are solved exactly"
        )
    return answer
