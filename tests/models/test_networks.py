"""Sizes of the networks: golden parameter counts and output shapes at the supplement's width."""

from functools import partial

import jax
import jax.numpy as jnp
import pytest

from colorize_jax.models.cic import CicNetwork
from colorize_jax.models.features import FeatureNetwork
from colorize_jax.models.layers import scaled
from colorize_jax.models.mdn import MixtureDensityNetwork
from colorize_jax.models.structure import StructureEncoder
from colorize_jax.models.vae import DecoderTop, DecoderTrunk, Encoder, GrayFeatures
from colorize_jax.models.vgg import Vgg16Features

LIGHTNESS = jnp.zeros((2, 64, 64, 1))
GRAY = tuple(jnp.zeros((2, s, s, c)) for s, c in ((4, 1024), (8, 512), (16, 256), (32, 128)))


def conv(kernel: int, inputs: int, outputs: int, norm: bool = True) -> int:
    """Parameters of a convolution with bias, and of the BatchNorm behind it."""
    return kernel * kernel * inputs * outputs + outputs + 2 * outputs * norm


def dense(inputs: int, outputs: int) -> int:
    return (inputs + 1) * outputs


def cic_block(inputs: int, outputs: int, layers: int) -> int:
    """Parameters of 3x3 convolutions, of which the last has a BatchNorm behind it."""
    first, rest = conv(3, inputs, outputs, norm=False), conv(3, outputs, outputs, norm=False)
    return first + (layers - 1) * rest + 2 * outputs


# Written from the supplement's Sec. 3, layer by layer, not read off the code.
ENCODER_CONVOLUTIONS = conv(5, 128, 256) + conv(5, 256, 512) + conv(4, 512, 1024)
COUNTS = {
    "encoder": conv(5, 2, 128) + ENCODER_CONVOLUTIONS + 2 * dense(4 * 4 * 1024, 64),
    "gray": conv(5, 1, 128) + ENCODER_CONVOLUTIONS,
    "trunk": conv(4, 64 + 1024, 1024)
    + conv(5, 1024 + 512, 512)
    + conv(5, 512 + 256, 256)
    + conv(5, 256, 128),
    "top": conv(5, 128 + 128, 64) + conv(5, 64, 2, norm=False),
    "structure": conv(5, 1, 16)
    + conv(5, 16, 32)
    + conv(5, 32, 64)
    + conv(5, 64, 128)
    + conv(5, 128, 256)
    + conv(5, 256, 512, norm=False)
    + 1,  # the temperature
    "mdn": conv(5, 512, 384)
    + conv(5, 384, 320)
    + conv(5, 320, 288)
    + conv(5, 288, 256)
    + conv(5, 256, 128)
    + dense(14 * 14 * 128, 4096)
    + dense(4096, 8 * 64 + 8),
    # Zhang et al. 2016: conv1 to conv7, conv8, and two colours where they have 313 bins.
    "cic": cic_block(1, 64, 2)
    + cic_block(64, 128, 2)
    + cic_block(128, 256, 3)
    + cic_block(256, 512, 3)
    + 3 * cic_block(512, 512, 3)
    + conv(4, 512, 256, norm=False)
    + 2 * conv(3, 256, 256, norm=False)
    + conv(1, 256, 2, norm=False),
    "vgg16": sum(
        conv(3, a, b, norm=False)
        for a, b in ((3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 256))
    )
    + sum(conv(3, a, b, norm=False) for a, b in ((256, 512), (512, 512), (512, 512))),
}
NETWORKS = {
    "encoder": (Encoder(), (jnp.zeros((2, 64, 64, 2)),), ((2, 64), (2, 64))),
    "gray": (GrayFeatures(), (LIGHTNESS,), tuple(f.shape for f in GRAY)),
    "trunk": (DecoderTrunk(), (jnp.zeros((2, 64)), GRAY), ((2, 32, 32, 256),)),
    "top": (DecoderTop(), (jnp.zeros((2, 32, 32, 256)),), ((2, 32, 32, 2),)),
    "structure": (StructureEncoder(22.6), (jnp.zeros((2, 32, 32, 1)),), ((2, 1024, 512), ())),
    "mdn": (MixtureDensityNetwork(), (jnp.zeros((2, 28, 28, 512)),), ((2, 8), (2, 8, 64))),
    "cic": (CicNetwork(), (jnp.zeros((2, 224, 224, 1)),), ((2, 28, 28, 512), (2, 56, 56, 2))),
    "vgg16": (Vgg16Features(), (jnp.zeros((2, 224, 224, 1)),), ((2, 28, 28, 512),)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_size_is_the_supplements(name):
    network, inputs, shapes = NETWORKS[name]

    def run(rng):
        variables = network.init(rng, *inputs, train=False)
        return variables["params"], network.apply(variables, *inputs, train=False)

    params, output = jax.eval_shape(run, jax.random.key(0))
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == COUNTS[name]
    assert tuple(leaf.shape for leaf in jax.tree.leaves(output)) == shapes


def test_every_width_gives_whole_channels():
    assert [scaled(512, w) for w in (1.0, 0.5, 0.25, 0.1875, 0.001)] == [512, 256, 128, 96, 4]


def test_feature_network_keeps_the_map_that_the_mixture_network_reads():
    network = FeatureNetwork(width=0.125)
    run = partial(network.init_with_output, train=False)
    (features, colors), _ = jax.eval_shape(run, jax.random.key(0), LIGHTNESS)
    assert features.shape == (2, 28, 28, 64)
    assert colors.shape == (2, 28, 28, 2)


def test_log_variance_is_bounded():
    encoder = Encoder(width=1 / 64, latent=4)
    ab = 1e4 * jax.random.normal(jax.random.key(1), (2, 64, 64, 2))
    start = jax.jit(partial(encoder.init_with_output, train=False))
    (_, log_variance), _ = start(jax.random.key(0), ab)
    assert jnp.all(log_variance <= 4.0)
