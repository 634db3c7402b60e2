"""Pixels settle between a field, edits and their neighbours of like lightness."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from colorize_jax.classical.levin import levin, neighbor_weights
from colorize_jax.control import settle

SIDE, EDGE = 24, 11
LEFT = np.broadcast_to(np.arange(SIDE) < EDGE, (SIDE, SIDE))
STEP = np.where(LEFT, 30.0, 70.0).astype(np.float32)


def photos():
    """Lightness of an edge, of smooth shades, and of noise, whose W is the least symmetric."""
    draw = np.random.default_rng(0)
    shades = ndimage.gaussian_filter(draw.uniform(0, 100, (SIDE, SIDE)), 2)
    noise = draw.uniform(0, 100, (SIDE, SIDE))
    return [x.astype(np.float32) for x in (STEP, shades, noise)]


def settled(lightness, field, confidence, colors=None, revealed=None):
    if colors is None:
        colors, revealed = np.zeros_like(field), np.zeros_like(lightness)
    arrays = (field, confidence, colors, revealed)
    given = (jnp.asarray(x, jnp.float32) for x in arrays)
    return np.asarray(settle.settle(settle.shares(jnp.asarray(lightness)), *given))


@pytest.mark.parametrize("lightness", photos(), ids=["edge", "shades", "noise"])
def test_the_shares_are_levins(lightness):
    exact = neighbor_weights(lightness.astype(np.float64) / 100)
    field = np.random.default_rng(1).normal(size=(SIDE, SIDE))
    product = settle._times(settle.shares(jnp.asarray(lightness)), jnp.asarray(field, jnp.float32)[None])[0]
    np.testing.assert_allclose(product, (exact @ field.ravel()).reshape(SIDE, SIDE), atol=1e-4)


@pytest.mark.parametrize("lightness", photos(), ids=["edge", "shades", "noise"])
def test_it_solves_the_equation(lightness, monkeypatch):
    draw = np.random.default_rng(2)
    field = ndimage.gaussian_filter(draw.normal(size=(SIDE, SIDE, 2)), (2, 2, 0)).astype(np.float32)
    confidence = draw.uniform(settle.LEAST, 0.1, (SIDE, SIDE)).astype(np.float32)
    colors = np.full((SIDE, SIDE, 2), 0.3, np.float32)
    revealed = np.zeros((SIDE, SIDE), np.float32)
    revealed[4:7, 4:7], revealed[12, 12] = 0.5, 3.0
    held = 100 * np.minimum(revealed, 1)[..., None]
    weights = confidence[..., None] + held
    wanted = (confidence[..., None] * field + held * colors) / weights
    exact = levin(lightness, wanted, weights[..., 0])
    given = (lightness, field, confidence, colors, revealed)
    change = np.sqrt(np.square(exact - wanted).mean())
    assert np.sqrt(np.square(settled(*given) - exact).mean()) < 0.1 * change
    monkeypatch.setattr(settle, "_ITERATIONS", 300)
    np.testing.assert_allclose(settled(*given), exact, atol=1e-4)


def test_gradients_are_those_of_the_exact_solution(monkeypatch):
    monkeypatch.setattr(settle, "_ITERATIONS", 300)
    draw = np.random.default_rng(3)
    shares = settle.shares(jnp.asarray(photos()[1][:6, :6]))
    field, seed = draw.normal(size=(2, 6, 6, 2)).astype(np.float32)
    confidence = jnp.full((6, 6), 0.05)
    colors, revealed = jnp.ones((6, 6, 2)), jnp.zeros((6, 6)).at[2, 2].set(0.01)
    columns = jnp.stack([settle._times(shares, x.reshape(1, 6, 6)).ravel() for x in jnp.eye(36)], axis=1)

    def dense(field, confidence, colors):
        held = 100 * revealed
        matrix = jnp.diag((1 + confidence + held).ravel()) - columns
        right = confidence[..., None] * field + held[..., None] * colors
        return jnp.vdot(jnp.linalg.solve(matrix, right.reshape(36, 2)).reshape(6, 6, 2), seed)

    def iterated(field, confidence, colors):
        return jnp.vdot(settle.settle(shares, field, confidence, colors, revealed), seed)

    found, expected = (jax.grad(f, (0, 1, 2))(field, confidence, colors) for f in (iterated, dense))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


def test_even_fields_stay_blurred_ones_are_sharp_again_and_edits_are_held():
    kept = np.full((SIDE, SIDE), 0.03, np.float32)
    even = np.full((SIDE, SIDE, 2), 0.2, np.float32)
    np.testing.assert_allclose(settled(STEP, even, kept), even, atol=1e-5)
    true = np.where(LEFT[..., None], [0.2, 0.0], [-0.2, 0.1]).astype(np.float32)
    blurred = ndimage.gaussian_filter(true, (0, 2, 0))
    sharp = settled(STEP, blurred, kept)
    step, before = (float((x[:, EDGE - 1] - x[:, EDGE])[:, 0].mean()) for x in (sharp, blurred))
    assert 3 * before < step < 0.4 and step > 0.25  # of the true 0.4
    assert np.square(sharp - true).mean() < 0.5 * np.square(blurred - true).mean()
    colors, revealed = np.zeros((SIDE, SIDE, 2)), np.zeros((SIDE, SIDE))
    colors[5, 4], revealed[5, 4] = (0.0, 40 / 128), 7.0
    edited = settled(STEP, even, kept, colors, revealed)
    np.testing.assert_allclose(edited[5, 4] * 128, (0, 40), atol=0.5)
    assert edited[5, 6, 1] > edited[5, 9, 1] > 0.2 > edited[5, 6, 0] and abs(edited[5, 20, 1] - 0.2) < 1e-3


def test_what_is_believed_more_moves_less():
    field = np.random.default_rng(4).normal(size=(SIDE, SIDE, 2)).astype(np.float32)
    less, more = (settled(photos()[1], field, np.full((SIDE, SIDE), k, np.float32)) for k in (0.03, 1.0))
    assert np.abs(more - field).mean() < 0.7 * np.abs(less - field).mean()
