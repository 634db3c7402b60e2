"""The precision A of a field whose S is never stored, for the samples and the sampled variances of `posterior`."""

import jax
import jax.numpy as jnp

from colorize_jax.gcrf.gaussian.posterior import Precision
from colorize_jax.gcrf.layer import check_solvable
from colorize_jax.gcrf.operators import Attention, Blockwise, blockwise
from colorize_jax.gcrf.solution import Solution, raise_unsolved, solve_system
from colorize_jax.gcrf.solvers import cg_matrix_free
from colorize_jax.gcrf.solvers.base import StoppingRule
from colorize_jax.gcrf.solvers.cg import Preconditioner
from colorize_jax.shapes import Array, Float


def matrix_free_precision(
    embeddings: Float[Array, "P D"],
    weights: Float[Array, " P"],
    *,
    temperature: float | Float[Array, ""],
    exclude_diagonal: bool = False,
    tolerance: float = 1e-4,
    max_iterations: int = 1000,
) -> Precision:
    """A of S = softmax_rows(E Eᵀ / τ) in O(P D) memory, solved by conjugate gradients.

        precision = gcrf.matrix_free_precision(embeddings, weights, temperature=8.0)
        sure = gcrf.posterior_variance(precision, weights, rng=rng, samples=64)

    Args:
      embeddings, weights, temperature, exclude_diagonal: as in `gcrf.solve`; one image.
      tolerance: of each solve's relative residual; the sampling error of a variance is far above 1e-4.
      max_iterations: of each solve.

    Raises:
      ValueError: weights that make A singular; and, when a sample is drawn, a solve that did not converge.
    """
    check_solvable(weights)
    attention = Attention(embeddings, jnp.asarray(temperature, embeddings.dtype))
    operator, state = _prepare(attention, weights, exclude_diagonal)
    stopping = StoppingRule(tolerance, max_iterations)

    def solve(right: Array) -> Array:
        solution: Solution = _solve(operator, weights, state, right, stopping)
        raise_unsolved(solution, "cg_matrix_free")
        return solution.value

    return Precision(solve, operator.times_transposed, state.diagonal)


@jax.jit(static_argnums=2)
def _prepare(
    attention: Attention, weights: Array, exclude_diagonal: bool
) -> tuple[Blockwise, Preconditioner]:
    operator = blockwise(attention, exclude_diagonal=exclude_diagonal)
    return operator, cg_matrix_free.SOLVER.prepare(operator, weights)


@jax.jit(static_argnums=4)
def _solve(
    operator: Blockwise, weights: Array, state: Preconditioner, right: Array, stopping: StoppingRule
) -> Solution:
    return solve_system(cg_matrix_free.SOLVER, operator, weights, state, right, stopping)
