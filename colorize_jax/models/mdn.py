"""The mixture density network: gray features to a Gaussian mixture over codes (supplement, Sec. 3)."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from colorize_jax.models.layers import ConvBlock, scaled
from colorize_jax.shapes import Array, Float


class MixtureDensityNetwork(nn.Module):
    """28x28x512 -> C(5,1,384) -> B -> C(5,1,320) -> B -> C(5,1,288) -> B -> C(5,2,256) -> B -> C(5,1,128) -> B
    -> FC(4096) -> FC(M·Z + M). Maps of other sizes will do.
    """

    components: int = 8
    latent: int = 64
    width: float = 1.0
    dropout: float = 0.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, features: Float[Array, "B h w K"], *, train: bool
    ) -> tuple[Float[Array, "B M"], Float[Array, "B M Z"]]:
        """Features of the gray image to (log mixture weights, means), both float32."""
        x = features
        for channels, stride in ((384, 1), (320, 1), (288, 1), (256, 2), (128, 1)):
            x = ConvBlock(scaled(channels, self.width), 5, stride, self.dtype)(x, train)
        x = nn.Dropout(self.dropout)(x.reshape(x.shape[0], -1), deterministic=not train)
        x = nn.relu(nn.Dense(scaled(4096, self.width), dtype=self.dtype)(x))
        x = nn.Dropout(self.dropout)(x, deterministic=not train).astype(jnp.float32)
        x = nn.Dense(self.components * (self.latent + 1), name="mixture")(x)
        means, logits = jnp.split(x, [self.components * self.latent], axis=-1)
        return nn.log_softmax(logits), means.reshape(x.shape[0], self.components, self.latent)
