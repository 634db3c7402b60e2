"""The unary's chroma fitted to edits: the ridge regression that it says it is."""

import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax.control import calibrate
from colorize_jax.control.calibrate import calibrated

pytestmark = pytest.mark.quick


def test_it_is_the_ridge_regression_of_chroma():
    rng = np.random.default_rng(0)
    unary, known = 0.2 * rng.normal(size=(9, 2)), rng.uniform(size=9)
    quarter_turn = unary[:, ::-1] * [1, -1]  # another hue of the same chroma
    colors = 0.5 * quarter_turn + 0.02 * rng.normal(size=(9, 2))
    known[rng.permutation(9)[:4]] = 0
    prior = np.sqrt(calibrate.CHROMA_PRIOR)
    rows = np.append(np.sqrt(known) * np.linalg.norm(unary, axis=1), prior)
    right = np.append(np.sqrt(known) * np.linalg.norm(colors, axis=1), prior)
    (share,), *_ = np.linalg.lstsq(rows[:, None], right, rcond=None)
    assert 0.3 < share < 0.8
    fitted = calibrated(*(jnp.asarray(x, jnp.float32) for x in (unary, colors, known)))
    np.testing.assert_allclose(fitted, share * unary, atol=1e-5)


def test_without_edits_it_is_the_unary_and_gray_edits_take_its_chroma():
    unary = jnp.asarray(np.random.default_rng(1).normal(size=(64, 2)) * 0.2, jnp.float32)
    nothing = jnp.zeros(64)
    np.testing.assert_allclose(calibrated(unary, 0 * unary, nothing), unary, atol=1e-6)
    grayer = calibrated(unary, 0 * unary, nothing.at[:20].set(1))
    assert float(jnp.abs(grayer).mean()) < 0.1 * float(jnp.abs(unary).mean())


def test_louder_edits_leave_it_as_it_is():
    unary = jnp.asarray(np.random.default_rng(2).normal(size=(64, 2)) * 0.2, jnp.float32)
    np.testing.assert_array_equal(calibrated(unary, -3 * unary, jnp.ones(64)), unary)
