"""The LU solver, the paper's: general elimination with row exchanges, twice Cholesky's work.

Nothing here uses that A is symmetric positive definite, so it also stands where rounding has cost A that.
"""

from typing import NamedTuple

import jax
from jax.lax import linalg

from colorize_jax.gcrf.solvers.base import direct
from colorize_jax.gcrf.solvers.cholesky import one_by_one_on_cpu
from colorize_jax.shapes import Array, Float, Int


class LUFactor(NamedTuple):
    """A[order] = L U, both in one array; L's diagonal is 1."""

    triangles: Float[Array, "P P"]
    order: Int[Array, " P"]


_lu = one_by_one_on_cpu(linalg.lu)


@one_by_one_on_cpu
def _solve_lower(triangles: Array, right: Array) -> Array:
    return linalg.triangular_solve(triangles, right, left_side=True, lower=True, unit_diagonal=True)


@one_by_one_on_cpu
def _solve_upper(triangles: Array, right: Array) -> Array:
    return linalg.triangular_solve(triangles, right, left_side=True, lower=False)


def factor(matrix: Float[Array, "P P"]) -> LUFactor:
    """A[order] = L U with partial pivoting."""
    with jax.default_matmul_precision("highest"):
        triangles, _, order = _lu(matrix)
    return LUFactor(triangles, order)


def solve(factor: LUFactor, right: Float[Array, "P C"]) -> Float[Array, "P C"]:
    """A⁻¹ b = U⁻¹ L⁻¹ b[order]."""
    with jax.default_matmul_precision("highest"):
        return _solve_upper(factor.triangles, _solve_lower(factor.triangles, right[factor.order]))


SOLVER = direct(factor, solve)
