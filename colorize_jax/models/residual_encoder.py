"""The encoder of Zhu et al. 2017: residual blocks that halve an image, and a normal distribution of its code."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from colorize_jax.models.gan_layers import BICYCLE
from colorize_jax.models.layers import scaled
from colorize_jax.shapes import Array, Float


def encoder_channels(side: int, width: float) -> tuple[int, ...]:
    """Channels at half the size, a quarter and so on to 8x8, of an encoder for images of `side` pixels.

    Args:
      side: a power of two from 16.
      width: 1 is published, for 128 and 256 pixels.
    """
    return tuple(scaled(64 * min(level, 4), width) for level in range(1, side.bit_length() - 3))


class ResidualEncoder(nn.Module):
    """`E_ResNet` of the authors' program: C(4, 2), then a block for each further size, then the mean over all cells.

    Attributes:
      channels: at each size, see `encoder_channels`.
      latent: numbers in the code; 8 are published.
      dtype: of the convolutions; the answers are float32.
    """

    channels: tuple[int, ...]
    latent: int = 8
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, image: Float[Array, "B H W K"], train: bool
    ) -> tuple[Float[Array, "B Z"], Float[Array, "B Z"]]:
        """Mean and ln variance of the code."""
        first, *others = self.channels
        x = BICYCLE.conv(first, 2, bias=True, dtype=self.dtype)(image)
        for channels in others:
            x = self._block(x, channels, train)
        found = nn.leaky_relu(x, 0.2).astype(jnp.float32).mean(axis=(1, 2))
        mean, log_variance = (nn.Dense(self.latent, kernel_init=BICYCLE.start)(found) for _ in range(2))
        return mean, log_variance

    def _block(self, x: Array, channels: int, train: bool) -> Array:
        """(B, H, W, K) to (B, H/2, W/2, channels)."""
        inner = self._conv(x.shape[-1], 3, bias=False)(self._fired(x, train))
        inner = _halved(self._conv(channels, 3, bias=True)(self._fired(inner, train)))
        return inner + self._conv(channels, 1, bias=True)(_halved(x))

    def _fired(self, x: Array, train: bool) -> Array:
        return nn.leaky_relu(BICYCLE.norm(x, train=train, dtype=self.dtype), 0.2)

    def _conv(self, channels: int, kernel: int, *, bias: bool) -> nn.Module:
        size = (kernel, kernel)
        return nn.Conv(channels, size, use_bias=bias, kernel_init=BICYCLE.start, dtype=self.dtype)


def _halved(x: Array) -> Array:
    """Means of 2x2 cells."""
    return nn.avg_pool(x, (2, 2), strides=(2, 2))
