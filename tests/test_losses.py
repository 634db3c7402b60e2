"""Each objective against numbers worked out by hand, so that a wrong sign, axis or factor fails."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax import losses


def test_errors_are_means_over_pixels_and_channels_of_each_example():
    true = jnp.zeros((2, 2, 2, 2))
    predicted = jnp.stack([jnp.full((2, 2, 2), -0.5), jnp.zeros((2, 2, 2)).at[0, 0, 0].set(0.8)])
    np.testing.assert_allclose(losses.absolute_error(predicted, true), [0.5, 0.1], rtol=1e-6)
    np.testing.assert_allclose(losses.squared_error(predicted, true), [0.25, 0.08], rtol=1e-6)


def test_a_critics_squared_error_is_to_one_of_what_is_real_and_to_zero_of_what_is_not():
    answers = jnp.array([[[1.0, 1.0], [1.0, 1.0]], [[0.0, 3.0], [0.0, 0.0]]])
    np.testing.assert_allclose(losses.adversarial_squared_error(answers, real=True), [0, 7 / 4])
    np.testing.assert_allclose(losses.adversarial_squared_error(answers, real=False), [1, 9 / 4])


def test_kl_of_the_prior_is_zero_and_of_a_known_gaussian_is_known():
    mean = jnp.array([[0.0, 0.0], [1.0, -2.0]])
    variance = jnp.array([[1.0, 1.0], [0.5, 4.0]])
    expected = [0.0, 0.5 * ((0.5 + 1 - 1 - np.log(0.5)) + (4 + 4 - 1 - np.log(4)))]
    np.testing.assert_allclose(losses.kl_to_standard_normal(mean, jnp.log(variance)), expected, rtol=1e-5)


def test_samples_have_the_mean_and_deviation_asked_for():
    mean, deviation = jnp.full((20000, 1), 3.0), 0.5
    drawn = losses.sample_normal(jax.random.key(0), mean, jnp.full_like(mean, 2 * np.log(deviation)))
    np.testing.assert_allclose([drawn.mean(), drawn.std()], [3.0, 0.5], atol=0.02)


CODE = jnp.array([[1.0, 0.0]])
MEANS = jnp.array([[[0.0, 0.0], [1.0, 0.2], [-1.0, 0.0]]])
LOG_WEIGHTS = jnp.log(jnp.array([[0.5, 0.3, 0.2]]))


def test_mixture_loss_is_that_of_the_closest_component():
    value, assignment = losses.mixture_hard_assignment(CODE, LOG_WEIGHTS, MEANS, sigma=0.1)
    np.testing.assert_allclose(value, [-np.log(0.3) + 0.04 / 0.02], rtol=1e-5)
    np.testing.assert_array_equal(assignment, [[0, 1, 0]])


def test_only_the_closest_mean_moves_unless_relaxed():
    def gradient(relaxation):
        def loss(means):
            arguments = {"sigma": 0.1, "relaxation": relaxation}
            return losses.mixture_hard_assignment(CODE, LOG_WEIGHTS, means, **arguments)[0].sum()

        return jax.grad(loss)(MEANS)[0]

    np.testing.assert_allclose(gradient(0.0), [[0, 0], [0, 20], [0, 0]], atol=1e-4)
    relaxed = gradient(0.3)
    np.testing.assert_allclose(relaxed[1], [0, 0.8 * 20], rtol=1e-5)
    np.testing.assert_allclose(relaxed[0], [-0.1 * 100, 0], atol=1e-4)


def test_weights_learn_from_the_assignment_only():
    def loss(logits):
        log_weights = jax.nn.log_softmax(logits)
        return losses.mixture_hard_assignment(CODE, log_weights, MEANS, sigma=0.1)[0].sum()

    gradient = jax.grad(loss)(jnp.zeros((1, 3)))[0]
    np.testing.assert_allclose(gradient, [1 / 3, 1 / 3 - 1, 1 / 3], atol=1e-6)


@pytest.mark.parametrize("name", sorted(losses.RECONSTRUCTION))
def test_reconstruction_errors_are_zero_at_the_truth_only(name):
    true = jax.random.normal(jax.random.key(0), (3, 4, 4, 2))
    assert not losses.RECONSTRUCTION[name](true, true).any()
    assert (losses.RECONSTRUCTION[name](true + 0.1, true) > 0).all()
