"""The Cholesky solver: factor A once, then solve A x = b for any number of right-hand sides.

`factor` and `solve` are for systems that are solved again, as every backward pass does: left-looking and blocked,
with the inverses of the diagonal blocks kept, so that nearly all of the work is matrix products, which use all cores.
LAPACK, which `jax.lax.linalg` calls on a CPU, works on one.

`factor_once` and `solve_once` are LAPACK's: for a single solve there is nothing to keep, and they compile much
faster.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax.lax import linalg

from colorize_jax.gcrf.energy import lower_system_matrix
from colorize_jax.gcrf.products import transposed_times
from colorize_jax.gcrf.solvers.base import direct
from colorize_jax.shapes import Array, Float

BLOCK = 128  # smaller blocks compile for longer
Returned = TypeVar("Returned")


class CholeskyFactor(NamedTuple):
    """R of A = R Rᵀ, lower triangular, by block columns from the left; the last may be narrower."""

    inverses: tuple[Float[Array, "b b"], ...]  # of R's diagonal blocks
    below: tuple[Float[Array, "r b"], ...]  # R's rows below each diagonal block; none for the last


def factor(matrix: Float[Array, "P P"], *, block: int = BLOCK) -> CholeskyFactor:
    """A = R Rᵀ, reading A's lower triangle; NaN where A is not numerically positive definite."""
    starts = range(0, matrix.shape[0], block)
    inverses: list[Array] = []
    below: list[Array] = []
    with jax.default_matmul_precision("highest"):
        for j, start in enumerate(starts):
            column = matrix[start:, start : start + block]
            if j:
                done = jnp.concatenate(
                    [c[start - s - block :] for s, c in zip(starts, below, strict=False)], axis=1
                )
                column = column - done @ done[: column.shape[1]].T
            inverse = inverse_factor(column[: column.shape[1]])
            inverses.append(inverse)
            below.append(column[column.shape[1] :] @ inverse.T)
    return CholeskyFactor(tuple(inverses), tuple(below[:-1]))


def one_by_one_on_cpu(function: Callable[..., Returned]) -> Callable[..., Returned]:
    """`function` of arrays, whose batches on a CPU are done one after another; elsewhere at once.

    jaxlib 0.10.2 spreads a batched LAPACK call over XLA's threads, and waits for them on one of those threads: with
    as many independent batches in one program as there are threads, all of them wait, for ever. Several CPU
    devices, which only tests force, keep the batched call: a loop over a sharded axis would gather it.
    """
    custom = jax.custom_batching.custom_vmap(function)
    single: Callable[..., Returned] = custom

    @custom.def_vmap
    def batch(size: int, batched: list[bool], *arrays: Array) -> tuple[Any, Any]:
        if not any(batched):  # jax asks so for tangents that alone are batched
            return _all(function(*arrays), False)
        stacked = tuple(
            array if has else jnp.broadcast_to(array, (size, *array.shape))
            for array, has in zip(arrays, batched, strict=True)
        )
        at_once = jax.vmap(function)
        if len(jax.local_devices(backend="cpu")) > 1:
            return _all(at_once(*stacked), True)

        def in_turn(*stacked: Array) -> Any:
            return jax.lax.map(lambda each: single(*each), stacked)

        return _all(jax.lax.platform_dependent(*stacked, cpu=in_turn, default=at_once), True)

    return single


def _all(values: Any, batched: bool) -> tuple[Any, Any]:
    return values, jax.tree.map(lambda _: batched, values)


_lower = one_by_one_on_cpu(partial(linalg.cholesky, symmetrize_input=False))
_solve_triangular = one_by_one_on_cpu(partial(linalg.triangular_solve, left_side=True, lower=True))
_solve_transposed = one_by_one_on_cpu(
    partial(linalg.triangular_solve, left_side=True, lower=True, transpose_a=True)
)


def inverse_factor(diagonal: Float[Array, "b b"]) -> Float[Array, "b b"]:
    """R⁻¹ of a small matrix R Rᵀ."""
    lower = _lower(diagonal)
    identity = jnp.eye(diagonal.shape[0], dtype=diagonal.dtype)
    return _solve_triangular(lower, identity)


def solve(factor: CholeskyFactor, right: Float[Array, "P C"]) -> Float[Array, "P C"]:
    """A⁻¹ b = R⁻ᵀ (R⁻¹ b)."""
    return _solve_upper(factor, _solve_lower(factor, right))


def half_solve(factor: CholeskyFactor, right: Float[Array, "P C"]) -> Float[Array, "P C"]:
    """R⁻¹ b, of which `solve` makes A⁻¹ b; its squared length, column by column, is bᵀ A⁻¹ b."""
    return jnp.concatenate(_solve_lower(factor, right))


def log_determinant(factor: CholeskyFactor) -> Float[Array, ""]:
    """log det A = −2 Σ log (R⁻¹)ᵢᵢ, from the diagonals of the kept inverses."""
    return -2 * jnp.sum(jnp.log(jnp.concatenate([jnp.diag(inverse) for inverse in factor.inverses])))


def _solve_lower(factor: CholeskyFactor, right: Array) -> list[Array]:
    """R⁻¹ b, in blocks."""
    half = []
    with jax.default_matmul_precision("highest"):
        for inverse, below in zip(factor.inverses, (*factor.below, None), strict=True):
            size = inverse.shape[0]
            half.append(inverse @ right[:size])
            if below is not None:
                right = right[size:] - below @ half[-1]
    return half


def _solve_upper(factor: CholeskyFactor, half: list[Array]) -> Array:
    """R⁻ᵀ h for h in blocks."""
    field = transposed_times(factor.inverses[-1], half[-1])
    for inverse, below, part in zip(factor.inverses[-2::-1], factor.below[::-1], half[-2::-1], strict=True):
        part = part - transposed_times(below, field)
        field = jnp.concatenate([transposed_times(inverse, part), field])
    return field


def factor_once(matrix: Float[Array, "P P"]) -> Float[Array, "P P"]:
    """R of A = R Rᵀ by LAPACK; NaN where A is not numerically positive definite."""
    with jax.default_matmul_precision("highest"):
        return _lower(matrix)


def solve_once(lower: Float[Array, "P P"], right: Float[Array, "P C"]) -> Float[Array, "P C"]:
    """A⁻¹ b by LAPACK with R of `factor_once`."""
    with jax.default_matmul_precision("highest"):
        return _solve_transposed(lower, _solve_triangular(lower, right))


_matrix = partial(lower_system_matrix, block=BLOCK)
SOLVER = direct(factor, solve, matrix=_matrix, once=direct(factor_once, solve_once, matrix=_matrix))
