"""What is measured, one definition each; NumPy, per-example values out, reduced once by the caller.

`samples` (B, N, H, W, 2) are N colour versions of each image and `truth` (B, H, W, 2) its own colours, both
in network units, ab / 128 in [-1, 1]. Every function returns one value per image, (B,) float64. A value that
does not exist for an image (pairs of one sample, bleed of a field without colour variance) is NaN: `mean`
leaves it out and `score` counts it, so that no invented number enters an average.

| name | unit | better |
|---|---|---|
| `eob_mae` | network units | lower |
| `eob_mse` | network units² | lower |
| `mae`, `mae_grid` | network units | lower |
| `mae_weighted`, `mae_weighted_grid` | network units, the training set's mean weight being 1 | lower |
| `mae_inverse`, `mae_inverse_grid` | network units over the probability of the true colour's bin | lower |
| `variance` | network units² | – |
| `pair_ssim_ab`, `pair_ssim_rgb` | [-1, 1] | – (lower = more diverse) |
| `psnr_best` | dB | higher |
| `bleed` | [0, 1] | lower |
| `lpips_best` (optional) | – | lower |
| `lpips_pairs` (optional) | – | – (higher = more diverse) |
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from skimage.segmentation import slic

from colorize_jax import color
from colorize_jax.data.color_statistics import Bins, bin_of
from colorize_jax.shapes import Float, Int

GRID = 8

SSIM_WINDOW = 11
SSIM_SIGMA = 1.5
SSIM_K1, SSIM_K2 = 0.01, 0.03

OF_ALL_SAMPLES = (
    "eob_mae", "eob_mse", "variance", "pair_ssim_ab", "pair_ssim_rgb", "psnr_best", "lpips_best", "lpips_pairs",
)  # fmt: skip
"""Metrics that change with N; the others are means over the samples."""

# About 41 pixels a superpixel at 64×64: smaller than a cheek or a forelock, larger than a JPEG chroma block.
SUPERPIXELS = 100
# slic stretches the image to [0, 1]; at 0.1 a tenth of that range counts as much as a superpixel's width.
COMPACTNESS = 0.1
GRAY = 60.0
"""dB: gray within a quarter of an 8-bit step of the photo, which then has no colour to be found."""

# Total variance below which a field has no colour variance; 1e-8 is a standard deviation of 0.013 in CIE ab.
NO_VARIANCE = 1e-8


def errors(
    samples: Float[np.ndarray, "B N H W 2"], truth: Float[np.ndarray, "B H W 2"]
) -> tuple[Float[np.ndarray, "B N"], Float[np.ndarray, "B N"]]:
    """Mean absolute and mean squared error of every sample, over pixels and channels.

    Args:
      samples: colour versions, network units.
      truth: the image's own colours, network units.

    Returns:
      (absolute, squared), network units and network units².
    """
    difference = samples.astype(np.float64) - truth[:, None]
    return np.abs(difference).mean(axis=(2, 3, 4)), np.square(difference).mean(axis=(2, 3, 4))


def eob_mae(
    samples: Float[np.ndarray, "B N H W 2"], truth: Float[np.ndarray, "B H W 2"]
) -> Float[np.ndarray, "B"]:
    """Error of the best: min over the N samples of the mean over pixels and channels of |x − x*|.

    The error-of-best per pixel of Deshpande 2017 and Messaoud 2018, Table 2, who do not state its unit.
    """
    return errors(samples, truth)[0].min(axis=1)


def eob_mse(
    samples: Float[np.ndarray, "B N H W 2"], truth: Float[np.ndarray, "B H W 2"]
) -> Float[np.ndarray, "B"]:
    """Error of the best: min over the N samples of the mean over pixels and channels of (x − x*)²."""
    return errors(samples, truth)[1].min(axis=1)


def mae(
    samples: Float[np.ndarray, "B N H W 2"], truth: Float[np.ndarray, "B H W 2"]
) -> Float[np.ndarray, "B"]:
    """Mean over the N samples, all pixels and both channels of |x − x*|: Deshpande's `all`, unweighted."""
    return errors(samples, truth)[0].mean(axis=1)


def grid_places(side: int) -> Int[np.ndarray, "8"]:
    """Rows, or columns, of the 8×8 uniformly spaced grid in the centre of an image of that side.

    Deshpande 2017, Sec. 7.2, says no more of it than these words. Here: the middles of 8 equal parts of the
    central half, rounded down.

    Raises:
      ValueError: the image is too small for eight different rows.
    """
    if side < 2 * GRID:
        raise ValueError(
            f"grid_places: side is {side}; a grid of 8×8 in the central half needs at least {2 * GRID}"
        )
    return np.floor(side / 4 + (np.arange(GRID) + 0.5) * side / 2 / GRID).astype(int)


