"""The network of Royer et al. 2017: a PixelCNN++ of one resolution, given what a network of the gray image tells it.

It says for every pixel how its colour is distributed, given the gray image and the colours of the pixels before, row by
row and from left to right. Two streams of features keep that order: `rows` sees what is above a pixel, `pixels` what is
to its left, too. In training whole images go through at once. Step by step, each layer keeps what it was given (the
collection 'cache'), so that a pixel costs no more than its own share of an image's work.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from colorize_jax.models.layers import scaled
from colorize_jax.shapes import Array, Float


class LayoutLevel(NamedTuple):
    """A convolution of the gray image's network and the gated blocks that follow it."""

    channels: int
    stride: int
    blocks: int
    dilation: int = 1


class Layout(NamedTuple):
    """The gray image's network, to its last convolution's channels."""

    levels: tuple[LayoutLevel, ...]
    channels: int


LAYOUTS = {
    2: Layout(
        (LayoutLevel(32, 1, 2), LayoutLevel(64, 2, 2), LayoutLevel(128, 1, 2), LayoutLevel(256, 1, 3, 2)), 256
    ),
    4: Layout(
        (
            LayoutLevel(64, 1, 2),
            LayoutLevel(128, 2, 2),
            LayoutLevel(256, 2, 2),
            LayoutLevel(512, 1, 3, 2),
            LayoutLevel(512, 1, 3, 4),
        ),
        160,
    ),
}
"""By how much smaller the colours are than the photo: the authors' for CIFAR-10, and for ImageNet."""

CHANNELS = 160
"""Of the two streams."""


class Place(NamedTuple):
    """Where in the image a step is: at the pixel (row, column), or in all of a row where `column` is 0.

    Attributes:
      row, column: scalars.
      size: h and w of the image.
    """

    row: Any
    column: Any
    size: Sequence[int]


class RowFeatures(NamedTuple):
    """What `RowStream` tells of pixels, (B, h, w, K) each.

    Attributes:
      nearest: of the one row above.
      after: of all rows above, after each block.
    """

    nearest: Array
    after: tuple[Array, ...]


Color = Callable[[Array, Array, Array], tuple[Array, Array]]
"""`(what is said (B, 1, 1, K), row, column) -> (its colour (B, 1, 1, 2), that as it is shown (B, 1, 1, 3))`."""


def concat_elu(x: Float[Array, "B h w K"]) -> Float[Array, "B h w 2*K"]:
    """ELU of x and of -x (Shang et al. 2016)."""
    return nn.elu(jnp.concatenate([x, -x], axis=-1))


