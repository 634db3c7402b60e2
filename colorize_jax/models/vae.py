"""Encoder, gray features f1-f4 and decoder of the variational auto-encoder (supplement, Sec. 3)."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from colorize_jax.models.layers import MOMENTUM, ConvBlock, scaled, upsample
from colorize_jax.models.lite0 import Maps
from colorize_jax.shapes import Array, Float

MAX_LOG_VARIANCE = 4.0

GRAY_CHANNELS = (1024, 512, 256, 128)
"""Of f1-f4 at width 1, from the coarsest."""


class Encoder(nn.Module):
    """q(z | x): colour field to the mean and log-variance of a code; q(z | x, g) where it is shown the gray image, too.

    64x64x2 -> C(5,2,128) -> B -> C(5,2,256) -> B -> C(5,2,512) -> B -> C(4,2,1024) -> B -> FC(latent), twice.
    """

    latent: int = 64
    width: float = 1.0
    dropout: float = 0.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, seen: Float[Array, "B H W K"], beside: Float[Array, "B D"] | None = None, *, train: bool
    ) -> tuple[Float[Array, "B Z"], Float[Array, "B Z"]]:
        """Colour field, network units, 64x64, to (mean, log-variance), the latter at most MAX_LOG_VARIANCE.

        Args:
          seen: the colours, and in other channels what is shown besides.
          beside: an embedding of the gray image that the fully connected layers read, too.
          train: with dropout, and BatchNorm by the batch.
        """
        x = seen
        for channels, kernel in ((128, 5), (256, 5), (512, 5), (1024, 4)):
            x = ConvBlock(scaled(channels, self.width), kernel, 2, self.dtype)(x, train)
        x = nn.Dropout(self.dropout)(x.reshape(x.shape[0], -1), deterministic=not train)
        # float32 from here: the code's statistics enter the KL term.
        x = x.astype(jnp.float32)
        x = x if beside is None else jnp.concatenate([x, beside], axis=-1)
        mean = nn.Dense(self.latent, name="mean")(x)
        log_variance = nn.Dense(self.latent, name="log_variance")(x)
        return mean, jnp.minimum(log_variance, MAX_LOG_VARIANCE)


class GrayFeatures(nn.Module):
    """f1-f4 of the gray image, from the coarsest: 4x4x1024, 8x8x512, 16x16x256, 32x32x128 at width 1.

    The paper gives their sizes only; the layers are the encoder's.
    """

    width: float = 1.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, lightness: Float[Array, "B H W 1"], *, train: bool) -> tuple[Array, ...]:
        """Lightness, network units, 64x64, to (f1, f2, f3, f4)."""
        features, x = [], lightness
        for channels, kernel in ((128, 5), (256, 5), (512, 5), (1024, 4)):
            x = ConvBlock(scaled(channels, self.width), kernel, 2, self.dtype)(x, train)
            features.append(x)
        return tuple(reversed(features))


class GrayAdapter(nn.Module):
    """f1-f4 of sizes and channels as `GrayFeatures` has them, from the photo prior's maps in the sizes of 128x128.

    The encoder's maps end in no norm and have deviations of about 10, so a norm comes first.
    """

    width: float = 1.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, maps: Maps, features: Float[Array, "B 32 32 K"], *, train: bool) -> tuple[Array, ...]:
        """The encoder's maps, from the finest, and the decoder's features, which join the map of 32x32."""
        _, fine, *coarser = maps
        read = (*reversed(coarser), jnp.concatenate([fine, features], axis=-1))
        return tuple(self._narrowed(x, c, train) for x, c in zip(read, GRAY_CHANNELS, strict=True))

    def _narrowed(self, x: Array, channels: int, train: bool) -> Array:
        norm = nn.BatchNorm(momentum=MOMENTUM, use_bias=False, use_scale=False, dtype=self.dtype)
        normed = norm(x, use_running_average=not train)
        return nn.relu(nn.Dense(scaled(channels, self.width), dtype=self.dtype)(normed))


class DecoderTrunk(nn.Module):
    """The decoder below its two top layers; the code and f1-f4 to 32x32x(64+...)."""

    width: float = 1.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, code: Float[Array, "B Z"], features: tuple[Array, ...], *, train: bool) -> Array:
        """Code and (f1, f2, f3, f4) to the input of the top layers, 32x32."""
        x = code[:, None, None, :].astype(self.dtype)
        plan = ((4, ((1024, 4),)), (2, ((512, 5),)), (2, ((256, 5), (128, 5))), (2, ()))
        for (factor, convolutions), feature in zip(plan, features, strict=True):
            x = jnp.concatenate([upsample(x, factor), feature], axis=-1)
            for channels, kernel in convolutions:
                x = ConvBlock(scaled(channels, self.width), kernel, 1, self.dtype)(x, train)
        return x


class DecoderTop(nn.Module):
    """The decoder's two top layers, C(5,1,64) -> B -> C(5,1,2): those that the structure stage trains on.

    The supplement prints a ReLU on the last one; a* and b* have signs, so it is linear here.
    """

    width: float = 1.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Float[Array, "B F F 2"]:
        """Trunk's output to the unary colours, network units, float32."""
        x = ConvBlock(scaled(64, self.width), 5, 1, self.dtype)(x, train)
        # Zeros: training starts from gray, not from random colours.
        zeros = nn.initializers.zeros_init()
        return nn.Conv(2, (5, 5), name="colour", kernel_init=zeros, dtype=self.dtype)(x).astype(jnp.float32)
