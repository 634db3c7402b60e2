"""The G-CRF's reverse-mode rule: the minimiser x as a function of E, α, w, τ, differentiated implicitly.

x solves, with Λ = I − S and S = softmax_rows(E Eᵀ / τ),

    A x = w ∘ α,      A = ΛᵀΛ + diag(w)                                                           Eq. (6)

Let ℓ be the loss and x̄ = ∂ℓ/∂x the incoming gradient, one column per right-hand side.

**The right-hand side.** x = A⁻¹ b with b = w ∘ α and A symmetric, so b̄ = A⁻ᵀ x̄ = A⁻¹ x̄:

    A b̄ = x̄                                                                                      Eq. (10)

The same matrix, hence the same solver with the same factor or preconditioner: the backward pass prepares nothing.

**The matrix.** From d(A⁻¹) = −A⁻¹ dA A⁻¹:  dℓ = ⟨x̄, −A⁻¹ dA x⟩ = −⟨b̄ xᵀ, dA⟩, so

    Ā = −b̄ xᵀ                                                    Eq. (11), with the minus that the print lost

**Targets and weights.** ᾱ = w ∘ b̄.  w enters through b (b̄ ∘ α) and through A's diagonal (−b̄ ∘ x):

    w̄ᵢ = Σ_c b̄ᵢ_c (αᵢ_c − xᵢ_c)

**The similarity.** dA = dΛᵀ Λ + Λᵀ dΛ gives Λ̄ = Λ (Ā + Āᵀ), and S̄ = −Λ̄:

    S̄ = (Λ b̄) xᵀ + (Λ x) b̄ᵀ

of rank 2C: S̄ = U Vᵀ with U = [Λb̄, Λx] and V = [x, b̄], each P × 2C.

**The softmax.** With Z = E Eᵀ / τ and row-wise softmax, Z̄ = S ∘ (S̄ − r 1ᵀ), where rᵢ = Σⱼ Sᵢⱼ S̄ᵢⱼ. Because
S̄ = U Vᵀ, r = rowsum(U ∘ S V): no P×P product is needed for it, and S V is already known from ΛV. An excluded
diagonal has Sᵢᵢ = 0 and therefore Z̄ᵢᵢ = 0 by itself.

**Embeddings and temperature.** Z = E Eᵀ / τ holds E twice:

    Ē = (Z̄ + Z̄ᵀ) E / τ,      τ̄ = −⟨Z̄, E Eᵀ⟩ / τ² = −⟨Ē, E⟩ / (2τ)

Z is symmetric, so with l = logsumexp of its rows both S = exp(Z − l 1ᵀ) and Sᵀ = exp(Z − 1 lᵀ) are
elementwise in Z, and Z̄ + Z̄ᵀ = S ∘ (U Vᵀ − r 1ᵀ) + Sᵀ ∘ (V Uᵀ − 1 rᵀ) comes without transposing a P×P array,
which on a CPU costs more than a product with E. Hence Z is kept for the backward pass, and S is not; where S is
never stored, both are made tile by tile (`operators.Blockwise.pull`), and no gradient of P × P numbers exists.

The rule is one for every solver and operator. It is a custom_vjp: there is no forward mode.

Source: Messaoud et al. 2018, Sec. 3.3 and supplement; the letters above are the paper's.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from colorize_jax.gcrf.operators import Attention, Blockwise, Stored, StoredAttention, blockwise, store
from colorize_jax.gcrf.solution import Solution, Status, solvable, solve_system
from colorize_jax.gcrf.solvers.base import Limits, Solver
from colorize_jax.gcrf.solvers.choice import named
from colorize_jax.gcrf.windowed import Windowed
from colorize_jax.shapes import Array, Float


class How(NamedTuple):
    """What is fixed when a solve is compiled."""

    solver: str  # as `choice.named` takes it
    exclude_diagonal: bool
    limits: Limits
    throw: bool  # what is not solved is NaN
    axis: str | None = None  # of a mesh, whose devices share the products of an S that is not stored


class _Kept(NamedTuple):
    """What the backward pass needs of the forward one."""

    source: Stored | Windowed | StoredAttention | Blockwise
    state: object  # the solver's factor or preconditioner
    field: Float[Array, "P C"]
    targets: Float[Array, "P C"]
    weights: Float[Array, " P"]


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def minimizer(
    parameters: Stored | Windowed | Attention, targets: Array, weights: Array, how: How
) -> Solution:
    """x of Eq. (6), with gradients for α (P, C), w (P,) and the parameters: S, or E (P, D) and τ ()."""
    solver = named(how.solver)
    return _minimize(solver.without_gradient or solver, parameters, targets, weights, how)[0]


def _forward(
    parameters: Stored | Windowed | Attention, targets: Array, weights: Array, how: How
) -> tuple[Solution, _Kept]:
    return _minimize(named(how.solver), parameters, targets, weights, how)


def _minimize(
    solver: Solver, parameters: Stored | Windowed | Attention, targets: Array, weights: Array, how: How
) -> tuple[Solution, _Kept]:
    source = _source(solver, parameters, how)
    operator = source.operator()
    weights = solvable(weights)
    state = solver.prepare(operator, weights)
    right = weights[:, None] * targets
    solution = _poisoned(solve_system(solver, operator, weights, state, right, how.limits), how)
    return solution, _Kept(source, state, solution.value, targets, weights)


def _source(
    solver: Solver, parameters: Stored | Windowed | Attention, how: How
) -> Stored | Windowed | StoredAttention | Blockwise:
    if isinstance(parameters, Stored | Windowed):
        return parameters
    if solver.stored:
        return store(parameters, exclude_diagonal=how.exclude_diagonal)
    return blockwise(parameters, exclude_diagonal=how.exclude_diagonal, axis=how.axis)


def _poisoned(solution: Solution, how: How) -> Solution:
    """NaN instead of what is not a solution: under jit nothing can be raised."""
    bad = (solution.status != Status.SOLVED) if how.throw else (solution.status == Status.SINGULAR)
    return solution._replace(value=jnp.where(bad, jnp.nan, solution.value))


class Adjoint(NamedTuple):
    left: Float[Array, "P K"]  # U = [Λb̄, Λx], K = 2C
    right: Float[Array, "P K"]  # V = [x, b̄]; S̄ = U Vᵀ
    product: Float[Array, "P K"]  # S V
    targets: Float[Array, "P C"]
    weights: Float[Array, " P"]


def adjoint(
    kept: _Kept, operator: Stored | Windowed | Blockwise, field_bar: Float[Array, "P C"], how: How
) -> Adjoint:
    """Eq. (10) by the forward solver with what it kept, and S̄ = U Vᵀ of Eq. (11) as its two thin factors."""
    field, targets, weights = kept.field, kept.targets, kept.weights
    # A field that was not solved has no gradient, whatever its targets' would be.
    field_bar = jnp.where(jnp.all(jnp.isfinite(field)), field_bar, jnp.nan)
    right_bar = _solve_again(operator, kept, field_bar, how)
    right = jnp.concatenate([field, right_bar], axis=1)
    product = operator.times(right)
    return Adjoint(
        left=jnp.roll(right - product, field.shape[1], axis=1),
        right=right,
        product=product,
        targets=weights[:, None] * right_bar,
        weights=jnp.sum(right_bar * (targets - field), axis=1),
    )


def _solve_again(operator: Stored | Windowed | Blockwise, kept: _Kept, right: Array, how: How) -> Array:
    """A⁻¹ b. The forward solve has measured the factor: only iterations can still come to their limit."""
    solver = named(how.solver)
    field, iterations = solver.solve(operator, kept.weights, kept.state, right, how.limits)
    if not (solver.iterative and how.throw):
        return field
    return jnp.where((iterations < how.limits.max_iterations)[None, :], field, jnp.nan)


def _backward(how: How, kept: _Kept, bar: Solution) -> tuple[Stored | Windowed | Attention, Array, Array]:
    bars = adjoint(kept, kept.source.operator(), bar.value, how)
    return kept.source.pull(bars.left, bars.right, bars.product), bars.targets, bars.weights


minimizer.defvjp(_forward, _backward)
