"""The U-Net of Isola et al. 2017: down to one cell and up again, with the map of each size handed across."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from colorize_jax.models.layers import gan_conv, gan_norm, gan_transposed, scaled
from colorize_jax.shapes import Array, Float

DROPPED = 3
"""Decoder layers with dropout, from the innermost."""


def unet_channels(side: int, width: float) -> tuple[int, ...]:
    """Channels of each encoder layer of a U-Net for images of `side` pixels, a power of two; `width` 1 is published."""
    return tuple(scaled(min(64 * 2**level, 512), width) for level in range(side.bit_length() - 1))


class UNet(nn.Module):
    """C(4, 2) to a map of 1x1, T(4, 2) back: 'U-Net generator' of Isola et al. 2017, Sec. 6.1.1.

    The first and the innermost encoder layer and the last decoder layer have no BatchNorm, and biases therefore.
    Dropout is the generator's noise: a caller asks for it, and for the batch's statistics, at test time, too.

    Attributes:
      channels: of each encoder layer; the images have a side of two to the power of their number.
      outputs: channels of the answer.
      dropout: share of the values that `DROPPED` decoder layers lose.
      dtype: of the convolutions; the answer is float32.
    """

    channels: tuple[int, ...]
    outputs: int = 2
    dropout: float = 0.5
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "B H W K"], train: bool) -> Float[Array, "B H W N"]:
        """The answer, in (-1, 1)."""
        maps: list[Array] = []
        for level, channels in enumerate(self.channels):
            bare = level in (0, len(self.channels) - 1)
            x = gan_conv(channels, 2, bias=bare, dtype=self.dtype)(nn.leaky_relu(x, 0.2) if maps else x)
            x = x if bare else gan_norm(dtype=self.dtype)(x, use_running_average=not train)
            maps.append(x)
        x = maps.pop()
        for depth, across in enumerate(reversed(maps)):
            x = gan_transposed(across.shape[-1], bias=False, dtype=self.dtype)(nn.relu(x))
            x = gan_norm(dtype=self.dtype)(x, use_running_average=not train)
            if depth < DROPPED:
                x = nn.Dropout(self.dropout)(x, deterministic=not train)
            x = jnp.concatenate([x, across], axis=-1)
        x = gan_transposed(self.outputs, bias=True, dtype=self.dtype)(nn.relu(x))
        return jnp.tanh(x.astype(jnp.float32))
