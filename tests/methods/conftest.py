"""A photo prior's encoder that compiles quickly."""

import jax
import jax.numpy as jnp
import pytest

from colorize_jax.methods.parts import prior
from colorize_jax.models import lite0


@pytest.fixture(scope="module")
def small_encoder():
    """Of one block a group and few channels: the real one takes half a minute to compile."""
    widths = (4, 8, 8, 8, 12, 12, 16)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(lite0.VERSIONS, "lite0", lite0.Version((1,) * 7, widths, 64))
        patch.setattr(prior, "MAP_CHANNELS", (4, 8, 8, 12, 16))
        yield


@pytest.fixture(scope="module")
def encoder(small_encoder):
    """Weights as drawn, where the packaged ones need not be installed."""
    return jax.jit(lite0.GrayLite().init)(jax.random.key(7), jnp.zeros((1, 64, 64, 1)))["params"]
