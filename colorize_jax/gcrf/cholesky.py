"""The Cholesky solver: factor A once, then solve A x = b for any number of right-hand sides."""

import jax
from jax.lax import linalg

from colorize_jax.shapes import Array, Float


def factor(matrix: Float[Array, "P P"]) -> Float[Array, "P P"]:
    """R lower triangular with R Rᵀ = A; NaN where A is not numerically positive definite."""
    with jax.default_matmul_precision("highest"):
        return linalg.cholesky(matrix, symmetrize_input=False)


def solve(factor: Float[Array, "P P"], right: Float[Array, "P C"]) -> Float[Array, "P C"]:
    """A⁻¹ b by two triangular solves with A's `factor`."""
    with jax.default_matmul_precision("highest"):
        half = linalg.triangular_solve(factor, right, left_side=True, lower=True)
        return linalg.triangular_solve(factor, half, left_side=True, lower=True, transpose_a=True)
