"""Samples and variances of a field whose S is never stored, against the dense inverse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax import gcrf
from colorize_jax.gcrf.gaussian.posterior import posterior_sample, posterior_variance
from colorize_jax.gcrf.gaussian.precision import matrix_free_precision

PIXELS, COUNT = 60, 3000


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    embeddings = jnp.asarray(rng.normal(size=(PIXELS, 4)), jnp.float32)
    weights = jnp.asarray(np.where(rng.uniform(size=PIXELS) < 0.2, 1.0, 0.01), jnp.float32)
    similarity = gcrf.similarity(embeddings, 2.0, exclude_diagonal=True)
    difference = np.eye(PIXELS) - np.asarray(similarity, np.float64)
    covariance = np.linalg.inv(difference.T @ difference + np.diag(weights))
    return (
        matrix_free_precision(embeddings, weights, temperature=2.0, exclude_diagonal=True),
        weights,
        covariance,
    )


def test_the_diagonal_is_that_of_the_matrix(problem):
    precision, _, covariance = problem
    np.testing.assert_allclose(precision.diagonal, np.diag(np.linalg.inv(covariance)), rtol=1e-4)


def test_the_variance_is_right_within_its_standard_error(problem):
    precision, weights, covariance = problem
    got = posterior_variance(precision, weights, rng=jax.random.key(1), samples=COUNT)
    assert np.abs((np.asarray(got.value) - np.diag(covariance)) / np.asarray(got.standard_error)).max() < 4
    np.testing.assert_array_less(got.standard_error, 0.0275 * np.diag(covariance))  # √(2/3000) = 0.0258


def test_samples_have_the_covariance_of_the_posterior(problem):
    precision, weights, covariance = problem
    draws = posterior_sample(jax.random.key(2), precision, jnp.zeros((PIXELS, 1)), weights, samples=COUNT)
    white = np.asarray(draws[..., 0], np.float64) @ np.linalg.cholesky(np.linalg.inv(covariance))
    error = np.abs(white.T @ white / COUNT - np.eye(PIXELS))
    assert error.max() < 5 * np.sqrt(2 / COUNT) and error.mean() < 1.2 * np.sqrt(2 / np.pi / COUNT)


def test_a_solve_that_does_not_converge_raises():
    precision = matrix_free_precision(
        jnp.eye(PIXELS), jnp.full(PIXELS, 1e-3), temperature=0.1, max_iterations=1
    )
    with pytest.raises(ValueError, match="max_iterations was reached"):
        posterior_sample(jax.random.key(0), precision, jnp.zeros((PIXELS, 2)), jnp.full(PIXELS, 1e-3))
