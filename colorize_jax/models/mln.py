"""The networks of Cao et al. 2017: a generator that is given noise at several layers, and a critic of whole images."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from colorize_jax.models.layers import MOMENTUM, scaled
from colorize_jax.shapes import Array, Float

LAYERS = ((7, 128), (5, 64), (5, 64), (5, 64), (5, 32))
"""(Kernel, channels) of the generator's convolutions before the last."""

_START = nn.initializers.truncated_normal(0.02)


class MultiNoiseGenerator(nn.Module):
    """Six convolutions of stride 1, each of which may see the gray image and a map of noise of its own.

    A map of noise is FC(H·W) of the one code, as an image of one channel. Images have the size that the weights were
    drawn for. A pixel of the answer sees 27x27 pixels of the gray image.

    Attributes:
      noise_layers: from the first, those that are given noise.
      condition_layers: from the first, those that are given the gray image.
      width: 1 is the published size.
      dtype: of the layers; the answer is float32.
    """

    noise_layers: int = 3
    condition_layers: int = len(LAYERS) + 1
    width: float = 1.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, gray: Float[Array, "B H W 1"], code: Float[Array, "B Z"], train: bool
    ) -> Float[Array, "B H W 2"]:
        """The answer, in (-1, 1)."""
        x = gray[..., :0]
        for level, (kernel, channels) in enumerate(LAYERS):
            x = self._joined(level, gray, code, x, train)
            x = self._conv(scaled(channels, self.width), kernel, bias=False)(x)
            x = self._fired(x, train)
        x = self._conv(2, 5, bias=True)(self._joined(len(LAYERS), gray, code, x, train))
        return jnp.tanh(x.astype(jnp.float32))

    def _joined(self, level: int, gray: Array, code: Array, x: Array, train: bool) -> Array:
        """What a layer is given."""
        given = [x]
        if level < self.condition_layers:
            given.append(gray.astype(x.dtype))
        if level < self.noise_layers:
            pixels = nn.Dense(gray[0].size, use_bias=False, kernel_init=_START, dtype=self.dtype)(code)
            given.append(self._fired(pixels.reshape(gray.shape), train))
        return jnp.concatenate(given, axis=-1)

    def _conv(self, channels: int, kernel: int, *, bias: bool) -> nn.Module:
        return nn.Conv(channels, (kernel, kernel), use_bias=bias, kernel_init=_START, dtype=self.dtype)

    def _fired(self, x: Array, train: bool) -> Array:
        return nn.relu(nn.BatchNorm(momentum=MOMENTUM, dtype=self.dtype)(x, use_running_average=not train))


class ImageCritic(nn.Module):
    """One number an image, without bounds: the higher, the more it is like the training set.

    Attributes:
      width: 1 is the published size.
      dtype: of the layers; the answer is float32.
    """

    width: float = 1.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, image: Float[Array, "B H W 3"], train: bool) -> Float[Array, "B"]:
        x = image
        for level in range(4):
            channels, bare = scaled(64 * 2**level, self.width), level == 0
            x = nn.Conv(channels, (5, 5), strides=2, use_bias=bare, kernel_init=_START, dtype=self.dtype)(x)
            if not bare:
                x = nn.BatchNorm(momentum=MOMENTUM, dtype=self.dtype)(x, use_running_average=not train)
            x = nn.leaky_relu(x, 0.2)
        x = nn.Dense(scaled(64, self.width), kernel_init=_START, dtype=self.dtype)(x.reshape(len(x), -1))
        return nn.Dense(1, kernel_init=_START, dtype=self.dtype)(x)[:, 0].astype(jnp.float32)
