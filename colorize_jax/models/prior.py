"""The photo prior's decoder: maps of an encoder to a feature map, one colour and a histogram for every cell."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from colorize_jax.models.layers import MOMENTUM, ConvBlock
from colorize_jax.models.lite0 import Maps
from colorize_jax.shapes import Array, Float, Int


class PriorDecoder(nn.Module):
    """From the coarsest map down to the one of a quarter of the image's side, joined with the encoder's on the way.

    Attributes:
      bins: of the histograms.
      widths: channels of the coarsest level with the scene, and of the four convolutions down to the cells.
    """

    bins: int
    widths: tuple[int, int, int, int, int] = (320, 256, 192, 128, 128)
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, maps: Maps, of_four: Int[Array, "2"] | None = None, *, train: bool
    ) -> tuple[Float[Array, "B h w K"], Float[Array, "B h w 2"], Float[Array, "B _ _ Q"]]:
        """Five maps to (features, colours in network units, logits of the bins), of the second map's size.

        With `of_four` the logits are those of one cell of every two by two alone, see `of_two_by_two`.
        """
        _, *finer, coarsest = (self._normalized(found, train) for found in maps)
        top, *widths = self.widths
        scene = nn.Dense(top, name="scene", dtype=self.dtype)(coarsest.mean(axis=(1, 2), keepdims=True))
        x = nn.relu(nn.Dense(top, name="top", dtype=self.dtype)(coarsest) + scene)
        x = ConvBlock(widths[0], 3, dtype=self.dtype)(x, train)
        for found, width in zip(reversed(finer), widths[1:], strict=True):
            x = jnp.concatenate([doubled(x, found.shape[1], found.shape[2]), found], axis=-1)
            x = ConvBlock(width, 3, dtype=self.dtype)(x, train)
        x = x.astype(jnp.float32)
        zeros = nn.initializers.zeros_init()  # training starts from gray and from even histograms
        colors = nn.Dense(2, name="colours", kernel_init=zeros)(x)
        asked = x if of_four is None else of_two_by_two(x, of_four)
        return x, colors, nn.Dense(self.bins, name="logits", kernel_init=zeros)(asked)

    def _normalized(self, found: Array, train: bool) -> Array:
        """The encoder's maps end in no activation and no norm: their deviations are about 10."""
        norm = nn.BatchNorm(momentum=MOMENTUM, use_bias=False, use_scale=False, dtype=self.dtype)
        return norm(found, use_running_average=not train)


def of_two_by_two(x: Float[Array, "B H W K"], place: Int[Array, "2"]) -> Float[Array, "B h w K"]:
    """Of every two by two cells the one at `place`, a row and a column in {0, 1}; of an odd side the last is left."""
    height, width = (side // 2 for side in x.shape[1:3])
    blocks = x[:, : 2 * height, : 2 * width].reshape(len(x), height, 2, width, 2, x.shape[-1])
    return blocks[:, :, place[0], :, place[1]]


def doubled(x: Float[Array, "B H W K"], height: int, width: int) -> Float[Array, "B h w K"]:
    """Every cell four times, cut to a size of up to twice its own."""
    return x.repeat(2, axis=1).repeat(2, axis=2)[:, :height, :width]
