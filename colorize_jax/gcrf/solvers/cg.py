"""Conjugate gradients over S as an operator, for all columns at once, each stopping by itself.

The preconditioner is additive, of two parts, and symmetric positive definite by construction:

    M⁻¹ r = r / diag(A) + Q (Qᵀ A Q)⁻¹ Qᵀ r

diag(A) is exact: A_jj = 1 − 2 S_jj + Σᵢ Sᵢⱼ² + w_j. The columns of Q are those of S at some landmark pixels, each
row scaled to sum 1: smooth fields, which (I−S) hardly resists, and the constant among them, which only w
resists. They are what plain CG is slow on. Qᵀ A Q = (ΛQ)ᵀ(ΛQ) + Qᵀ diag(w) Q takes one product with S.

Source: Hestenes & Stiefel 1952; two-level additive preconditioners: Tang et al. 2009, "Comparison of two-level
preconditioners derived from deflation, domain decomposition and multigrid methods".
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from colorize_jax.gcrf.operators import Blockwise, Stored
from colorize_jax.gcrf.products import transposed_times
from colorize_jax.gcrf.solvers import cholesky
from colorize_jax.gcrf.solvers.base import Solver, StoppingRule, apply
from colorize_jax.gcrf.windowed import Windowed
from colorize_jax.shapes import Array, Float, Int

LANDMARKS = 256  # at most one pixel in eight


class Preconditioner(NamedTuple):
    diagonal: Float[Array, " P"]  # of A
    coarse: Float[Array, "P K"]  # Q R⁻ᵀ with Qᵀ A Q = R Rᵀ


def prepare(operator: Stored | Blockwise, weights: Float[Array, " P"]) -> Preconditioner:
    """M of the docstring above."""
    diagonal = 1 - 2 * operator.diagonal() + operator.column_squares() + weights
    chosen = landmarks(len(weights))
    columns = operator.columns(chosen)
    # A pixel that leans on no landmark has no coarse part; tiny keeps its row 0 instead of 0/0.
    smooth = columns / (jnp.sum(columns, axis=1, keepdims=True) + jnp.finfo(columns.dtype).tiny)
    with jax.default_matmul_precision("highest"):
        off = smooth - operator.times(smooth)
        matrix = off.T @ off + smooth.T @ (weights[:, None] * smooth)
        # Columns that rounding cannot tell apart would make the small matrix indefinite.
        ridge = (
            10 * jnp.finfo(matrix.dtype).eps * jnp.trace(matrix) * jnp.eye(len(chosen), dtype=matrix.dtype)
        )
        coarse = smooth @ cholesky.inverse_factor(matrix + ridge).T
    return Preconditioner(diagonal, coarse)


def prepare_diagonal(operator: Stored | Windowed | Blockwise, weights: Float[Array, " P"]) -> Preconditioner:
    """M⁻¹ r = r / diag(A) alone: enough where every cell has a weight that does not vanish."""
    diagonal = 1 - 2 * operator.diagonal() + operator.column_squares() + weights
    return Preconditioner(diagonal, jnp.zeros((len(weights), 0), diagonal.dtype))


def landmarks(pixels: int) -> Int[np.ndarray, " K"]:
    """The same random pixels in every run: a regular choice would line up with the rows of the field."""
    return np.sort(np.random.default_rng(0).permutation(pixels)[: max(1, min(LANDMARKS, pixels // 8))])


def precondition(state: Preconditioner, residual: Float[Array, "P C"]) -> Float[Array, "P C"]:
    """M⁻¹ r."""
    with jax.default_matmul_precision("highest"):
        return residual / state.diagonal[:, None] + state.coarse @ transposed_times(state.coarse, residual)


class _Iterate(NamedTuple):
    field: Array
    residual: Array
    direction: Array
    energy: Array  # rᵀ M⁻¹ r of each column
    iterations: Array
    active: Array


def solve(
    operator: Stored | Windowed | Blockwise,
    weights: Array,
    state: Preconditioner,
    right: Array,
    stopping: StoppingRule,
) -> tuple[Float[Array, "P C"], Int[Array, " C"]]:
    """A⁻¹ b from x = 0, until ‖r‖ ≤ tolerance ‖b‖ by the recursive residual r."""
    goal = stopping.tolerance * jnp.linalg.norm(right, axis=0)

    def goes_on(residual: Array, iterations: Array) -> Array:
        # A NaN compares false and stops; its residual tells afterwards.
        far: Array = jnp.linalg.norm(residual, axis=0) > goal
        return far & (iterations < stopping.max_iterations)

    def step(at: _Iterate) -> _Iterate:
        image = apply(operator, weights, at.direction)
        length = _ratio(at.energy, jnp.sum(at.direction * image, axis=0)) * at.active
        field = at.field + length[None, :] * at.direction
        residual = at.residual - length[None, :] * image
        conditioned = precondition(state, residual)
        energy = jnp.sum(residual * conditioned, axis=0)
        direction = conditioned + _ratio(energy, at.energy)[None, :] * at.direction
        iterations = at.iterations + at.active
        return _Iterate(field, residual, direction, energy, iterations, goes_on(residual, iterations))

    conditioned = precondition(state, right)
    # Zeros made from `right`, so that they vary over a mesh as it does (see layer._varying_alike).
    iterations = (0 * goal).astype(jnp.int32)
    energy = jnp.sum(right * conditioned, axis=0)
    start = _Iterate(0 * right, right, conditioned, energy, iterations, goes_on(right, iterations))
    end = jax.lax.while_loop(lambda at: jnp.any(at.active), step, start)
    return end.field, end.iterations


def _ratio(a: Array, b: Array) -> Array:
    """a / b, and 0 where b is 0: a column that is solved exactly stays as it is."""
    return jnp.where(b == 0, 0, a / jnp.where(b == 0, 1, b))


def iterative(*, stored: bool) -> Solver:
    return Solver(prepare, solve, stored=stored, iterative=True)


SOLVER = iterative(stored=True)
DIAGONAL = Solver(prepare_diagonal, solve, stored=False, iterative=True)
