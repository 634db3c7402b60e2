"""The structure encoder: one embedding per pixel of the gray field (supplement, Sec. 3)."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from colorize_jax.models.layers import ConvBlock, scaled
from colorize_jax.shapes import Array, Float


class StructureEncoder(nn.Module):
    """32x32x1 -> C(5,1,16) -> B -> ... -> C(5,1,256) -> B -> C(5,1,512), as 1024 rows of 512.

    The last layer is linear: with the printed ReLU all inner products are positive and the softmax over 1024 of them
    is nearly flat. The logarithm of the temperature of S is learned beside the embedding, unless it is fixed.
    """

    temperature: float
    learn_temperature: bool = True
    width: float = 1.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, cells: Float[Array, "B F F K"], *, train: bool
    ) -> tuple[Float[Array, "B P D"], Float[Array, ""]]:
        """Lightness of the field's cells, network units, and what else is known of them, to (embeddings, temperature).

        Both are float32.
        """
        x = cells
        for channels in (16, 32, 64, 128, 256):
            x = ConvBlock(scaled(channels, self.width), 5, 1, self.dtype)(x, train)
        x = nn.Conv(scaled(512, self.width), (5, 5), name="embedding", dtype=self.dtype)(x)
        rows = x.reshape(x.shape[0], -1, x.shape[-1]).astype(jnp.float32)
        if not self.learn_temperature:
            return rows, jnp.float32(self.temperature)
        start = nn.initializers.constant(jnp.log(self.temperature))
        return rows, jnp.exp(self.param("log_temperature", start, ()))