def deshpande_errors(
    samples: Float[np.ndarray, "B N H W 2"],
    truth: Float[np.ndarray, "B H W 2"],
    weights: Mapping[str, Float[np.ndarray, "B H W"]],
) -> dict[str, Float[np.ndarray, "B"]]:
    """The errors of Deshpande 2017, Tables 1 and 2, beside `mae` over all pixels; means over the N samples.

    `mae_grid` is `mae` on the 8×8 grid of `grid_places`; `mae_NAME` and `mae_NAME_grid` count |x − x*| by the weights
    of that name.

    Args:
      samples, truth: network units.
      weights: how rare each pixel's true colour is, of `color_weights`, by name.
    """
    per_pixel = np.abs(samples.astype(np.float64) - truth[:, None]).mean(axis=(1, 4))
    rows, columns = (grid_places(side) for side in truth.shape[1:3])
    on_grid = np.ix_(np.arange(len(truth)), rows, columns)
    found = {"mae_grid": per_pixel[on_grid].mean(axis=(1, 2))}
    for name, own in weights.items():
        weighted = per_pixel * own
        found[f"mae_{name}"] = weighted.mean(axis=(1, 2))
        found[f"mae_{name}_grid"] = weighted[on_grid].mean(axis=(1, 2))
    return found


def color_weights(
    truth: Float[np.ndarray, "B H W 2"], table: Float[np.ndarray, "K K"], bins: Bins
) -> Float[np.ndarray, "B H W"]:
    """The weight of each pixel's true colour.

    Args:
      truth: network units.
      table: of `color_statistics.bin_weights` or `inverse_probabilities`, from training images; one table for all
        methods of a comparison.
      bins: those that were counted.
    """
    return np.asarray(table[bin_of(truth, bins)], np.float64)


def variance(samples: Float[np.ndarray, "B N H W 2"]) -> Float[np.ndarray, "B"]:
    """Variance over the N samples (divided by N) per pixel and channel, mean over pixels and channels."""
    return samples.astype(np.float64).var(axis=1).mean(axis=(1, 2, 3))


def to_rgb(
    lightness: Float[np.ndarray, "B H W 1"], samples: Float[np.ndarray, "B N H W 2"]
) -> Float[np.ndarray, "B N H W 3"]:
    """The samples on the image's lightness as sRGB in [0, 1], clipped per channel, as PSNR is published.

    Pictures are gamut-mapped instead (`color.lab_to_srgb_bytes`); the metric clips as others' numbers do.

    Args:
      lightness: network units, L* / 50 − 1.
      samples: network units, ab / 128.
    """
    shape = (*samples.shape[:-1], 1)
    lab = color.network_to_lab(np.broadcast_to(lightness[:, None], shape), samples)
    return np.clip(color.lab_to_srgb(lab), 0, 1)


def psnr_best(
    samples_rgb: Float[np.ndarray, "B N H W 3"], truth_rgb: Float[np.ndarray, "B H W 3"]
) -> Float[np.ndarray, "B"]:
    """Largest `psnr` of the N samples.

    Args:
      samples_rgb, truth_rgb: sRGB in [0, 1].

    Returns:
      dB; infinite where a sample equals the truth.
    """
    return psnr(samples_rgb, truth_rgb[:, None]).max(axis=1)


def psnr(
    rgb: Float[np.ndarray, "*batch H W 3"], truth_rgb: Float[np.ndarray, "*#batch H W 3"]
) -> Float[np.ndarray, "*batch"]:
    """Peak signal-to-noise ratio, −10 log₁₀ of the mean squared RGB error, in dB; infinite for the truth itself.

    Args:
      rgb, truth_rgb: sRGB in [0, 1].
    """
    squared = np.square(rgb.astype(np.float64) - truth_rgb).mean(axis=(-3, -2, -1))
    with np.errstate(divide="ignore"):
        return np.asarray(-10 * np.log10(squared))


def _gaussian_rows(size: int, dtype: np.dtype) -> np.ndarray:
    """(size − 10, size): row i is the normalised Gaussian over the 11 pixels from i on."""
    offsets = np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2
    kernel = np.exp(-(offsets**2) / (2 * SSIM_SIGMA**2))
    rows = np.zeros((size - SSIM_WINDOW + 1, size))
    for row in range(rows.shape[0]):
        rows[row, row : row + SSIM_WINDOW] = kernel / kernel.sum()
    return rows.astype(dtype)


