"""Mixtures of discretised logistics: probabilities that sum to one, by hand, by finite differences, and by draws."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax.models import logistics

pytestmark = pytest.mark.quick

STEP = 2 / 255
LEVELS = np.linspace(-1, 1, 256)
COMPONENTS = 3

log_likelihood = jax.jit(logistics.log_likelihood)


def numbers(logits, coefficients, means, log_scales):
    """As a network says them, of one pixel; the coefficients are in (-1, 1)."""
    rows = [logits, *np.arctanh(coefficients), *means, *log_scales]
    return np.asarray(rows, np.float32).reshape(-1)


BROAD = numbers(
    [0.0, 1.0, -1.0],
    [[0.1, -0.4, 0.7], [0.5, 0.2, -0.3], [-0.6, 0.3, 0.8]],
    [[-0.2, 0.5, 0.9], [0.0, -0.8, 0.3]],
    [[-2.0, -1.0, -3.0], [-3.0, -1.5, -0.5]],
)


def naive(said, lightness, a, b):
    """The probability of a level of a* and one of b*, by differences of the distribution functions in float64."""
    rows = np.float64(said).reshape(8, -1)
    weights = np.exp(rows[0]) / np.exp(rows[0]).sum()
    coefficients = np.tanh(rows[1:4])
    means = rows[4] + coefficients[0] * lightness, rows[5] + coefficients[1] * lightness + coefficients[2] * a

    def within(level, mean, log_scale):
        ends = [-np.inf if level == -1 else level - STEP / 2, np.inf if level == 1 else level + STEP / 2]
        below, above = (1 / (1 + np.exp(-(end - mean) / np.exp(log_scale))) for end in ends)
        return above - below

    return float((weights * within(a, means[0], rows[6]) * within(b, means[1], rows[7])).sum())


@pytest.mark.parametrize(("a", "b"), [(-1, 1), (1, -1), (1, 1), (0, 255), (100, 140), (0, 17), (201, 0)])
@pytest.mark.parametrize("lightness", [-0.9, 0.4])
def test_a_level_has_what_the_distributions_have_around_it_and_the_last_all_beyond(a, b, lightness):
    colors = [LEVELS[side] if side > 1 else float(side or -1) for side in (a, b)]
    found = log_likelihood(BROAD[None], np.float32([[lightness]]), np.float32([colors]))
    assert np.exp(found[0]) == pytest.approx(naive(BROAD, lightness, *colors), rel=1e-3)


@pytest.mark.parametrize(
    "said",
    [
        BROAD,
        numbers([0.0], [[0.5], [-0.5], [0.9]], [[0.3], [-0.2]], [[-7.0], [-7.0]]),  # sharp
        numbers(
            [0.0], [[0.5], [-0.5], [0.9]], [[0.3], [-0.2]], [[-50.0], [2.0]]
        ),  # too sharp, and beyond all levels
        numbers(
            [0.0, 0.0], np.full((3, 2), 0.9), [[-1.0, 1.0], [-3.0, 3.0]], np.full((2, 2), -4.0)
        ),  # at the ends
    ],
)
def test_probabilities_of_all_levels_sum_to_one(said):
    a, b = (grid.reshape(-1, 1) for grid in np.meshgrid(LEVELS, LEVELS, indexing="ij"))
    colors = np.concatenate([a, b], axis=1).astype(np.float32)
    all_said = np.broadcast_to(said, (len(colors), len(said)))
    logs = log_likelihood(all_said, np.full((len(colors), 1), 0.3, np.float32), colors)
    assert np.exp(np.float64(logs)).sum() == pytest.approx(1, abs=1e-5)


def test_no_scale_is_below_its_floor():
    sharp, sharper = (
        numbers([0.0], np.zeros((3, 1)), [[0.1], [0.1]], [[scale], [scale]]) for scale in (-7.0, -9.0)
    )
    color = logistics.quantized(jnp.full((1, 2), 0.1))
    np.testing.assert_array_equal(
        *(log_likelihood(said[None], np.zeros((1, 1), np.float32), color) for said in (sharp, sharper))
    )


def test_gradients_are_those_of_finite_differences():
    """In float64, at a level in the middle, at one next to nothing, and at both ends."""
    with jax.enable_x64(True):
        said, sides = np.float64(BROAD), np.eye(len(BROAD)) * 1e-6

        @jax.jit
        def slopes(color):
            def likelihood(x):
                return logistics.log_likelihood(x[None], jnp.full((1, 1), 0.3), color[None])[0]

            above, below = (jax.vmap(likelihood)(said + side) for side in (sides, -sides))
            return jax.grad(likelihood)(jnp.asarray(said)), (above - below) / 2e-6

        for a, b in [(100, 140), (3, 250), (0, 255), (255, 0)]:
            found, expected = slopes(np.array([LEVELS[a], LEVELS[b]]))
            assert found.dtype == np.float64
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def draws(said, count, spread=1.0, lightness=0.3):
    random = logistics.noise(jax.random.key(3), (count,), len(said) // 8)
    given = np.tile(said, (count, 1)), np.full((count, 1), lightness, np.float32)
    return np.asarray(jax.jit(partial(logistics.draw, spread=spread))(*given, random))


def test_draws_have_the_probabilities_that_are_said():
    """Of few levels, one component at their end, b* hanging on a*."""
    scales = np.full((2, 2), np.log(0.4 * STEP))
    said = numbers([0.0, 1.0], [[0.2, 0.1], [-0.1, 0.1], [0.5, -0.5]], [[0.0, 0.98], [0.1, 0.2]], scales)
    levels, counts = np.unique(draws(said, 40_000), axis=0, return_counts=True)
    assert len(levels) > 20 and levels[:, 0].max() == 1
    probable = np.exp(
        log_likelihood(
            np.broadcast_to(said, (len(levels), 16)), np.full((len(levels), 1), 0.3, np.float32), levels
        )
    )
    assert probable.sum() == pytest.approx(1, abs=2e-3)
    np.testing.assert_allclose(counts / 40_000, probable, atol=0.01)


@pytest.mark.parametrize(("log_scale", "spread"), [(-7.0, 1.0), (0.0, 0.0)])
def test_without_scale_one_component_gives_its_means(log_scale, spread):
    said = numbers([0.0], [[0.5], [-0.5], [0.25]], [[0.2], [0.4]], [[log_scale], [log_scale]])
    a = 0.2 + 0.5 * 0.3
    drawn = draws(said, 50, spread)
    np.testing.assert_allclose(drawn, np.tile([a, 0.4 - 0.5 * 0.3 + 0.25 * a], (50, 1)), atol=1.5 * STEP)
    assert spread or len(np.unique(drawn, axis=0)) == 1


def test_levels_are_256_and_the_nearest_is_taken():
    levels = np.float32(LEVELS)[:, None]
    for shift in (-0.49, 0, 0.49):
        np.testing.assert_allclose(logistics.quantized(jnp.asarray(levels + shift * STEP)), levels, atol=1e-6)
    np.testing.assert_array_equal(logistics.quantized(jnp.array([[-1.7, 1.2]])), [[-1, 1]])
