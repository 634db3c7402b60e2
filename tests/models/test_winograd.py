"""Convolutions by tiles: what lax computes, to float32's last digits, forward and backward."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax.models import winograd
from colorize_jax.models.layers import ConvBlock

NHWC = ("NHWC", "HWIO", "NHWC")


def drawn(side, inputs, outputs, taps, batch=2):
    draw = np.random.default_rng(0)
    shapes = (batch, side, side, inputs), (taps, taps, inputs, outputs)
    return [jnp.asarray(draw.normal(size=shape), jnp.float32) for shape in shapes]


def direct(image, kernel, stride):
    return jax.lax.conv_general_dilated(image, kernel, (stride, stride), "SAME", dimension_numbers=NHWC)


@pytest.mark.parametrize(
    ("side", "taps", "stride"),
    [(8, 5, 1), (10, 3, 1), (6, 5, 1), (4, 4, 1), (7, 3, 1), (16, 5, 2), (12, 3, 2), (8, 4, 2), (20, 5, 2)],
)
def test_convolution_and_gradients_are_those_of_lax(side, taps, stride):
    image, kernel = drawn(side, 3, 5, taps)
    want, pull = jax.vjp(lambda *given: direct(*given, stride), image, kernel)
    found, pull_found = jax.vjp(lambda *given: winograd.same(*given, stride=stride), image, kernel)
    pulled = jax.random.normal(jax.random.key(1), want.shape)
    for one, other in zip((found, *pull_found(pulled)), (want, *pull(pulled)), strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, atol=3e-5 * float(jnp.abs(other).max()))


def test_only_wide_layers_of_some_size_go_by_tiles(monkeypatch):
    asked = []

    def told(image, kernel, *, stride):
        asked.append((image.shape[1], kernel.shape[0], stride))
        return direct(image, kernel, stride)

    monkeypatch.setattr(winograd, "same", told)

    def convolve(side, inputs, outputs, taps, stride=1, dtype=jnp.float32, **options):
        image, kernel = (x.astype(dtype) for x in drawn(side, inputs, outputs, taps))
        found = winograd.convolve(
            image, kernel, (stride, stride), options.pop("padding", "SAME"), dimension_numbers=NHWC, **options
        )
        return found.shape[1:3]

    assert convolve(8, 32, 32, 5) == (8, 8) and convolve(16, 32, 32, 5, 2) == (8, 8)
    assert convolve(4, 32, 32, 4) == (4, 4)
    wide = list(asked)
    assert set(wide) == {(8, 5, 1), (16, 5, 2), (4, 4, 1)}
    convolve(8, 31, 32, 5)
    convolve(8, 32, 31, 5)
    convolve(3, 32, 32, 4)
    convolve(14, 32, 32, 5, 2)
    convolve(17, 32, 32, 5, 2)
    convolve(8, 32, 32, 7)
    convolve(8, 32, 32, 5, 4)
    convolve(8, 32, 32, 5, dtype=jnp.bfloat16)
    convolve(8, 32, 32, 5, padding="VALID")
    convolve(8, 32, 32, 5, rhs_dilation=(2, 2))
    assert asked == wide


def test_a_block_in_training_is_the_same_block():
    block = ConvBlock(32, 5, 1)
    image = drawn(8, 32, 1, 3)[0]
    variables = block.init(jax.random.key(0), image, False)
    assert jax.tree.map(jnp.shape, block.init(jax.random.key(0), image, True)) == jax.tree.map(
        jnp.shape, variables
    )
    by_tiles, _ = block.apply(variables, image, True, mutable=["batch_stats"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(winograd, "_pays", lambda *_: False)
        plain, _ = block.apply(variables, image, True, mutable=["batch_stats"])
    assert 0 < float(jnp.abs(by_tiles - plain).max()) < 1e-4
