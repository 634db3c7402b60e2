"""The U-Net of Isola et al. 2017: down to one cell and up again, with the map of each size handed across."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from colorize_jax.models.gan_layers import PIX2PIX, GanLayers
from colorize_jax.models.layers import scaled
from colorize_jax.shapes import Array, Float

DROPPED = 3
"""Decoder layers with dropout, from the innermost."""


def unet_channels(side: int, width: float) -> tuple[int, ...]:
    """Channels of each encoder layer of a U-Net for images of `side` pixels, a power of two; `width` 1 is published."""
    return tuple(scaled(min(64 * 2**level, 512), width) for level in range(side.bit_length() - 1))


class UNet(nn.Module):
    """C(4, 2) to a map of 1x1, T(4, 2) back: 'U-Net generator' of Isola et al. 2017, Sec. 6.1.1.

    The first and the innermost encoder layer and the last decoder layer have no norm, and biases therefore.
    The noise of Isola et al. is dropout: a caller asks for it, and for the batch's statistics, at test time, too. That
    of Zhu et al. 2017 is a code, which stands at every pixel beside what each encoder layer takes ('add to all').

    Attributes:
      channels: of each encoder layer; the images have a side of two to the power of their number.
      outputs: channels of the answer.
      dropout: share of the values that `DROPPED` decoder layers lose.
      dtype: of the convolutions; the answer is float32.
      made_of: layers.
    """

    channels: tuple[int, ...]
    outputs: int = 2
    dropout: float = 0.5
    dtype: Any = jnp.float32
    made_of: GanLayers = PIX2PIX

    @nn.compact
    def __call__(
        self, x: Float[Array, "B H W K"], code: Float[Array, "B Z"] | None = None, *, train: bool
    ) -> Float[Array, "B H W N"]:
        """The answer, in (-1, 1)."""
        maps: list[Array] = []
        for level, channels in enumerate(self.channels):
            bare = level in (0, len(self.channels) - 1)
            x = x if code is None else _beside(x, code)
            x = nn.leaky_relu(x, 0.2) if maps else x
            x = self.made_of.conv(channels, 2, bias=bare, dtype=self.dtype)(x)
            x = x if bare else self.made_of.norm(x, train=train, dtype=self.dtype)
            maps.append(x)
        x = maps.pop()
        for depth, across in enumerate(reversed(maps)):
            x = self.made_of.transposed(across.shape[-1], bias=False, dtype=self.dtype)(nn.relu(x))
            x = self.made_of.norm(x, train=train, dtype=self.dtype)
            if depth < DROPPED:
                x = nn.Dropout(self.dropout)(x, deterministic=not train)
            x = jnp.concatenate([x, across], axis=-1)
        x = self.made_of.transposed(self.outputs, bias=True, dtype=self.dtype)(nn.relu(x))
        return jnp.tanh(x.astype(jnp.float32))


def _beside(x: Array, code: Array) -> Array:
    """The image with the code at every pixel: (B, H, W, K) and (B, Z) to (B, H, W, K + Z)."""
    everywhere = jnp.broadcast_to(code[:, None, None], (*x.shape[:3], code.shape[-1]))
    return jnp.concatenate([x, everywhere.astype(x.dtype)], axis=-1)
