"""The public entry points: check, promote, batch, then hand one image at a time to `rule`."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from colorize_jax.gcrf import rule
from colorize_jax.shapes import Array, Float


def solve(
    embeddings: Float[Array, "*batch P D"],
    targets: Float[Array, "*batch P C"],
    weights: Float[Array, "*batch P"],
    *,
    temperature: float | Float[Array, ""],
    exclude_diagonal: bool = False,
) -> Float[Array, "*batch P C"]:
    """Eq. (6): the colour field x of least G-CRF energy; A x = w ∘ α with A = (I−S)ᵀ(I−S) + diag(w).

    Differentiable in reverse mode with respect to all four of embeddings, targets, weights and temperature
    (Eqs. 10–11, see `rule`); any number of leading batch axes; works under jit, vmap, grad and
    `jax.shard_map`.
    Forward mode (`jax.jvp`, `jax.jacfwd`) raises a TypeError that says so: a custom_vjp has none. `jax.hessian`
    works, through the operations of the rule.

    Args:
      embeddings: E, one row per pixel; S = softmax_rows(E Eᵀ / τ).
      targets: α, colours in network units [-1, 1]. Several samples of one image share S: put them side by
        side, C = 2N columns, and they cost one factorisation.
      weights: w ≥ 0, confidence in each target; some must be positive. A field leaves the range of its
        targets where few pixels carry weight (see `diagnostics`): keep a small weight on every pixel.
      temperature: τ > 0.
      exclude_diagonal: a pixel must not explain itself: Sᵢᵢ = 0.

    Returns:
      x, same unit as `targets`. float32, or float64 when an input is; bfloat16 and float16 are solved in
      float32.

    Raises:
      ValueError: shapes that do not agree; no positive weight, a negative or a non-finite one; a temperature
        that is not positive. Values are only known outside of jit: under a transformation the same
        inputs give NaN, in the field and in all gradients, never rounding noise.

    Source: Messaoud et al. 2018, Eqs. (5), (6), (10), (11).
    """
    _check_shapes("embeddings", embeddings.shape, targets.shape, weights.shape)
    check_solvable(weights)
    _check_temperature(temperature)
    dtype = _solving_dtype(embeddings, targets, weights)
    arrays = [jnp.asarray(array, dtype) for array in (embeddings, targets, weights, temperature)]
    return _solve(*_varying_alike(arrays), exclude_diagonal=exclude_diagonal)


# Compiled, so that a call outside of jit is one program and not some hundred dispatched operations.
@partial(jax.jit, static_argnames="exclude_diagonal")
def _solve(
    embeddings: Array, targets: Array, weights: Array, temperature: Array, *, exclude_diagonal: bool
) -> Array:
    def one(*arrays: Array) -> Array:
        return rule.minimiser(*arrays, exclude_diagonal)

    return _batched(one, embeddings.ndim - 2, (0, 0, 0, None))(embeddings, targets, weights, temperature)


def solve_similarity(
    similarity: Float[Array, "*batch P P"],
    targets: Float[Array, "*batch P C"],
    weights: Float[Array, "*batch P"],
) -> Float[Array, "*batch P C"]:
    """Eq. (6) for a given S, such as a hand-made one; otherwise as `solve`, with gradients for S, α and w.

    Args:
      similarity: S; rows that sum to 1 keep constant fields constant. Not checked.
      targets: α, network units.
      weights: w ≥ 0, some positive.
    """
    _check_shapes("similarity", similarity.shape, targets.shape, weights.shape)
    check_solvable(weights)
    dtype = _solving_dtype(similarity, targets, weights)
    arrays = [jnp.asarray(array, dtype) for array in (similarity, targets, weights)]
    return _solve_similarity(*_varying_alike(arrays))


@jax.jit
def _solve_similarity(similarity: Array, targets: Array, weights: Array) -> Array:
    one = rule.minimiser_of_similarity
    return _batched(one, similarity.ndim - 2, (0, 0, 0))(similarity, targets, weights)


def check_solvable(weights: Float[Array, "*batch P"]) -> None:
    """Raise a ValueError where A is singular or indefinite; traced weights (jit, vmap, grad) pass unseen."""
    if isinstance(weights, jax.core.Tracer):
        return
    values = np.asarray(weights)
    if not np.all(np.isfinite(values)):
        raise ValueError(
            f"weights has {np.sum(~np.isfinite(values))} non-finite values; allowed are finite weights >= 0. "
            "Look for a division by zero or an overflow where the confidence is computed."
        )
    if values.min(initial=0) < 0:
        raise ValueError(
            f"weights has the negative value {values.min():g}; allowed are weights >= 0. Pass a non-negative "
            "confidence, e.g. jax.nn.softplus of the network's output plus a floor."
        )
    if not np.all(np.any(values > 0, axis=-1)):
        raise ValueError(
            "weights has an image without any positive weight, so its system is singular: (I−S)·1 = 0 leaves "
            "the mean colour free. Allowed is at least one positive weight an image. Give an edit or a unary "
            "some weight; a weak one on every pixel (1e-3) is best."
        )


def _check_temperature(temperature: Any) -> None:
    if isinstance(temperature, jax.core.Tracer):
        return
    if np.ndim(temperature) != 0 or not 0 < float(temperature) < np.inf:
        raise ValueError(
            f"temperature is {temperature}; allowed is one finite number > 0. Start at the square root of D."
        )


def _check_shapes(name: str, first: tuple, targets: tuple, weights: tuple) -> None:
    if len(first) < 2 or len(targets) < 2 or first[:-1] != targets[:-1] or first[:-1] != weights:
        last = "D" if name == "embeddings" else "P"
        raise ValueError(
            f"{name} {first}, targets {targets} and weights {weights} do not agree; allowed are "
            f"(..., P, {last}), (..., P, C) and (..., P) with the same leading axes. Broadcast them first."
        )
    if name == "similarity" and first[-1] != first[-2]:
        raise ValueError(
            f"similarity is {first}; allowed is a square (..., P, P). Build it with gcrf.similarity."
        )


def _solving_dtype(*arrays: Any) -> Any:
    return jnp.promote_types(jnp.result_type(*arrays), jnp.float32)


def _varying_alike(arrays: list[Array]) -> list[Array]:
    """Inside `jax.shard_map`, mark what is the same on all devices (a temperature) as varying like the rest.

    A custom_vjp must return gradients that vary as its arguments do; the marking's own transpose then sums the
    devices' gradients of a shared argument. Outside of shard_map it does nothing.
    """
    varying = [jax.typeof(array).manual_axis_type.varying for array in arrays]
    axes = frozenset().union(*varying)
    return [_marked(array, tuple(axes - own)) for array, own in zip(arrays, varying, strict=True)]


def _marked(array: Array, axes: tuple) -> Array:
    return jax.lax.pcast(array, axes, to="varying") if axes else array


def _batched(one: Callable, axes: int, in_axes: tuple) -> Callable:
    for _ in range(axes):
        one = jax.vmap(one, in_axes=in_axes)
    return one
