"""Objectives: small pure functions, one value per example; the caller reduces once."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from colorize_jax.shapes import Array, Float


def absolute_error(predicted: Float[Array, "B H W C"], true: Float[Array, "B H W C"]) -> Float[Array, "B"]:
    """Mean over pixels and channels of |predicted - true|: the negative log-likelihood of a Laplacian, up to scale."""
    return jnp.abs(predicted - true).mean(axis=(1, 2, 3))


def squared_error(predicted: Float[Array, "B H W C"], true: Float[Array, "B H W C"]) -> Float[Array, "B"]:
    """Mean over pixels and channels of (predicted - true)²: the negative log-likelihood of a Gaussian, up to scale."""
    return jnp.square(predicted - true).mean(axis=(1, 2, 3))


Reconstruction = Callable[[Array, Array], Array]
RECONSTRUCTION: dict[str, Reconstruction] = {"absolute": absolute_error, "squared": squared_error}


def kl_to_standard_normal(mean: Float[Array, "B Z"], log_variance: Float[Array, "B Z"]) -> Float[Array, "B"]:
    """Eq. (7): D_KL(N(μ, σ²) ‖ N(0, I)) of a diagonal Gaussian, in nats; μ is `mean`, σ² = exp(`log_variance`)."""
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
      relaxation: share of the squared distance that is spread evenly over all components, in [0, 1). 0 is the
        paper's equation, under which a component that never wins never moves (Rupprecht et al. 2017, Eq. 5).

    Returns:
      The loss, and the assignment as one-hot rows.
    """
    distances = jnp.square(code[:, None, :] - means).sum(axis=-1)
    assignment = jax.nn.one_hot(distances.argmin(axis=-1), distances.shape[-1])
    share = (1 - relaxation) * assignment + relaxation / distances.shape[-1]
    return -(assignment * log_weights).sum(-1) + (share * distances).sum(-1) / (2 * sigma**2), assignment
