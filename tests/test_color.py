"""sRGB <-> Lab against published values and scikit-image; gamut mapping by its properties."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.color import rgb2lab

from colorize_jax import color

pytestmark = pytest.mark.quick

# Bruce Lindbloom's CIE colour calculator, sRGB, D65, no adaptation. It rounds the sRGB matrix to seven digits.
LINDBLOOM = {
    (1.0, 0.0, 0.0): (53.2408, 80.0925, 67.2032),
    (0.0, 1.0, 0.0): (87.7347, -86.1827, 83.1793),
    (0.0, 0.0, 1.0): (32.2970, 79.1875, -107.8602),
    (1.0, 1.0, 0.0): (97.1393, -21.5537, 94.4780),
    (0.0, 1.0, 1.0): (91.1132, -48.0875, -14.1312),
    (1.0, 0.0, 1.0): (60.3242, 98.2343, -60.8249),
}


@pytest.mark.parametrize(("rgb", "lab"), LINDBLOOM.items())
def test_primaries_have_their_published_lab(rgb, lab):
    np.testing.assert_allclose(color.srgb_to_lab(np.array(rgb)), lab, atol=0.02)


def test_grays_have_no_color():
    gray = np.repeat(np.linspace(0, 1, 256)[:, None], 3, axis=1)
    lab = color.srgb_to_lab(gray)
    np.testing.assert_allclose(lab[:, 1:], 0, atol=1e-12)
    np.testing.assert_allclose(lab[[0, -1], 0], [0, 100], atol=1e-12)
    np.testing.assert_allclose(
        color.luminance_to_lightness(color.srgb_to_linear(gray[:, 0])), lab[:, 0], atol=1e-12
    )


def test_lab_agrees_with_scikit_image():
    rgb = np.random.default_rng(0).random((1000, 3))
    np.testing.assert_allclose(color.srgb_to_lab(rgb), rgb2lab(rgb), atol=0.02)


@pytest.mark.parametrize(
    ("to", "precision", "tolerance"),
    [(np.asarray, "f8", 1e-12), (np.asarray, "f4", 2e-5), (jnp.asarray, "f4", 2e-5)],
)
def test_lab_to_srgb_inverts(to, precision, tolerance):
    rgb = np.random.default_rng(1).random((1000, 3)).astype(precision)
    np.testing.assert_allclose(color.lab_to_srgb(color.srgb_to_lab(to(rgb))), rgb, atol=tolerance)


def test_network_units_invert():
    lab = np.array([[0.0, -128.0, 64.0], [100.0, 12.8, 0.0]])
    lightness, ab = color.lightness_to_network(lab[:, :1]), color.ab_to_network(lab[:, 1:])
    np.testing.assert_allclose(lightness[:, 0], [-1, 1])
    np.testing.assert_allclose(ab, [[-1, 0.5], [0.1, 0]])
    np.testing.assert_allclose(color.network_to_lab(lightness, ab), lab)


labs = st.tuples(st.floats(1, 99), st.floats(-np.pi, np.pi), st.floats(0, 200)).map(
    lambda lhc: np.array([lhc[0], lhc[2] * np.cos(lhc[1]), lhc[2] * np.sin(lhc[1])])
)


def _is_inside(lab: np.ndarray, tolerance: float = 1.01e-4) -> bool:
    linear = color.srgb_to_linear(color.lab_to_srgb(lab))
    return bool(linear.min() >= -tolerance and linear.max() <= 1 + tolerance)


@settings(max_examples=200, deadline=None)
@given(labs)
def test_gamut_map_keeps_lightness_and_hue_and_reaches_the_border(lab):
    mapped = color.gamut_map(lab[None])[0]
    if _is_inside(lab, 0.99e-4):
        np.testing.assert_array_equal(mapped, lab)
        return
    assert mapped[0] == lab[0]
    assert _is_inside(mapped)
    chroma, before = np.hypot(*mapped[1:]), np.hypot(*lab[1:])
    assert chroma <= before
    np.testing.assert_allclose(mapped[1:] * before, lab[1:] * chroma, atol=1e-9 * before)
    if not _is_inside(lab, 1.01e-4):
        beyond = lab[1:] * (chroma + 0.06) / before
        assert not _is_inside(np.array([lab[0], *beyond]), 0.99e-4)


def test_gamut_map_is_the_same_in_jax_and_leaves_its_input():
    rng = np.random.default_rng(2)
    lab = np.concatenate([rng.uniform(0, 100, (40, 50, 1)), rng.uniform(-128, 128, (40, 50, 2))], -1).astype(
        "f4"
    )
    kept = lab.copy()
    mapped = color.gamut_map(lab)
    np.testing.assert_array_equal(lab, kept)
    assert (mapped == lab).all(axis=-1).any() and (mapped != lab).any()
    # One bisection can fall the other way where float32 rounding decides.
    np.testing.assert_allclose(color.gamut_map(jnp.asarray(lab)), mapped, atol=0.1)


def test_bytes_are_the_rounded_gamut_mapped_colors():
    rng = np.random.default_rng(3)
    lab = np.concatenate([rng.uniform(0, 100, (64, 64, 1)), rng.uniform(-99, 99, (64, 64, 2))], -1).astype(
        "f4"
    )
    exact = color.lab_to_srgb(color.gamut_map(lab)).clip(0, 1) * 255
    assert np.abs(color.lab_to_srgb_bytes(lab) - exact).max() < 0.53
    rgb = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    np.testing.assert_array_equal(color.lab_to_srgb_bytes(color.srgb_to_lab((rgb / 255).astype("f4"))), rgb)
