"""Convolutions with a fraction of the multiplications (Winograd 1980; Lavin and Gray 2016), for training on a CPU.

A tile of m outputs of a filter with r taps is a product of polynomials, which n = m + r − 1 multiplications make:

    y = Aᵀ [(G w) ∘ (Bᵀ x)],      in two dimensions      Y = Aᵀ [(G W Gᵀ) ∘ (Bᵀ X B)] A

A 5 × 5 filter of 4 × 4 outputs so takes 64 instead of 400 a channel, as products of 64 pairs of matrices. Their
backward pass is what differentiating gives, and as cheap. A stride of 2 is taken by the image's four parts of every
other row and column, side by side as channels. In float32 the differences to a direct convolution stay below 3e-5 of
the largest value (tested); fewer bits would be too few, and accelerators have convolutions of their own.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.polynomial import polynomial

from colorize_jax.shapes import Array, Float

TILE = 4
"""m, outputs of a tile along each side."""

# Where the polynomials are evaluated, beside infinity: small numbers, so that float32 is exact enough.
_POINTS = (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5)

# Where it pays. With fewer channels on either side, transforming images costs more than is saved; with a smaller side
# of the output, by stride, transforming filters does.
_FEWEST_CHANNELS = 32
_SMALLEST = {1: TILE, 2: 2 * TILE}


def convolve(
    image: Float[Array, "B H W C"],
    kernel: Float[Array, "r r C K"],
    strides: Sequence[int],
    padding: Any,
    *,
    dimension_numbers: Any,
    **options: Any,
) -> Float[Array, "B h w K"]:
    """`jax.lax.conv_general_dilated` as `flax.linen.Conv` calls it; on a CPU by tiles, where that is quicker."""

    def direct(image: Array, kernel: Array) -> Array:
        return jax.lax.conv_general_dilated(
            image, kernel, strides, padding, dimension_numbers=dimension_numbers, **options
        )

    if not _pays(image, kernel, strides, padding, options):
        return direct(image, kernel)
    by_tiles = functools.partial(same, stride=strides[0])
    return jax.lax.platform_dependent(image, kernel, cpu=by_tiles, default=direct)


def _pays(image: Array, kernel: Array, strides: Sequence[int], padding: Any, options: dict[str, Any]) -> bool:
    dilations = (*options.get("lhs_dilation", ()), *options.get("rhs_dilation", ()))
    plain = padding == "SAME" and set(dilations) <= {1} and options.get("feature_group_count", 1) == 1
    rows, columns, *channels = kernel.shape
    stride, sides = strides[0], image.shape[1:3]
    fits = rows == columns and rows in (3, 4, 5) and tuple(strides) in ((1, 1), (2, 2))
    wide = min(channels) >= _FEWEST_CHANNELS and min(sides) >= _SMALLEST.get(stride, 0) * stride
    single = image.dtype == kernel.dtype == jnp.float32
    return plain and fits and wide and single and all(side % stride == 0 for side in sides)


def same(
    image: Float[Array, "B H W C"], kernel: Float[Array, "r r C K"], *, stride: int = 1
) -> Float[Array, "B h w K"]:
    """A convolution with padding 'SAME' and a stride of 1 or 2, of sides that it divides."""
    taps = len(kernel)
    if stride == 1:
        return _stride_one(image, kernel, (taps - 1) // 2)
    # Output i sees the pixels 2i + k − first, k < taps; in the parts of every other pixel, i + q from q = −low on.
    first = (taps - 2) // 2
    low = -(-first // 2)
    spread = jnp.pad(kernel, [(2 * low - first, (taps + first) % 2)] * 2 + [(0, 0)] * 2)
    return _stride_one(_parts(image), _parts(spread[None])[0], low)


def _parts(image: Float[Array, "B H W *C"]) -> Float[Array, "B h w *D"]:
    """Every other row and column, the four parts side by side as channels (or a kernel's input channels)."""
    batch, height, width, channels, *rest = image.shape
    split = image.reshape(batch, height // 2, 2, width // 2, 2, channels, *rest)
    order = (0, 1, 3, 2, 4, 5, *range(6, split.ndim))
    return split.transpose(order).reshape(batch, height // 2, width // 2, 4 * channels, *rest)


def _stride_one(
    image: Float[Array, "B H W C"], kernel: Float[Array, "r r C K"], low: int
) -> Float[Array, "B H W K"]:
    """Output i, j sees the pixels from i − low, j − low on."""
    batch, height, width, channels = image.shape
    taps, outputs = len(kernel), kernel.shape[-1]
    size = TILE + taps - 1  # n
    across, down = -(-width // TILE), -(-height // TILE)
    inverse, filters, tiles = (jnp.asarray(x, image.dtype) for x in _transforms(taps))
    pixels = [
        (low, count * TILE + taps - 1 - have - low) for count, have in ((down, height), (across, width))
    ]
    padded = jnp.pad(image, [(0, 0), *pixels, (0, 0)])
    # Without the barrier XLA writes the tiles as rows of a matrix, and divides to find each number's place.
    x = jax.lax.optimization_barrier(_tiles(padded, down, across, size)).reshape(size**2, -1)
    x = (tiles @ x).reshape(size**2, batch * down * across, channels)
    w = (filters @ kernel.reshape(taps**2, -1)).reshape(size**2, channels, outputs)
    y = jnp.einsum("ntc,nck->ntk", x, w).reshape(size**2, -1)
    y = (inverse @ y).reshape(TILE, TILE, batch, down, across, outputs).transpose(2, 3, 0, 4, 1, 5)
    return y.reshape(batch, down * TILE, across * TILE, outputs)[:, :height, :width]


def _tiles(padded: Array, down: int, across: int, size: int) -> Float[Array, "n n B down across C"]:
    """Overlapping tiles, put together from blocks that do not: few copies forward, few sums backward."""
    batch, height, width, channels = padded.shape
    block = math.gcd(TILE, size)
    step, blocks = TILE // block, size // block
    split = padded.reshape(batch, height // block, block, width // block, block, channels)
    split = split.transpose(2, 4, 0, 1, 3, 5)
    rows = [split[:, :, :, i : i + step * (down - 1) + 1 : step] for i in range(blocks)]
    found = jnp.stack(
        [
            jnp.stack([row[:, :, :, :, j : j + step * (across - 1) + 1 : step] for j in range(blocks)])
            for row in rows
        ]
    )  # (blocks, blocks, block, block, B, down, across, C)
    return found.transpose(0, 2, 1, 3, 4, 5, 6, 7).reshape(size, size, batch, down, across, channels)


@functools.cache
def _transforms(taps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Aᵀ ⊗ Aᵀ, G ⊗ G and Bᵀ ⊗ Bᵀ of Toom and Cook; Bᵀ has the coefficients of Lagrange's polynomials for its rows."""
    size = TILE + taps - 1
    points = np.array(_POINTS[: size - 1])
    interpolation = np.zeros((size, size))
    for row, point in zip(interpolation, points, strict=False):
        others = points[points != point]
        row[:-1] = polynomial.polyfromroots(others) / np.prod(point - others)
    interpolation[-1] = polynomial.polyfromroots(points)  # at infinity
    powers = [
        np.vstack([np.vander(points, count, increasing=True), np.eye(count)[-1]]) for count in (TILE, taps)
    ]
    # Rows of Bᵀ whose largest value is 1: what is added up in float32 is then of one size.
    largest = np.abs(interpolation).max(axis=1, keepdims=True)
    one = (powers[0].T, powers[1] * largest, interpolation / largest)
    return np.kron(one[0], one[0]), np.kron(one[1], one[1]), np.kron(one[2], one[2])
