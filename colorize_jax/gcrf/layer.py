"""The public entry points: check, promote, batch, then hand one image at a time to `rule`."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from colorize_jax.gcrf import rule
from colorize_jax.gcrf.operators import Attention, Stored
from colorize_jax.gcrf.solution import Solution, raise_unsolved
from colorize_jax.gcrf.solvers.base import StoppingRule
from colorize_jax.gcrf.solvers.choice import SOLVERS, choose
from colorize_jax.gcrf.windowed import WindowShares
from colorize_jax.shapes import Array, Float


def solve(
    embeddings: Float[Array, "*batch P D"],
    targets: Float[Array, "*batch P C"],
    weights: Float[Array, "*batch P"],
    *,
    temperature: float | Float[Array, ""],
    exclude_diagonal: bool = False,
    solver: str = "auto",
    tolerance: float | None = None,
    max_iterations: int = 1000,
    throw: bool = True,
    axis: str | None = None,
) -> Solution:
    """Eq. (6): the colour field x of least G-CRF energy; A x = w ∘ α with A = (I−S)ᵀ(I−S) + diag(w).

    Differentiable in reverse mode with respect to all four of embeddings, targets, weights and temperature
    (Eqs. 10–11, see `rule`), and so are its gradients: a gradient penalty, `jax.hessian` and derivatives of any
    order work with every solver. The first derivative in forward mode (`jax.jvp`, `jax.jacfwd`) raises a TypeError
    that says so: a custom_vjp has none. Any number of leading batch axes; works under jit, vmap and `jax.shard_map`.

    Args:
      embeddings: E, one row per pixel; S = softmax_rows(E Eᵀ / τ).
      targets: α, colours in network units [-1, 1]. Several samples of one image share S: put them side by
        side, C = 2N columns, and they cost one factorisation.
      weights: w ≥ 0, confidence in each target; some must be positive. A field leaves the range of its
        targets where few pixels carry weight (see `diagnostics`): keep a small weight on every pixel.
      temperature: τ > 0.
      exclude_diagonal: a pixel must not explain itself: Sᵢᵢ = 0.
      solver: 'lu', 'cholesky' or 'cg', which store S; 'cg_matrix_free', which does not; or 'auto', which is
        what `choose` says. `vmap` hides the batch from 'auto', leading axes do not.
      tolerance: of the relative residual ‖b − A x‖ / ‖b‖; CG stops there, and every solver is held to it, or
        to rounding where that is larger. By default 1e-6, in float64 1e-12.
      max_iterations: of CG, for the slowest column.
      throw: what is not solved raises, or is NaN under a transformation. Otherwise it is returned as it is,
        and `status` tells; a singular system is NaN all the same.
      axis: inside `jax.shard_map`, an axis of the mesh along which all arguments are the same: its devices share the
        products of 'cg_matrix_free', see `operators`.

    Returns:
      A Solution: `value`, x in the unit of `targets`, float32, or float64 when an input is (bfloat16 and float16
      are solved in float32); and of each image the relative `residual` as measured afterwards, the
      `iterations` and the `status`, an integer of `Status`, explained in `MESSAGES`. Gradients flow through
      `value` alone.

    Raises:
      ValueError: shapes that do not agree; no positive weight, a negative or a non-finite one; a temperature
        that is not positive; an unknown solver, or one that stores S with an `axis`.
      numpy.linalg.LinAlgError: a ValueError, too: the system was not solved. Values are only known outside of jit:
        under a transformation the same inputs give NaN, in the field and in all gradients.

    Source: Messaoud et al. 2018, Eqs. (5), (6), (10), (11).
    """
    _check_shapes("embeddings", embeddings.shape, targets.shape, weights.shape)
    check_solvable(weights)
    _check_temperature(temperature)
    dtype = _solving_dtype(embeddings, targets, weights)
    name = _chosen(solver, weights.shape, dtype)
    if axis is not None and SOLVERS[name].stored:
        raise ValueError(
            f"solver is {name!r}, which cannot share its work along an axis; give 'cg_matrix_free'"
        )
    stopping = _stopping_rule(tolerance, max_iterations, dtype)
    options = rule.SolveOptions(name, exclude_diagonal, stopping, throw, axis)
    parameters = Attention(jnp.asarray(embeddings, dtype), jnp.asarray(temperature, dtype))
    return _solved(parameters, targets, weights, options)


def solve_similarity(
    similarity: Float[Array, "*batch P P"],
    targets: Float[Array, "*batch P C"],
    weights: Float[Array, "*batch P"],
    *,
    solver: str = "auto",
    tolerance: float | None = None,
    max_iterations: int = 1000,
    throw: bool = True,
) -> Solution:
    """Eq. (6): the field x for a given S, such as a hand-made one; otherwise as `solve`.

    Differentiable in S, α and w, any number of times, as `solve` is.

    Args:
      similarity: S; rows that sum to 1 keep constant fields constant. Not checked.
      targets: α, network units.
      weights: w ≥ 0, some positive.
      solver: as in `solve`, without 'cg_matrix_free'.
      tolerance: as in `solve`, like the rest.
      max_iterations: of CG.
      throw: whether what is not solved is an error.
    """
    _check_shapes("similarity", similarity.shape, targets.shape, weights.shape)
    check_solvable(weights)
    dtype = _solving_dtype(similarity, targets, weights)
    name = _chosen(solver, weights.shape, dtype, given=True)
    options = rule.SolveOptions(name, False, _stopping_rule(tolerance, max_iterations, dtype), throw)
    return _solved(Stored(jnp.asarray(similarity, dtype)), targets, weights, options)


def solve_windowed(
    rows: Float[Array, "*batch K H W"],
    targets: Float[Array, "*batch P C"],
    weights: Float[Array, "*batch P"],
    *,
    tolerance: float = 1e-4,
    max_iterations: int = 500,
    throw: bool = True,
) -> Solution:
    """Eq. (6): the field x for an S whose rows lean on near cells only; otherwise as `solve`.

    Differentiable in S, α and w, any number of times, as `solve` is. Conjugate gradients solve it: the farther colours
    must travel, the more iterations they take. It is meant for weights that are small nowhere, such as those of a
    coarse field's colours.

    Args:
      rows: S by window, see `windowed.windowed`.
      targets: α, network units, P = H·W.
      weights: w ≥ 0, some positive.
      tolerance: of the relative residual.
      max_iterations: of CG.
      throw: whether what is not solved is an error.
    """
    pixels = rows.shape[-2] * rows.shape[-1] if rows.ndim >= 3 else 0
    if targets.ndim < 2 or targets.shape[-2] != pixels or weights.shape != targets.shape[:-1]:
        raise ValueError(
            f"rows {rows.shape}, targets {targets.shape} and weights {weights.shape} do not agree; allowed are "
            "(..., K, H, W), (..., H·W, C) and (..., H·W) with the same leading axes"
        )
    check_solvable(weights)
    dtype = _solving_dtype(rows, targets, weights)
    stopping = _stopping_rule(tolerance, max_iterations, dtype)
    options = rule.SolveOptions("cg_diagonal", False, stopping, throw)
    return _solved(WindowShares(jnp.asarray(rows, dtype)), targets, weights, options)


def _solved(
    parameters: rule.Parameters, targets: Array, weights: Array, options: rule.SolveOptions
) -> Solution:
    """The batch's solution, in the parameters' dtype; raises where it is to."""
    dtype = jax.tree.leaves(parameters)[0].dtype
    arrays, structure = jax.tree.flatten(
        (parameters, jnp.asarray(targets, dtype), jnp.asarray(weights, dtype))
    )
    solution: Solution = _solve(*jax.tree.unflatten(structure, _varying_alike(arrays)), options=options)
    if options.throw:
        raise_unsolved(solution, options.solver)
    return solution


# Compiled, so that a call outside of jit is one program and not some hundred dispatched operations.
@partial(jax.jit, static_argnames="options")
def _solve(
    parameters: rule.Parameters, targets: Array, weights: Array, *, options: rule.SolveOptions
) -> Solution:
    batched = jax.tree.map(lambda array: 0 if array.ndim else None, parameters)  # one τ for all images

    def one(parameters: rule.Parameters, targets: Array, weights: Array) -> Solution:
        return rule.minimizer(parameters, targets, weights, options)

    for _ in range(targets.ndim - 2):
        one = jax.vmap(one, in_axes=(batched, 0, 0))
    return one(parameters, targets, weights)


def _chosen(solver: str, shape: tuple[int, ...], dtype: Any, *, given: bool = False) -> str:
    names = [name for name, each in SOLVERS.items() if each.stored or not given]
    if solver == "auto":
        batch = int(np.prod(shape[:-1], dtype=int))
        name = choose(shape[-1], batch=batch, itemsize=jnp.dtype(dtype).itemsize).solver
        # S is there already: what is left is to spare A and its factor.
        return name if name in names else "cg"
    if solver not in names:
        raise ValueError(f"solver is {solver!r}; allowed are 'auto', {', '.join(map(repr, names))}")
    return solver


def _stopping_rule(tolerance: float | None, max_iterations: int, dtype: Any) -> StoppingRule:
    if tolerance is None:
        tolerance = 1e-12 if dtype == jnp.float64 else 1e-6
    if not 0 < tolerance < 1:
        raise ValueError(f"tolerance is {tolerance}; allowed are numbers in (0, 1), such as 1e-6")
    if max_iterations < 1:
        raise ValueError(f"max_iterations is {max_iterations}; allowed are whole numbers >= 1, such as 1000")
    return StoppingRule(float(tolerance), int(max_iterations))


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


def _check_shapes(
    name: str, first: tuple[int, ...], targets: tuple[int, ...], weights: tuple[int, ...]
) -> None:
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


def _marked(array: Array, axes: tuple[str, ...]) -> Array:
    return jax.lax.pcast(array, axes, to="varying") if axes else array
