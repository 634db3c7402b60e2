"""Colours of pixels settle between what a model says of them and their neighbours of like lightness.

    (1 + κ_p + w_p) x_p = Σ_q W_pq x_q + κ_p y_p + w_p c_p

with y the model's field and κ its confidence in it, c the colours of edits and w their weights, and W of Levin et al.
2004, Eq. 2, over the 3 × 3 window. Edges that a field made on cells has blurred are sharp again where the lightness has
them. W is not symmetric, and that is what sharpens: a pixel amid an edge leans on the side that it is more like, and
neither side leans on it. A symmetric W of the same numbers blurs.

The system is solved by Frankel's second-order Richardson iteration

    x ← ω ((W x + κ y + w c) / (1 + κ + w) − x₋₁) + x₋₁

from x = y, which has all that is smooth already. Chebyshev's ω, the best for real eigenvalues, diverges here: W has
complex ones. ω converges for those within an ellipse of half axes 1 and (2 − ω) / ω.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from colorize_jax.classical.levin import neighbor_shares
from colorize_jax.gcrf import shifted
from colorize_jax.gcrf.windowed import windowed
from colorize_jax.shapes import Array, Float

LEAST, MOST = 0.01, 1.0
"""Range of κ: how many iterations are enough depends on the least."""

_OMEGA = 1.5
_ITERATIONS = 20
_HELD = 100.0  # w of an edit that covers its pixel

Product = Callable[[Array], Array]
"""Planes x to W x."""


def shares(lightness: Float[Array, "m m"]) -> Float[Array, "8 m m"]:
    """W of a photo, its neighbours in the order of `gcrf.offsets`.

    Args:
      lightness: L* in [0, 100].
    """
    luminance = lightness / 100
    around = jnp.stack(shifted(luminance, 1, jnp.nan))
    weights: Array = neighbor_shares(luminance, around, jnp)
    return weights


def settle(
    shares: Float[Array, "8 m m"],
    field: Float[Array, "m m 2"],
    confidence: Float[Array, "m m"],
    colors: Float[Array, "m m 2"],
    revealed: Float[Array, "m m"],
) -> Float[Array, "m m 2"]:
    """x of the module's equation. Gradients are those of the exact solution, by iterations of the transposed system.

    Args:
      shares: W of the photo, see `shares`.
      field: y.
      confidence: κ in [LEAST, MOST].
      colors: c.
      revealed: the shares of the pixels that edits cover; more than 1 count as 1.
    """
    planes, given = jnp.moveaxis(field, -1, 0), jnp.moveaxis(colors, -1, 0)
    kept, held = confidence[None], _HELD * jnp.minimum(revealed, 1)[None]
    diagonal = 1 + kept + held
    right = kept * planes + held * given

    def solve(product: Product, _: Any, right: Array) -> Array:
        return _iterated(product, diagonal, right, right / (kept + held))

    solution = jax.lax.custom_linear_solve(
        lambda x: diagonal * x - _times(shares, x),
        right,
        partial(solve, partial(_times, shares)),
        partial(solve, partial(_times, windowed(shares).columns_of)),
    )
    return jnp.moveaxis(solution, 0, -1)


def _iterated(product: Product, diagonal: Array, right: Array, first: Array) -> Array:
    def step(before: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        earlier, x = before
        return (x, _OMEGA * ((product(x) + right) / diagonal - earlier) + earlier), None

    start = (first, (product(first) + right) / diagonal)
    (_, last), _ = jax.lax.scan(step, start, None, length=_ITERATIONS)
    return last


def _times(shares: Float[Array, "8 m m"], planes: Float[Array, "K m m"]) -> Float[Array, "K m m"]:
    """W x."""
    return jnp.stack(
        [sum(share * near for share, near in zip(shares, shifted(x, 1), strict=True)) for x in planes]
    )
