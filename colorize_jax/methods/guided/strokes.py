"""Simulated strokes for training: someone paints things of a photo in colours of their own, and nothing else.

Few photos have been divided by people. For all others things are what the features of a network hold together, near in
place and in lightness: clusters of cells. Some of them get another colour, and a mark in it; they are to be filled, and
whatever is not marked is to keep the colour that it has.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from colorize_jax.models.heads import unit
from colorize_jax.models.layers import resize_field
from colorize_jax.shapes import Array, Float, Int

THINGS = 8
"""Clusters of a photo."""

_ROUNDS = 4  # of k-means
_PLACE, _LIGHTNESS = (
    0.8,
    0.5,
)  # how far a side of the photo, and a network unit, set cells apart; features of length 1
_PAINTED, _OWN = 0.4, 0.3  # shares of the things that are marked in another colour, and in their own
_MOST_CHROMA = 0.5  # network units, of another colour
_POINTS = 24  # places of a stroke, along its line
_THINNEST = 0.1  # share of a cell that the thinnest brush covers


class Strokes(NamedTuple):
    """What someone has painted, and what they want.

    Attributes:
      wanted: the photo's colours, with the painted things in theirs.
      colors: of the strokes.
      revealed: the shares of the cells that they cover.
    """

    wanted: Float[Array, "B F F 2"]
    colors: Float[Array, "B F F 2"]
    revealed: Float[Array, "B F F"]


def things(
    rng: Array, features: Float[Array, "B h w K"], lightness: Float[Array, "B H W 1"], side: int
) -> Int[Array, "B F F"]:
    """The cluster of each cell of a field of `side`², in [0, THINGS): k-means from random cells.

    Args:
      rng: draws the first centres.
      features: of any size; only their directions count.
      lightness: network units, of any size.
      side: F.
    """
    at = _PLACE * (jnp.arange(side) + 0.5) / side
    place = jnp.broadcast_to(
        jnp.stack(jnp.meshgrid(at, at, indexing="ij"), -1), (len(features), side, side, 2)
    )
    parts = [unit(resize_field(features, side)), place, _LIGHTNESS * resize_field(lightness, side)]
    cells = jnp.concatenate(parts, axis=-1).reshape(len(features), side**2, -1)
    first = jax.random.randint(rng, (len(cells), THINGS, 1), 0, side**2)
    centers = jnp.take_along_axis(cells, first, axis=1)
    for _ in range(_ROUNDS):
        member = jax.nn.one_hot(_nearest(cells, centers), THINGS)
        sizes = member.sum(axis=1)[..., None]
        means = jnp.einsum("bpk,bpd->bkd", member, cells) / jnp.maximum(sizes, 1)
        centers = jnp.where(sizes > 0, means, centers)
    return _nearest(cells, centers).reshape(-1, side, side)


def _nearest(cells: Float[Array, "B P D"], centers: Float[Array, "B K D"]) -> Int[Array, "B P"]:
    products = jnp.einsum("bpd,bkd->bpk", cells, centers)
    return (2 * products - jnp.square(centers).sum(axis=-1)[:, None]).argmax(axis=-1)


def paint(rng: Array, true: Float[Array, "B F F 2"], labels: Int[Array, "B F F"]) -> Strokes:
    """Marks of some things of each photo: painted ones have another mean colour, their shades stay.

    A mark is a click in the middle of its thing, or a stroke from there to anywhere in it, by a brush of any width.

    Args:
      rng: draws which things, their colours and marks.
      true: network units.
      labels: of `things`.
    """
    which, hues, chromas, ends, kinds, widths = jax.random.split(rng, 6)
    count, side = len(true), true.shape[1]
    member = jax.nn.one_hot(labels.reshape(count, -1), THINGS)
    flat = true.reshape(count, -1, 2)
    sizes = jnp.maximum(member.sum(axis=1), 1)[..., None]
    means = jnp.einsum("bpk,bpc->bkc", member, flat) / sizes

    drawn = jax.random.uniform(which, (count, THINGS))
    painted, marked = drawn < _PAINTED, drawn < _PAINTED + _OWN
    angle = jax.random.uniform(hues, (count, THINGS), maxval=2 * jnp.pi)
    chroma = jax.random.uniform(chromas, (count, THINGS), maxval=_MOST_CHROMA)
    other = chroma[..., None] * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)
    colors = jnp.where(painted[..., None], other, means)
    wanted = flat + jnp.einsum("bpk,bkc->bpc", member, colors - means)

    marks = _marks(ends, kinds, member.reshape(count, side, side, THINGS)) * marked[:, None, None]
    width = jax.random.uniform(widths, (count, 1, 1, THINGS), minval=_THINNEST)
    revealed = (width * marks).sum(axis=-1)  # each cell is of one thing
    told = jnp.einsum("byxk,bkc->byxc", marks, colors)
    return Strokes(wanted.reshape(true.shape), told, revealed)


def _marks(ends: Array, kinds: Array, member: Float[Array, "B F F K"]) -> Float[Array, "B F F K"]:
    """1 where the mark of each thing lies, else 0."""
    count, side, _, things = member.shape
    inside = jnp.moveaxis(member, -1, 1).reshape(count, things, -1)
    at = jnp.stack(jnp.meshgrid(jnp.arange(side), jnp.arange(side), indexing="ij"), -1).reshape(-1, 2)
    at = at.astype(member.dtype)
    middle = inside @ at / jnp.maximum(inside.sum(axis=-1, keepdims=True), 1)
    away = jnp.square(middle[:, :, None] - at[None, None]).sum(axis=-1)
    start = at[jnp.where(inside > 0, away, jnp.inf).argmin(axis=-1)]
    end = at[jax.random.categorical(ends, jnp.where(inside > 0, 0.0, -1e9))]
    clicked = jax.random.bernoulli(kinds, 0.5, (count, things, 1))
    end = jnp.where(clicked, start, end)
    along = jnp.linspace(0, 1, _POINTS)[None, None, :, None]
    points = jnp.round(start[:, :, None] + along * (end - start)[:, :, None]).astype(jnp.int32)
    rows, columns = (jax.nn.one_hot(points[..., axis], side) for axis in (0, 1))
    touched = jnp.einsum("bknr,bknc->brck", rows, columns)
    return jnp.minimum(touched, 1) * member


def shrunk(strokes: Strokes, factor: int) -> Strokes:
    """The same on a field of cells that are `factor` times as wide."""

    def mean(field: Array) -> Array:
        batch, side, _, channels = field.shape
        small = side // factor
        return field.reshape(batch, small, factor, small, factor, channels).mean(axis=(2, 4))

    share = mean(strokes.revealed[..., None])
    summed = mean(strokes.revealed[..., None] * strokes.colors)
    return Strokes(mean(strokes.wanted), summed / jnp.maximum(share, 1e-9), share[..., 0])
