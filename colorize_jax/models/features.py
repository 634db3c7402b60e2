"""The 28x28 gray feature map that the mixture reads: of our own network, VGG-16's conv4_3, or conv7 of a colorizer."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from colorize_jax.models.cic import CicNetwork
from colorize_jax.models.layers import ConvBlock, resize_field, scaled
from colorize_jax.models.vgg import CHANNELS as VGG_CHANNELS
from colorize_jax.models.vgg import Vgg16Features
from colorize_jax.shapes import Array, Float


class FeatureNetwork(nn.Module):
    """A small U-shaped network of 28x28, 14x14 and 7x7 maps, trained to predict the mean colour of every cell.

    The paper takes the features of a colorization network; this is one, trained here. Its own answer, one
    deterministic colour field, is the regressor that the tables compare with.
    """

    width: float = 1.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, lightness: Float[Array, "B H W 1"], *, train: bool
    ) -> tuple[Float[Array, "B 28 28 K"], Float[Array, "B 28 28 2"]]:
        """Lightness, network units, any size, to (features, colours in network units)."""
        narrow, wide = scaled(512, self.width), scaled(1024, self.width)

        def block(channels: int, kernel: int = 3, stride: int = 1) -> ConvBlock:
            return ConvBlock(channels, kernel, stride, self.dtype)

        fine = block(narrow)(block(narrow // 2, 5, 2)(resize_field(lightness, 56), train), train)
        middle = block(wide)(block(narrow, 3, 2)(fine, train), train)
        coarse = block(wide)(block(wide, 3, 2)(middle, train), train)
        # Without the barrier XLA's CPU compiler of jax 0.11.2 fuses the mean with its convolutions, and in bfloat16 the
        # program gives infinity or any number (batches of 32; float32 and float16 are right).
        pooled = jax.lax.optimization_barrier(coarse).mean(axis=(1, 2))
        scene = nn.relu(nn.Dense(wide, name="scene", dtype=self.dtype)(pooled))
        coarse = block(wide)(coarse + scene[:, None, None, :], train)
        middle = block(wide)(middle + resize_field(coarse, 14), train)
        middle = nn.Conv(narrow, (1, 1), name="narrow", dtype=self.dtype)(middle)
        fine = block(narrow)(fine + resize_field(middle, 28), train)
        zeros = nn.initializers.zeros_init()  # training starts from gray, not from random colours
        colors = nn.Conv(2, (3, 3), name="colours", kernel_init=zeros, dtype=self.dtype)(fine)
        return fine, colors.astype(jnp.float32)


def build(network: str, width: float, dtype: Any) -> nn.Module:
    """The feature network that `config.features.network` names.

    Raises:
      ValueError: an unknown name.
    """
    if network == "small":
        return FeatureNetwork(width=width, dtype=dtype)
    if network == "vgg16":
        return Vgg16Features(dtype=dtype)
    if network == "cic":
        return CicNetwork(width=width, dtype=dtype)
    raise ValueError(f"config.features.network is {network!r}; allowed are 'small', 'vgg16' and 'cic'")


def source(network: nn.Module, batch: dict[str, Array]) -> Float[Array, "B H W 1"]:
    """What the feature network reads of a batch: ours what all networks see, the others the 224x224 lightness."""
    return batch["lightness_large" if isinstance(network, Vgg16Features | CicNetwork) else "lightness"]


def channels(network: nn.Module) -> int:
    """Channels of the 28x28 feature map."""
    return VGG_CHANNELS if isinstance(network, Vgg16Features) else scaled(512, network.width)
