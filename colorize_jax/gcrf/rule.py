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

**Embeddings and temperature.** Z is symmetric in its two E's:

    Ē = (Z̄ + Z̄ᵀ) E / τ,      τ̄ = −⟨Z̄, E Eᵀ⟩ / τ² = −⟨Ē, E⟩ / (2τ)

Source: Messaoud et al. 2018, Sec. 3.3 and supplement; the letters above are the paper's.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from colorize_jax.gcrf import cholesky
from colorize_jax.gcrf.energy import disagreement, system_matrix
from colorize_jax.gcrf.energy import similarity as similarity_of
from colorize_jax.shapes import Array, Float


class _Solved(NamedTuple):
    """What the backward pass needs of the forward one."""

    similarity: Float[Array, "P P"]
    factor: Float[Array, "P P"]
    field: Float[Array, "P C"]
    targets: Float[Array, "P C"]
    weights: Float[Array, " P"]


def _minimise(similarity: Array, targets: Array, weights: Array) -> _Solved:
    factor = cholesky.factor(system_matrix(similarity, _poisoned(weights)))
    field = cholesky.solve(factor, weights[:, None] * targets)
    return _Solved(similarity, factor, field, targets, weights)


def _poisoned(weights: Array) -> Array:
    """NaN weights where A would be singular or indefinite: the factor of such an A is rounding noise."""
    allowed = jnp.any(weights > 0) & jnp.all(jnp.isfinite(weights) & (weights >= 0))
    return jnp.where(allowed, weights, jnp.nan)


class _Adjoint(NamedTuple):
    left: Float[Array, "P K"]  # U = [Λb̄, Λx], K = 2C
    right: Float[Array, "P K"]  # V = [x, b̄]; S̄ = U Vᵀ
    targets: Float[Array, "P C"]
    weights: Float[Array, " P"]


def _adjoint(solved: _Solved, field_bar: Array) -> _Adjoint:
    """Eq. (10) with the kept factor, and S̄ = U Vᵀ of Eq. (11) as its two thin factors."""
    right_bar = cholesky.solve(solved.factor, field_bar)
    left = disagreement(solved.similarity, jnp.concatenate([right_bar, solved.field], axis=1))
    return _Adjoint(
        left=left,
        right=jnp.concatenate([solved.field, right_bar], axis=1),
        targets=solved.weights[:, None] * right_bar,
        weights=jnp.sum(right_bar * (solved.targets - solved.field), axis=1),
    )


@jax.custom_vjp
def minimiser_of_similarity(similarity: Array, targets: Array, weights: Array) -> Array:
    """x of Eq. (6) for a given S (P, P), with gradients for S, α and w."""
    return _minimise(similarity, targets, weights).field


def _similarity_forward(similarity: Array, targets: Array, weights: Array) -> tuple[Array, _Solved]:
    solved = _minimise(similarity, targets, weights)
    return solved.field, solved


def _similarity_backward(solved: _Solved, field_bar: Array) -> tuple[Array, Array, Array]:
    adjoint = _adjoint(solved, field_bar)
    with jax.default_matmul_precision("highest"):
        return adjoint.left @ adjoint.right.T, adjoint.targets, adjoint.weights


minimiser_of_similarity.defvjp(_similarity_forward, _similarity_backward)


@partial(jax.custom_vjp, nondiff_argnums=(4,))
def minimiser(
    embeddings: Array, targets: Array, weights: Array, temperature: Array, exclude_diagonal: bool
) -> Array:
    """x of Eq. (6) for S = softmax(E Eᵀ/τ), with gradients for E (P, D), α (P, C), w (P,) and τ ()."""
    return _forward(embeddings, targets, weights, temperature, exclude_diagonal)[0]


def _forward(
    embeddings: Array, targets: Array, weights: Array, temperature: Array, exclude_diagonal: bool
) -> tuple[Array, tuple[_Solved, Array, Array]]:
    similarity = similarity_of(embeddings, temperature, exclude_diagonal=exclude_diagonal)
    solved = _minimise(similarity, targets, weights)
    return solved.field, (solved, embeddings, temperature)


def _backward(
    exclude_diagonal: bool, residuals: tuple[_Solved, Array, Array], field_bar: Array
) -> tuple[Array, Array, Array, Array]:
    del exclude_diagonal  # S carries it: Sᵢᵢ = 0 stops the gradient of the excluded logits
    solved, embeddings, temperature = residuals
    adjoint = _adjoint(solved, field_bar)
    embeddings_bar, temperature_bar = _through_softmax(solved.similarity, adjoint, embeddings, temperature)
    return embeddings_bar, adjoint.targets, adjoint.weights, temperature_bar


def _through_softmax(
    similarity: Array, adjoint: _Adjoint, embeddings: Array, temperature: Array
) -> tuple[Array, Array]:
    """Ē and τ̄ from S̄ = U Vᵀ."""
    with jax.default_matmul_precision("highest"):
        row_mean = jnp.sum(adjoint.left * (similarity @ adjoint.right), axis=1, keepdims=True)
        logits_bar = similarity * (adjoint.left @ adjoint.right.T - row_mean)
        embeddings_bar = (logits_bar + logits_bar.T) @ embeddings / temperature
    return embeddings_bar, -jnp.sum(embeddings_bar * embeddings) / (2 * temperature)


minimiser.defvjp(_forward, _backward)
