"""Small configs and one batch for the tests of guided edits."""

import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from colorize_jax.config import load
from colorize_jax.methods import resolve


@pytest.fixture(scope="module")
def config():
    config = load("base")
    config.width, config.spread.learned = 1 / 64, True
    config.spread.width, config.spread.hidden = 8, 8
    config.stages.spread_coarse.lr = 1e-2
    return resolve(config, images=640)


@pytest.fixture(scope="module")
def batch():
    """Two halves of unlike lightness and colour, at another place in each image."""
    edge = np.array([20, 40, 30, 50])[:, None, None]
    left = np.broadcast_to(np.arange(64)[None, None, :] < edge, (4, 64, 64))
    lightness = np.where(left, -0.5, 0.5).astype(np.float32)
    ab = np.where(left[..., None], [0.3, 0.1], [-0.2, 0.2]).astype(np.float32)
    return {"lightness": jnp.asarray(lightness[..., None]), "ab": jnp.asarray(ab)}


@pytest.fixture(scope="module")
def correcting(config):
    """A config of a small network that corrects 32 × 32 pixels."""
    with_it = ConfigDict(config.to_dict())
    with_it.spread.fine, with_it.spread.fine_width, with_it.spread.fine_hidden = True, 4, 8
    with_it.spread.correct, with_it.spread.correct_side = 4, 16
    with_it.spread.draws = 2
    with_it.data.lightness_large, with_it.data.ab_large = 32, True
    with_it.stages.correct.lr = 1e-2
    return with_it
