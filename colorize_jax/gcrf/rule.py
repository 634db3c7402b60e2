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

The rule is one for every solver and operator. It is a custom_vjp: there is no forward mode of a first derivative.

**Derivatives of the rule.** A gradient penalty or a Hessian differentiates both passes of the rule once more: x as the
forward pass gives it, and b̄ with everything above that follows from it. Both are solutions y of A y = r, with r = b
and r = x̄. Let a dot be the derivative along any direction of the parameters:

    A ẏ = ṙ − Ȧ y,      Ȧ y = Λ̇ᵀ(Λ y) + Λᵀ(Λ̇ y) + ẇ ∘ y

The same matrix again, hence the same solver with the same factor or preconditioner, which therefore needs no
derivative itself. Ȧ y is the derivative of the products of `solvers.base.apply` at a fixed y. A is symmetric, so the
transpose of r ↦ A⁻¹ r is that solve itself; reverse mode goes through the same equation, and ẏ is once more such a
solution, so derivatives of any order follow (`_inverse_times`). Everything else in the rule is differentiated by JAX.
A tile of a `Blockwise` is made again where a second derivative needs it (`jax.checkpoint`): P × P numbers are not
stored then either.

Source: Messaoud et al. 2018, Sec. 3.3 and supplement; the letters above are the paper's.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from colorize_jax.gcrf.operators import Attention, Blockwise, Stored, StoredAttention, blockwise, store
from colorize_jax.gcrf.solution import Solution, Status, nan_unless_solvable, solve_system
from colorize_jax.gcrf.solvers.base import Solver, StoppingRule, apply
from colorize_jax.gcrf.solvers.choice import named
from colorize_jax.gcrf.windowed import Windowed, WindowShares, windowed
from colorize_jax.shapes import Array, Float

Parameters = Stored | WindowShares | Attention  # of S
Source = Stored | Windowed | StoredAttention | Blockwise  # of the backward pass
Operator = Stored | Windowed | Blockwise  # S


class SolveOptions(NamedTuple):
    """What is fixed when a solve is compiled."""

    solver: str  # as `choice.named` takes it
    exclude_diagonal: bool
    stopping: StoppingRule
    throw: bool  # what is not solved is NaN
    axis: str | None = None  # of a mesh, whose devices share the products of an S that is not stored


class SolveResiduals(NamedTuple):
    """What the backward pass needs of the forward one."""

    source: Source
    state: Any  # the solver's factor or preconditioner
    field: Float[Array, "P C"]
    targets: Float[Array, "P C"]
    weights: Float[Array, " P"]


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def minimizer(
    parameters: Parameters,
    targets: Float[Array, "P C"],
    weights: Float[Array, " P"],
    options: SolveOptions,
) -> Solution:
    """x of Eq. (6), with gradients for α (P, C), w (P,) and the parameters: S, or E (P, D) and τ ()."""
    solver = named(options.solver)
    return _minimize(solver.without_gradient or solver, parameters, targets, weights, options)[0]


def _forward(
    parameters: Parameters, targets: Array, weights: Array, options: SolveOptions
) -> tuple[Solution, SolveResiduals]:
    return _minimize(named(options.solver), parameters, targets, weights, options)


def _minimize(
    solver: Solver, parameters: Parameters, targets: Array, weights: Array, options: SolveOptions
) -> tuple[Solution, SolveResiduals]:
    source = _source(solver, parameters, options)
    operator = source.operator()
    weights = nan_unless_solvable(weights)
    right = weights[:, None] * targets
    fixed = jax.lax.stop_gradient((operator, weights, right))
    state = solver.prepare(*fixed[:2])
    solution = solve_system(solver, *fixed[:2], state, fixed[2], options.stopping)
    field = _as_function_of_the_system(options, solution.value, operator, weights, state, right)
    solution = _nan_unless_solved(solution._replace(value=field), options)
    return solution, SolveResiduals(source, state, solution.value, targets, weights)


def _source(solver: Solver, parameters: Parameters, options: SolveOptions) -> Source:
    if isinstance(parameters, Stored):
        return parameters
    if isinstance(parameters, WindowShares):
        return windowed(parameters.rows)
    if solver.stored:
        return store(parameters, exclude_diagonal=options.exclude_diagonal)
    return blockwise(parameters, exclude_diagonal=options.exclude_diagonal, axis=options.axis)


