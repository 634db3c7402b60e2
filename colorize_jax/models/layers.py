"""The supplement's notation as modules: C_a(k, s, n), B, U(f), FC(n)."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from colorize_jax.models import winograd
from colorize_jax.shapes import Array

MOMENTUM = 0.9
"""Of BatchNorm's running statistics, which follow the last ten batches or so; a stage ends by averaging over more."""


def scaled(channels: int, width: float) -> int:
    """`channels` times `width`, to a multiple of 4, at least 4; `width` 1 is the paper's size."""
    return max(4, 4 * round(channels * width / 4))


class ConvBlock(nn.Module):
    """`C_ReLU(kernel, stride, channels) -> B` of the supplement, Sec. 3.

    BatchNorm keeps float32 statistics whatever `dtype` the convolution computes in. On a batch that is sharded over
    devices, under `jit`, its mean and variance are those of the global batch.
    """

    channels: int
    kernel: int = 5
    stride: int = 1
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        size = (self.kernel, self.kernel)
        x = nn.Conv(
            self.channels,
            size,
            strides=(self.stride, self.stride),
            dtype=self.dtype,
            conv_general_dilated=winograd.convolve if train else None,
        )(x)
        return nn.BatchNorm(momentum=MOMENTUM, dtype=self.dtype)(nn.relu(x), use_running_average=not train)


def upsample(x: Array, factor: int) -> Array:
    """`U(factor)`: bilinear, (..., H, W, K) to (..., factor·H, factor·W, K)."""
    *batch, height, width, channels = x.shape
    return jax.image.resize(x, (*batch, factor * height, factor * width, channels), "bilinear")


def resize_field(x: Array, side: int) -> Array:
    """(..., H, W, K) to (..., side, side, K), bilinear, antialiased where it shrinks."""
    return jax.image.resize(x, (*x.shape[:-3], side, side, x.shape[-1]), "bilinear")
