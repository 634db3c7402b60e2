"""The G-CRF's reverse-mode rule: the minimiser x as a function of E, α, w, τ, differentiated implicitly.

x solves, with Λ = I − S and S = softmax_rows(E Eᵀ / τ),

    A x = w ∘ α,      A = ΛᵀΛ + diag(w)                                                           Eq. (6)

Let ℓ be the loss and x̄ = ∂ℓ/∂x the incoming gradient, one column per right-hand side.

**The right-hand side.** x = A⁻¹ b with b = w ∘ α and A symmetric, so b̄ = A⁻ᵀ x̄ = A⁻¹ x̄:

    A b̄ = x̄                                                                                      Eq. (10)

The same matrix, hence the same Cholesky factor: the backward pass factorises nothing.

**The matrix.** From d(A⁻¹) = −A⁻¹ dA A⁻¹:  dℓ = ⟨x̄, −A⁻¹ dA x⟩ = −⟨b̄ xᵀ, dA⟩, so

    Ā = −b̄ xᵀ                                                    Eq. (11), with the minus that the print lost

**Targets and weights.** ᾱ = w ∘ b̄.  w enters through b (b̄ ∘ α) and through A's diagonal (−b̄ ∘ x):

    w̄ᵢ = Σ_c b̄ᵢ_c (αᵢ_c − xᵢ_c)

**The similarity.** dA = dΛᵀ Λ + Λᵀ dΛ gives Λ̄ = Λ (Ā + Āᵀ), and S̄ = −Λ̄:

    S̄ = (Λ b̄) xᵀ + (Λ x) b̄ᵀ

of rank 2C: S̄ = U Vᵀ with U = [Λb̄, Λx] and V = [x, b̄], each P × 2C.

**The softmax.** With Z = E Eᵀ / τ and row-wise softmax, Z̄ = S ∘ (S̄ − r 1ᵀ), where rᵢ = Σⱼ Sᵢⱼ S̄ᵢⱼ. Because
S̄ = U Vᵀ, r = rowsum(U ∘ S V): no P×P product is needed for it. An excluded diagonal has Sᵢᵢ = 0 and
therefore Z̄ᵢᵢ = 0 by itself.

**Embeddings and temperature.** Z = E Eᵀ / τ holds E twice:

    Ē = (Z̄ + Z̄ᵀ) E / τ,      τ̄ = −⟨Z̄, E Eᵀ⟩ / τ² = −⟨Ē, E⟩ / (2τ)

Z is symmetric, so with l = logsumexp of its rows both S = exp(Z − l 1ᵀ) and Sᵀ = exp(Z − 1 lᵀ) are
elementwise in Z, and Z̄ + Z̄ᵀ = S ∘ (U Vᵀ − r 1ᵀ) + Sᵀ ∘ (V Uᵀ − 1 rᵀ) comes without transposing a P×P array,
which on a CPU costs more than a product with E. Hence Z is kept for the backward pass, and S is not.

Source: Messaoud et al. 2018, Sec. 3.3 and supplement; the letters above are the paper's.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from colorize_jax.gcrf import cholesky
from colorize_jax.gcrf.energy import disagreement, system_matrix
from colorize_jax.gcrf.energy import logits as logits_of
from colorize_jax.gcrf.energy import similarity as similarity_of
from colorize_jax.shapes import Array, Float


class _Solved(NamedTuple):
    """What the backward pass needs of the forward one, besides S."""

    factor: cholesky.Factor
    field: Float[Array, "P C"]
    targets: Float[Array, "P C"]
    weights: Float[Array, " P"]


def _minimise_once(similarity: Array, targets: Array, weights: Array) -> Array:
    matrix = system_matrix(similarity, _poisoned(weights))
    return cholesky.solve_once(matrix, weights[:, None] * targets)


def _minimise(similarity: Array, targets: Array, weights: Array) -> _Solved:
    factor = cholesky.factor(system_matrix(similarity, _poisoned(weights)))
    field = cholesky.solve(factor, weights[:, None] * targets)
    return _Solved(factor, field, targets, weights)


def _poisoned(weights: Array) -> Array:
    """NaN weights where A would be singular or indefinite: the factor of such an A is rounding noise."""
    allowed = jnp.any(weights > 0) & jnp.all(jnp.isfinite(weights) & (weights >= 0))
    return jnp.where(allowed, weights, jnp.nan)


class Adjoint(NamedTuple):
    left: Float[Array, "P K"]  # U = [Λb̄, Λx], K = 2C
    right: Float[Array, "P K"]  # V = [x, b̄]; S̄ = U Vᵀ
    targets: Float[Array, "P C"]
    weights: Float[Array, " P"]


def adjoint(solved: _Solved, similarity: Array, field_bar: Array) -> Adjoint:
    """Eq. (10) with the kept factor, and S̄ = U Vᵀ of Eq. (11) as its two thin factors."""
    right_bar = cholesky.solve(solved.factor, field_bar)
    left = disagreement(similarity, jnp.concatenate([right_bar, solved.field], axis=1))
    return Adjoint(
        left=left,
        right=jnp.concatenate([solved.field, right_bar], axis=1),
        targets=solved.weights[:, None] * right_bar,
        weights=jnp.sum(right_bar * (solved.targets - solved.field), axis=1),
    )


@jax.custom_vjp
def minimiser_of_similarity(similarity: Array, targets: Array, weights: Array) -> Array:
    """x of Eq. (6) for a given S (P, P), with gradients for S, α and w."""
    return _minimise_once(similarity, targets, weights)


def _similarity_forward(similarity: Array, targets: Array, weights: Array) -> tuple[Array, tuple]:
    solved = _minimise(similarity, targets, weights)
    return solved.field, (solved, similarity)


def _similarity_backward(residuals: tuple, field_bar: Array) -> tuple[Array, Array, Array]:
    solved, similarity = residuals
    bars = adjoint(solved, similarity, field_bar)
    with jax.default_matmul_precision("highest"):
        return bars.left @ bars.right.T, bars.targets, bars.weights


minimiser_of_similarity.defvjp(_similarity_forward, _similarity_backward)


@partial(jax.custom_vjp, nondiff_argnums=(4,))
def minimiser(
    embeddings: Array, targets: Array, weights: Array, temperature: Array, exclude_diagonal: bool
) -> Array:
    """x of Eq. (6) for S = softmax(E Eᵀ/τ), with gradients for E (P, D), α (P, C), w (P,) and τ ()."""
    similarity = similarity_of(embeddings, temperature, exclude_diagonal=exclude_diagonal)
    return _minimise_once(similarity, targets, weights)


class _Residuals(NamedTuple):
    solved: _Solved
    logits: Float[Array, "P P"]  # Z
    normaliser: Float[Array, " P"]  # l
    embeddings: Float[Array, "P D"]
    temperature: Float[Array, ""]


def _forward(
    embeddings: Array, targets: Array, weights: Array, temperature: Array, exclude_diagonal: bool
) -> tuple[Array, _Residuals]:
    logits = logits_of(embeddings, temperature, exclude_diagonal=exclude_diagonal)
    normaliser = jax.nn.logsumexp(logits, axis=1)
    solved = _minimise(jnp.exp(logits - normaliser[:, None]), targets, weights)
    return solved.field, _Residuals(solved, logits, normaliser, embeddings, temperature)


def _backward(
    exclude_diagonal: bool, residuals: _Residuals, field_bar: Array
) -> tuple[Array, Array, Array, Array]:
    del exclude_diagonal  # Z carries it: Sᵢᵢ = exp(-inf) = 0 stops the gradient of the excluded logits
    similarity = jnp.exp(residuals.logits - residuals.normaliser[:, None])
    bars = adjoint(residuals.solved, similarity, field_bar)
    embeddings_bar = _through_softmax(residuals, similarity, bars)
    temperature_bar = -jnp.sum(embeddings_bar * residuals.embeddings) / (2 * residuals.temperature)
    return embeddings_bar, bars.targets, bars.weights, temperature_bar


def _through_softmax(residuals: _Residuals, similarity: Array, bars: Adjoint) -> Array:
    """Ē = (Z̄ + Z̄ᵀ) E / τ from S̄ = U Vᵀ."""
    transposed = jnp.exp(residuals.logits - residuals.normaliser[None, :])
    left, right = bars.left, bars.right
    with jax.default_matmul_precision("highest"):
        row_mean = jnp.sum(left * (similarity @ right), axis=1)
        logits_bar = similarity * (left @ right.T - row_mean[:, None])
        transposed_bar = transposed * (right @ left.T - row_mean[None, :])
        return (logits_bar + transposed_bar) @ residuals.embeddings / residuals.temperature


minimiser.defvjp(_forward, _backward)
