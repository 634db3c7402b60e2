"""Objectives: small pure functions, one value per example; the caller reduces once."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from colorize_jax.data.color_statistics import Bins, bin_of
from colorize_jax.shapes import Array, Float


def absolute_error(predicted: Float[Array, "B H W C"], true: Float[Array, "B H W C"]) -> Float[Array, "B"]:
    """Mean over pixels and channels of |predicted - true|: the negative log-likelihood of a Laplacian, up to scale."""
    return jnp.abs(predicted - true).mean(axis=(1, 2, 3))


def squared_error(predicted: Float[Array, "B H W C"], true: Float[Array, "B H W C"]) -> Float[Array, "B"]:
    """Mean over pixels and channels of (predicted - true)²: the negative log-likelihood of a Gaussian, up to scale."""
    return jnp.square(predicted - true).mean(axis=(1, 2, 3))


Reconstruction = Callable[[Array, Array], Array]
RECONSTRUCTION: dict[str, Reconstruction] = {"absolute": absolute_error, "squared": squared_error}


def adversarial_cross_entropy(answers: Float[Array, "B h w"], *, real: bool) -> Float[Array, "B"]:
    """Nats between a critic's answers and what they should be, mean over its patches (Goodfellow et al. 2014).

    Args:
      answers: logits of 'is of the training set'.
      real: what they should be. A generator wants True of what it made.
    """
    return jax.nn.softplus(-answers if real else answers).mean(axis=(1, 2))


def adversarial_squared_error(answers: Float[Array, "B h w"], *, real: bool) -> Float[Array, "B"]:
    """(answer - target)², mean over a critic's patches: the least squares GAN (Mao et al. 2017).

    Args:
      answers: without bounds; 1 is 'of the training set', and 0 'painted'.
      real: what they should be. A generator wants True of what it made.
    """
    return jnp.square(answers - float(real)).mean(axis=(1, 2))


def kl_to_standard_normal(mean: Float[Array, "B Z"], log_variance: Float[Array, "B Z"]) -> Float[Array, "B"]:
    """Eq. (7): D_KL(N(μ, σ²) ‖ N(0, I)) of a diagonal Gaussian, in nats; μ is `mean`, ln σ² is `log_variance`."""
    return 0.5 * (jnp.exp(log_variance) + mean**2 - 1 - log_variance).sum(axis=-1)


def sample_normal(
    rng: Array, mean: Float[Array, "B Z"], log_variance: Float[Array, "B Z"]
) -> Float[Array, "B Z"]:
    """z ~ N(mean, exp(log_variance)), reparameterised: differentiable with respect to both."""
    return mean + jnp.exp(log_variance / 2) * jax.random.normal(rng, mean.shape)


def mixture_hard_assignment(
    code: Float[Array, "B Z"],
    log_weights: Float[Array, "B M"],
    means: Float[Array, "B M Z"],
    *,
    sigma: float,
    relaxation: float = 0.0,
) -> tuple[Float[Array, "B"], Float[Array, "B M"]]:
    """Eq. (9): -ln π^(m) + ‖z - μ^(m)‖² / (2σ²), where m is the component whose mean is closest to z.

    Args:
      code: z, a sample of q(z | x, g).
      log_weights: ln π.
      means: μ.
      sigma: σ, the fixed deviation of every component.
      relaxation: see `hard_assignment`; 0 is the paper's equation.

    Returns:
      The loss, and the assignment as one-hot rows.
    """
    distances = jnp.square(code[:, None, :] - means).sum(axis=-1) / (2 * sigma**2)
    return hard_assignment(distances, log_weights, relaxation=relaxation)


def hard_assignment(
    distances: Float[Array, "B M"], log_weights: Float[Array, "B M"], *, relaxation: float = 0.0
) -> tuple[Float[Array, "B"], Float[Array, "B M"]]:
    """-ln π^(m) + d^(m), where m is the component of the smallest distance d.

    Args:
      distances: d, in nats.
      log_weights: ln π.
      relaxation: share of the distances that is spread evenly over all components, in [0, 1). At 0 a component that
        never wins never moves (Rupprecht et al. 2017, Eq. 5).

    Returns:
      The loss, and the assignment as one-hot rows.
    """
    assignment = jax.nn.one_hot(distances.argmin(axis=-1), distances.shape[-1])
    share = (1 - relaxation) * assignment + relaxation / distances.shape[-1]
    return (share * distances - assignment * log_weights).sum(axis=-1), assignment


def squared_norm(difference: Float[Array, "B H W C"]) -> Float[Array, "B"]:
    """Sum over pixels and channels of difference²: ‖·‖₂² of a colour field, as Deshpande et al. 2017 print it."""
    return jnp.square(difference).sum(axis=(1, 2, 3))


def specificity(
    predicted: Float[Array, "B H W C"],
    true: Float[Array, "B H W C"],
    components: Float[Array, "K H W C"],
    deviations: Float[Array, "K"],
) -> Float[Array, "B"]:
    """L_mah of Deshpande et al. 2017, Sec. 3.1: every principal direction of colour fields counts alike.

    Σ_k ‖(C - f)ᵀP_k‖² / σ_k² + ‖residue‖² / σ_K², where the residue is what the K directions leave of C - f.

    Args:
      predicted: f, network units.
      true: C, network units.
      components: P_k, orthonormal, by falling deviation.
      deviations: σ_k, of the training set's fields along P_k, network units.
    """
    difference = true - predicted
    along = jnp.einsum("bhwc,khwc->bk", difference, components)
    # The directions are orthonormal, so the residue's length needs no residue; rounding may leave it below 0.
    residue = jnp.maximum(squared_norm(difference) - jnp.square(along).sum(axis=1), 0)
    return jnp.square(along / deviations[None]).sum(axis=1) + residue / deviations[-1] ** 2


def colorfulness(
    predicted: Float[Array, "B H W C"], true: Float[Array, "B H W C"], weights: Float[Array, "B H W"]
) -> Float[Array, "B"]:
    """L_hist of Deshpande et al. 2017, Eq. (2): the squared error, weighted by how rare the true colour is.

    The text weighs the squared difference by 1/H, and so does this; the printed norm would square the weight.

    Args:
      predicted: f, network units.
      true: C, network units.
      weights: 1/H of the true colour's bin, see `color_statistics.bin_weights`.
    """
    return squared_norm(jnp.sqrt(weights)[..., None] * (true - predicted))


def gradient_difference(
    predicted: Float[Array, "B H W C"], true: Float[Array, "B H W C"]
) -> Float[Array, "B"]:
    """L_grad of Deshpande et al. 2017, Eq. (3): ‖∇_h C - ∇_h f‖² + ‖∇_v C - ∇_v f‖², differences of neighbours."""
    difference = true - predicted
    return squared_norm(jnp.diff(difference, axis=2)) + squared_norm(jnp.diff(difference, axis=1))


FIELD_TERMS = ("l2", "hist", "mah", "grad")


def field_terms(
    predicted: Float[Array, "B H W 2"],
    true: Float[Array, "B H W 2"],
    statistics: dict[str, Array],
    *,
    terms: tuple[str, ...],
    bins: Bins,
) -> dict[str, Float[Array, "B"]]:
    """Those of Deshpande et al.'s decoder losses that `terms` names, of `FIELD_TERMS`.

    Args:
      predicted: f, network units.
      true: C, network units.
      statistics: of `color_statistics.collect`.
      terms: 'l2' is ‖C - f‖², the others are L_hist, L_mah and L_grad.
      bins: those that `statistics` were collected with.
    """

    def weighted() -> Array:
        return colorfulness(predicted, true, statistics["bin_weights"][bin_of(true, bins)])

    def mahalanobis() -> Array:
        return specificity(predicted, true, statistics["components"], statistics["deviations"])

    known = {
        "l2": lambda: squared_norm(true - predicted),
        "hist": weighted,
        "mah": mahalanobis,
        "grad": lambda: gradient_difference(predicted, true),
    }
    return {name: known[name]() for name in terms}
