"""The log-likelihood: against SciPy's multivariate normal, and its gradients against finite differences."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from colorize_jax import gcrf
from colorize_jax.gcrf.energy import system_matrix
from colorize_jax.gcrf.gaussian.likelihood import log_likelihood

PIXELS, COLUMNS = 9, 4
NAMES = ("embeddings", "targets", "weights", "truth", "noise", "temperature")


@pytest.fixture
def arguments():
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        yield (
            jnp.asarray(rng.normal(size=(PIXELS, 3))),
            jnp.asarray(rng.uniform(-1, 1, (PIXELS, COLUMNS))),
            jnp.asarray(rng.uniform(0.1, 2, PIXELS)),
            jnp.asarray(rng.uniform(-1, 1, (PIXELS, COLUMNS))),
            jnp.asarray(0.3),
            jnp.asarray(1.4),
        )


def ours(embeddings, targets, weights, truth, noise, temperature):
    similarity = gcrf.similarity(embeddings, temperature, exclude_diagonal=True)
    return log_likelihood(similarity, targets, weights, truth, noise=noise)


def dense(embeddings, targets, weights, truth, noise, temperature):
    """From determinant and quadratic form, differentiated by jax itself."""
    similarity = gcrf.similarity(embeddings, temperature, exclude_diagonal=True)
    matrix = system_matrix(similarity, weights) / noise
    error = truth - jnp.linalg.solve(matrix, weights[:, None] * targets) / noise
    log_determinant = jnp.linalg.slogdet(matrix / (2 * jnp.pi))[1]
    return (truth.shape[1] * log_determinant - jnp.sum(error * (matrix @ error))) / 2


def test_it_is_the_density_of_a_multivariate_normal(arguments):
    embeddings, targets, weights, truth, noise, temperature = arguments
    similarity = gcrf.similarity(embeddings, temperature, exclude_diagonal=True)
    matrix = np.asarray(system_matrix(similarity, weights))
    mean = np.linalg.solve(matrix, weights[:, None] * targets)
    covariance = float(noise) * np.linalg.inv(matrix)
    want = sum(multivariate_normal(mean[:, c], covariance).logpdf(truth[:, c]) for c in range(COLUMNS))
    np.testing.assert_allclose(ours(*arguments), want, rtol=1e-11)


def test_gradients_agree_with_autodiff_of_the_dense_formula(arguments):
    every = tuple(range(6))
    got, want = (jax.jit(jax.grad(f, argnums=every))(*arguments) for f in (ours, dense))
    for name, a, b in zip(NAMES, got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10, err_msg=name)


def test_gradients_agree_with_finite_differences(arguments):
    got = jax.jit(jax.grad(ours, argnums=tuple(range(6))))(*arguments)
    value = jax.jit(ours)
    rng = np.random.default_rng(1)
    for i, name in enumerate(NAMES):
        direction = rng.normal(size=arguments[i].shape)
        step = 1e-5 * jnp.asarray(direction)
        up, down = (value(*arguments[:i], arguments[i] + s, *arguments[i + 1 :]) for s in (step, -step))
        np.testing.assert_allclose(np.sum(got[i] * direction), (up - down) / 2e-5, rtol=1e-6, err_msg=name)


def test_per_image_values_and_gradients_of_a_batch_in_float32_beyond_one_block():
    """P = 160 > cholesky.BLOCK, under vmap and jit: the way training takes."""
    rng = np.random.default_rng(2)
    arrays = (
        rng.normal(size=(2, 160, 8)),
        rng.uniform(-1, 1, (2, 160, 2)),
        rng.uniform(0.1, 1, (2, 160)),
        rng.uniform(-1, 1, (2, 160, 2)),
    )

    def total(function, *arrays):
        return jnp.sum(jax.vmap(partial(function, noise=0.2, temperature=3.0))(*arrays))

    run = jax.jit(jax.value_and_grad(partial(total, ours), argnums=(0, 1, 2, 3)))
    value, got = run(*(jnp.asarray(a, jnp.float32) for a in arrays))
    with jax.enable_x64(True):
        in_turn = jax.value_and_grad(dense, argnums=(0, 1, 2, 3))
        images = [in_turn(*(jnp.asarray(a[i]) for a in arrays), 0.2, 3.0) for i in range(2)]
    np.testing.assert_allclose(value, sum(float(v) for v, _ in images), rtol=1e-5)
    for i, (_, want) in enumerate(images):
        for name, a, b in zip(NAMES, got, want, strict=False):
            error = np.linalg.norm(np.asarray(a[i]) - np.asarray(b)) / np.linalg.norm(b)
            assert error < 1e-4, (name, error)


def test_singular_weights_raise_and_are_nan_under_jit(arguments):
    similarity = gcrf.similarity(arguments[0], 1.0)
    targets, weights, truth = arguments[1:4]
    with pytest.raises(ValueError, match="singular"):
        log_likelihood(similarity, targets, 0 * weights, truth)
    assert np.isnan(jax.jit(log_likelihood)(similarity, targets, 0 * weights, truth))


def test_forward_mode_says_that_a_custom_vjp_has_none(arguments):
    with pytest.raises(TypeError, match=r"forward-mode.*custom_vjp"):
        jax.jvp(lambda t: ours(*arguments[:5], t), (arguments[5],), (arguments[5],))
