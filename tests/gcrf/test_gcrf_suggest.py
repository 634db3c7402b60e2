"""Suggestions, against trying every pixel with a dense inverse each time."""

import numpy as np
import pytest

from colorize_jax.gcrf.interactive.suggest import greedy, suggest

PIXELS = 18


def problem(seed):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(PIXELS, PIXELS)) * 2
    similarity = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return similarity, rng.uniform(0.01, 0.5, PIXELS)


def total_variance(similarity, weights, exact):
    difference = np.eye(PIXELS) - similarity
    matrix = difference.T @ difference + np.diag(weights)
    free = np.setdiff1d(np.arange(PIXELS), exact)
    return np.trace(np.linalg.inv(matrix[np.ix_(free, free)]))


def brute_force(similarity, weights, count, weight):
    """The total variance after each of all possible next edits, and the best taken, `count` times."""
    weights, picks, totals = weights.copy(), [], [total_variance(similarity, weights, [])]
    for _ in range(count):
        if np.isinf(weight):
            after = [total_variance(similarity, weights, [*picks, j]) for j in range(PIXELS)]
        else:
            after = [
                total_variance(similarity, weights + weight * np.eye(PIXELS)[j], []) for j in range(PIXELS)
            ]
            weights[np.argmin(after)] += weight
        picks.append(int(np.argmin(after)))
        totals.append(min(after))
    return picks, -np.diff(totals), totals[0]


@pytest.mark.parametrize("weight", [0.3, 5.0, np.inf])
@pytest.mark.parametrize("seed", [0, 1])
def test_each_pick_is_the_best_of_all(seed, weight):
    got = suggest(*problem(seed), 6, weight=weight)
    pixels, reduction, total = brute_force(*problem(seed), 6, weight)
    assert got.pixels.tolist() == pixels
    np.testing.assert_allclose(got.reduction, reduction, rtol=1e-9)
    np.testing.assert_allclose(got.total, total, rtol=1e-12)


def test_exact_edits_at_every_pixel_leave_nothing_and_repeat_none():
    got = suggest(*problem(2), PIXELS)
    assert sorted(got.pixels) == list(range(PIXELS))
    np.testing.assert_allclose(got.reduction.sum(), got.total, rtol=1e-9)


def test_the_most_uncertain_pixel_is_not_the_most_useful():
    """Pixel 0 leans on nothing and nothing leans on it; 1 to 4 vary together."""
    covariance = np.zeros((5, 5))
    covariance[0, 0] = 1.5
    covariance[1:, 1:] = 0.9 + 0.1 * np.eye(4)
    got = greedy(covariance, 2)
    assert got.pixels[0] != 0 and got.pixels[1] == 0


@pytest.mark.parametrize(
    ("count", "weight", "words"),
    [
        (0, 1.0, "count is 0; allowed are 1 to 18"),
        (19, 1.0, "count is 19"),
        (1, 0.0, "weight is 0.0; allowed"),
    ],
)
def test_impossible_requests_raise(count, weight, words):
    with pytest.raises(ValueError, match=words):
        suggest(*problem(3), count, weight=weight)


def test_no_weight_at_all_raises():
    with pytest.raises(ValueError, match="singular"):
        suggest(problem(4)[0], np.zeros(PIXELS), 1)
