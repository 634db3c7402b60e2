"""What to log of a G-CRF layer: is it the identity, is its system well conditioned, does it overshoot."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from colorize_jax.gcrf.energy import system_matrix
from colorize_jax.gcrf.solvers import cholesky
from colorize_jax.shapes import Array, Float


def diagnostics(
    similarity: Float[Array, "P P"],
    field: Float[Array, "P C"],
    targets: Float[Array, "P C"],
    weights: Float[Array, " P"],
    *,
    iterations: int = 12,
) -> dict[str, Float[Array, ""]]:
    """Four numbers that tell a working layer from a degenerate one. One image; jit and vmap for more.

    Args:
      similarity: S.
      field: x, the layer's output, network units.
      targets: α.
      weights: w ≥ 0.
      iterations: steps of the two power iterations of `condition`.

    Returns:
      diagonal_mean: mean of diag(S), in [0, 1]; 1 is the identity, a failed layer.
      movement: ‖x − α‖ / ‖α‖; 0 is the identity again. NaN where every target is 0.
      condition: a lower estimate of λmax/λmin of A (within a few per cent when the ends of the spectrum are
        separated); float32 solves lose about log10(condition) of their 7 digits. NaN for a singular system.
      overshoot: how far x leaves, per channel, the range of the targets whose weight is positive, network
        units, at the worst pixel; 0 when it stays inside.
    """
    return {
        "diagonal_mean": jnp.mean(jnp.diag(similarity)),
        "movement": jnp.linalg.norm(field - targets) / jnp.linalg.norm(targets),
        "condition": _condition(similarity, weights, iterations),
        "overshoot": _overshoot(field, targets, weights),
    }


def _overshoot(field: Array, targets: Array, weights: Array) -> Array:
    known = (weights > 0)[:, None]
    low = jnp.min(jnp.where(known, targets, jnp.inf), axis=0, keepdims=True)
    high = jnp.max(jnp.where(known, targets, -jnp.inf), axis=0, keepdims=True)
    return jnp.max(jnp.maximum(jnp.maximum(low - field, field - high), 0))


def _condition(similarity: Array, weights: Array, iterations: int) -> Array:
    """Power iteration for λmax, inverse iteration with the factor for λmin."""
    matrix = system_matrix(similarity, weights)
    factor = cholesky.factor(matrix)
    with jax.default_matmul_precision("highest"):
        largest = _dominant(lambda vector: matrix @ vector, matrix, iterations)
        inverse_smallest = _dominant(lambda vector: cholesky.solve(factor, vector), matrix, iterations)
    return largest * inverse_smallest


def _dominant(operator: Callable[[Array], Array], matrix: Array, iterations: int) -> Array:
    """Largest eigenvalue of a symmetric positive definite operator, from below."""
    size = matrix.shape[0]
    # A fixed start with a part in every direction: the same input gives the same number in every run.
    start = jax.random.normal(jax.random.key(0), (size, 1), matrix.dtype)

    def step(vector: Array, _: None) -> tuple[Array, None]:
        image = operator(vector)
        return image / jnp.linalg.norm(image), None

    vector, _ = jax.lax.scan(step, start / jnp.linalg.norm(start), length=iterations)
    return jnp.sum(vector * operator(vector))
