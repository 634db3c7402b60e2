"""A small U-shaped network that corrects what edits were spread to: it learns what the solves cannot know."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from colorize_jax.models.heads import unit
from colorize_jax.models.layers import resize_field
from colorize_jax.shapes import Array, Float

_GROUPS = 4


class CorrectNetwork(nn.Module):
    """A change of a colour field, 0 before training: a U of four levels (Ronneberger et al. 2015).

    Attributes:
      side: n of the upper level's cells, a multiple of 8; the change has 2n × 2n pixels.
      width: channels there; twice as many at n / 2, and four times at n / 4 and n / 8.
    """

    side: int
    width: int = 16
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self,
        lightness: Float[Array, "B H W 1"],
        maps: tuple[Array, ...],
        colors: Float[Array, "B n n C"],
        shares: Float[Array, "B n n K"],
        *,
        train: bool = False,
    ) -> tuple[Float[Array, "B m m 2"], Float[Array, "B m m"]]:
        """The change of 2n × 2n pixels, in the unit of `colors`, and log-odds of how much to believe its result.

        Args:
          lightness: network units, best of 2n × 2n pixels.
          maps: frozen feature maps (B, h, w, K) of any sizes, which get no gradient.
          colors: fields of a root mean square of about 1, side by side: the one to correct, and what else is known.
          shares: numbers of order 1: where something was revealed, how far that reaches, ...
          train: changes nothing; batches are small, so GroupNorm and no BatchNorm.
        """
        width, side = self.width, self.side
        texture = self._conv(16, 5, 2)(resize_field(lightness, 2 * side))
        known = jnp.concatenate([texture, colors, shares], axis=-1)
        seen = [resize_field(unit(each), side // 4) for each in jax.lax.stop_gradient(maps)]

        top = self._block(width)(self._conv(width)(known))
        high = self._block(2 * width)(self._conv(2 * width, 3, 2)(top))
        low = self._conv(4 * width, 3, 2)(high) + self._conv(4 * width, 1)(jnp.concatenate(seen, axis=-1))
        low = self._block(4 * width)(self._block(4 * width)(low))
        lowest = self._conv(4 * width, 3, 2)(low)
        lowest = self._block(4 * width)(self._block(4 * width)(lowest))
        low = self._block(4 * width)(low + resize_field(self._conv(4 * width, 1)(lowest), side // 4))
        high = self._block(2 * width)(high + resize_field(self._conv(2 * width, 1)(low), side // 2))
        top = self._block(width)(top + resize_field(self._conv(width, 1)(high), side))

        change, belief = (self._last(name, 4 * count)(top) for name, count in (("change", 2), ("belief", 1)))
        return _to_pixels(change), _to_pixels(belief)[..., 0]

    def _last(self, name: str, channels: int) -> nn.Module:
        zeros = nn.initializers.zeros_init()
        return nn.Conv(channels, (3, 3), name=name, kernel_init=zeros, dtype=self.dtype)

    def _conv(self, channels: int, kernel: int = 3, stride: int = 1) -> nn.Module:
        return Convolution(channels, kernel, stride, self.dtype)

    def _block(self, channels: int) -> nn.Module:
        return Residual(channels, self.dtype)


def _to_pixels(cells: Float[Array, "B n n K"]) -> Float[Array, "B 2*n 2*n K//4"]:
    """Each cell's four pixels of K / 4 channels, in float32 (Shi et al. 2016)."""
    batch, side = cells.shape[:2]
    split = cells.astype(jnp.float32).reshape(batch, side, side, 2, 2, -1)
    return split.transpose(0, 1, 3, 2, 4, 5).reshape(batch, 2 * side, 2 * side, -1)


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
