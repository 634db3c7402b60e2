"""Simulated strokes: things are clusters, marks lie in them, painted things change and nothing else does."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax.methods.guided import strokes

SIDE = 16


@pytest.fixture(scope="module")
def photo():
    """Three bands of features, of which two have one lightness; colours by band, with shades."""
    band = np.repeat([0, 1, 2], [5, 6, 5])[:, None] * np.ones((1, SIDE), int)
    features = np.eye(3, dtype=np.float32)[band][None] * 3
    lightness = np.where(band == 2, 0.5, -0.5)[None, ..., None].astype(np.float32)
    colors = np.array([[0.2, 0], [0, -0.2], [0.1, 0.1]], np.float32)[band]
    shades = 0.01 * np.random.default_rng(0).standard_normal(colors.shape)
    return (
        band,
        jnp.asarray(features),
        jnp.asarray(lightness),
        jnp.asarray((colors + shades)[None], jnp.float32),
    )


def one(tree):
    return jax.tree.map(lambda x: np.asarray(x)[0], tree)


def test_a_thing_lies_in_one_band_of_features(photo):
    band, features, lightness, _ = photo
    for seed in range(3):
        (labels,) = np.asarray(strokes.things(jax.random.key(seed), features, lightness, SIDE))
        assert labels.min() >= 0 and labels.max() < strokes.THINGS
        for label in np.unique(labels):
            assert len(np.unique(band[labels == label])) == 1


def test_painted_things_change_and_marks_have_their_colors(photo):
    band, _, _, true = photo
    labels = jnp.asarray(band[None])
    kept, marked, painted = 0, 0, 0
    for seed in range(8):
        wanted, colors, revealed = one(strokes.paint(jax.random.key(seed), true, labels))
        for label in range(3):
            inside = band == label
            before, after = np.asarray(true)[0][inside], wanted[inside]
            np.testing.assert_allclose(
                after - after.mean(0), before - before.mean(0), atol=1e-6
            )  # its shades
            changed = not np.allclose(after, before, atol=1e-6)
            mark = revealed[inside] > 0
            if mark.any():
                np.testing.assert_allclose(
                    colors[inside][mark], np.tile(after.mean(0), (mark.sum(), 1)), atol=1e-6
                )
            assert mark.any() or not changed  # whatever changes was marked
            kept, marked, painted = kept + (not mark.any()), marked + mark.any(), painted + changed
        assert revealed.max() <= 1
    assert kept and painted and marked > painted


def test_a_mark_is_a_click_in_the_middle_or_a_line_from_there(photo):
    band, _, _, true = photo
    sizes = set()
    for seed in range(12):
        _, _, revealed = one(strokes.paint(jax.random.key(seed), true, jnp.asarray(band[None])))
        for label in range(3):
            rows, columns = np.nonzero((revealed > 0) & (band == label))
            if len(rows):
                middle = np.argwhere(band == label).mean(0)
                assert np.hypot(rows - middle[0], columns - middle[1]).min() < 1
                sizes.add(len(rows))
    assert 1 in sizes and max(sizes) > 4


def test_shrunk_strokes_cover_as_much(photo):
    band, _, _, true = photo
    fine = strokes.paint(jax.random.key(3), true, jnp.asarray(band[None]))
    coarse = strokes.shrunk(fine, 2)
    assert coarse.wanted.shape == (1, SIDE // 2, SIDE // 2, 2)
    np.testing.assert_allclose(coarse.revealed.sum() * 4, fine.revealed.sum(), rtol=1e-5)
    covered = lambda told: np.einsum("byx,byxc->c", told.revealed, told.colors)  # noqa: E731
    np.testing.assert_allclose(4 * covered(coarse), covered(fine), atol=1e-5)