class NormedConv(nn.Module):
    """A convolution whose weights are a direction times a scale (Salimans and Kingma 2016).

    Scale and bias begin so that each channel of the first batch has mean 0 and standard deviation `gain`.
    """

    channels: int
    kernel: tuple[int, int] = (3, 3)
    stride: int = 1
    dilation: int = 1
    padding: str = "SAME"
    gain: float = 1.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "B H W K"]) -> Float[Array, "B h w {self.channels}"]:
        shape = (*self.kernel, x.shape[-1], self.channels)
        direction = self.param("direction", nn.initializers.normal(0.05), shape)
        unit = direction * jax.lax.rsqrt(jnp.square(direction).sum(axis=(0, 1, 2), keepdims=True))
        plain = jax.lax.conv_general_dilated(
            x.astype(self.dtype),
            unit.astype(self.dtype),
            (self.stride, self.stride),
            self.padding,
            rhs_dilation=(self.dilation, self.dilation),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        first = plain.astype(jnp.float32)
        scale = self.param("scale", lambda _: self.gain * jax.lax.rsqrt(first.var(axis=(0, 1, 2)) + 1e-8))
        bias = self.param("bias", lambda _: -scale * first.mean(axis=(0, 1, 2)))
        return plain * scale.astype(self.dtype)[None, None, None] + bias.astype(self.dtype)[None, None, None]


class CausalConv(nn.Module):
    """A convolution that sees its own row and those above: all of them, or from its own column to the left.

    Step by step it is given the row or the pixel of a place. It has kept those of the places before.
    """

    channels: int
    kernel: tuple[int, int]
    centered: bool
    gain: float = 1.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "B h w K"], *place: Place) -> Float[Array, "B h w {self.channels}"]:
        seen = self._with_kept(x, *place) if place else jnp.pad(x, ((0, 0), *self._margins(), (0, 0)))
        return NormedConv(self.channels, self.kernel, padding="VALID", gain=self.gain, dtype=self.dtype)(seen)

    def _margins(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Rows above and below, columns to the left and to the right."""
        rows, columns = (side - 1 for side in self.kernel)
        right = columns // 2 if self.centered else 0
        return (rows, 0), (columns - right, right)

    def _with_kept(self, x: Array, place: Place) -> Array:
        """The row or the pixel with all around it that is seen."""
        (above, _), (left, right) = self._margins()
        batch, _, columns, channels = x.shape
        whole = (batch, place.size[0] + above, place.size[1] + left + right, channels)
        kept = self.variable("cache", "kept", jnp.zeros, whole, x.dtype)
        kept.value = jax.lax.dynamic_update_slice(
            kept.value, x, (0, place.row + above, place.column + left, 0)
        )
        window = (batch, above + 1, columns + left + right, channels)
        return jax.lax.dynamic_slice(kept.value, (0, place.row, place.column, 0), window)


class GatedBlock(nn.Module):
    """x + a σ(b), where a and b are made of x and of `given`; the identity, nearly, at the start.

    Attributes:
      conv: `(channels, gain=...) -> a convolution` of 3x3.
      dropout: share of what the second convolution reads.
      dtype: of the layers.
    """

    conv: Callable[..., nn.Module]
    dropout: float
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Array, given: Sequence[Array], train: bool, *place: Place) -> Array:
        inner = self.conv(x.shape[-1])(concat_elu(x), *place)
        if given:
            told = concat_elu(jnp.concatenate(given, axis=-1))
            inner += NormedConv(x.shape[-1], (1, 1), dtype=self.dtype)(told)
        inner = nn.Dropout(self.dropout)(concat_elu(inner), deterministic=not train)
        value, gate = jnp.split(self.conv(2 * x.shape[-1], gain=0.1)(inner, *place), 2, axis=-1)
        return x + value * nn.sigmoid(gate)


class GrayNetwork(nn.Module):
    """What the gray image tells of each pixel of the smaller colour image."""

    layout: Layout
    least: int
    width: float
    dropout: float
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, gray: Float[Array, "B H W 1"], train: bool) -> Float[Array, "B h w K"]:
        x = jnp.concatenate([gray, jnp.ones_like(gray)], axis=-1)
        for level in self.layout.levels:
            x = NormedConv(scaled(level.channels, self.width), stride=level.stride, dtype=self.dtype)(x)
            conv = partial(NormedConv, dilation=level.dilation, dtype=self.dtype)
            for _ in range(level.blocks):
                x = GatedBlock(conv, self.dropout, self.dtype)(x, (), train)
        channels = max(self.least, scaled(self.layout.channels, self.width))
        return NormedConv(channels, dtype=self.dtype)(x)


class RowStream(nn.Module):
    """What the rows above tell of each pixel."""

    channels: int
    blocks: int
    dropout: float
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, above: Float[Array, "B h w 4"], embedding: Float[Array, "B h w K"], train: bool, *place: Place
    ) -> RowFeatures:
        conv = partial(CausalConv, centered=True, dtype=self.dtype)
        nearest = conv(self.channels, (1, 3))(above, *place)
        x, after = conv(self.channels, (2, 3))(above, *place), []
        for _ in range(self.blocks):
            block = GatedBlock(partial(conv, kernel=(3, 3)), self.dropout, self.dtype)
            x = block(x, (embedding,), train, *place)
            after.append(x)
        return RowFeatures(nearest, tuple(after))


class PixelStream(nn.Module):
    """What is said of each pixel, from what is to its left and the features of `RowStream`."""

    channels: int
    numbers: int
    dropout: float
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self,
        left: Float[Array, "B h w 4"],
        told: RowFeatures,
        embedding: Float[Array, "B h w K"],
        train: bool,
        *place: Place,
    ) -> Float[Array, "B h w {self.numbers}"]:
        conv = partial(CausalConv, centered=False, dtype=self.dtype)
        x = told.nearest + conv(self.channels, (2, 1))(left, *place)
        for above in told.after:
            block = GatedBlock(partial(conv, kernel=(3, 3)), self.dropout, self.dtype)
            x = block(x, (above, embedding), train, *place)
        return NormedConv(self.numbers, (1, 1), dtype=self.dtype)(nn.elu(x)).astype(jnp.float32)


class ConditionalPixelCNN(nn.Module):
    """Eight numbers a component of a mixture (`models.logistics`) for every pixel of the smaller colour image.

    Attributes:
      numbers: said of a pixel.
      layout: of the gray image's network, see `LAYOUTS`.
      blocks: of each stream; the authors have 4.
      width: 1 is the published size.
      dropout: in all blocks.
      dtype: of the layers; what is said is float32.
    """

    numbers: int
    layout: Layout = LAYOUTS[4]
    blocks: int = 4
    width: float = 1.0
    dropout: float = 0.5
    dtype: Any = jnp.float32

    def setup(self) -> None:
        rest, channels = (self.dropout, self.dtype), scaled(CHANNELS, self.width)
        self.embedding = GrayNetwork(self.layout, self.numbers, self.width, *rest)
        self.rows = RowStream(channels, self.blocks, *rest)
        self.pixels = PixelStream(channels, self.numbers, *rest)

    @property
    def downsample(self) -> int:
        """How much smaller the colours are than the photo."""
        return math.prod(level.stride for level in self.layout.levels)

    def __call__(
        self, gray: Float[Array, "B H W 1"], shown: Float[Array, "B h w 3"], train: bool
    ) -> tuple[Float[Array, "B h w K"], Float[Array, "B h w K"]]:
        """What is said of each pixel given all colours before it, and what the gray image alone says of it.

        Args:
          gray: the photo.
          shown: the true colours, as the streams are shown them. No pixel sees its own nor any that comes later.
          train: with dropout.
        """
        embedding, board = self.embed(gray, train), canvas(shown)
        told = self.rows(board[:, :-1, 1:], embedding, train)
        said = self.pixels(board[:, 1:, :-1], told, embedding, train)
        return said, embedding[..., : self.numbers].astype(jnp.float32)

    def embed(self, gray: Float[Array, "B H W 1"], train: bool) -> Float[Array, "B h w E"]:
        """What the gray image tells."""
        return self.embedding(gray, train)

    def row(
        self, embedding: Float[Array, "B h w E"], board: Float[Array, "B h+1 w+1 4"], place: Place
    ) -> RowFeatures:
        """`RowStream` of one row of which no pixel is known yet; the layers keep what the next rows need."""
        return self.rows(_row(board, place.row)[:, :, 1:], _row(embedding, place.row), False, place)

    def pixel(
        self,
        embedding: Float[Array, "B h w E"],
        board: Float[Array, "B h+1 w+1 4"],
        told: RowFeatures,
        place: Place,
    ) -> Float[Array, "B 1 1 K"]:
        """What is said of one pixel, once `row` has told of its row and the pixels to its left are known."""
        left, gray = _row(board, place.row + 1), _row(embedding, place.row)
        own = partial(jax.lax.dynamic_slice_in_dim, start_index=place.column, slice_size=1, axis=2)
        left, told, gray = jax.tree.map(own, (left, told, gray))
        return self.pixels(left, told, gray, False, place)

    def first(
        self, embedding: Float[Array, "B h w E"], board: Float[Array, "B h+1 w+1 4"]
    ) -> Float[Array, "B 1 1 K"]:
        """What is said of the first pixel; every layer has then something to keep."""
        start = Place(0, 0, embedding.shape[1:3])
        return self.pixel(embedding, board, self.row(embedding, board, start), start)


def _row(x: Float[Array, "B h w K"], row: Any) -> Float[Array, "B 1 w K"]:
    return jax.lax.dynamic_slice_in_dim(x, row, 1, axis=1)


def canvas(shown: Float[Array, "B h w 3"]) -> Float[Array, "B h+1 w+1 4"]:
    """Colours below and right of a border, with a fourth channel that is 0 in the border alone."""
    return jnp.pad(_marked(shown), ((0, 0), (1, 0), (1, 0), (0, 0)))


def _marked(shown: Float[Array, "B h w 3"]) -> Float[Array, "B h w 4"]:
    return jnp.concatenate([shown, jnp.ones_like(shown[..., :1])], axis=-1)


class _Walk(NamedTuple):
    """How far a walk has come: the colours as they are shown and as they are, and what the layers keep."""

    board: Array
    colors: Array
    cache: Any


def walk(network: ConditionalPixelCNN, params: Any, gray: Float[Array, "B H W 1"], color: Color) -> Array:
    """Colours (B, h, w, 2) one after another, each by what is said of it given those before.

    Args:
      network: its parts are applied one by one.
      params: the network's.
      gray: the photos.
      color: of one pixel of each photo.
    """
    embedding = network.bind({"params": params}).embed(gray, False)
    batch, *size = embedding.shape[:3]

    def ask(method: str, cache: Any, *given: Any) -> tuple[Any, Any]:
        variables = {"params": params, "cache": cache}
        said, kept = network.apply(variables, embedding, *given, method=method, mutable=["cache"])
        return said, kept["cache"]

    def walk_row(row: Array, state: _Walk) -> _Walk:
        told, cache = ask("row", state.cache, state.board, Place(row, 0, size))

        def step(column: Array, state: _Walk) -> _Walk:
            place = Place(row, column, size)
            said, cache = ask("pixel", state.cache, state.board, told, place)
            found, shown = color(said, row, column)
            board = jax.lax.dynamic_update_slice(state.board, _marked(shown), (0, row + 1, column + 1, 0))
            colors = jax.lax.dynamic_update_slice(state.colors, found, (0, row, column, 0))
            return _Walk(board, colors, cache)

        return jax.lax.fori_loop(0, size[1], step, state._replace(cache=cache))

    board, colors = canvas(jnp.zeros((batch, *size, 3))), jnp.zeros((batch, *size, 2))
    _, kept = jax.eval_shape(lambda: ask("first", {}, board))
    begun = _Walk(board, colors, jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), kept))
    return jax.lax.fori_loop(0, size[0], walk_row, begun).colors
