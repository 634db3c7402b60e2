"""The critic of Isola et al. 2017, Sec. 3.2.2: one answer a patch, and no look beyond it."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from colorize_jax.models.layers import gan_conv, gan_norm, scaled
from colorize_jax.shapes import Array, Float


class PatchCritic(nn.Module):
    """Whether each patch is of the training set: logits, 'PatchGAN' (Isola et al. 2017, Sec. 6.1.2).

    `layers` convolutions of stride 2 and two of stride 1 make patches of 16, 34, 70, 142 or 286 pixels for 1 to 5.
    A side of S pixels gets S / 2^layers - 2 answers.

    Attributes:
      width: 1 is the published size.
      layers: of stride 2; 3 is published.
      dtype: of the convolutions; the answer is float32.
    """

    width: float = 1.0
    layers: int = 3
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, seen: Float[Array, "B H W K"], train: bool) -> Float[Array, "B h w"]:
        x = gan_conv(scaled(64, self.width), 2, bias=True, dtype=self.dtype)(seen)
        for level in range(1, self.layers + 1):
            channels = scaled(64 * min(2**level, 8), self.width)
            stride = 2 if level < self.layers else 1
            x = gan_conv(channels, stride, bias=False, dtype=self.dtype)(nn.leaky_relu(x, 0.2))
            x = gan_norm(dtype=self.dtype)(x, use_running_average=not train)
        x = gan_conv(1, 1, bias=True, dtype=self.dtype)(nn.leaky_relu(x, 0.2))
        return x[..., 0].astype(jnp.float32)
