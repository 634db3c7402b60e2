"""The network of *Colorful Image Colorization* (Zhang et al. 2016), whose conv7 the papers' mixtures read."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from colorize_jax.models.layers import MOMENTUM, scaled
from colorize_jax.shapes import Array, Float

_DOWN = ((64, 2, 2, 1), (128, 2, 2, 1), (256, 3, 2, 1))
_TO_CONV7 = (*_DOWN, (512, 3, 1, 1), (512, 3, 1, 2), (512, 3, 1, 2), (512, 3, 1, 1))
"""Blocks conv1 to conv7: channels, convolutions, stride of the last one, dilation."""


class CicNetwork(nn.Module):
    """conv1 to conv8, ReLU after each convolution and BatchNorm after each block; the last layer gives colours.

    It regresses them where theirs tells 313 bins apart: only the features are of interest here.
    """

    width: float = 1.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, lightness: Float[Array, "B 224 224 1"], *, train: bool
    ) -> tuple[Float[Array, "B 28 28 K"], Float[Array, "B 56 56 2"]]:
        """Lightness, network units, to (conv7, colours in network units); K is 512 at width 1."""
        x = lightness
        for channels, layers, stride, dilation in _TO_CONV7:
            for layer in range(layers):
                step = stride if layer == layers - 1 else 1
                x = self._convolved(x, channels, strides=(step, step), kernel_dilation=(dilation, dilation))
            x = self._normed(x, train)
        up = nn.ConvTranspose(scaled(256, self.width), (4, 4), strides=(2, 2), dtype=self.dtype)
        y = nn.relu(up(x))
        for _ in range(2):
            y = self._convolved(y, 256)
        zeros = nn.initializers.zeros_init()  # training starts from gray, not from random colours
        colors = nn.Conv(2, (1, 1), name="colours", kernel_init=zeros, dtype=self.dtype)(y)
        return x.astype(jnp.float32), colors.astype(jnp.float32)

    def _convolved(self, x: Array, channels: int, **options: Any) -> Array:
        return nn.relu(nn.Conv(scaled(channels, self.width), (3, 3), dtype=self.dtype, **options)(x))

    def _normed(self, x: Array, train: bool) -> Array:
        return nn.BatchNorm(momentum=MOMENTUM, dtype=self.dtype)(x, use_running_average=not train)
