"""Where the next edits help most: the pixels whose colour leaves the least variance in the whole field.

An edit of weight v at pixel j takes A to A + v eⱼeⱼᵀ, and G = A⁻¹ to G − uuᵀ with u = G eⱼ / √(1/v + Gⱼⱼ)
(Sherman-Morrison), so the sum of all variances falls by

    ‖u‖² = ‖G eⱼ‖² / (1/v + Gⱼⱼ);      v = ∞ for an exact edit

The pixel of greatest variance is not the best choice: an outlier that nothing leans on explains only itself. Greedy
choice is the rule of experimental design for sums of variances (A-optimality). After a pick, with the uuᵀ of all picks
so far left implicit, Gⱼⱼ and ‖G eⱼ‖² follow for every j from one product G u: P² for a pick.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from colorize_jax.gcrf.interactive import host
from colorize_jax.gcrf.layer import check_solvable
from colorize_jax.shapes import Float, Int


class Suggestions(NamedTuple):
    """Pixels in the order of choice, best first.

    Attributes:
      pixels: indices in [0, P).
      reduction: what the sum of variances Σᵢ Gᵢᵢ falls by with each edit, those before it done; × σ² for units.
      total: the sum before any of them.
    """

    pixels: Int[np.ndarray, " K"]
    reduction: Float[np.ndarray, " K"]
    total: float


def suggest(
    similarity: Float[np.ndarray, "P P"],
    weights: Float[np.ndarray, " P"],
    count: int,
    *,
    weight: float = np.inf,
) -> Suggestions:
    """The `count` pixels at which edits would reduce the total variance of the field most, chosen greedily.

    Args:
      similarity: S of one image.
      weights: w ≥ 0, some positive, with all edits made so far.
      count: K in [1, P].
      weight: v > 0 of each edit to come; infinite for exact ones.

    Raises:
      ValueError: a count outside [1, P], a weight that is not positive, or weights that make A singular.
    """
    check_solvable(jnp.asarray(weights))
    matrix = host.system_matrix(similarity, weights)
    _, covariance = host.solve_and_invert(matrix, np.zeros((len(weights), 1)))
    return greedy(covariance, count, weight)


def greedy(covariance: Float[np.ndarray, "P P"], count: int, weight: float = np.inf) -> Suggestions:
    """As `suggest`, from G itself, which is only read."""
    if not 1 <= count <= len(covariance):
        raise ValueError(f"count is {count}; allowed are 1 to {len(covariance)}, the pixels of the field.")
    if not weight > 0:
        raise ValueError(f"weight is {weight}; allowed are numbers > 0, np.inf for exact edits.")
    variance = np.diag(covariance).copy()
    length = np.einsum("ij,ij->i", covariance, covariance)
    known = 1e-12 * variance.max()  # below it a variance is the rounding of an exactly known pixel's 0
    done = np.empty((len(covariance), count))
    pixels, reduction, total = np.empty(count, int), np.empty(count), float(variance.sum())
    for i in range(count):
        gain = np.where(variance > known, length / (1 / weight + np.maximum(variance, known)), 0)
        pixel = pixels[i] = np.argmax(gain)
        reduction[i] = gain[pixel]
        before = done[:, :i]
        update = covariance[pixel] - before @ before[pixel]
        update /= np.sqrt(1 / weight + max(variance[pixel], known))
        image = covariance @ update - before @ (before.T @ update)
        length += update * (update * (update @ update) - 2 * image)
        variance -= update**2
        done[:, i] = update
    return Suggestions(pixels, reduction, total)
