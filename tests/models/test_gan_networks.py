"""The U-Net and the patch critic of Isola et al. 2017: sizes, what each answer sees, what reaches the answer."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax.models.patch_critic import PatchCritic
from colorize_jax.models.unet import UNet, unet_channels

SIDE = 16
CHANNELS = (4, 8, 12, 16)


def size(network, channels, side):
    drawn = jax.eval_shape(
        partial(network.init, train=False), jax.random.key(0), jnp.zeros((1, side, side, channels))
    )
    return sum(leaf.size for leaf in jax.tree.leaves(drawn["params"]))


def test_they_are_as_large_as_the_authors():
    """Their PyTorch program tells 54,413,955 weights for 3 channels to 3, and 2,768,705 for 6."""
    first, last = 2 * 64 * 16, 128 * 16 + 1  # channels that a gray image and two colours do without
    biases = 64 + 512  # of the two encoder layers without BatchNorm, which only their first program has
    unet = UNet(unet_channels(256, 1.0))
    assert unet.channels == (64, 128, 256, 512, 512, 512, 512, 512)
    assert size(unet, 1, 256) == 54_413_955 - first - last + biases
    assert size(PatchCritic(), 3, 256) == 2_768_705 - 3 * 64 * 16


@pytest.mark.parametrize(
    ("layers", "side", "answers", "stride", "before", "patch"),
    [(1, 32, 14, 2, 5, 16), (3, 128, 14, 8, 23, 70)],
)
def test_an_answer_of_the_critic_sees_its_patch_and_nothing_else(
    layers, side, answers, stride, before, patch
):
    critic, row, column = PatchCritic(1 / 16, layers), 6, 7
    images = jax.random.normal(jax.random.key(0), (1, side, side, 3))
    variables = jax.jit(partial(critic.init, train=False))(jax.random.key(1), images)
    assert critic.apply(variables, images, train=False).shape == (1, answers, answers)

    def answer(x):
        return critic.apply(variables, x, train=False)[0, row, column]

    seen = np.abs(jax.jit(jax.grad(answer))(images)).sum(axis=(0, 3)) > 0
    expected = np.zeros((side, side), bool)
    top, left = row * stride - before, column * stride - before
    expected[top : top + patch, left : left + patch] = True
    np.testing.assert_array_equal(seen, expected)


@pytest.fixture(scope="module")
def unet():
    network = UNet(CHANNELS)
    image = jax.random.normal(jax.random.key(2), (1, SIDE, SIDE, 1))
    variables = jax.jit(partial(network.init, train=False))(jax.random.key(3), image)
    answer = jax.jit(lambda params, x: network.apply({**variables, "params": params}, x, train=False))
    return answer, variables["params"], image


def emptied(params, layer, half):
    """Without the weights of a decoder layer for one half of what it takes: its own map, then the encoder's."""
    kernel = params[layer]["kernel"]
    middle = kernel.shape[2] // 2
    rows = slice(0, middle) if half == "own" else slice(middle, None)
    return {**params, layer: {**params[layer], "kernel": kernel.at[:, :, rows].set(0)}}


@pytest.mark.parametrize("depth", range(1, len(CHANNELS)))
def test_every_encoder_map_reaches_the_answer(unet, depth):
    answer, params, image = unet
    params = emptied(params, f"ConvTranspose_{depth}", "own")
    for later in range(depth + 1, len(CHANNELS)):
        params = emptied(params, f"ConvTranspose_{later}", "encoder's")
    first, other = answer(params, image), answer(params, -image)
    assert first.shape == (1, SIDE, SIDE, 2) and not np.array_equal(first, other)
    deaf = emptied(params, f"ConvTranspose_{depth}", "encoder's")
    np.testing.assert_array_equal(answer(deaf, image), answer(deaf, -image))


def test_dropout_is_in_three_decoder_layers_and_batch_norm_in_all_but_three(unet):
    _, params, _ = unet
    assert {name.split("_")[0] for name in params} == {"Conv", "ConvTranspose", "BatchNorm"}
    assert sum("BatchNorm" in name for name in params) == 2 * len(CHANNELS) - 3
    assert [("bias" in params[f"Conv_{n}"]) for n in range(4)] == [True, False, False, True]
    deep = UNet(5 * (4,))
    image = jnp.ones((1, 32, 32, 1))
    told = jax.eval_shape(
        lambda rng: deep.init_with_output(
            {"params": rng, "dropout": rng}, image, train=True, capture_intermediates=True
        ),
        jax.random.key(0),
    )
    dropped = [
        value["__call__"][0].shape[1] for name, value in told[1]["intermediates"].items() if "Dropout" in name
    ]
    assert sorted(dropped) == [2, 4, 8]


def test_weights_start_narrow_and_scales_around_one():
    start = jax.jit(partial(UNet((4, 64, 64)).init, train=False))
    drawn = start(jax.random.key(0), jnp.ones((1, 8, 8, 1)))["params"]
    assert np.std(drawn["Conv_2"]["kernel"]) == pytest.approx(0.02, rel=0.02)
    scales = np.concatenate([value["scale"] for name, value in drawn.items() if "BatchNorm" in name])
    assert abs(scales.mean() - 1) < 0.01 and np.std(scales) == pytest.approx(0.02, rel=0.25)
