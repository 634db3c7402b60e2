"""Variances, samples and conditioning, against dense float64 inverses written out in NumPy."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax.gcrf.energy import system_matrix
from colorize_jax.gcrf.gaussian.posterior import Precision, condition, posterior_sample, posterior_variance

PIXELS = 24


def problem(seed: int = 0, floor: float = 1e-2):
    """S of smooth positions, so that far pixels vary together; three strong weights over a weak floor."""
    rng = np.random.default_rng(seed)
    positions = np.sort(rng.uniform(size=PIXELS))[:, None]
    logits = -((positions - positions.T) ** 2) * 60 + rng.normal(size=(PIXELS, PIXELS)) * 0.3
    similarity = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    weights = np.full(PIXELS, floor)
    weights[[2, 11, 19]] = 3.0
    return similarity, rng.uniform(-1, 1, (PIXELS, 2)), weights


def precision_matrix(similarity, weights):
    difference = np.eye(PIXELS) - similarity
    return difference.T @ difference + np.diag(weights)


def on_device(*arrays):
    return tuple(jnp.asarray(array, jnp.float32) for array in arrays)


def test_the_exact_variance_is_the_diagonal_of_the_inverse():
    similarity, _, weights = problem()
    got = posterior_variance(*on_device(similarity, weights), noise=0.25)
    want = 0.25 * np.diag(np.linalg.inv(precision_matrix(similarity, weights)))
    np.testing.assert_allclose(got.value, want, rtol=1e-4)
    assert (np.asarray(got.standard_error) == 0).all()


def sampled(similarity, weights, seed, samples=4000):
    return posterior_variance(
        *on_device(similarity, weights), method="sampled", rng=jax.random.key(seed), samples=samples
    )


def test_the_sampled_variance_is_as_far_off_as_it_says():
    similarity, _, weights = problem()
    got = sampled(similarity, weights, seed=1)
    want = np.diag(np.linalg.inv(precision_matrix(similarity, weights)))
    deviations = (np.asarray(got.value) - want) / np.asarray(got.standard_error)
    assert np.abs(deviations).max() < 4
    # Neighbours' errors go together, so their mean square is no χ² of 24 degrees; it is still of order 1.
    assert 0.2 < np.mean(deviations**2) < 3
    np.testing.assert_array_less(got.standard_error, 0.0225 * want)  # √(2/4000) = 0.02236


@pytest.mark.parametrize("floor", [1e-3, 1e-1, 5.0])
def test_the_sampled_variance_beats_hutchinsons(floor):
    """Standard errors of one sample, exact: √2 (G_ii − 1/A_ii) against √(Σ_{j≠i} G_ij²) for Rademacher probes."""
    similarity, _, weights = problem(floor=floor)
    matrix = precision_matrix(similarity, weights)
    inverse = np.linalg.inv(matrix)
    hutchinson = np.sqrt((inverse**2).sum(1) - np.diag(inverse) ** 2)
    stated = np.asarray(sampled(similarity, weights, seed=2, samples=400).standard_error) * np.sqrt(400)
    np.testing.assert_allclose(stated, np.sqrt(2) * (np.diag(inverse) - 1 / np.diag(matrix)), rtol=0.4)
    assert np.linalg.norm(stated) < 0.8 * np.linalg.norm(hutchinson)


def test_a_field_without_a_stored_similarity_gives_the_same_samples_and_variances():
    similarity, targets, weights = problem()
    matrix = precision_matrix(similarity, weights)
    inverse, transposed, diagonal = on_device(np.linalg.inv(matrix), similarity.T, np.diag(matrix))
    matrix_free = Precision(lambda b: inverse @ b, lambda u: transposed @ u, diagonal)
    similarity, field, weights = on_device(similarity, targets, weights)
    stored, free = (
        posterior_variance(s, weights, method="sampled", rng=jax.random.key(3))
        for s in (similarity, matrix_free)
    )
    np.testing.assert_allclose(free.value, stored.value, rtol=1e-3)
    draws = [posterior_sample(jax.random.key(4), s, field, weights) for s in (similarity, matrix_free)]
    np.testing.assert_allclose(draws[0], draws[1], atol=1e-3)
    assert posterior_variance(matrix_free, weights, rng=jax.random.key(3)).standard_error.min() > 0


def test_samples_have_the_mean_and_the_covariance_of_the_posterior():
    similarity, targets, weights = problem()
    noise, count = 0.5, 20_000
    field = on_device(targets)[0]
    draws = posterior_sample(
        jax.random.key(5), *on_device(similarity), field, *on_device(weights), noise=noise, samples=count
    )
    assert draws.shape == (count, PIXELS, 2)
    # Whitened by the exact covariance, the draws are standard normal: their covariance is I within sampling error.
    offsets = np.moveaxis(np.asarray(draws, np.float64) - targets, 1, -1).reshape(-1, PIXELS)
    root = np.linalg.cholesky(precision_matrix(similarity, weights) / noise)
    white = offsets @ root
    number = len(white)
    assert np.abs(white.mean(0)).max() < 4.5 / np.sqrt(number)
    error = np.abs(white.T @ white / number - np.eye(PIXELS))
    assert np.diag(error).max() < 4.5 * np.sqrt(2 / number)
    assert (error - np.diag(np.diag(error))).max() < 4.5 / np.sqrt(number)
    channels = np.asarray(draws, np.float64) - targets
    between = np.mean((channels[..., 0] @ root) * (channels[..., 1] @ root))
    assert abs(between) < 4.5 / np.sqrt(count * PIXELS)


def test_conditioning_agrees_with_the_schur_complement_of_the_covariance():
    similarity, targets, weights = problem()
    known, colors = np.array([4, 17, 11]), np.array([[0.5, -0.2], [-0.7, 0.1], [0.0, 0.9]])
    covariance = np.linalg.inv(precision_matrix(similarity, weights))
    mean = covariance @ (weights[:, None] * targets)
    gain = covariance[:, known] @ np.linalg.inv(covariance[np.ix_(known, known)])
    with jax.enable_x64(True):
        arrays = map(jnp.asarray, (similarity, targets, weights))
        got = condition(*arrays, known, colors, variance=True, noise=2.0)
    assert (np.asarray(got.field)[known] == colors).all()
    np.testing.assert_allclose(got.field, mean + gain @ (colors - mean[known]), atol=1e-12)
    np.testing.assert_allclose(got.variance, 2 * np.diag(covariance - gain @ covariance[known]), atol=1e-12)


def test_conditioning_is_the_limit_of_large_weights_and_needs_no_other():
    similarity, targets, weights = problem()
    colors = np.array([[0.5, -0.2]])
    only = condition(*on_device(similarity, targets, 0 * weights), np.array([7]), *on_device(colors))
    # One known pixel and no weight beside it: float32 leaves 2e-4 on some processors.
    np.testing.assert_allclose(only.field, np.broadcast_to(colors, targets.shape), atol=1e-3)
    assert only.variance is None


def test_conditioning_is_differentiable():
    similarity, targets, weights = problem()
    known, colors = np.array([4, 17]), np.array([[0.5, -0.2], [-0.7, 0.1]])
    free = np.setdiff1d(np.arange(PIXELS), known)

    def eliminated(similarity, targets, weights, colors):
        matrix = system_matrix(similarity, weights)
        right = (weights[:, None] * targets)[free] - matrix[np.ix_(free, known)] @ colors
        return jnp.sum(jnp.sin(3 * jnp.linalg.solve(matrix[np.ix_(free, free)], right)))

    def ours(similarity, targets, weights, colors):
        return jnp.sum(jnp.sin(3 * condition(similarity, targets, weights, known, colors).field[free]))

    with jax.enable_x64(True):
        arguments = tuple(map(jnp.asarray, (similarity, targets, weights, colors)))
        pairs = zip(*(jax.grad(f, argnums=(0, 1, 2, 3))(*arguments) for f in (ours, eliminated)), strict=True)
        for got, want in pairs:
            np.testing.assert_allclose(got, want, atol=1e-10)


def test_vmap_and_jit_agree_with_one_image_at_a_time():
    images = [problem(seed) for seed in (0, 1)]
    similarity, targets, weights = (jnp.stack(on_device(*arrays)) for arrays in zip(*images, strict=True))
    together = jax.jit(jax.vmap(posterior_variance))(similarity, weights).value
    known, colors = jnp.array([[1, 2], [5, 9]]), jnp.ones((2, 2, 2))
    fields = jax.vmap(condition)(similarity, targets, weights, known, colors).field
    for i in range(2):
        np.testing.assert_allclose(
            together[i], posterior_variance(similarity[i], weights[i]).value, rtol=1e-4
        )
        alone = condition(similarity[i], targets[i], weights[i], known[i], colors[i]).field
        np.testing.assert_allclose(fields[i], alone, atol=1e-5)


def test_what_cannot_be_said_raises_and_is_nan_under_jit():
    similarity, targets, weights = on_device(*problem())
    with pytest.raises(ValueError, match="method is 'hutchinson'; allowed are auto, exact, sampled"):
        posterior_variance(similarity, weights, method="hutchinson")
    with pytest.raises(ValueError, match="rng is None"):
        posterior_variance(similarity, weights, method="sampled")
    with pytest.raises(ValueError, match="samples is 1"):
        posterior_variance(similarity, weights, method="sampled", samples=1, rng=jax.random.key(0))
    with pytest.raises(ValueError, match="'exact' for a Precision"):
        posterior_variance(Precision(abs, abs, weights), weights, method="exact")
    with pytest.raises(ValueError, match="singular"):
        posterior_sample(jax.random.key(0), similarity, targets, 0 * weights)
    assert np.isnan(jax.jit(posterior_variance)(similarity, 0 * weights).value).all()


@pytest.mark.parametrize(
    ("pixels", "color", "words"),
    [
        ([3, PIXELS], 0.1, "pixels names 24; allowed are 0 to 23"),
        ([-1, 3], 0.1, "pixels names -1"),
        ([3, 3], 0.1, "names 3 more than once"),
        ([3, 4], np.nan, "colors holds nan; allowed are finite"),
    ],
)
def test_impossible_known_pixels_raise(pixels, color, words):
    fixed = partial(condition, *on_device(*problem()))
    with pytest.raises(ValueError, match=words):
        fixed(np.array(pixels), np.full((2, 2), color, np.float32))


def test_nothing_known_and_no_weight_raises():
    similarity, targets, weights = on_device(*problem())
    with pytest.raises(ValueError, match="singular"):
        condition(similarity, targets, 0 * weights, np.zeros(0, int), jnp.zeros((0, 2)))
