"""Sizes of the networks of Deshpande et al. 2017: golden parameter counts and shapes at the paper's width."""

import jax
import jax.numpy as jnp
import pytest

from colorize_jax.models.field_vae import FieldDecoder, GrayEncoder
from colorize_jax.models.mdn import GrayEmbedding
from colorize_jax.models.vae import Encoder

SKIPS = tuple(jnp.zeros((2, s, s, c)) for s, c in ((8, 512), (16, 256), (32, 128)))


def conv(kernel: int, inputs: int, outputs: int, norm: bool = True) -> int:
    """Parameters of a convolution with bias, and of the BatchNorm behind it."""
    return kernel * kernel * inputs * outputs + outputs + 2 * outputs * norm


def full(inputs: int, outputs: int) -> int:
    """Parameters of a fully connected layer."""
    return inputs * outputs + outputs


# Written from the Sec. 6.1 and 6.3 of both versions, layer by layer, not read off the code.
COUNTS = {
    "decoder": conv(4, 64, 1024)
    + conv(5, 1024, 512)
    + conv(5, 512, 256)
    + conv(5, 256, 128)
    + conv(5, 128, 2, norm=False),
    "decoder with skips, code beside the gray map": conv(4, 64 + 64, 1024)
    + conv(5, 1024 + 512, 512)
    + conv(5, 512 + 256, 256)
    + conv(5, 256 + 128, 128)
    + conv(5, 128, 2, norm=False),
    "decoder, code beside the gray embedding": conv(4, 64 + 64, 1024)
    + conv(5, 1024, 512)
    + conv(5, 512, 256)
    + conv(5, 256, 128)
    + conv(5, 128, 2, norm=False),
    "embedding": conv(5, 512, 384)
    + conv(5, 384, 320)
    + conv(5, 320, 288)
    + conv(5, 288, 256)
    + conv(5, 256, 128)
    + full(14 * 14 * 128, 4096)
    + full(4096, 64),
    "encoder beside the gray embedding": conv(5, 2, 128)
    + conv(5, 128, 256)
    + conv(5, 256, 512)
    + conv(4, 512, 1024)
    + 2 * full(4 * 4 * 1024 + 64, 64),
    "gray": conv(5, 1, 128) + conv(5, 128, 256) + conv(5, 256, 512) + conv(4, 512, 64, norm=False),
}
NETWORKS = {
    "decoder": (FieldDecoder(), (jnp.zeros((2, 4, 4, 64)),), ((2, 64, 64, 2),)),
    "decoder with skips, code beside the gray map": (
        FieldDecoder(),
        (jnp.zeros((2, 4, 4, 128)), SKIPS),
        ((2, 64, 64, 2),),
    ),
    "decoder, code beside the gray embedding": (
        FieldDecoder(),
        (jnp.zeros((2, 4, 4, 128)),),
        ((2, 64, 64, 2),),
    ),
    "embedding": (GrayEmbedding(), (jnp.zeros((2, 28, 28, 512)),), ((2, 64),)),
    "encoder beside the gray embedding": (
        Encoder(),
        (jnp.zeros((2, 64, 64, 2)), jnp.zeros((2, 64))),
        ((2, 64), (2, 64)),
    ),
    "gray": (GrayEncoder(), (jnp.zeros((2, 64, 64, 1)),), ((2, 4, 4, 64), *(x.shape for x in SKIPS))),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_size_is_the_papers(name):
    network, inputs, shapes = NETWORKS[name]

    def run(rng):
        variables = network.init(rng, *inputs, train=False)
        return variables["params"], network.apply(variables, *inputs, train=False)

    params, output = jax.eval_shape(run, jax.random.key(0))
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == COUNTS[name]
    assert tuple(leaf.shape for leaf in jax.tree.leaves(output)) == shapes
