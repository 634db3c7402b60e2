"""Levels of a gray photo: what fading does is undone, and an even photo stays even."""

import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax.models.levels import MOST, evened

ROWS = jnp.linspace(-0.9, 0.9, 80)
PHOTO = jnp.broadcast_to(jnp.outer(ROWS, jnp.linspace(0.2, 1, 80)), (1, 80, 80))[..., None]


@pytest.mark.parametrize(
    "faded",
    [lambda x: 0.5 * x, lambda x: 0.4 * x + 0.5, lambda x: 0.55 * x - 0.4],
    ids=["even", "pale", "dark"],
)
def test_fading_is_undone(faded):
    np.testing.assert_allclose(evened(faded(PHOTO)), evened(PHOTO), atol=1e-5)


def test_all_but_a_few_pixels_lie_within_the_levels():
    found = np.abs(evened(PHOTO))
    assert 0.003 < (found > MOST).mean() < 0.02
    assert found.max() <= 1


def test_specks_do_not_decide():
    specked = PHOTO.at[0, 3, 5].set(1).at[0, 60, 44].set(-1)
    np.testing.assert_allclose(evened(0.3 * specked)[0, 20:40], evened(0.3 * PHOTO)[0, 20:40], atol=0.02)


def test_fog_stays_fog():
    fog = 0.3 + 0.005 * PHOTO
    assert np.ptp(np.asarray(evened(fog))) < 0.1
    assert (evened(jnp.full((1, 8, 8, 1), 0.3)) == 0).all()


def test_each_photo_has_its_own_levels():
    both = jnp.concatenate([PHOTO, 0.2 * PHOTO + 0.1])
    np.testing.assert_allclose(evened(both)[:1], evened(PHOTO), atol=1e-6)
