"""The exact log-likelihood of colours under the G-CRF, and its reverse rule.

With x = A⁻¹ b, b = w ∘ α, d = x* − x and C channels that share A = ΛᵀΛ + diag(w), Λ = I − S:

    ℓ = −Q / 2σ² + C/2 log det A − PC/2 log 2πσ²,     Q = Σ_c dᵀ A d = ‖Λd‖² + Σᵢ wᵢ ‖dᵢ‖²

Q = x*ᵀA x* − 2 x*ᵀb + bᵀA⁻¹b, so with dA and db free of each other

    dQ = ⟨x* x*ᵀ − x xᵀ, dA⟩ − 2⟨d, db⟩ + 2⟨A d, dx*⟩,       d log det A = ⟨A⁻¹, dA⟩

and therefore, with ℓ's own incoming gradient 1,

    Ā = −(x* x*ᵀ − x xᵀ) / 2σ² + C/2 A⁻¹          b̄ = d / σ²          x̄* = −A d / σ²
    ᾱ = w ∘ b̄         w̄ᵢ = Āᵢᵢ + Σ_c b̄ᵢ αᵢ         σ̄² = Q / 2σ⁴ − PC / 2σ²
    S̄ = −2 Λ Ā = (Λx* x*ᵀ − Λx xᵀ) / σ² − C Λ A⁻¹

Nothing is solved in the backward pass but A⁻¹ itself, from the kept factor, and nothing differentiates the factor.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from colorize_jax.gcrf.energy import disagreement
from colorize_jax.gcrf.gaussian.posterior import factor_of
from colorize_jax.gcrf.layer import check_solvable
from colorize_jax.gcrf.solvers import cholesky
from colorize_jax.shapes import Array, Float


def log_likelihood(
    similarity: Float[Array, "P P"],
    targets: Float[Array, "P C"],
    weights: Float[Array, " P"],
    truth: Float[Array, "P C"],
    *,
    noise: float | Float[Array, ""] = 1.0,
) -> Float[Array, ""]:
    """log N(x*; x, σ² A⁻¹), summed over the channels, of one image; nats.

    Differentiable in reverse mode in all five arguments; for gradients to E and τ build S with `gcrf.similarity`. vmap
    for a batch, then reduce once. Divide by P·C for a number that does not grow with the field. Forward mode raises a
    TypeError: a custom_vjp has none.

    Args:
      similarity: S.
      targets: α, network units.
      weights: w ≥ 0, some positive.
      truth: x*, the colours whose likelihood is asked, network units.
      noise: σ² > 0, network units²; the likelihood is greatest at Q/PC.

    Raises:
      ValueError: weights that make A singular; under jit those give NaN.
    """
    check_solvable(weights)
    dtype = jnp.result_type(similarity, targets, weights, truth)
    arrays = [jnp.asarray(array, dtype) for array in (similarity, targets, weights, truth, noise)]
    value: Array = _compiled(*arrays)
    return value


class _LikelihoodResiduals(NamedTuple):
    similarity: Float[Array, "P P"]
    targets: Float[Array, "P C"]
    weights: Float[Array, " P"]
    truth: Float[Array, "P C"]
    noise: Float[Array, ""]
    factor: cholesky.CholeskyFactor
    field: Float[Array, "P C"]  # x
    quadratic: Float[Array, ""]  # Q


@jax.custom_vjp
def _log_likelihood(similarity: Array, targets: Array, weights: Array, truth: Array, noise: Array) -> Array:
    return _forward(similarity, targets, weights, truth, noise)[0]


def _forward(
    similarity: Array, targets: Array, weights: Array, truth: Array, noise: Array
) -> tuple[Array, _LikelihoodResiduals]:
    factor = factor_of(similarity, weights)
    field = cholesky.solve(factor, weights[:, None] * targets)
    error = truth - field
    quadratic = jnp.sum(disagreement(similarity, error) ** 2) + jnp.sum(weights[:, None] * error**2)
    log_determinant = truth.shape[1] * cholesky.log_determinant(factor)
    value = (log_determinant - quadratic / noise - truth.size * jnp.log(2 * jnp.pi * noise)) / 2
    return value, _LikelihoodResiduals(similarity, targets, weights, truth, noise, factor, field, quadratic)


def _backward(residuals: _LikelihoodResiduals, value_bar: Array) -> tuple[Array, ...]:
    similarity, targets, weights, truth, noise, factor, field, quadratic = residuals
    columns, error = truth.shape[1], truth - field
    inverse = cholesky.solve(factor, jnp.eye(len(weights), dtype=similarity.dtype))
    with jax.default_matmul_precision("highest"):
        apart = disagreement(similarity, error)
        outer = disagreement(similarity, truth) @ truth.T - disagreement(similarity, field) @ field.T
        matrix_error = apart - similarity.T @ apart + weights[:, None] * error
    diagonal_bar = (columns * jnp.diag(inverse) - jnp.sum(truth**2 - field**2, axis=1) / noise) / 2
    bars = (
        outer / noise - columns * disagreement(similarity, inverse),
        weights[:, None] * error / noise,
        diagonal_bar + jnp.sum(error * targets, axis=1) / noise,
        -matrix_error / noise,
        (quadratic / noise - truth.size) / (2 * noise),
    )
    return tuple(value_bar * bar for bar in bars)


_log_likelihood.defvjp(_forward, _backward)
_compiled = jax.jit(_log_likelihood)
