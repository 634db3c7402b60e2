"""The critic of Isola et al. 2017, Sec. 3.2.2, with one answer a patch and no look beyond it; and several, by size."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from colorize_jax.models.gan_layers import PIX2PIX, GanLayers
from colorize_jax.models.layers import scaled
from colorize_jax.shapes import Array, Float


class PatchCritic(nn.Module):
    """Whether each patch is of the training set: logits, 'PatchGAN' (Isola et al. 2017, Sec. 6.1.2).

    `layers` convolutions of stride 2 and two of stride 1 make patches of 16, 34, 70, 142 or 286 pixels for 1 to 5.
    A side of S pixels gets S / 2^layers - 2 answers.

    Attributes:
      width: 1 is the published size.
      layers: of stride 2; 3 is published.
      dtype: of the convolutions; the answer is float32.
      made_of: layers.
    """

    width: float = 1.0
    layers: int = 3
    dtype: Any = jnp.float32
    made_of: GanLayers = PIX2PIX

    @nn.compact
    def __call__(self, seen: Float[Array, "B H W K"], train: bool) -> Float[Array, "B h w"]:
        x = self.made_of.conv(scaled(64, self.width), 2, bias=True, dtype=self.dtype)(seen)
        for level in range(1, self.layers + 1):
            channels = scaled(64 * min(2**level, 8), self.width)
            stride = 2 if level < self.layers else 1
            x = self.made_of.conv(channels, stride, bias=False, dtype=self.dtype)(nn.leaky_relu(x, 0.2))
            x = self.made_of.norm(x, train=train, dtype=self.dtype)
        x = self.made_of.conv(1, 1, bias=True, dtype=self.dtype)(nn.leaky_relu(x, 0.2))
        return x[..., 0].astype(jnp.float32)


class MultiScaleCritic(nn.Module):
    """A critic of the image, one of half its width for the image at half the size, and so on (Zhu et al. 2017).

    Attributes:
      scales: how many; 2 are published.
      width, layers, dtype, made_of: of the first `PatchCritic`.
    """

    scales: int = 2
    width: float = 1.0
    layers: int = 3
    dtype: Any = jnp.float32
    made_of: GanLayers = PIX2PIX

    @nn.compact
    def __call__(self, seen: Float[Array, "B H W K"], train: bool) -> tuple[Float[Array, "B _ _"], ...]:
        """The answers at each scale."""
        answers = []
        for scale in range(self.scales):
            seen = _halved(seen) if scale else seen
            critic = PatchCritic(self.width / 2**scale, self.layers, self.dtype, self.made_of)
            answers.append(critic(seen, train))
        return tuple(answers)


def _halved(x: Array) -> Array:
    """Means of 3x3 pixels, at every second one; at the border of those that are there."""
    return nn.avg_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)), count_include_pad=False)
