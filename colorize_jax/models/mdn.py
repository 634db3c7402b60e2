"""The mixture density network: gray features to a Gaussian mixture over codes (supplement, Sec. 3); and its like."""

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
        x = _hidden(self, features, train)
        x = nn.Dense(self.components * (self.latent + 1), name="mixture")(x)
        means, logits = jnp.split(x, [self.components * self.latent], axis=-1)
        return nn.log_softmax(logits), means.reshape(x.shape[0], self.components, self.latent)


class GrayEmbedding(nn.Module):
    """28x28x512 -> the mixture density network's layers to FC(4096) -> FC(latent): one vector of the gray image.

    That of the CVAE in Deshpande et al. 2017, first version, Sec. 6.3.
    """

    latent: int = 64
    width: float = 1.0
    dropout: float = 0.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, features: Float[Array, "B h w K"], *, train: bool) -> Float[Array, "B Z"]:
        """Features of the gray image to its embedding, float32."""
        return nn.Dense(self.latent, name="embedding")(_hidden(self, features, train))


def _hidden(network: MixtureDensityNetwork | GrayEmbedding, features: Array, train: bool) -> Array:
    """The layers of the network to FC(4096), within its own call; float32."""
    x = features
    for channels, stride in ((384, 1), (320, 1), (288, 1), (256, 2), (128, 1)):
        x = ConvBlock(scaled(channels, network.width), 5, stride, network.dtype)(x, train)
    x = nn.Dropout(network.dropout)(x.reshape(x.shape[0], -1), deterministic=not train)
    x = nn.relu(nn.Dense(scaled(4096, network.width), dtype=network.dtype)(x))
    return nn.Dropout(network.dropout)(x, deterministic=not train).astype(jnp.float32)
