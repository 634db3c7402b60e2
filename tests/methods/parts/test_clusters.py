"""k-means finds the clusters that are there, whatever the start."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax.methods.parts.clusters import kmeans


@pytest.fixture(scope="module")
def clustered():
    """40, 25 and 15 points around three far places, shuffled; and their clusters."""
    draw = np.random.default_rng(0)
    places = 10 * np.eye(3, 5, dtype=np.float32)
    points = np.repeat(places, [25, 40, 15], axis=0) + draw.normal(0, 0.1, (80, 5)).astype(np.float32)
    points = draw.permutation(points)
    run = jax.jit(kmeans, static_argnames=("clusters", "iterations"))
    return places, points, lambda seed: run(points, jax.random.key(seed), clusters=3, iterations=5)


@pytest.mark.parametrize("seed", range(5))
def test_clusters_are_found_from_any_start_the_largest_first(clustered, seed):
    places, points, run = clustered
    centers, shares, error = run(seed)
    np.testing.assert_allclose(shares, np.array([40, 25, 15]) / 80)
    np.testing.assert_allclose(centers, places[[1, 0, 2]], atol=0.1)
    nearest = np.square(points[:, None] - np.asarray(centers)).sum(axis=-1).argmin(axis=1)
    np.testing.assert_allclose(centers[0], points[nearest == 0].mean(axis=0), atol=1e-5)
    distances = np.square(points[:, None] - np.asarray(centers)).sum(axis=-1)
    np.testing.assert_allclose(error, distances.min(axis=1).sum(), rtol=1e-3)


def test_points_that_coincide_are_no_trouble():
    run = jax.jit(kmeans, static_argnames=("clusters", "iterations"))
    centers, shares, error = run(jnp.ones((6, 4)), jax.random.key(0), clusters=2, iterations=2)
    np.testing.assert_array_equal(centers, jnp.ones((2, 4)))
    assert shares.sum() == 1 and error == 0


def test_more_clusters_than_points_are_refused():
    with pytest.raises(ValueError, match="2 points for 3 clusters"):
        kmeans(jnp.zeros((2, 4)), jax.random.key(0), clusters=3, iterations=1)