def _nan_unless_solved(solution: Solution, options: SolveOptions) -> Solution:
    """NaN instead of what is not a solution: under jit nothing can be raised."""
    bad = (solution.status != Status.SOLVED) if options.throw else (solution.status == Status.SINGULAR)
    return solution._replace(value=jnp.where(bad, jnp.nan, solution.value))


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _as_function_of_the_system(
    options: SolveOptions, field: Array, operator: Operator, weights: Array, state: Any, right: Array
) -> Array:
    """y itself, found by a solver, with the derivative of the solution of A y = r."""
    return field


@_as_function_of_the_system.defjvp
def _derivative_of_the_solution(
    options: SolveOptions, primals: tuple[Any, ...], tangents: tuple[Any, ...]
) -> tuple[Array, Array]:
    """A ẏ = ṙ − Ȧ y."""
    _, operator, weights, state, _ = primals
    field = _as_function_of_the_system(
        options, *primals
    )  # not a constant: of it the next derivative is taken
    _, operator_dot, weights_dot, _, right_dot = tangents
    _, image_dot = jax.jvp(
        lambda operator, weights: apply(operator, weights, field),
        (operator, weights),
        (operator_dot, weights_dot),
    )
    return field, _inverse_times(options, operator, weights, state, right_dot - image_dot)


def _inverse_times(
    options: SolveOptions, operator: Operator, weights: Array, state: Any, right: Array
) -> Array:
    """A⁻¹ r by the forward solver with what it kept; differentiable any number of times, in both modes.

    The forward solve has measured the factor: only iterations can still come to their limit, and are NaN then.
    """
    solver = named(options.solver)

    def solve(_: Any, right: Array) -> Array:
        field, iterations = solver.solve(operator, weights, state, right, options.stopping)
        if not (solver.iterative and options.throw):
            return field
        return jnp.where((iterations < options.stopping.max_iterations)[None, :], field, jnp.nan)

    def image(vectors: Array) -> Array:
        return apply(operator, weights, vectors)

    solution: Array = jax.lax.custom_linear_solve(image, right, solve, symmetric=True)
    return solution


def adjoint_field(
    residuals: SolveResiduals, operator: Operator, field_bar: Float[Array, "P C"], options: SolveOptions
) -> Float[Array, "P C"]:
    """Eq. (10): b̄ of A b̄ = x̄, by the forward solver with what it kept; x̄ is `field_bar`, S is `operator`.

    A field that was not solved has no gradient, whatever its targets' would be: b̄ is NaN then.
    """
    field_bar = jnp.where(jnp.all(jnp.isfinite(residuals.field)), field_bar, jnp.nan)
    return _inverse_times(options, operator, residuals.weights, residuals.state, field_bar)


class SimilarityBar(NamedTuple):
    """S̄ = U Vᵀ as its two thin factors, K = 2C."""

    left: Float[Array, "P K"]  # U = [Λb̄, Λx]
    right: Float[Array, "P K"]  # V = [x, b̄]
    product: Float[Array, "P K"]  # S V


def similarity_bar(
    operator: Operator, field: Float[Array, "P C"], right_bar: Float[Array, "P C"]
) -> SimilarityBar:
    """Eq. (11): Ā = −b̄ xᵀ, and of it S̄ = (Λ b̄) xᵀ + (Λ x) b̄ᵀ; S is `operator`, x is `field`, b̄ is `right_bar`."""
    right = jnp.concatenate([field, right_bar], axis=1)
    product = operator.times(right)
    return SimilarityBar(jnp.roll(right - product, field.shape[1], axis=1), right, product)


def _backward(
    options: SolveOptions, residuals: SolveResiduals, bar: Solution
) -> tuple[Parameters, Array, Array]:
    field, targets, weights = residuals.field, residuals.targets, residuals.weights
    operator = residuals.source.operator()
    right_bar = adjoint_field(residuals, operator, bar.value, options)
    return (
        residuals.source.pull(*similarity_bar(operator, field, right_bar)),
        weights[:, None] * right_bar,
        jnp.sum(right_bar * (targets - field), axis=1),
    )


minimizer.defvjp(_forward, _backward)
