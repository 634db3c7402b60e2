"""How natural the colours of version 1 and of the others are, beside how near version 1 is to the truth.

As in `metrics`, every value is one image's and NaN where it does not exist.

| metric | unit | better |
|---|---|---|
| `psnr_first` | dB | higher |
| `worse_than_gray` | 0 or 1 | lower |
| `rmse_alphabeta` | Larsson's αβ, each in [-3, 3] | lower |
| `chroma_first`, `chroma_others` | CIE units of ab | as the truth's |
| `energy_first`, `energy_others` | CIE units² | as the truth's |
| `tint_first`, `tint_others` | CIE units² | as the truth's share of the energy |

The first three are of version 1, and NaN for a gray photo: gray is perfect there, and its infinite PSNR would rule a
mean. `first` is version 1 and `others` the mean over the versions after it. A share of tint is a ratio of means, tint
over energy (`shares`), so that pale photos, whose own share is mostly noise, count for little.
"""

from collections.abc import Mapping

import numpy as np

from colorize_jax import color
from colorize_jax.evaluation import metrics
from colorize_jax.photos import upsample
from colorize_jax.shapes import Float

CELLS = 32
"""Side of the field whose colours are measured: finer chroma is the photo's texture and no method's choice."""

OF_ITSELF = tuple(f"{kind}_{of}" for of in ("first", "others") for kind in ("chroma", "energy", "tint"))
"""Metrics that look at no truth, and so are measured of the truth, too."""

EPSILON = 1e-4  # ε of Larsson's Eq. (8)


def score(
    lightness: Float[np.ndarray, "B H W 1"],
    truth: Float[np.ndarray, "B H W 2"],
    samples: Float[np.ndarray, "B N H W 2"],
) -> dict[str, Float[np.ndarray, "B"]]:
    """Every metric of this file for a batch: {name: (B,)}.

    Args:
      lightness, truth, samples: network units.
    """
    return nearness(lightness, truth, samples[:, 0]) | moments(samples)


def nearness(
    lightness: Float[np.ndarray, "B H W 1"],
    truth: Float[np.ndarray, "B H W 2"],
    first: Float[np.ndarray, "B H W 2"],
) -> dict[str, Float[np.ndarray, "B"]]:
    """`psnr_first`, `worse_than_gray` and `rmse_alphabeta` of version 1, RGB clipped as in `metrics.to_rgb`.

    Args:
      lightness, truth, first: network units.
    """
    fields = np.stack([first, truth, np.zeros_like(truth)], axis=1)
    own, true, gray = np.moveaxis(metrics.to_rgb(lightness, fields), 1, 0)
    reached, without = metrics.psnr(own, true), metrics.psnr(gray, true)
    found = {
        "psnr_first": reached,
        "worse_than_gray": (reached < without).astype(float),
        "rmse_alphabeta": rmse_alphabeta(own, true),
    }
    return {name: np.where(without > metrics.GRAY, np.nan, values) for name, values in found.items()}


def rmse_alphabeta(
    rgb: Float[np.ndarray, "*batch H W 3"], truth_rgb: Float[np.ndarray, "*batch H W 3"]
) -> Float[np.ndarray, "*batch"]:
    """Larsson et al. 2016, Eq. (9), of each image: the mean over its pixels of the distance in αβ.

    It is a mean of lengths and no root of a mean, whatever its name. Over images of one size the mean of these values
    is the paper's sum over all pixels.

    Args:
      rgb, truth_rgb: sRGB in [0, 1].
    """
    difference = alphabeta(rgb) - alphabeta(truth_rgb)
    return np.asarray(np.sqrt(np.square(difference).sum(axis=-1)).mean(axis=(-2, -1)))


def alphabeta(rgb: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 2"]:
    """Larsson et al. 2016, Eq. (8): α = (B − (R + G)/2) / (L + ε), β = (R − G) / (L + ε), L the mean of R, G and B.

    Args:
      rgb: sRGB in [0, 1].
    """
    red, green, blue = np.moveaxis(rgb.astype(np.float64), -1, 0)
    lightness = (red + green + blue) / 3 + EPSILON
    return np.stack([(blue - (red + green) / 2) / lightness, (red - green) / lightness], axis=-1)


def moments(samples: Float[np.ndarray, "B N H W 2"]) -> dict[str, Float[np.ndarray, "B"]]:
    """The metrics of `OF_ITSELF`, over the means of `CELLS` × `CELLS` cells.

    `chroma` is the mean length of ab, `energy` the mean of its square, and `tint` the square of the mean ab: what of
    the energy is one tint over the whole picture.

    Args:
      samples: network units.

    Returns:
      `others` are NaN where N = 1.
    """
    cells = color.network_to_ab(_cells(samples.astype(np.float64)))
    squares = np.square(cells).sum(axis=-1)
    each = {
        "chroma": np.sqrt(squares).mean(axis=(2, 3)),
        "energy": squares.mean(axis=(2, 3)),
        "tint": np.square(cells.mean(axis=(2, 3))).sum(axis=-1),
    }
    first = {f"{name}_first": values[:, 0] for name, values in each.items()}
    none = np.full(len(samples), np.nan)
    several = samples.shape[1] > 1
    return first | {f"{n}_others": v[:, 1:].mean(axis=1) if several else none for n, v in each.items()}


def _cells(samples: Float[np.ndarray, "B N H W 2"]) -> Float[np.ndarray, "B N F F 2"]:
    planes = np.moveaxis(samples, -1, 2)
    means = [upsample.cell_means(plane, CELLS) for plane in planes.reshape(-1, *planes.shape[3:])]
    return np.moveaxis(np.reshape(means, (*planes.shape[:3], CELLS, CELLS)), 2, -1)


def shares(
    scores: Mapping[str, float], truth: Mapping[str, float], gray: Mapping[str, float]
) -> dict[str, float]:
    """What a table tells of a row's means, beside those of the truth and of gray.

    Args:
      scores, truth, gray: means over the images, by metric; those of an older evaluation lack these metrics.

    Returns:
      `gain`, dB of `psnr_first` over gray's; `gain_best`, of `psnr_best`; `alphabeta_to_gray`; `tint_first` and
      `tint_others`, shares of the energy in [0, 1]; `chroma_first` and `chroma_others`, over the truth's;
      `recovered`, of the way from gray's `judge_agreement` to 1, the truth's; `kl_to_gray` and
      `frechet_to_gray`. NaN where what they are of does not exist.
    """

    def of(row: Mapping[str, float], name: str) -> float:
        return row.get(name, float("nan"))

    found = {
        "gain": of(scores, "psnr_first") - of(gray, "psnr_first"),
        "gain_best": of(scores, "psnr_best") - of(gray, "psnr_best"),
        "alphabeta_to_gray": _ratio(of(scores, "rmse_alphabeta"), of(gray, "rmse_alphabeta")),
    }
    agreed = of(gray, "judge_agreement")
    found["recovered"] = _ratio(of(scores, "judge_agreement") - agreed, 1 - agreed)
    found["kl_to_gray"] = _ratio(of(scores, "judge_kl"), of(gray, "judge_kl"))
    found["frechet_to_gray"] = _ratio(of(scores, "frechet"), of(gray, "frechet"))
    for which in ("first", "others"):
        found[f"tint_{which}"] = _ratio(of(scores, f"tint_{which}"), of(scores, f"energy_{which}"))
        found[f"chroma_{which}"] = _ratio(of(scores, f"chroma_{which}"), of(truth, "chroma_first"))
    return found


def _ratio(value: float, whole: float) -> float:
    return value / whole if whole > 0 else float("nan")
