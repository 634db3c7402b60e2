"""Which modes cover the mixture's colours."""

from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax.methods.parts import mixture


def plain(colors):
    """(M, 2) colours as one image's M fields of that colour, (1, M, 4, 4, 2)."""
    return np.broadcast_to(np.asarray(colors, np.float32)[None, :, None, None, :], (1, len(colors), 4, 4, 2))


def expected(versions, weights, chosen):
    """The error of best of `chosen`, if the truth were version m with probability `weights[m]`."""
    distances = np.abs(versions[:, None] - versions[None]).mean(axis=(2, 3, 4))
    return distances[list(chosen)].min(axis=0) @ weights


def test_the_first_is_between_the_others_and_the_next_where_most_is_missing():
    versions = plain([[0.5, 0], [0.02, 0], [0, 0], [-0.02, 0], [0, -0.3]])
    weights = np.array([[0.1, 0.3, 0.1, 0.3, 0.2]], np.float32)
    chosen, stood_for = mixture.cover(jnp.asarray(versions), jnp.asarray(weights), 3)
    np.testing.assert_array_equal(chosen, [[2, 4, 0]])  # not the heaviest, 1 and 3, which are nearly alike
    np.testing.assert_allclose(stood_for, [[0.7, 0.2, 0.1]], rtol=1e-5)


@pytest.mark.parametrize("samples", [1, 3, 5, 8])
def test_greedy_choice_is_close_to_the_best_of_all(samples):
    versions = np.asarray(0.2 * jax.random.normal(jax.random.key(0), (6, 8, 4, 4, 2)))
    weights = np.asarray(jax.nn.softmax(jax.random.normal(jax.random.key(1), (6, 8))))
    chosen, stood_for = mixture.cover(jnp.asarray(versions), jnp.asarray(weights), samples)
    np.testing.assert_allclose(stood_for.sum(axis=1), 1, rtol=1e-5)
    for image in range(6):
        assert len(set(np.asarray(chosen[image]).tolist())) == samples
        told = lambda picks: expected(versions[image], weights[image], picks)  # noqa: B023, E731
        least = min(map(told, combinations(range(8), samples)))
        none = max(map(told, combinations(range(8), 1)))
        assert none - told(chosen[image]) >= 0.95 * (none - least)
        if samples == 1:
            np.testing.assert_allclose(told(chosen[image]), least, rtol=1e-5)


def test_what_is_given_is_covered_already_and_keeps_the_weight_of_what_is_closest_to_it():
    versions = plain([[0.5, 0], [0.02, 0], [0, 0], [-0.02, 0], [0, -0.3]])
    weights = np.array([[0.1, 0.3, 0.1, 0.3, 0.2]], np.float32)
    cover = lambda **more: mixture.cover(jnp.asarray(versions), jnp.asarray(weights), 2, **more)  # noqa: E731
    chosen, stood_for = cover(first=jnp.zeros((1, 4, 4, 2)))
    np.testing.assert_array_equal(chosen, [[4, 0]])
    np.testing.assert_allclose(stood_for, [[0.2, 0.1]], rtol=1e-5)


def test_versions_that_differ_in_tint_alone_are_one_where_tints_do_not_count():
    things = np.zeros((4, 4, 2), np.float32)
    things[:2] = 0.1
    versions = np.stack([0 * things, 0 * things + 0.3, things, things - 0.3])[None]
    weights = np.full((1, 4), 0.25, np.float32)
    chosen, stood_for = mixture.cover(jnp.asarray(versions), jnp.asarray(weights), 2, tint=0.0)
    assert {int(i) // 2 for i in chosen[0]} == {0, 1}
    np.testing.assert_allclose(stood_for, [[0.5, 0.5]], rtol=1e-5)
