"""The layers of Isola et al. 2017, and those that Zhu et al. 2017 have in their place."""

from typing import Any, NamedTuple

import flax.linen as nn
import jax.numpy as jnp

from colorize_jax.models.layers import MOMENTUM
from colorize_jax.shapes import Array


class GanLayers(NamedTuple):
    """What the convolutions of a GAN start from, and what normalizes their answers.

    Attributes:
      start: of the weights.
      instance_norm: each channel of each image by its own mean and variance, without weights (Ulyanov et al. 2016), in
        place of BatchNorm.
    """

    start: nn.initializers.Initializer
    instance_norm: bool

    def conv(self, channels: int, stride: int, *, bias: bool, dtype: Any) -> nn.Module:
        """C(4, stride), padded by one pixel.

        `bias`: a norm after it would take a bias away again.
        """
        return nn.Conv(
            channels, (4, 4), strides=stride, padding=1, use_bias=bias, kernel_init=self.start, dtype=dtype
        )

    def transposed(self, channels: int, *, bias: bool, dtype: Any) -> nn.Module:
        """T(4, 2), to twice the side."""
        return nn.ConvTranspose(
            channels, (4, 4), strides=(2, 2), use_bias=bias, kernel_init=self.start, dtype=dtype
        )

    def norm(self, x: Array, *, train: bool, dtype: Any) -> Array:
        """(B, H, W, K), normalized; BatchNorm's scales start from N(1, 0.02²)."""
        if self.instance_norm:
            return nn.InstanceNorm(epsilon=1e-5, use_bias=False, use_scale=False, dtype=dtype)(x)
        norm = nn.BatchNorm(momentum=MOMENTUM, scale_init=_around_one, dtype=dtype)
        return norm(x, use_running_average=not train)


# Functions of this module, and not what flax's makers return, so that networks can be sent to another process.
def _narrow(rng: Array, shape: Any, dtype: Any = jnp.float32) -> Array:
    """N(0, 0.02²)."""
    return nn.initializers.normal(0.02)(rng, shape, dtype)


def _around_one(rng: Array, shape: Any, dtype: Any = jnp.float32) -> Array:
    return 1 + _narrow(rng, shape, dtype)


def _narrow_glorot(rng: Array, shape: Any, dtype: Any = jnp.float32) -> Array:
    """Normal, of 0.02 times the deviation of Glorot and Bengio 2010."""
    return nn.initializers.variance_scaling(0.02**2, "fan_avg", "normal")(rng, shape, dtype)


PIX2PIX = GanLayers(_narrow, instance_norm=False)
"""Of Isola et al. 2017."""

BICYCLE = GanLayers(_narrow_glorot, instance_norm=True)
"""Of the program of Zhu et al. 2017."""
