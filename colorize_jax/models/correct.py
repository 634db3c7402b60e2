"""What solving cannot know: a small U-shaped network that corrects the colours that edits were spread to."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from colorize_jax.models.layers import resize_field
from colorize_jax.models.spread import unit
from colorize_jax.shapes import Array, Float

COLOUR_SCALE = 8.0
"""Colours of network units are small beside the network's other inputs."""

_GROUPS = 4


class CorrectNetwork(nn.Module):
    """A change of a colour field, 0 before training.

    Attributes:
      side: F of the field.
      width: channels at the field's size; twice and three times as many below.
    """

    side: int
    width: int = 24
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self,
        lightness: Float[Array, "B H W 1"],
        maps: tuple[Array, ...],
        colours: Float[Array, "B F F C"],
        shares: Float[Array, "B F F K"],
        *,
        train: bool = False,
    ) -> Float[Array, "B F F 2"]:
        """The change, network units.

        Args:
          lightness: network units, best twice as large as the field.
          maps: frozen feature maps (B, h, w, K) of any sizes, which get no gradient.
          colours: fields of network units side by side: the one to correct, and what else is known.
          shares: numbers of order 1: where something was revealed, how far that reaches, ...
          train: changes nothing; batches are small, so GroupNorm and no BatchNorm.
        """
        width, side = self.width, self.side
        light = resize_field(lightness, side)
        texture = self._conv(16, 5, 2)(resize_field(lightness, 2 * side))
        given = [texture, light, COLOUR_SCALE * colours, shares]
        top = self._block(width)(self._conv(width)(jnp.concatenate(given, axis=-1)))
        seen = [resize_field(unit(each), side // 2) for each in jax.lax.stop_gradient(maps)]
        middle = self._conv(2 * width, 3, 2)(top) + self._conv(2 * width, 1)(jnp.concatenate(seen, axis=-1))
        middle = self._block(2 * width)(self._block(2 * width)(middle))
        low = self._block(3 * width)(self._conv(3 * width, 3, 2)(middle))
        lowest = self._block(3 * width)(self._conv(3 * width, 3, 2)(low))
        low = self._block(3 * width)(low + resize_field(lowest, side // 4))
        middle = self._block(2 * width)(middle + resize_field(self._conv(2 * width, 1)(low), side // 2))
        top = self._block(width)(top + resize_field(self._conv(width, 1)(middle), side))
        zeros = nn.initializers.zeros_init()
        change = nn.Conv(2, (3, 3), name="change", kernel_init=zeros, dtype=self.dtype)(top)
        return change.astype(jnp.float32) / COLOUR_SCALE

    def _conv(self, channels: int, kernel: int = 3, stride: int = 1) -> nn.Module:
        return Convolution(channels, kernel, stride, self.dtype)

    def _block(self, channels: int) -> nn.Module:
        return Residual(channels, self.dtype)


class Convolution(nn.Module):
    """Convolution, GroupNorm, ReLU."""

    channels: int
    kernel: int
    stride: int
    dtype: Any

    @nn.compact
    def __call__(self, x: Array) -> Array:
        size = (self.kernel, self.kernel)
        x = nn.Conv(self.channels, size, strides=self.stride, dtype=self.dtype)(x)
        return nn.relu(nn.GroupNorm(num_groups=_GROUPS, dtype=self.dtype)(x))


class Residual(nn.Module):
    """x + what two convolutions make of it."""

    channels: int
    dtype: Any

    @nn.compact
    def __call__(self, x: Array) -> Array:
        y = Convolution(self.channels, 3, 1, self.dtype)(x)
        y = nn.Conv(self.channels, (3, 3), dtype=self.dtype)(y)
        return nn.relu(x + nn.GroupNorm(num_groups=_GROUPS, dtype=self.dtype)(y))
