"""Which pixels of a test photo are revealed, and in which colour: the three published protocols. NumPy only.

| name | patch | placement | photo | source |
|---|---|---|---|---|
| `paper` | 7×7 | uniform | 256×256 | Messaoud et al. 2018, Table 3: "randomly selected 7×7 patches" |
| `zhang` | 6×6 | centre ~ N(½, ¼) of the side | 256×256 | Zhang et al. 2017, their simulated users |
| `icolorit` | 2×2 | uniform on the 2×2 cells, none twice | 224×224 | Yun et al. 2023 |

The numbers of different protocols are never to be mixed in one plot. A patch is revealed in its mean colour, as in
Zhang 2017 and Yun 2023; the paper does not say.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from colorize_jax.shapes import Bool, Float, Int

COUNTS = (0, 1, 2, 5, 10, 20, 50, 100, 200)
"""Reveals at which PSNR is told."""

_GAUSSIAN_SHARE = 0.25  # of the side, standard deviation of a patch's place


class RevealProtocol(NamedTuple):
    """How patches are drawn.

    Attributes:
      name: what a table calls it.
      patch: side of a patch in pixels.
      placement: 'uniform', 'gaussian' or 'cells'.
      side: of the square photos that the protocol is defined on, in pixels.
    """

    name: str
    patch: int
    placement: str
    side: int


PROTOCOLS = (
    RevealProtocol("paper", 7, "uniform", 256),
    RevealProtocol("zhang", 6, "gaussian", 256),
    RevealProtocol("icolorit", 2, "cells", 224),
)


def protocol(name: str) -> RevealProtocol:
    """The published protocol of that name.

    Raises:
      ValueError: there is none.
    """
    for found in PROTOCOLS:
        if found.name == name:
            return found
    raise ValueError(f"protocol is {name!r}; allowed are {', '.join(p.name for p in PROTOCOLS)}")


def patches(
    rule: RevealProtocol, size: tuple[int, int], count: int, seed: int | Sequence[int]
) -> Int[np.ndarray, "count 2"]:
    """Upper left corners (y, x) of `count` patches; the first k of them are those of count k.

    Args:
      rule: patch size and placement.
      size: (H, W) of the photo.
      count: how many.
      seed: of `numpy.random.default_rng`; the same arguments give the same patches.

    Raises:
      ValueError: a photo smaller than a patch, more patches than cells, or an unknown placement.
    """
    if min(size) < rule.patch:
        raise ValueError(f"size is {size}, smaller than a patch of {rule.patch}×{rule.patch}")
    rng = np.random.default_rng(seed)
    last = np.array(size) - rule.patch
    if rule.placement == "uniform":
        return rng.integers(0, last + 1, (count, 2))
    if rule.placement == "gaussian":
        corners = rng.normal(last / 2, _GAUSSIAN_SHARE * (last + 1), (count, 2))
        return np.clip(np.round(corners).astype(np.int64), 0, last)
    if rule.placement == "cells":
        rows, columns = (side // rule.patch for side in size)
        if count > rows * columns:
            raise ValueError(
                f"count is {count}, but {size} has {rows * columns} cells of {rule.patch} pixels"
            )
        chosen = rng.permutation(rows * columns)[:count]
        return np.stack(np.divmod(chosen, columns), axis=1) * rule.patch
    raise ValueError(f"placement is {rule.placement!r}; allowed are uniform, gaussian, cells")


def reveal(
    colors: Float[np.ndarray, "H W 2"], corners: Int[np.ndarray, "count 2"], patch: int
) -> tuple[Float[np.ndarray, "H W 2"], Bool[np.ndarray, "H W"]]:
    """Each patch's mean colour at all of its pixels; where patches overlap, the earlier one stays.

    So what k patches reveal is left as it is by the next ones.

    Args:
      colors: the photo's own, any unit.
      corners: from `patches`.
      patch: side in pixels.

    Returns:
      (targets, weights): colours in their unit, zero where nothing is revealed; and True where something is.
    """
    targets = np.zeros_like(colors)
    weights = np.zeros(colors.shape[:2], bool)
    for y, x in corners[::-1]:
        window = np.s_[y : y + patch, x : x + patch]
        targets[window] = colors[window].mean(axis=(0, 1))
        weights[window] = True
    return targets, weights
