"""Networks of Deshpande et al. 2017, Sec. 6: a decoder to 64x64 colours, and the gray encoder of its conditional kin.

The colour encoder is that of `vae.Encoder`, and the mixture density network that of `mdn`: the papers share them.
"""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from colorize_jax.models.layers import ConvBlock, scaled, upsample
from colorize_jax.shapes import Array, Float


class FieldDecoder(nn.Module):
    """4x4 -> C(4,1,1024) -> B -> U(2) -> C(5,1,512) -> B -> U(2) -> C(5,1,256) -> B -> U(2) -> C(5,1,128) -> B -> U(2)
    -> C_tanh(5,1,2), 64x64. The paper's first step, U(4) of a 1x1 code, is a code repeated on 4x4.
    """

    width: float = 1.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, start: Float[Array, "B 4 4 K"], skips: tuple[Array, ...] = (), *, train: bool
    ) -> Float[Array, "B F F 2"]:
        """The 4x4 start, and gray maps of 8x8, 16x16 and 32x32 or none, to colours, network units, in (-1, 1)."""
        x = ConvBlock(scaled(1024, self.width), 4, 1, self.dtype)(start.astype(self.dtype), train)
        for step, channels in enumerate((512, 256, 128)):
            x = upsample(x, 2)
            x = jnp.concatenate([x, skips[step]], axis=-1) if skips else x
            x = ConvBlock(scaled(channels, self.width), 5, 1, self.dtype)(x, train)
        # Zeros: training starts from gray, not from random colours.
        zeros = nn.initializers.zeros_init()
        color = nn.Conv(2, (5, 5), name="colour", kernel_init=zeros, dtype=self.dtype)(upsample(x, 2))
        return jnp.tanh(color.astype(jnp.float32))


class GrayEncoder(nn.Module):
    """64x64 -> C(5,2,128) -> B -> C(5,2,256) -> B -> C(5,2,512) -> B -> C(4,2,latent), 4x4 (Sec. 6.3)."""

    latent: int = 64
    width: float = 1.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, lightness: Float[Array, "B H W 1"], *, train: bool) -> tuple[Array, tuple[Array, ...]]:
        """Lightness, network units, 64x64, to (the 4x4 map of `latent` channels, the maps of 8x8, 16x16, 32x32)."""
        x, skips = lightness, []
        for channels in (128, 256, 512):
            x = ConvBlock(scaled(channels, self.width), 5, 2, self.dtype)(x, train)
            skips.append(x)
        x = nn.relu(nn.Conv(self.latent, (4, 4), strides=(2, 2), name="last", dtype=self.dtype)(x))
        return x, tuple(reversed(skips))
