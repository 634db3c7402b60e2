"""What a solver of A x = b is, for the table in `choice` and the rule in `rule`: two functions and two facts."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax.numpy as jnp

from colorize_jax.gcrf.energy import system_matrix
from colorize_jax.gcrf.operators import Blockwise, Stored
from colorize_jax.gcrf.windowed import Windowed
from colorize_jax.shapes import Array, Float, Int


class StoppingRule(NamedTuple):
    """When an iterative solver stops."""

    tolerance: float  # of ‖b − A x‖ / ‖b‖, each column for itself
    max_iterations: int


class Prepare(Protocol):
    def __call__(self, operator: Any, weights: Float[Array, " P"], /) -> Any:
        """What is kept of A = (I−S)ᵀ(I−S) + diag(w) for every solve with it: a factor, a preconditioner."""


class Solve(Protocol):
    def __call__(
        self,
        operator: Any,
        weights: Float[Array, " P"],
        state: Any,
        right: Float[Array, "P C"],
        stopping: StoppingRule,
        /,
    ) -> tuple[Float[Array, "P C"], Int[Array, " C"]]:
        """A⁻¹ b and the iterations each column took; NaN where A is not numerically positive definite."""


class Solver(NamedTuple):
    prepare: Prepare
    solve: Solve
    stored: bool  # needs S as a P × P array
    iterative: bool  # its work depends on the `StoppingRule`
    without_gradient: "Solver | None" = None  # another for a single solve, where it costs less


def direct(
    factor: Callable[[Array], Any],
    solve: Callable[[Any, Array], Array],
    *,
    matrix: Callable[[Array, Array], Array] = system_matrix,
    once: Solver | None = None,
) -> Solver:
    """A solver that factors A, or what `matrix` makes of S and w instead."""

    def prepare(operator: Stored, weights: Array) -> Any:
        return factor(matrix(operator.similarity, weights))

    def solve_with(operator: Stored, weights: Array, state: Any, right: Array, stopping: StoppingRule) -> Any:
        del operator, weights, stopping
        return solve(state, right), jnp.zeros(right.shape[1], jnp.int32)

    return Solver(prepare, solve_with, stored=True, iterative=False, without_gradient=once)


def apply(
    operator: Stored | Windowed | Blockwise, weights: Float[Array, " P"], vectors: Float[Array, "P C"]
) -> Float[Array, "P C"]:
    """Eq. (6): A v = Λᵀ(Λ v) + w ∘ v without A; S is `operator`, Λ = I − S, w is `weights`, v is `vectors`."""
    off = vectors - operator.times(vectors)
    return off - operator.times_transposed(off) + weights[:, None] * vectors