def ssim(
    first: Float[np.ndarray, "*batch H W C"], second: Float[np.ndarray, "*batch H W C"]
) -> Float[np.ndarray, "*batch"]:
    """Structural similarity (Wang et al. 2004): 11×11 Gaussian of σ 1.5, K₁ 0.01, K₂ 0.03, data range 1.

    Local moments divide by the weights' sum, not by n − 1; only windows that lie wholly inside count; the
    map is averaged over windows and channels. scikit-image's `structural_similarity` with
    `gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1, channel_axis=-1` is the
    same number.

    Args:
      first, second: images with values in [0, 1], H and W at least 11.

    Returns:
      one value per pair, in [-1, 1].

    Raises:
      ValueError: an image is smaller than the window.
    """
    height, width = first.shape[-3:-1]
    if min(height, width) < SSIM_WINDOW:
        raise ValueError(
            f"ssim: images are {height}×{width}, smaller than the {SSIM_WINDOW}×{SSIM_WINDOW} window; "
            "compare them at a larger size"
        )
    moments = [_smooth(array) for array in (first, second, first * first, second * second, first * second)]
    return _ssim_of_moments(*moments)


def _smooth(images: np.ndarray) -> np.ndarray:
    """Gaussian local means of (..., H, W, C), channels moved to the front: (..., C, H − 10, W − 10)."""
    planes = np.moveaxis(images, -1, -3)
    rows = _gaussian_rows(planes.shape[-2], planes.dtype)
    columns = _gaussian_rows(planes.shape[-1], planes.dtype)
    return rows @ planes @ columns.T


def _ssim_of_moments(
    mean_1: np.ndarray, mean_2: np.ndarray, square_1: np.ndarray, square_2: np.ndarray, product: np.ndarray
) -> np.ndarray:
    c1, c2 = SSIM_K1**2, SSIM_K2**2
    means = mean_1 * mean_2
    squares = mean_1 * mean_1 + mean_2 * mean_2
    luminance = (2 * means + c1) / (squares + c1)
    structure = (2 * (product - means) + c2) / (square_1 + square_2 - squares + c2)
    return np.asarray((luminance * structure).mean(axis=(-3, -2, -1), dtype=np.float64))


def pair_ssim(images: Float[np.ndarray, "B N H W C"]) -> Float[np.ndarray, "B"]:
    """`ssim` averaged over all N(N−1)/2 pairs of one image's versions; NaN when N = 1.

    The local moments of each version are computed once, not once per pair.

    Args:
      images: values in [0, 1].
    """
    count = images.shape[1]
    if count < 2:
        return np.full(images.shape[0], np.nan)
    means, squares = _smooth(images), _smooth(images * images)
    total = np.zeros(images.shape[0])
    for i, j in itertools.combinations(range(count), 2):
        product = _smooth(images[:, i] * images[:, j])
        total += _ssim_of_moments(means[:, i], means[:, j], squares[:, i], squares[:, j], product)
    return total / (count * (count - 1) / 2)


def pair_ssim_ab(samples: Float[np.ndarray, "B N H W 2"]) -> Float[np.ndarray, "B"]:
    """`pair_ssim` of the colour fields alone, network units [-1, 1] scaled to [0, 1] by (x + 1) / 2."""
    return pair_ssim((samples + 1) / 2)


def pair_ssim_rgb(samples_rgb: Float[np.ndarray, "B N H W 3"]) -> Float[np.ndarray, "B"]:
    """`pair_ssim` of the coloured images, sRGB in [0, 1]; near 1, as all versions share their lightness."""
    return pair_ssim(samples_rgb)


def superpixels(lightness: Float[np.ndarray, "H W 1"]) -> Int[np.ndarray, "H W"]:
    """SLIC superpixels of the gray image alone: every field of one image is judged on the same regions.

    `skimage.segmentation.slic` on the lightness (which it stretches to [0, 1]) with about `SUPERPIXELS` = 100
    segments, `COMPACTNESS` = 0.1, no smoothing, connectivity enforced. Deterministic.

    Args:
      lightness: network units.

    Returns:
      labels 0 … K − 1.
    """
    labels = slic(
        lightness[..., 0].astype(np.float64),
        n_segments=SUPERPIXELS,
        compactness=COMPACTNESS,
        channel_axis=None,
        enforce_connectivity=True,
        start_label=0,
    )
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape)


