"""Contact-sheet pictures: gray where there is no colour, the truth where the field is the truth."""

import jax.numpy as jnp
import numpy as np

from colorize_jax import color
from colorize_jax.methods.parts.pictures import gray_and_truth, picture


def test_no_color_is_gray_and_the_lightness_stays():
    lightness = jnp.linspace(-1, 1, 16 * 16).reshape(1, 16, 16, 1)
    shown = np.asarray(picture(lightness, jnp.zeros((1, 4, 4, 2))))
    np.testing.assert_allclose(shown[..., 0], shown[..., 1], atol=1e-5)
    np.testing.assert_allclose(shown[..., 0], shown[..., 2], atol=1e-5)
    np.testing.assert_allclose(
        color.srgb_to_lab(shown)[..., :1], color.network_to_lightness(np.asarray(lightness)), atol=1e-2
    )


def test_truth_is_the_picture_that_the_batch_came_from():
    rgb = np.random.default_rng(0).uniform(0.2, 0.8, (2, 8, 8, 3)).astype(np.float32)
    lab = color.srgb_to_lab(rgb)
    batch = {
        "lightness": jnp.asarray(color.lightness_to_network(lab[..., :1])),
        "ab": jnp.asarray(color.ab_to_network(lab[..., 1:])),
    }
    np.testing.assert_allclose(gray_and_truth(batch)["truth"], rgb, atol=2e-3)
