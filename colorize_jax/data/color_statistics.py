"""What losses and metrics need to know of a training set: how common each colour is, and how colour fields vary.

Both are collected batch by batch, so that a training set of any size fits in memory. NumPy, but for `bin_of`.
"""

import functools
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from colorize_jax import color
from colorize_jax.shapes import Bool, Float

# Zhang et al. 2016 keep these bins of a grid of 10 units as in gamut: (a*, smallest b*, largest b*), 313 in all.
_GAMUT_ROWS = (
    (-90, 50, 90), (-80, 20, 90), (-70, 0, 90), (-60, -20, 90), (-50, -30, 100), (-40, -40, 100), (-30, -50, 100),
    (-20, -50, 100), (-10, -60, 100), (0, -70, 100), (10, -80, 90), (20, -80, 90), (30, -90, 90), (40, -100, 90),
    (50, -100, 80), (60, -110, 80), (70, -110, 80), (80, -110, 70), (90, -110, 70), (100, -90, 0),
)  # fmt: skip

SMOOTHING = 5.0
"""Deviation of the Gaussian that smooths a histogram, in units of a* and b*; Zhang et al. 2016, Sec. 2.2."""


class Bins(NamedTuple):
    """A square grid of bins over a* and b*.

    Attributes:
      first: lower edge of the first bin, the same for a* and b*, CIE units.
      step: side of a bin.
      inside: (K, K) bool, a* along the rows; a colour in any other bin counts for the nearest of these.
    """

    first: float
    step: float
    inside: Bool[np.ndarray, "K K"]


