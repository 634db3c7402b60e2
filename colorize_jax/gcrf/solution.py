"""What a solve gives back: the field, how well it solves its system, and what to do when it does not."""

from enum import IntEnum
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from colorize_jax.gcrf.operators import Blockwise, Stored
from colorize_jax.gcrf.solvers.base import Solver, StoppingRule
from colorize_jax.gcrf.windowed import Windowed
from colorize_jax.shapes import Array, Float, Int


class Status(IntEnum):
    """How a solve ended."""

    SOLVED = 0
    SINGULAR = 1
    MAX_ITERATIONS = 2
    INACCURATE = 3
    NOT_FINITE = 4


MESSAGES = {
    Status.SOLVED: "the residual is within the tolerance, or as small as the dtype allows.",
    Status.SINGULAR: "the weights leave the system singular or indefinite: an image has no positive weight, or a "
    "negative or non-finite one. Give a weak weight (1e-3) to every pixel.",
    Status.MAX_ITERATIONS: "max_iterations was reached before the tolerance. Likely causes: max_iterations is too "
    "low; few pixels carry weight and the rest none, so that A is badly conditioned (see gcrf.diagnostics): give "
    "a weak weight (1e-3) to every pixel; a tolerance below what the dtype can reach. solver='cholesky' does "
    "not iterate.",
    Status.INACCURATE: "the solver ended, but the residual is larger than the tolerance and than rounding "
    "explains. Likely causes: A is too badly conditioned for the dtype (see gcrf.diagnostics): give a weak "
    "weight (1e-3) to every pixel, or solve in float64; weights of very different size.",
    Status.NOT_FINITE: "the solution is not finite. Likely causes: a non-finite embedding, target or temperature; "
    "a row of S without any entry (one pixel and exclude_diagonal); A lost its positive definiteness to "
    "rounding: give a weak weight (1e-3) to every pixel, use solver='lu' or solve in float64.",
}


class Solution(NamedTuple):
    """Of each image; `value` is NaN where `status` is not SOLVED, unless throw=False left a bad value as it is."""

    value: Float[Array, "*batch P C"]  # x, the unit of the targets
    residual: Float[Array, "*batch"]  # ‖b − A x‖ / ‖b‖ of the worst column
    iterations: Int[Array, "*batch"]  # of the slowest column; 0 of a direct solver
    status: Int[Array, "*batch"]  # a Status


def nan_unless_solvable(weights: Float[Array, " P"]) -> Float[Array, " P"]:
    """w, or NaN for all of it where A = (I−S)ᵀ(I−S) + diag(w) is singular or indefinite.

    (I−S)·1 = 0, so A needs a positive weight; a factor of such an A would be rounding noise instead of NaN.
    """
    allowed = jnp.any(weights > 0) & jnp.all(jnp.isfinite(weights) & (weights >= 0))
    return jnp.where(allowed, weights, jnp.nan)


def solve_system(
    solver: Solver,
    operator: Stored | Windowed | Blockwise,
    weights: Float[Array, " P"],
    state: Any,
    right: Float[Array, "P C"],
    stopping: StoppingRule,
) -> Solution:
    """x of A x = b for weights of `nan_unless_solvable`. Its residual is measured, whatever the solver believes."""
    field, iterations = solver.solve(operator, weights, state, right, stopping)
    off = field - operator.times(field)
    ones = jnp.ones_like(weights)[:, None]
    transposed = operator.times_transposed(jnp.concatenate([off, ones], axis=1))
    missing = jnp.linalg.norm(right - (off - transposed[:, :-1] + weights[:, None] * field), axis=0)
    size = jnp.linalg.norm(right, axis=0)
    relative = jnp.max(missing / jnp.where(size > 0, size, 1), initial=0)
    # Rounding alone leaves ε ‖A‖ ‖x‖, more than a tolerance of ‖b‖ where few pixels carry weight.
    largest = jnp.max(weights)
    norm_of_a = (1 + jnp.sqrt(jnp.max(transposed[:, -1]))) ** 2 + largest  # ‖S‖² ≤ its largest column sum
    rounding = ROUNDING * jnp.finfo(field.dtype).eps * norm_of_a * jnp.linalg.norm(field, axis=0)
    solved = jnp.all(missing <= stopping.tolerance * size + rounding)
    slowest = jnp.max(iterations, initial=0)
    stopped = (slowest >= stopping.max_iterations) & solver.iterative
    status = jnp.where(stopped, int(Status.MAX_ITERATIONS), int(Status.INACCURATE))
    status = jnp.where(solved, int(Status.SOLVED), status)
    status = jnp.where(jnp.isfinite(relative), status, int(Status.NOT_FINITE))
    status = jnp.where(jnp.isnan(largest), int(Status.SINGULAR), status)
    return Solution(field, relative, slowest, status)


ROUNDING = 16  # ε each; the solvers leave about 1


def raise_unsolved(solution: Solution, solver: str) -> None:
    """Raise a numpy.linalg.LinAlgError, a ValueError, that tells what failed and the likely causes."""
    if isinstance(solution.status, jax.core.Tracer):
        return
    status = np.asarray(solution.status)
    if not status.any():
        return
    worst = Status(int(status.max()))
    raise np.linalg.LinAlgError(
        f"solver {solver!r} did not solve {np.sum(status != 0)} of {status.size} systems: {MESSAGES[worst]} "
        f"Relative residual {float(np.max(solution.residual)):.2g} after {int(np.max(solution.iterations))} "
        "iterations. throw=False returns the value as it is, with its status."
    )
