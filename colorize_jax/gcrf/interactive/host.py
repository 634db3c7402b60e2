"""A and its inverse in NumPy, float64: one image on the host, where an interactive edit must not wait to compile."""

import numpy as np
from scipy.linalg import LinAlgError, blas, lapack

from colorize_jax.shapes import Float


def system_matrix(
    similarity: Float[np.ndarray, "P P"], weights: Float[np.ndarray, " P"]
) -> Float[np.ndarray, "P P"]:
    """Eq. (6): A = (I−S)ᵀ(I−S) + diag(w), as `energy.system_matrix`, at half of a matrix product's price.

    S is `similarity`, w is `weights`.
    """
    difference = -np.asarray(similarity, np.float64)
    diagonal(difference)[:] += 1
    matrix = _mirrored(blas.dsyrk(1.0, difference.T))
    diagonal(matrix)[:] += weights
    return matrix


def solve_and_invert(
    matrix: Float[np.ndarray, "P P"], right: Float[np.ndarray, "P C"]
) -> tuple[Float[np.ndarray, "P C"], Float[np.ndarray, "P P"]]:
    """A⁻¹ b and A⁻¹ from one Cholesky factor.

    Raises:
      ValueError: A is not numerically positive definite.
    """
    factor, failed = lapack.dpotrf(matrix)
    if failed:
        raise ValueError(
            f"similarity and weights make a matrix that is not positive definite in float64 (row {failed - 1}); "
            "allowed are a row-stochastic S and weights that bound the field. Keep a weight of 1e-3 on every pixel."
        )
    solution, _ = lapack.dpotrs(factor, right)
    inverse, failed = lapack.dpotri(factor, overwrite_c=1)
    if failed:
        raise LinAlgError("dpotri refused a factor that dpotrf made")
    return solution, _mirrored(inverse)


def diagonal(matrix: Float[np.ndarray, "P P"]) -> Float[np.ndarray, " P"]:
    """A view of the diagonal that can be written to."""
    view: np.ndarray = np.einsum("ii->i", matrix)
    return view


def _mirrored(upper: np.ndarray) -> np.ndarray:
    """The symmetric matrix of an upper triangle with zeros below it, rows contiguous."""
    full: np.ndarray = upper.T + upper
    diagonal(full)[:] /= 2
    return full
