"""A photo in the colours of another: whose colours, on which lightness, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from colorize_jax import color
from colorize_jax.inference.reference import SIDE, ColorReference, colorize_like, read_reference
from colorize_jax.photos.decode import PhotoError
from colorize_jax.photos.photo import Photo, photo_from_array

WARM, COLD = (0.15, 0.1), (-0.05, -0.15)


def bright_is_warm() -> ColorReference:
    """Dark and cold on the left, bright and warm on the right."""
    right = np.arange(SIDE) >= SIDE // 2
    lightness = np.where(right, 70.0, 30.0)[None].repeat(SIDE, 0)
    ab = np.where(right[:, None], WARM, COLD)[None].repeat(SIDE, 0)
    return ColorReference(lightness.astype(np.float32), ab.astype(np.float32))


def test_pixels_take_the_colors_of_equal_lightness():
    lightness = np.where(np.arange(300) < 150, 30.0, 70.0)[:, None].repeat(280, 1).astype(np.float32)
    versions = colorize_like(Photo(lightness, np.full((300, 280), 9, np.uint8)), bright_is_warm())
    (picture,), (weight,) = versions.rgb, versions.weights
    assert picture.shape == (300, 280, 4) and weight == 1 and (picture[..., 3] == 9).all()
    lab = color.srgb_to_lab(picture[..., :3] / 255)
    for row, ab in ((75, COLD), (225, WARM)):
        np.testing.assert_allclose(lab[row, 140, 1:], np.array(ab) * color.AB_SCALE, atol=2)
    np.testing.assert_allclose(lab[[75, 225], 140, 0], [30, 70], atol=0.5)


def test_a_reference_is_read_with_its_colors(tmp_path):
    Image.new("RGB", (31, 17), (200, 60, 40)).save(tmp_path / "red.png")
    reference = read_reference(tmp_path / "red.png")
    expected = color.srgb_to_lab(np.array([200, 60, 40]) / 255)
    np.testing.assert_allclose(reference.lightness, np.full((SIDE, SIDE), expected[0]), atol=0.1)
    np.testing.assert_allclose(reference.ab[9, 9] * color.AB_SCALE, expected[1:], atol=0.1)
    red = colorize_like(photo_from_array(np.full((20, 30), 120, np.uint8)), reference)
    assert red.rgb[0].shape == (20, 30, 3) and red.rgb[0][10, 10, 0] > 150


def test_what_lends_no_colors_is_refused(tmp_path):
    Image.new("L", (31, 17), 90).save(tmp_path / "gray.jpg")
    with pytest.raises(PhotoError, match=r"gray\.jpg: a gray photo lends no colours"):
        read_reference(tmp_path / "gray.jpg")
    with pytest.raises(PhotoError, match="no such file"):
        read_reference(tmp_path / "missing.jpg")
