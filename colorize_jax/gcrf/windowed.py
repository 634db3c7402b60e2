"""S whose rows lean on a window of near cells only: the operator of large fields that begin with a coarse answer.

Cell p of a field of H × W leans on the cells p + δ, δ ≠ 0, of a square window around it, by `rows[δ, p]`; cells beyond
the border have no share. A product takes K·P multiplications, K the cells of the window, where a stored S takes P²: at
64 × 64 cells and a reach of 4, 2 % of them. The offsets are in an order whose reverse negates them, so the transposed S
has the same form:

    (Sᵀ)[δ, p] = S[−δ, p + δ]

Colours travel further than the window by iterations alone. Such a solve has a coarse field for its unary, in which
they have travelled that far already.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from colorize_jax.shapes import Array, Float


def offsets(reach: int) -> tuple[tuple[int, int], ...]:
    """(Rows, columns) to the other cells of a window of (2·reach + 1)² cells."""
    side = range(-reach, reach + 1)
    return tuple((y, x) for y in side for x in side if (y, x) != (0, 0))


def shifted(
    field: Float[Array, "H W *rest"], reach: int, fill: float = 0.0
) -> list[Float[Array, "H W *rest"]]:
    """The field as each cell of the window sees it, in the order of `offsets`; `fill` beyond the border."""
    height, width = field.shape[:2]
    around = [(reach, reach), (reach, reach)] + [(0, 0)] * (field.ndim - 2)
    padded = jnp.pad(field, around, constant_values=fill)
    starts = [(reach + y, reach + x) for y, x in offsets(reach)]
    return [padded[y : y + height, x : x + width] for y, x in starts]


class WindowShares(NamedTuple):
    """The parameters of an S by window: S itself."""

    rows: Float[Array, "K H W"]


class Windowed(NamedTuple):
    """S and its transpose, each by window: an operator, and its own source (see `operators`)."""

    rows: Float[Array, "K H W"]
    columns_of: Float[Array, "K H W"]  # of Sᵀ

    def times(self, v: Float[Array, "P C"]) -> Float[Array, "P C"]:
        """S v."""
        return _times(self.rows, v)

    def times_transposed(self, u: Float[Array, "P C"]) -> Float[Array, "P C"]:
        """Sᵀ u."""
        return _times(self.columns_of, u)

    def diagonal(self) -> Float[Array, " P"]:
        return jnp.zeros(self.rows[0].size, self.rows.dtype)

    def column_squares(self) -> Float[Array, " P"]:
        """Σᵢ Sᵢⱼ² of each column j."""
        return jnp.sum(self.columns_of**2, axis=0).reshape(-1)

    def operator(self) -> "Windowed":
        return self

    def pull(self, left: Array, right: Array, product: Array) -> WindowShares:
        """S̄ = U Vᵀ in the window."""
        del product
        shape = (*self.rows.shape[1:], left.shape[1])
        near, here = shifted(right.reshape(shape), reach_of(len(self.rows))), left.reshape(shape)
        return WindowShares(jnp.stack([jnp.sum(each * here, axis=-1) for each in near]))


def windowed(rows: Float[Array, "K H W"]) -> Windowed:
    """The operator of S.

    Args:
      rows: shares ≥ 0 of each cell's window in the order of `offsets`, summing to 1, 0 beyond the border.
    """
    last = len(rows) - 1
    seen = shifted(jnp.moveaxis(rows, 0, -1), reach_of(len(rows)))
    mirrored = [share[..., last - number] for number, share in enumerate(seen)]
    return Windowed(rows, jnp.stack(mirrored))


def reach_of(cells: int) -> int:
    """Of a window with so many other cells.

    Raises:
      ValueError: no window has as many.
    """
    reach = (math.isqrt(cells + 1) - 1) // 2
    if (2 * reach + 1) ** 2 - 1 != cells or reach < 1:
        raise ValueError(f"rows has {cells} shares a cell; allowed are (2 r + 1)² − 1: 8, 24, 48, 80, ...")
    return reach


def _times(rows: Array, vectors: Array) -> Array:
    reach, (height, width) = reach_of(len(rows)), rows.shape[1:]
    field = vectors.reshape(height, width, -1)
    padded = jnp.pad(field, [(reach, reach), (reach, reach), (0, 0)])

    def add(total: Array, line: tuple[Array, Array]) -> tuple[Array, None]:
        shares, first = line
        seen = jax.lax.dynamic_slice_in_dim(padded, first, height)
        near = (share[..., None] * seen[:, x : x + width] for x, share in enumerate(shares))
        return total + sum(near), None

    # Line by line of the window: as one sum of K products it takes two to three times as long, and longer to compile.
    lines = _with_center(rows).reshape(2 * reach + 1, 2 * reach + 1, height, width)
    return jax.lax.scan(add, jnp.zeros_like(field), (lines, jnp.arange(len(lines))))[0].reshape(vectors.shape)


def _with_center(rows: Array) -> Array:
    """Shares of all cells of the window, 0 of its own."""
    half = len(rows) // 2
    return jnp.concatenate([rows[:half], jnp.zeros_like(rows[:1]), rows[half:]])