def _gamut_bins() -> Bins:
    inside = np.zeros((23, 23), bool)
    for a, low, high in _GAMUT_ROWS:
        inside[(a + 110) // 10, (low + 110) // 10 : (high + 110) // 10 + 1] = True
    return Bins(-115.0, 10.0, inside)


BINS = {"gamut": _gamut_bins(), "grid": Bins(-128.0, 4.0, np.ones((64, 64), bool))}
"""`gamut`: Zhang's 313 in-gamut bins; `grid`: the 64x64 bins of Deshpande et al.'s first version."""


@functools.cache
def srgb_bins() -> Bins:
    """Bins of 10 units that colours of sRGB fall into, by every fifth level of each channel: 260."""
    levels = np.arange(0, 256, 5) / 255
    rgb = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
    bins = Bins(-115.0, 10.0, np.zeros((23, 23), bool))
    bins.inside[bin_of(color.ab_to_network(color.srgb_to_lab(rgb)[..., 1:]), bins)] = True
    return bins


def centers(bins: Bins) -> Float[np.ndarray, "Q 2"]:
    """Centres of the bins inside, network units, row by row."""
    places = bins.first + bins.step * (np.argwhere(bins.inside) + 0.5)
    return color.ab_to_network(places).astype(np.float32)


def bin_of(ab: Any, bins: Bins) -> tuple[Any, Any]:
    """Rows and columns, both (...), of the bins of colours (..., 2), network units; NumPy or JAX, as given."""
    xp = ab.__array_namespace__()
    place = xp.floor((color.network_to_ab(ab) - bins.first) / bins.step).astype("int32")
    place = xp.clip(place, 0, len(bins.inside) - 1)
    return place[..., 0], place[..., 1]


def count_colors(ab: Float[np.ndarray, "*batch 2"], bins: Bins) -> Float[np.ndarray, "K K"]:
    """Number of colours in each bin; those outside `bins.inside` count for the nearest bin inside."""
    side = len(bins.inside)
    rows, columns = bin_of(ab, bins)
    table = np.bincount((rows * side + columns).ravel(), minlength=side * side)
    counts = np.zeros((side, side))
    np.add.at(counts, _nearest_inside(bins), table.reshape(side, side))
    return counts


def _nearest_inside(bins: Bins) -> tuple[np.ndarray, np.ndarray]:
    """For every bin the row and the column of the nearest one inside, itself where it is inside."""
    rows, columns = ndimage.distance_transform_edt(~bins.inside, return_distances=False, return_indices=True)
    return rows, columns


def bin_weights(
    counts: Float[np.ndarray, "K K"], bins: Bins, *, uniform: float, cap: float
) -> Float[np.ndarray, "K K"]:
    """Inverse probability of each bin, smoothed, capped and normalised: H⁻¹ of Deshpande et al. 2017, Eq. (2).

    The probability is smoothed by a Gaussian of `SMOOTHING` units and mixed with the uniform distribution over the
    bins inside (Zhang et al. 2016, Eq. 4). Its inverse is scaled and cut off so that the mean weight of the counted
    colours is exactly 1 and no weight is above `cap`.

    Args:
      counts: of `count_colors`.
      bins: those that were counted.
      uniform: share of the uniform distribution, in (0, 1].
      cap: largest weight, above 1.

    Returns:
      The weights; a bin outside has that of the nearest one inside.

    Raises:
      ValueError: nothing was counted, or `uniform` or `cap` is out of range.
    """
    if counts.sum() <= 0 or not 0 < uniform <= 1 or cap <= 1:
        raise ValueError(
            f"bin_weights: {counts.sum():g} colours, uniform {uniform}, cap {cap}; "
            "it needs colours, uniform in (0, 1] and a cap above 1"
        )
    share = counts / counts.sum()
    likely = (1 - uniform) * _smoothed(share, bins) + uniform / bins.inside.sum()
    inverse = 1 / likely[_nearest_inside(bins)]
    low, high = 0.0, cap / inverse.min()  # at `high` every weight is `cap`
    for _ in range(60):
        middle = (low + high) / 2
        above = (share * np.minimum(middle * inverse, cap)).sum() > 1
        low, high = (low, middle) if above else (middle, high)
    return np.minimum(low * inverse, cap)


def inverse_probabilities(counts: Float[np.ndarray, "K K"], bins: Bins) -> Float[np.ndarray, "K K"]:
    """1/p of each bin, smoothed, and neither mixed nor capped nor normalised: the scale of Deshpande's program.

    Its mean over the counted colours is about the number of bins that occur. A bin so far from all counted ones that
    nothing is left of them there has the largest weight of the others.

    Args:
      counts: of `count_colors`.
      bins: those that were counted.

    Returns:
      The weights; a bin outside has that of the nearest one inside.
    """
    likely = _smoothed(counts / counts.sum(), bins)
    return 1 / np.maximum(likely, likely[likely > 0].min())[_nearest_inside(bins)]


def _smoothed(share: Float[np.ndarray, "K K"], bins: Bins) -> Float[np.ndarray, "K K"]:
    """Probabilities smoothed by a Gaussian of `SMOOTHING` units, 0 outside."""
    smooth = ndimage.gaussian_filter(share, SMOOTHING / bins.step, mode="constant") * bins.inside
    return smooth / smooth.sum()


class IncrementalPca:
    """Principal components of rows that come in blocks (Ross et al. 2008, Sec. 2.1), in the memory of one block.

    Exact while the rows seen span at most `rank` dimensions; with more, the smallest directions are dropped after
    every block, so `rank` should be a few times the number of components that are wanted.
    """

    def __init__(self, rank: int):
        self._rank = rank
        self._count = 0
        self._mean: Any = None
        self._scaled: Any = (
            None  # (rank, K): right singular vectors of the centred rows times singular values
        )

    def add(self, rows: Float[np.ndarray, "B K"]) -> None:
        """Takes in a block of rows."""
        rows = rows.astype(np.float64)
        count, mean = len(rows), rows.mean(axis=0)
        stacked = rows - mean
        if self._count:
            pull = np.sqrt(self._count * count / (self._count + count)) * (self._mean - mean)
            stacked = np.concatenate([self._scaled, stacked, pull[None]])
            mean = (self._count * self._mean + count * mean) / (self._count + count)
        self._count, self._mean = self._count + count, mean
        # The Gram matrix has the side of the block, not of the rows.
        _, vectors = np.linalg.eigh(stacked @ stacked.T)
        self._scaled = vectors[:, ::-1][:, : self._rank].T @ stacked

    def components(self, number: int) -> tuple[Float[np.ndarray, "K D"], Float[np.ndarray, "K"]]:
        """The first `number` principal directions, orthonormal rows, and the standard deviations along them.

        Raises:
          ValueError: the rows seen vary in fewer directions.
        """
        lengths = np.linalg.norm(self._scaled, axis=1) if self._count else np.zeros(0)
        known = int((lengths > 1e-6 * lengths.max(initial=1e-30)).sum())
        if number > known:
            raise ValueError(
                f"components: {number} asked for, but the {self._count} rows seen vary in {known} directions; "
                "give more rows or ask for fewer"
            )
        kept = lengths[:number]
        return self._scaled[:number] / kept[:, None], kept / np.sqrt(self._count - 1)


PCA_RANK = 4
"""Directions kept while collecting, for each principal component that is asked for."""


def collect(
    fields: Iterable[Float[np.ndarray, "B H W 2"]],
    *,
    components: int,
    bins: Bins,
    uniform: float,
    cap: float,
    counts: Float[np.ndarray, "K K"] | None = None,
) -> dict[str, np.ndarray]:
    """What the losses of Deshpande et al. read of the training set.

    Args:
      fields: blocks of true colour fields, network units.
      components: number of principal components; 0 leaves them out.
      bins, uniform, cap: of `bin_weights`.
      counts: of the colours of another data set, whose prior is taken; None for those of the fields.

    Returns:
      float32 arrays: `bin_weights` (K, K); `components` (components, H, W, 2), orthonormal, and `deviations`
      (components,), network units.

    Raises:
      ValueError: there is no field, or too few for the components.
    """
    pca, own = IncrementalPca(PCA_RANK * components), np.zeros(bins.inside.shape)
    shape: tuple[int, ...] = ()
    for block in fields:
        own += count_colors(block, bins)
        shape = block.shape[1:]
        if components:
            pca.add(block.reshape(len(block), -1))
    known = own if counts is None else counts
    found = {"bin_weights": bin_weights(known, bins, uniform=uniform, cap=cap)}
    if components:
        directions, found["deviations"] = pca.components(components)
        found["components"] = directions.reshape(components, *shape)
    return {name: value.astype(np.float32) for name, value in found.items()}
