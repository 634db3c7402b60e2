"""What a Gaussian gives beside its mean: variances, samples, and conditioning on exact values.

The energy of Eq. (5) is the negative log-density of a Gaussian up to a scale σ² (`noise`, network units²):

    p(x*) ∝ exp(−(x* − x)ᵀ A (x* − x) / 2σ²),    mean x of Eq. (6),    covariance σ² A⁻¹,    A = (I−S)ᵀ(I−S) + diag(w)

for every colour channel alone. σ² = 1 reads the energy as it stands; `log_likelihood` can be maximised over it.

**Samples by perturbation.** With ε₁, ε₂ standard normal, r = Λᵀε₁ + √w ∘ ε₂ (Λ = I − S) has covariance
ΛᵀΛ + diag(w) = A, so A⁻¹ r has covariance A⁻¹ A A⁻¹ = A⁻¹. This needs a solver, not a factor, and so works for
fields whose S is never stored (Papandreou and Yuille 2010, "Gaussian sampling by local perturbations").

**Variances from such samples.** Given all other pixels, xᵢ has variance 1/Aᵢᵢ and mean xᵢ − rᵢ/Aᵢᵢ. By the law of
total variance

    (A⁻¹)ᵢᵢ = 1/Aᵢᵢ + E[(xᵢ − rᵢ/Aᵢᵢ)²]

whose second part alone is estimated, from K samples, with the standard error √(2/K) times itself (Sidén et al. 2018,
"Efficient covariance approximations for large sparse precision matrices", the Rao-Blackwellised estimator).
Hutchinson's estimate of diag(A⁻¹) has an error of the size of a row of A⁻¹: many times the variance itself where few
pixels carry weight and far pixels vary together, and a larger one also where all do. A test compares the two.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from colorize_jax.gcrf.energy import system_matrix
from colorize_jax.gcrf.layer import check_solvable
from colorize_jax.gcrf.solution import nan_unless_solvable
from colorize_jax.gcrf.solvers import cholesky
from colorize_jax.shapes import Array, Float, Int, PRNGKeyArray

METHODS = ("auto", "exact", "sampled")
EXACT_PIXELS = 4096  # 'auto' inverts the factor up to here: 64 MB in float32 for each P×P array


class Precision(NamedTuple):
    """A for a field whose S is never stored: what samples and sampled variances ask of it.

    Attributes:
      solve: b ↦ A⁻¹ b, for (P, C).
      transposed: u ↦ Sᵀ u, for (P, C).
      diagonal: of A: ‖(I−S) eᵢ‖² + wᵢ.
    """

    solve: Callable[[Array], Array]
    transposed: Callable[[Array], Array]
    diagonal: Float[Array, " P"]


class Variance(NamedTuple):
    value: Float[Array, " P"]
    standard_error: Float[Array, " P"]  # of `value`; 0 where that is exact


class Conditioned(NamedTuple):
    field: Float[Array, "P C"]
    variance: Float[Array, " P"] | None


def posterior_variance(
    similarity: Float[Array, "P P"] | Precision,
    weights: Float[Array, " P"],
    *,
    noise: float | Float[Array, ""] = 1.0,
    method: str = "auto",
    rng: PRNGKeyArray | None = None,
    samples: int = 128,
) -> Variance:
    """σ² diag(A⁻¹): how unsure the field is of each pixel, the same for every colour channel.

    One image; vmap and jit for more. Targets do not matter: a Gaussian's covariance is that of its weights.

    Args:
      similarity: S, or a `Precision` where it is not stored.
      weights: w ≥ 0, some positive.
      noise: σ².
      method: 'exact', squared column lengths of R⁻¹ with A = R Rᵀ, costs P³ and P² memory; 'sampled', for any P,
        costs one solve with `samples` columns; 'auto', exact for a stored S of up to 4096 pixels.
      rng: of the samples; only 'sampled' needs one.
      samples: K; the standard error is at most √(2/K) of the value: 12.5 % for 128.

    Returns:
      value and its standard error, both in units of `noise`.

    Raises:
      ValueError: an unknown method, 'exact' without a stored S, 'sampled' without an rng, or weights that make A
        singular (under jit those give NaN).
    """
    check_solvable(weights)
    exact = _is_exact(similarity, weights.shape[-1], method)
    if exact:
        variance: Variance = _exact_variance(similarity, weights, noise)
        return variance
    if rng is None:
        raise ValueError(
            "rng is None, and the sampled variance draws samples; allowed is a key: pass rng=jax.random.key(0)."
        )
    if samples < 2:
        raise ValueError(
            f"samples is {samples}; allowed are whole numbers from 2, and 128 gives 12.5 % error."
        )
    return _sampled_variance(rng, as_precision(similarity, weights), weights, noise, samples)


def _is_exact(similarity: Any, pixels: int, method: str) -> bool:
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; allowed are {', '.join(METHODS)}.")
    stored = not isinstance(similarity, Precision)
    if method == "exact" and not stored:
        raise ValueError(
            "method is 'exact' for a Precision, which has no factor; allowed is 'sampled'. Pass S to have it exact."
        )
    return method == "exact" or (method == "auto" and stored and pixels <= EXACT_PIXELS)


@jax.jit
def _exact_variance(similarity: Array, weights: Array, noise: Array) -> Variance:
    half = cholesky.half_solve(factor_of(similarity, weights), jnp.eye(len(weights), dtype=similarity.dtype))
    value = noise * jnp.sum(half**2, axis=0)
    return Variance(value, jnp.zeros_like(value))


def _sampled_variance(
    rng: Array, precision: Precision, weights: Array, noise: float | Array, samples: int
) -> Variance:
    right = _perturbation(rng, precision, weights, samples)
    alone = 1 / precision.diagonal
    shared = jnp.mean((precision.solve(right) - alone[:, None] * right) ** 2, axis=1)
    return Variance(noise * (alone + shared), noise * (2 / samples) ** 0.5 * shared)


def posterior_sample(
    rng: PRNGKeyArray,
    similarity: Float[Array, "P P"] | Precision,
    field: Float[Array, "P C"],
    weights: Float[Array, " P"],
    *,
    noise: float | Float[Array, ""] = 1.0,
    samples: int = 1,
) -> Float[Array, "N P C"]:
    """N draws of the field, N(x, σ² A⁻¹) in each channel: variation that is coherent where S says pixels agree.

    Args:
      rng: a key.
      similarity: S, or a `Precision` where it is not stored.
      field: x, the mean: what `gcrf.solve` returned for these weights, network units.
      weights: w ≥ 0, some positive.
      noise: σ².
      samples: N.

    Raises:
      ValueError: weights that make A singular (under jit those give NaN).
    """
    check_solvable(weights)
    pixels, columns = field.shape
    precision = as_precision(similarity, weights)
    offsets = precision.solve(_perturbation(rng, precision, weights, samples * columns))
    offsets = jnp.moveaxis(offsets.reshape(pixels, samples, columns), 1, 0)
    return field[None] + jnp.sqrt(noise) * offsets


def _perturbation(rng: Array, precision: Precision, weights: Array, columns: int) -> Array:
    """r = Λᵀε₁ + √w ∘ ε₂, of covariance A, in independent columns."""
    pairwise_rng, unary_rng = jax.random.split(rng)
    shape, dtype = (len(weights), columns), precision.diagonal.dtype
    pairwise = jax.random.normal(pairwise_rng, shape, dtype)
    unary = jax.random.normal(unary_rng, shape, dtype)
    return pairwise - precision.transposed(pairwise) + jnp.sqrt(weights)[:, None] * unary


def as_precision(similarity: Float[Array, "P P"] | Precision, weights: Float[Array, " P"]) -> Precision:
    """The `Precision` of a stored S, with a Cholesky factor; a Precision as it is."""
    if isinstance(similarity, Precision):
        return similarity
    factor, diagonal = _factor_and_diagonal(similarity, weights)

    def transposed(values: Array) -> Array:
        with jax.default_matmul_precision("highest"):
            return similarity.T @ values

    return Precision(lambda right: _solve(factor, right), transposed, diagonal)


@jax.jit
def _factor_and_diagonal(similarity: Array, weights: Array) -> tuple[cholesky.CholeskyFactor, Array]:
    matrix = system_matrix(similarity, nan_unless_solvable(weights))
    return cholesky.factor(matrix), jnp.diag(matrix)


_solve = jax.jit(cholesky.solve)


def factor_of(similarity: Float[Array, "P P"], weights: Float[Array, " P"]) -> cholesky.CholeskyFactor:
    """The Cholesky factor of A; NaN where the weights make A singular or indefinite."""
    return cholesky.factor(system_matrix(similarity, nan_unless_solvable(weights)))


def condition(
    similarity: Float[Array, "P P"],
    targets: Float[Array, "P C"],
    weights: Float[Array, " P"],
    pixels: Int[Array | np.ndarray, " K"],
    colors: Float[Array | np.ndarray, "K C"],
    *,
    variance: bool = False,
    noise: float | Float[Array, ""] = 1.0,
) -> Conditioned:
    """The field given exact values: x_i = c_i for the pixels named, the rest of least energy around them.

    Eliminates the known pixels K from A x = b: the free ones F solve A_FF x_F = b_F − A_FK c, of which A_FF is the
    inverse covariance of x_F given x_K (the Schur complement A⁻¹_FF − A⁻¹_FK (A⁻¹_KK)⁻¹ A⁻¹_KF, inverted). The limit
    of ever larger weights, without their bad condition. Differentiable in everything but the pixels; one image.

    Args:
      similarity: S.
      targets: α, network units.
      weights: w ≥ 0; all may be 0 when a pixel is known. Those of known pixels do not matter.
      pixels: K different indices in [0, P).
      colors: c, network units.
      variance: also return the remaining variance, at the price of P³.
      noise: σ² of that variance.

    Returns:
      field, whose known pixels are exactly `colors`; and σ² diag of the remaining covariance, 0 at known pixels.

    Raises:
      ValueError: a pixel outside the field or named twice, a non-finite colour, or nothing known and no weight.
        Values are only known outside of jit.
    """
    _check_known(weights, pixels, colors)
    arrays = (jnp.asarray(a) for a in (similarity, targets, weights, pixels, colors))
    field, left = _condition(*arrays, variance)
    return Conditioned(field, noise * left if variance else None)


@jax.jit(static_argnums=5)
def _condition(
    similarity: Array, targets: Array, weights: Array, pixels: Array, colors: Array, variance: bool
) -> tuple[Array, Array | None]:
    known = jnp.zeros(weights.shape, bool).at[pixels].set(True)
    values = jnp.zeros_like(targets).at[pixels].set(colors.astype(targets.dtype))
    weights = jnp.where(known, 0, weights)
    matrix = system_matrix(similarity, weights)
    free = ~known[:, None] & ~known[None, :]
    reduced = jnp.where(free, matrix, jnp.eye(len(weights), dtype=matrix.dtype))
    factor = cholesky.factor(jax.lax.stop_gradient(reduced))
    with jax.default_matmul_precision("highest"):
        right = jnp.where(known[:, None], values, weights[:, None] * targets - matrix @ values)
        field = jax.lax.custom_linear_solve(
            lambda x: reduced @ x, right, lambda _, b: cholesky.solve(factor, b), symmetric=True
        )
    if not variance:
        return field, None
    half = cholesky.half_solve(factor, jnp.diag(jnp.where(known, 0, 1).astype(matrix.dtype)))
    return field, jnp.sum(half**2, axis=0)


def _check_known(weights: Array, pixels: Array | np.ndarray, colors: Array | np.ndarray) -> None:
    if any(isinstance(array, jax.core.Tracer) for array in (weights, pixels, colors)):
        return
    if np.size(pixels) == 0:
        check_solvable(weights)
    check_pixels(pixels, len(weights))
    check_colors(colors)


def check_pixels(pixels: Any, count: int) -> None:
    """Raise a ValueError for an index outside [0, count) or one that comes twice."""
    values = np.asarray(pixels)
    outside = values[(values < 0) | (values >= count)]
    if outside.size:
        raise ValueError(
            f"pixels names {outside[0]}; allowed are 0 to {count - 1}, row by row in a field of {count} pixels. "
            "Scale positions of the photo to the field and clip them."
        )
    different, times = np.unique(values, return_counts=True)
    if different.size < values.size:
        raise ValueError(
            f"pixels names {different[times > 1][0]} more than once; allowed is each pixel once. "
            "Reduce them with np.unique and average their colours."
        )


def check_colors(colors: Any) -> None:
    """Raise a ValueError for colours that are not finite."""
    values = np.asarray(colors)
    if not np.isfinite(values).all():
        raise ValueError(
            f"colors holds {values[~np.isfinite(values)][0]}; allowed are finite network units (ab/128, about -1 "
            "to 1). Look for a division by zero in the colour conversion."
        )
