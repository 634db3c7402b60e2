"""The networks of Zhu et al. 2017: where the code enters, norms by the image, blocks of the encoder, two scales."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax.models.gan_layers import BICYCLE
from colorize_jax.models.patch_critic import MultiScaleCritic, PatchCritic
from colorize_jax.models.residual_encoder import ResidualEncoder, encoder_channels
from colorize_jax.models.unet import UNet, unet_channels

SIDE = 16
CHANNELS = (4, 8, 12, 16)
SMALL = 1 / 16


def loud(network, *inputs):
    """Weights of fifty times the published start, so that no layer is as good as silent."""
    drawn = jax.jit(partial(network.init, train=False))(jax.random.key(0), *inputs)
    return jax.tree.map(lambda x: 50 * x, drawn["params"])


def answer(network):
    return jax.jit(lambda params, *inputs: network.apply({"params": params}, *inputs, train=False))


def shapes(network, *inputs):
    drawn = jax.eval_shape(partial(network.init, train=False), jax.random.key(0), *inputs)
    return jax.tree.map(lambda x: x.shape, drawn["params"], is_leaf=lambda x: hasattr(x, "shape"))


@pytest.fixture(scope="module")
def image():
    return jax.random.normal(jax.random.key(1), (2, SIDE, SIDE, 1))


@pytest.fixture(scope="module")
def code():
    return jax.random.normal(jax.random.key(2), (2, 3))


@pytest.fixture(scope="module")
def generator(image, code):
    network = UNet(CHANNELS, dropout=0.0, made_of=BICYCLE)
    return answer(network), loud(network, image, code)


def deaf(params, levels):
    """Without the weights of some encoder layers for the code, which is the last of what they take."""
    found = {f"Conv_{level}": params[f"Conv_{level}"] for level in levels}
    cut = {name: {**own, "kernel": own["kernel"].at[:, :, -3:].set(0)} for name, own in found.items()}
    return {**params, **cut}


@pytest.mark.parametrize("level", range(len(CHANNELS)))
def test_the_code_reaches_the_answer_from_every_level(generator, image, code, level):
    paint, params = generator
    params = deaf(params, set(range(len(CHANNELS))) - {level})
    assert np.abs(paint(params, image, code) - paint(params, image, -code)).max() > 1e-3
    params = deaf(params, {level})
    np.testing.assert_array_equal(paint(params, image, code), paint(params, image, -code))


def test_a_photo_is_painted_by_its_own_code_and_no_other_photos(generator, image, code):
    paint, params = generator
    both = paint(params, image, code)
    assert both.shape == (2, SIDE, SIDE, 2) and np.abs(both).max() <= 1
    np.testing.assert_allclose(paint(params, image[1:], code[1:])[0], both[1], atol=1e-5)


def test_how_loud_a_channel_is_changes_nothing(image):
    critic = PatchCritic(SMALL, 1, made_of=BICYCLE)
    params = loud(critic, image)
    assert not any("Norm" in name for name in params)
    kernel = params["Conv_1"]["kernel"]
    scaled = {**params, "Conv_1": {"kernel": kernel * jnp.linspace(1, 3, kernel.shape[-1])[None, None, None]}}
    judge = answer(critic)
    np.testing.assert_allclose(judge(scaled, image), judge(params, image), rtol=1e-3, atol=1e-4)
    assert not np.allclose(judge(params, image)[0], judge(params, image)[1], atol=0.1)


def test_the_second_scale_is_a_critic_of_half_the_width_for_half_the_size(image):
    critic = MultiScaleCritic(2, SMALL * 2, 1, made_of=BICYCLE)
    params = loud(critic, image)
    large, small = answer(critic)(params, image)
    assert large.shape == (2, 6, 6) and small.shape == (2, 2, 2)
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=np.nan)
    means = [
        [np.nanmean(padded[:, y : y + 3, x : x + 3], axis=(1, 2)) for x in range(0, SIDE, 2)]
        for y in range(0, SIDE, 2)
    ]
    half = jnp.asarray(np.moveaxis(means, 2, 0))
    for width, own, seen, found in ((SMALL * 2, "0", image, large), (SMALL, "1", half, small)):
        alone = answer(PatchCritic(width, 1, made_of=BICYCLE))(params[f"PatchCritic_{own}"], seen)
        np.testing.assert_allclose(found, alone, rtol=1e-3, atol=1e-4)


@pytest.fixture(scope="module")
def encoder(image):
    network = ResidualEncoder((4, 8), latent=3)
    return answer(network), loud(network, image)


def test_the_encoder_tells_a_mean_and_a_deviation(encoder, image):
    encode, params = encoder
    mean, log_variance = encode(params, image)
    assert mean.shape == log_variance.shape == (2, 3) and not np.allclose(mean, log_variance, atol=0.01)
    assert not np.allclose(mean[0], mean[1], atol=0.01)


def test_beside_a_block_goes_the_image_at_half_the_size(encoder, image):
    """A block whose last convolution of its own is silent."""
    encode, params = encoder
    params = {**params, "Conv_2": jax.tree.map(jnp.zeros_like, params["Conv_2"])}
    first = BICYCLE.conv(4, 2, bias=True, dtype=jnp.float32).apply({"params": params["Conv_0"]}, image)
    half = first.reshape(2, 4, 2, 4, 2, 4).mean(axis=(2, 4)) @ params["Conv_3"]["kernel"][0, 0]
    seen = np.where(half > 0, half, 0.2 * half).mean(axis=(1, 2))
    np.testing.assert_allclose(
        encode(params, image)[0], seen @ params["Dense_0"]["kernel"], rtol=1e-3, atol=1e-5
    )


def test_a_blocks_own_way_hears_both_convolutions(encoder, image):
    encode, params = encoder
    for silent in ("Conv_1", "Conv_2"):
        other = {**params, silent: jax.tree.map(jnp.zeros_like, params[silent])}
        assert not np.allclose(encode(other, image)[0], encode(params, image)[0], atol=0.01)


def test_weights_start_at_a_fiftieth_of_glorots_deviation():
    start = jax.jit(partial(UNet((4, 64, 64), made_of=BICYCLE).init, train=False))
    drawn = start(jax.random.key(0), jnp.ones((1, 8, 8, 1)))["params"]
    assert np.std(drawn["Conv_2"]["kernel"]) == pytest.approx(0.02 * np.sqrt(2 / (16 * 128)), rel=0.02)
    assert not drawn["Conv_0"]["bias"].any()


def test_they_have_the_published_sizes():
    """Those of the authors' program at 256 pixels, but for the channels of a gray photo and of two colours."""
    gray, ab, codes = jnp.zeros((1, 256, 256, 1)), jnp.zeros((1, 256, 256, 2)), jnp.zeros((1, 8))
    unet = shapes(UNet(unet_channels(256, 1.0), dropout=0.0, made_of=BICYCLE), gray, codes)
    down = [unet[f"Conv_{level}"]["kernel"][2:] for level in range(8)]
    assert down == [(9, 64), (72, 128), (136, 256), (264, 512), *4 * [(520, 512)]]
    up = [unet[f"ConvTranspose_{level}"]["kernel"][2:] for level in range(8)]
    assert up == [(512, 512), *3 * [(1024, 512)], (1024, 256), (512, 128), (256, 64), (128, 2)]
    assert encoder_channels(256, 1.0) == (64, 128, 192, 256, 256)
    assert encoder_channels(128, 1.0) == (64, 128, 192, 256) and encoder_channels(64, 1.0) == (64, 128, 192)
    encoder = shapes(ResidualEncoder(encoder_channels(256, 1.0)), ab)
    assert [encoder[f"Conv_{n}"]["kernel"] for n in (0, 1, 2, 3, 12)] == [
        (4, 4, 2, 64), (3, 3, 64, 64), (3, 3, 64, 128), (1, 1, 64, 128), (1, 1, 256, 256),
    ]  # fmt: skip
    assert encoder["Dense_0"]["kernel"] == encoder["Dense_1"]["kernel"] == (256, 8)
    critics = shapes(MultiScaleCritic(made_of=BICYCLE), ab)
    widths = [critics[f"PatchCritic_{scale}"]["Conv_3"]["kernel"] for scale in range(2)]
    assert widths == [(4, 4, 256, 512), (4, 4, 128, 256)] and len(critics) == 2
