"""Simulated edits: what is revealed, and how colours are turned."""

import jax
import jax.numpy as jnp
import numpy as np

from colorize_jax.methods.guided import reveals


def brute_reveal(true, corners, patch):
    """Shares and colours of patches at `corners` (y, x), in cells, on one field, by subsampling each cell."""
    side, fine = len(true), 40
    at = (np.arange(side * fine) + 0.5) / fine
    share, summed = np.zeros((side, side)), np.zeros(true.shape)
    for y, x in corners:
        inside = ((at >= y) & (at < y + patch))[:, None] & ((at >= x) & (at < x + patch))[None]
        covered = inside.reshape(side, fine, side, fine).mean(axis=(1, 3))
        mean = np.einsum("yx,yxc->c", covered, true) / covered.sum()
        share += covered
        summed += covered[..., None] * mean
    return np.minimum(share, 1), summed / np.maximum(share, 1e-9)[..., None]


def test_reveals_are_patches_of_the_benchmarks_size_in_their_mean_color():
    side, key = 16, jax.random.key(3)
    true = np.random.default_rng(0).normal(size=(2, side, side, 2)).astype(np.float32)
    counts = jnp.array([1.0, 5.0])
    colors, share = reveals.reveal(key, jnp.asarray(true), counts)
    patch = reveals.PATCH * side
    places = jax.random.uniform(jax.random.clone(key), (2, reveals.MOST, 2, 1)) * (side - patch)
    for k, count in enumerate((1, 5)):
        expected_share, expected = brute_reveal(true[k], np.asarray(places)[k, :count, :, 0], patch)
        np.testing.assert_allclose(share[k].reshape(side, side), expected_share, atol=0.05)
        seen = expected_share > 0.1
        np.testing.assert_allclose(colors[k].reshape(side, side, 2)[seen], expected[seen], atol=0.15)
    np.testing.assert_allclose(share[0].sum(), patch**2, rtol=1e-5)


def test_turned_colors_keep_their_relations_and_some_photos_theirs():
    rng = np.random.default_rng(5)
    ab, unary = rng.normal(size=(40, 3, 3, 2)), rng.normal(size=(40, 4, 2))
    given = jnp.asarray(ab, jnp.float32), jnp.asarray(unary, jnp.float32)
    for found, before in zip(reveals.turned(jax.random.key(0), 0.0, *given), given, strict=True):
        np.testing.assert_array_equal(found, before)
    turned, turned_unary = reveals.turned(jax.random.key(0), 0.5, *given)
    # All inner products of a photo's true and regressed colours: what a rotation or a mirror leaves as it is.
    both = [
        np.concatenate([a.reshape(40, 9, 2), u], axis=1) for a, u in ((ab, unary), (turned, turned_unary))
    ]
    before, after = (np.einsum("bic,bjc->bij", x, x) for x in both)
    np.testing.assert_allclose(after, before, atol=1e-4)
    same = np.abs(both[1] - both[0]).max(axis=(1, 2)) < 1e-6
    assert 10 < same.sum() < 30
    sense = np.sign(np.linalg.det(both[1][~same][:, :2]) * np.linalg.det(both[0][~same][:, :2]))
    assert {-1.0, 1.0} == set(sense)  # some are mirrored, some are not
