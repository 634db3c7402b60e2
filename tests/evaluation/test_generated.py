"""Numbers of two sets of images, against values derived by hand or by SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import linalg

from colorize_jax.evaluation import generated
from colorize_jax.methods.base import Images


def _sets(count=60, other=80):
    rng = np.random.default_rng(0)
    shapes = ((count, 8, 8, 3), (other, 16, 16, 3))
    return [rng.uniform(-0.4, 0.4, shape).astype(np.float32) for shape in shapes]


def test_distance_of_thumbnails_is_frechets():
    sets = _sets()
    sets[1] = 0.1 + 2 * sets[1]
    rows = [
        images.reshape(len(images), 4, side, 4, side, 3)
        .mean((2, 4))
        .reshape(len(images), -1)
        .astype(np.float64)
        for images, side in zip(sets, (2, 4), strict=True)
    ]
    spreads = [np.cov(r, rowvar=False) for r in rows]
    root = linalg.sqrtm(spreads[0] @ spreads[1]).real
    expected = np.square(rows[0].mean(0) - rows[1].mean(0)).sum() + np.trace(sum(spreads) - 2 * root)
    assert generated.thumbnail_distance(*sets) == pytest.approx(expected, rel=1e-5)
    assert generated.thumbnail_distance(sets[0], sets[0]) == pytest.approx(0, abs=1e-6)
    assert np.isnan(generated.thumbnail_distance(sets[0][:1], sets[1]))


def test_divergence_of_colors_is_zero_for_one_set_and_ln_2_for_disjoint_ones():
    red, blue = (np.broadcast_to(np.float32(c), (5, 2)) for c in ((0.5, 0.0), (0.0, -0.5)))
    assert generated.color_divergence(red, red) == pytest.approx(0)
    assert generated.color_divergence(red, blue) == pytest.approx(np.log(2))


def test_neighbors_that_are_one_have_a_similarity_of_one():
    one = np.repeat(_sets()[1][:1], 3, axis=0)
    assert generated.neighbor_ssim(one) == pytest.approx(1)
    assert np.isnan(generated.neighbor_ssim(one[:1])) and np.isnan(generated.neighbor_ssim(one[:, :8, :8]))


def test_as_many_images_are_drawn_as_asked_each_batch_by_its_own_key():
    images = Images(lambda variables, rng, *, count: jax.random.normal(rng, (count, 4, 4, 3)))
    drawn = generated.generate(images, {}, count=5, together=2, seed=0)
    assert drawn.shape == (5, 4, 4, 3) and len(np.unique(drawn[:, 0, 0, 0])) == 5
    gray = Images(lambda variables, rng, *, count: jnp.zeros((count, 4, 4, 1)))
    with pytest.raises(ValueError, match=r"shape \(4, 4, 1\); allowed is \(H, W, 3\)"):
        generated.generate(gray, {}, count=1, together=1, seed=0)
