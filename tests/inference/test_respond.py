"""Edits of a model whose network takes them itself, and what such a model refuses."""

import jax.numpy as jnp
import numpy as np
import pytest
from colorizers import colorizer_of
from ml_collections import ConfigDict

from colorize_jax import color
from colorize_jax.control.document import EditDocument
from colorize_jax.control.raster import mark
from colorize_jax.evaluation import edit_methods
from colorize_jax.inference.colorizer import Colorizer
from colorize_jax.photos.photo import photo_from_array

pytestmark = pytest.mark.quick

SIDE = 16
RED = {"kind": "region", "polygon": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]], "color": "#b03a2e", "exact": True}
GRAY = np.full((24, 40), 128, np.uint8)


def _respond(variables, batch, ab, revealed):
    """Its edits, and a weak blue wherever there is none, on a field of half the side."""
    assert batch["lightness"].shape == revealed.shape == (1, SIDE, SIDE, 1) and ab.shape == (1, SIDE, SIDE, 2)
    told = revealed * ab + (1 - revealed) * jnp.array([0.0, -0.1]).reshape(1, 1, 1, 2)
    return told.reshape(1, SIDE // 2, 2, SIDE // 2, 2, 2).mean((2, 4))


@pytest.fixture(scope="module")
def colorizer() -> Colorizer:
    config = ConfigDict({"method": "fake", "data": {"image_size": SIDE, "lightness_large": 0}})
    return colorizer_of(config, lambda *_, **__: None, respond=_respond)


def _document(*edits):
    return {"version": 1, "units": "fraction", "edits": list(edits)}


def test_the_network_is_told_the_colors_and_answers_on_its_own_field(colorizer):
    edited = colorizer.edit(GRAY, _document(RED), mode="guided")
    assert edited.field.shape == (1, SIDE // 2, SIDE // 2, 2) and edited.rgb[0].shape == (24, 40, 3)
    wanted = color.srgb_to_lab(np.array([0xB0, 0x3A, 0x2E]) / 255)[1:]
    np.testing.assert_allclose(128 * edited.field[0, :, :4], np.broadcast_to(wanted, (8, 4, 2)), atol=0.1)
    np.testing.assert_allclose(edited.field[0, :, 4:], np.broadcast_to([0, -0.1], (8, 4, 2)), atol=1e-6)
    np.testing.assert_array_equal(edited.unary, edited.field)


def test_reveals_are_measured_with_it(colorizer):
    targets, weights = np.zeros((24, 24, 2), np.float32), np.zeros((24, 24), bool)
    targets[:12], weights[:12] = [0.2, 0.1], True
    answer = edit_methods.learned(colorizer)(np.full((24, 24), 50, np.float32), targets, weights)
    np.testing.assert_allclose(answer[:12], np.broadcast_to([0.2, 0.1], (12, 24, 2)), atol=1e-6)
    np.testing.assert_allclose(answer[16:], np.broadcast_to([0, -0.1], (8, 24, 2)), atol=0.01)


@pytest.mark.parametrize("mode", ["over", "alone"])
def test_other_modes_are_refused(colorizer, mode):
    with pytest.raises(ValueError, match=f"mode is '{mode}', but method 'fake' .* set that"):
        colorizer.edit(GRAY, _document(RED), mode=mode)


def test_a_link_is_refused(colorizer):
    regions = [[[0, 0], [0.2, 0], [0.2, 0.2]], [[0.8, 0.8], [1, 0.8], [1, 1]]]
    link = {"kind": "link", "regions": regions}
    with pytest.raises(ValueError, match="the edits hold a link, but method 'fake'"):
        colorizer.edit(GRAY, _document(link), mode="guided")


def test_what_needs_a_similarity_tells_of_the_network(colorizer):
    with pytest.raises(ValueError, match=r"learns no similarity, .* mode 'guided'"):
        colorizer.prior(photo_from_array(GRAY))


def test_a_model_without_such_a_network_says_so(colorizer):
    spreading = colorizer_of(colorizer.config, lambda *_, **__: None)
    assert colorizer.responds and not spreading.responds
    with pytest.raises(ValueError, match="'fake' has no network that takes edits"):
        spreading.respond(photo_from_array(GRAY), mark(EditDocument(()), *GRAY.shape))