def bleed(fields: Float[np.ndarray, "N H W 2"], labels: Int[np.ndarray, "H W"]) -> Float[np.ndarray, "N"]:
    """Share of a field's colour variance that lies inside the regions.

    bleed = Σ_k Σ_{i∈k} ‖x_i − μ_k‖² / Σ_i ‖x_i − μ‖², with μ_k the mean of region k and μ that of the image.
    Regions so weigh by their pixels, and by the law of total variance the value is in [0, 1]: 0 when the
    field is constant on each region, (P − K) / (P − 1) in expectation for independent noise (0.98 here),
    and unchanged by scaling the colours. It is NaN for a field without colour variance (total below
    `NO_VARIANCE`): a gray or a one-coloured image keeps its colours inside every line and earns nothing for
    that. Not meaningful alone: blurring a field lowers both variances, so read it beside `eob_mae` and
    beside the truth's own value.

    Args:
      fields: colour fields, any unit.
      labels: regions 0 … K − 1 of the gray image, from `superpixels`.

    Returns:
      one value per field.
    """
    flat = fields.reshape(fields.shape[0], -1, 2).astype(np.float64)
    flat = flat - flat.mean(axis=1, keepdims=True)
    regions = labels.ravel()
    sizes = np.bincount(regions)
    sums = np.stack(
        [[np.bincount(regions, weights=plane, minlength=sizes.size) for plane in field.T] for field in flat]
    )
    total = np.square(flat).sum(axis=(1, 2)) / sizes.sum()
    between = (np.square(sums) / np.maximum(sizes, 1)).sum(axis=(1, 2)) / sizes.sum()
    within = np.maximum(total - between, 0)
    return np.where(total > NO_VARIANCE, within / np.maximum(total, NO_VARIANCE), np.nan)


def bleed_mean(
    samples: Float[np.ndarray, "B N H W 2"], labels: Int[np.ndarray, "B H W"]
) -> Float[np.ndarray, "B"]:
    """`bleed` averaged over the samples of each image that have colour variance; NaN where none has."""
    return np.array([mean(bleed(fields, regions)) for fields, regions in zip(samples, labels, strict=True)])


def lpips(maps: Sequence[Float[np.ndarray, "B M _ _ _"]]) -> dict[str, Float[np.ndarray, "B"]]:
    """LPIPS (Zhang et al. 2018) from `models.lpips.embed` of the truth and then of N versions of each image.

    Returns:
      `lpips_best`, the smallest distance of a version to the truth; `lpips_pairs`, the mean over all N(N−1)/2 pairs
      of versions, NaN when N = 1.
    """

    def distance(i: int, j: int) -> np.ndarray:
        squares = (np.square(m[:, i] - m[:, j]).sum(-1, dtype=np.float64).mean((1, 2)) for m in maps)
        return np.sum(list(squares), axis=0)

    count = maps[0].shape[1]
    best = np.min([distance(0, n) for n in range(1, count)], axis=0)
    pairs = [distance(i, j) for i, j in itertools.combinations(range(1, count), 2)]
    return {
        "lpips_best": best,
        "lpips_pairs": np.mean(pairs, axis=0) if pairs else np.full(best.shape, np.nan),
    }


def mean(values: np.ndarray) -> float:
    """Mean of the values that exist; NaN when none does."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def mean_and_error(
    values: Float[np.ndarray, "n *rest"],
) -> tuple[Float[np.ndarray, "*rest"], Float[np.ndarray, "*rest"]]:
    """Mean over the first axis where a value exists, and its standard error; NaN where fewer than one, or two, do."""
    counts = (~np.isnan(values)).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        center = np.nansum(values, axis=0) / counts
        variance = np.nansum(np.square(values - center), axis=0) / (counts - 1)
        error = np.sqrt(np.where(counts > 1, variance, np.nan) / counts)
    return np.asarray(center), np.asarray(error)


def score(
    lightness: Float[np.ndarray, "B H W 1"],
    truth: Float[np.ndarray, "B H W 2"],
    samples: Float[np.ndarray, "B N H W 2"],
    labels: Int[np.ndarray, "B H W"],
    weights: Mapping[str, Float[np.ndarray, "B H W"]],
) -> dict[str, np.ndarray]:
    """Every metric of this file for a batch: {name: (B,)}, in the order of the table.

    Args:
      lightness, truth, samples: network units.
      labels: `superpixels` of each image.
      weights: `color_weights` of each image, by name.
    """
    absolute, squared = errors(samples, truth)
    samples_rgb = to_rgb(lightness, samples)
    truth_rgb = to_rgb(lightness, truth[:, None])[:, 0]
    return {
        "eob_mae": absolute.min(axis=1),
        "eob_mse": squared.min(axis=1),
        "mae": absolute.mean(axis=1),
        **deshpande_errors(samples, truth, weights),
        "variance": variance(samples),
        "pair_ssim_ab": pair_ssim_ab(samples),
        "pair_ssim_rgb": pair_ssim_rgb(samples_rgb),
        "psnr_best": psnr_best(samples_rgb, truth_rgb),
        "bleed": bleed_mean(samples, labels),
    }
