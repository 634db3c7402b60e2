"""Barron and Poole 2016, *The Fast Bilateral Solver*: pixels close in place and luminance share a colour.

The paper minimises, Eq. 1,   (λ/2) Σ_ij Ŵ_ij (x_i − x_j)² + Σ_i c_i (x_i − t_i)²   with Ŵ the bistochastic form of a
bilateral affinity. It splats the pixels into the vertices of a bilateral grid (Eq. 3, x = Sᵀy), where the blur B̄ is a
[1 2 1] kernel along each axis, and solves there, Eqs. 6–8,

    (λ (D_m − D_n B̄ D_n) + diag(S c)) y = S (c ∘ t)

with conjugate gradients.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sparse
from scipy.sparse import linalg

from colorize_jax.classical.given import Weights, confidences, mean_reveal
from colorize_jax.shapes import Float, Int

MAX_PIXELS = 1 << 24
"""Largest photo: the cells of its pixels, sorted to find the occupied ones, take gigabytes beyond."""

# Chosen on training photos: `python benchmarks/tune_bilateral_solver.py imagenet-train-256.zip 8`. The optimum is flat:
# between 6 and 12 pixels, 1.5 and 5 L*, and λ = 1 and 10, the mean stays within 0.25 dB.
SIGMA_XY = 6.0
SIGMA_L = 2.0
SMOOTHNESS = 3.0
PULL = 1e-4
_ROUNDS = 20  # of bistochastization
_TOLERANCE = 1e-5
_ITERATIONS = 5000


class Grid(NamedTuple):
    """The occupied vertices of a bilateral grid over y, x and luminance.

    Attributes:
      vertex: each pixel's vertex; the splat S sums over the pixels of a vertex, the slice Sᵀ reads it back.
      blur: B̄, symmetric, (K, K).
      mass: diagonal of D_m, (K,).
      scale: diagonal of D_n, (K,): D_n B̄ D_n has the row sums `mass`.
    """

    vertex: Int[np.ndarray, "P"]
    blur: sparse.csr_array
    mass: Float[np.ndarray, "K"]
    scale: Float[np.ndarray, "K"]


def bilateral_solver(
    lightness: Float[np.ndarray, "H W"],
    targets: Float[np.ndarray, "H W 2"],
    weights: Weights,
    *,
    sigma_xy: float = SIGMA_XY,
    sigma_l: float = SIGMA_L,
    smoothness: float = SMOOTHNESS,
    pull: float = PULL,
) -> Float[np.ndarray, "H W 2"]:
    """The fast bilateral solver's colorization of a photo from its revealed pixels.

    Args:
      lightness: CIE L* in [0, 100].
      targets: ab / 128, read where a weight is positive.
      weights: the paper's confidence c; True counts as 1. The solver never holds a pixel exactly.
      sigma_xy: side of a grid cell in pixels.
      sigma_l: its height in L*.
      smoothness: the paper's λ.
      pull: confidence with which every pixel keeps to the mean reveal. The paper has none; without it a part of the
        grid that no reveal is joined to has no answer.

    Returns:
      ab / 128; gray when nothing is revealed.

    Raises:
      ValueError: see `given.confidences`; a photo of more than `MAX_PIXELS`; a parameter that is not positive.
    """
    confidence = confidences(lightness, targets, weights)
    _check(lightness, sigma_xy=sigma_xy, sigma_l=sigma_l, smoothness=smoothness, pull=pull)
    if not confidence.any():
        return np.zeros(targets.shape, np.float32)
    grid = bilateral_grid(lightness, sigma_xy, sigma_l)
    mean = mean_reveal(targets, confidence)
    off_mean = np.where(confidence[..., None] > 0, targets - mean, 0) * confidence[..., None]
    system, diagonal = _system(grid, _splat(grid, confidence.ravel() + pull), smoothness)
    given = np.stack([_splat(grid, channel.ravel()) for channel in np.moveaxis(off_mean, -1, 0)], axis=1)
    vertices = np.stack([_conjugate_gradients(system, diagonal, column) for column in given.T], axis=1)
    return (mean + vertices[grid.vertex]).reshape(targets.shape).astype(np.float32)


def _check(lightness: np.ndarray, **parameters: float) -> None:
    for name, value in parameters.items():
        if not value > 0:
            raise ValueError(f"{name} is {value}; give a positive number")
    if lightness.size > MAX_PIXELS:
        raise ValueError(
            f"lightness: {lightness.shape[1]}×{lightness.shape[0]} pixels, {lightness.size:,} in all, and the "
            f"bilateral grid holds at most {MAX_PIXELS:,}; scale the photo down and lift the colours with upsample.lift"
        )


def bilateral_grid(lightness: Float[np.ndarray, "H W"], sigma_xy: float, sigma_l: float) -> Grid:
    """The simplified bilateral grid of Sec. 2.1: every pixel at its nearest vertex, occupied vertices only.

    Bistochastization is Algorithm 1's: n ← √(n ∘ m / (B̄ n)), and m is then set to n ∘ (B̄ n), so that the rows of
    D_m − D_n B̄ D_n sum to zero whatever the number of rounds.
    """
    y, x = np.indices(lightness.shape)
    cells = np.stack([y / sigma_xy, x / sigma_xy, lightness / sigma_l]).round().astype(np.int64)
    # One empty cell around, so that a step along an axis never wraps into the next row.
    sizes = cells.max(axis=(1, 2)) + 3
    strides = np.array([sizes[1] * sizes[2], sizes[2], 1])
    codes = np.tensordot(strides, cells + 1, axes=1)
    occupied, vertex = np.unique(codes.ravel(), return_inverse=True)
    blur = sum(_step(occupied, int(stride)) for stride in strides)
    blur = sparse.csr_array(blur + blur.T + 2 * len(strides) * sparse.eye_array(occupied.size))
    pixels = np.bincount(vertex).astype(np.float64)
    scale = np.ones(occupied.size)
    for _ in range(_ROUNDS):
        scale = np.sqrt(scale * pixels / (blur @ scale))
    return Grid(vertex, blur, scale * (blur @ scale), scale)


def _step(occupied: Int[np.ndarray, "K"], stride: int) -> sparse.csr_array:
    """(K, K), 1 from each vertex to the next one along an axis, where that is occupied."""
    place = np.minimum(np.searchsorted(occupied, occupied + stride), occupied.size - 1)
    (found,) = np.nonzero(occupied[place] == occupied + stride)
    return sparse.csr_array((np.ones(found.size), (found, place[found])), shape=(occupied.size,) * 2)


def _splat(grid: Grid, pixels: Float[np.ndarray, "P"]) -> Float[np.ndarray, "K"]:
    return np.bincount(grid.vertex, weights=pixels, minlength=grid.mass.size)


def _system(grid: Grid, confidence: np.ndarray, smoothness: float) -> tuple[sparse.csr_array, np.ndarray]:
    """λ (D_m − D_n B̄ D_n) + diag(S c), and its diagonal."""
    scale = sparse.diags_array(grid.scale)
    system = smoothness * (sparse.diags_array(grid.mass) - scale @ grid.blur @ scale)
    system = sparse.csr_array(system + sparse.diags_array(confidence))
    return system, system.diagonal()


def _conjugate_gradients(system: sparse.csr_array, diagonal: np.ndarray, given: np.ndarray) -> np.ndarray:
    jacobi = sparse.diags_array(1 / diagonal)
    answer, failed = linalg.cg(system, given, rtol=_TOLERANCE, maxiter=_ITERATIONS, M=jacobi)
    if failed:
        raise ValueError(
            f"bilateral_solver: no convergence in {_ITERATIONS} iterations on {diagonal.size:,} vertices; "
            "raise pull, or lower smoothness"
        )
    return answer
