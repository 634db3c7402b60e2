"""How well a few revealed colours are spread over a photo: any methods, the same photos, the same reveals.

A method is `classical.Propagate`: `(lightness (H, W) L*, targets (H, W, 2), weights (H, W) bool) -> (H, W, 2)`.

| score | unit | better | definition |
|---|---|---|---|
| `psnr` | dB | higher | −10 log₁₀ of the mean squared RGB error, sRGB in [0, 1] clipped per channel |
| `leak` | share | lower | share of the true colour steps across strong luminance edges that is lost (`edge_leak`) |
| `seconds` | s | lower | one call of the method, first calls (compilation) included |

Every score is first averaged over the reveal draws of a photo: photos are the independent units, so standard errors
are over photos.
"""

import io
import itertools
import json
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any, NamedTuple

import numpy as np

from colorize_jax import color, files
from colorize_jax.classical import Propagate
from colorize_jax.data.archives import DAMAGED, open_archive
from colorize_jax.data.transforms import View, pixels
from colorize_jax.evaluation import metrics, reveals
from colorize_jax.evaluation.reveals import RevealProtocol
from colorize_jax.photos import pages
from colorize_jax.photos.errors import one_line
from colorize_jax.shapes import Bool, Float

EDGE_STEP = 20.0
"""L* between the two pixels of a strong luminance edge."""

EDGE_REACH = 4
"""Pixels between them, along a row or a column: further than a JPEG file smears its halved chroma."""

# Sum over an image of squared colour steps, network units, below which an image has none: 0.13 in CIE ab, once.
_NO_STEP = 1e-6

SCORES = ("psnr", "leak", "seconds")


class ColorPhoto(NamedTuple):
    """A test photo: CIE L* (H, W), ab / 128 (H, W, 2), and the name that its reveals are drawn by."""

    name: str
    lightness: Float[np.ndarray, "H W"]
    ab: Float[np.ndarray, "H W 2"]


class EditScores(NamedTuple):
    """Scores of all methods.

    Attributes:
      protocol, counts, draws, seed: what the reveals were drawn by.
      photos: names, in the order of the arrays' first axis.
      gray: PSNR of each photo without colour, (photos,).
      scores: {method: {score: (photos, draws, counts)}}; NaN for the leak of a photo without colour steps.
    """

    protocol: RevealProtocol
    counts: tuple[int, ...]
    draws: int
    seed: int
    photos: tuple[str, ...]
    gray: Float[np.ndarray, "photos"]
    scores: dict[str, dict[str, np.ndarray]]


def load_photos(
    archive: str | PathLike[str],
    side: int,
    *,
    every: int = 1,
    limit: int | None = None,
    tell: Callable[[str], None] = print,
) -> list[ColorPhoto]:
    """Photos of a folder, zip or tar, centre-cropped to a square and scaled, in the order of their names.

    Args:
      archive: see `data.archives.open_archive`, whose errors it raises.
      side: in pixels; a protocol's own is `protocol.side`.
      every: only every n-th photo.
      limit: at most so many.
      tell: is given a line for each photo that cannot be read, which is left out, and for one of several pages.
    """
    photos = []
    with open_archive(archive) as opened:
        for name in sorted(opened.names)[::every][:limit]:
            shown = files.shown(name)
            try:
                content = opened.read(name)
                photos.append(color_photo(shown, content, side))
                if (number := pages.count(io.BytesIO(content)).number) > 1:
                    tell(f"{shown}: {number} pages, of which the first is measured")
            except DAMAGED as error:
                tell(f"left out: {shown}: {one_line(error)}")
    return photos


def color_photo(name: str, content: bytes, side: int) -> ColorPhoto:
    """An encoded photo, centre-cropped to a square and scaled."""
    rgb = pixels(content, View(side), None)["rgb"]
    lab = color.srgb_to_lab(rgb.astype(np.float32) / 255)
    return ColorPhoto(name, lab[..., 0].clip(0, 100), color.ab_to_network(lab[..., 1:]))


def revealed(
    photo: ColorPhoto, rule: RevealProtocol, count: int, *, draw: int, seed: int
) -> tuple[Float[np.ndarray, "H W 2"], Bool[np.ndarray, "H W"]]:
    """(targets, weights) of one draw: a function of the photo's name, the seed and the draw; nested in the count."""
    key = (seed, draw, zlib.crc32(photo.name.encode()))
    corners = reveals.patches(rule, photo.lightness.shape, count, key)
    return reveals.reveal(photo.ab, corners, rule.patch)


def evaluate_edits(
    photos: Sequence[ColorPhoto],
    methods: Mapping[str, Propagate],
    *,
    counts: Sequence[int] = reveals.COUNTS,
    protocol: RevealProtocol,
    draws: int = 5,
    seed: int = 0,
) -> EditScores:
    """Every method on every photo, draw and count.

    Args:
      photos: squares of the protocol's side.
      methods: {name: propagation}. A photo's reveals come one after another, so a method may keep its features.
      counts: numbers of reveals.
      protocol: of `reveals`.
      draws: random sets of reveals a photo.
      seed: of the draws.

    Raises:
      ValueError: no photo, no method, a photo of another size or without colour, or an answer of the wrong shape or
        not finite.
    """
    _check(photos, methods, protocol, draws)
    gray = np.array([psnr(photo, np.zeros_like(photo.ab)) for photo in photos])
    if not np.isfinite(gray).all():
        raise ValueError(
            f"photos: {photos[int(gray.argmax())].name} is gray, its PSNR infinite; leave it out"
        )
    shape = (len(photos), draws, len(counts))
    found = {name: {score: np.empty(shape) for score in SCORES} for name in methods}
    for i, photo in enumerate(photos):
        for draw, (k, count) in itertools.product(range(draws), enumerate(counts)):
            given = revealed(photo, protocol, count, draw=draw, seed=seed)
            for name, method in methods.items():
                for score, value in _score(photo, name, method, given).items():
                    found[name][score][i, draw, k] = value
    return EditScores(protocol, tuple(counts), draws, seed, tuple(p.name for p in photos), gray, found)


def _check(
    photos: Sequence[ColorPhoto], methods: Mapping[str, Propagate], rule: RevealProtocol, draws: int
) -> None:
    for name, given in (("photos", len(photos)), ("methods", len(methods)), ("draws", draws)):
        if given < 1:
            raise ValueError(f"{name}: there are {given}; give at least one")
    for photo in photos:
        if photo.lightness.shape != (rule.side, rule.side):
            raise ValueError(
                f"photos: {photo.name} is {photo.lightness.shape}; protocol {rule.name} is defined on "
                f"{rule.side}×{rule.side} pixels, load_photos(archive, {rule.side}) scales them"
            )


def _score(photo: ColorPhoto, name: str, method: Propagate, given: tuple) -> dict[str, float]:
    start = time.perf_counter()
    answer = np.asarray(method(photo.lightness, *given))
    seconds = time.perf_counter() - start
    if answer.shape != photo.ab.shape or not np.isfinite(answer).all():
        raise ValueError(
            f"methods: {name} answered {photo.name} with shape {answer.shape}, finite: "
            f"{bool(np.isfinite(answer).all())}; it must give finite colours of shape {photo.ab.shape}"
        )
    return {"psnr": psnr(photo, answer), "leak": edge_leak(photo, answer), "seconds": seconds}


def psnr(photo: ColorPhoto, ab: Float[np.ndarray, "H W 2"]) -> float:
    """`metrics.psnr` of colours in network units on the photo's own lightness, RGB clipped."""
    return float(metrics.psnr(*(_clipped_rgb(photo.lightness, field) for field in (ab, photo.ab))))


def _clipped_rgb(lightness: np.ndarray, ab: np.ndarray) -> np.ndarray:
    lab = np.concatenate([lightness[..., None], color.network_to_ab(ab)], axis=-1, dtype=np.float64)
    return np.clip(color.lab_to_srgb(lab), 0, 1)


def is_gray(photo: ColorPhoto) -> bool:
    """Whether a photo has no colour: the PSNR of gray is above `metrics.GRAY` dB, and would dominate a mean."""
    return psnr(photo, np.zeros_like(photo.ab)) > metrics.GRAY


def edge_leak(photo: ColorPhoto, ab: Float[np.ndarray, "H W 2"]) -> float:
    """Share of the true colour steps across strong luminance edges that is lost: 1 − Σ⟨Δ, Δ*⟩ / Σ‖Δ*‖².

    The sums are over all pairs of pixels, `EDGE_REACH` apart in a row or a column, whose L* differs by `EDGE_STEP`; Δ
    and Δ* are the steps of colour between them in `ab` and in the photo. Each side's colour that has crossed by a
    share p turns Δ* into (1 − 2p) Δ*: a leak of 2p. The photo's own colours have 0; one colour everywhere, and gray,
    have 1.

    Returns:
      the share, NaN for a photo whose strong edges carry no step of colour.
    """
    crossed = kept = 0.0
    for axis in (0, 1):
        lightness, field, truth = (_steps(a, axis) for a in (photo.lightness, ab, photo.ab))
        strong = np.abs(lightness) >= EDGE_STEP
        kept += float((field[strong] * truth[strong]).sum(dtype=np.float64))
        crossed += float(np.square(truth[strong]).sum(dtype=np.float64))
    return 1 - kept / crossed if crossed > _NO_STEP else float("nan")


def _steps(plane: np.ndarray, axis: int) -> np.ndarray:
    size = plane.shape[axis]
    far = np.take(plane, np.arange(EDGE_REACH, size), axis=axis)
    return far - np.take(plane, np.arange(size - EDGE_REACH), axis=axis)


def by_photo(found: EditScores, method: str, score: str) -> Float[np.ndarray, "photos counts"]:
    """A score, averaged over the draws of each photo."""
    return found.scores[method][score].mean(axis=1)


def paired(
    found: EditScores, method: str, other: str, score: str = "psnr"
) -> tuple[Float[np.ndarray, "counts"], Float[np.ndarray, "counts"]]:
    """Mean difference `method` − `other` over the photos, and its standard error, by count."""
    return metrics.mean_and_error(by_photo(found, method, score) - by_photo(found, other, score))


def worst(found: EditScores, method: str, k: int) -> dict[str, Any]:
    """The photo of lowest PSNR at the k-th count, and the one that loses most to gray (negative: worse than gray)."""
    values = by_photo(found, method, "psnr")[:, k]
    over_gray = values - found.gray
    low, lost = int(values.argmin()), int(over_gray.argmin())
    return {
        "photo": found.photos[low],
        "psnr": float(values[low]),
        "photo_over_gray": found.photos[lost],
        "psnr_over_gray": float(over_gray[lost]),
    }


def summary(found: EditScores) -> dict[str, Any]:
    """All that is reported, for JSON: protocol, means with standard errors, paired differences, worst photos.

    Lists run over `counts`; null where a value does not exist.
    """
    names = list(found.scores)
    methods = {
        name: {
            **{score: _listed(*metrics.mean_and_error(by_photo(found, name, score))) for score in SCORES},
            "worst": [worst(found, name, k) for k in range(len(found.counts))],
            "psnr_by_photo": [_rounded(row) for row in by_photo(found, name, "psnr")],
        }
        for name in names
    }
    differences = {
        name: {other: _listed(*paired(found, name, other)) for other in names if other != name}
        for name in names
    }
    return {
        "protocol": found.protocol._asdict(),
        "counts": list(found.counts),
        "draws": found.draws,
        "seed": found.seed,
        "photos": list(found.photos),
        "gray_psnr": float(found.gray.mean()),
        "methods": methods,
        "psnr_differences": differences,
    }


def _listed(mean: np.ndarray, error: np.ndarray) -> dict[str, list[float | None]]:
    return {"mean": _rounded(mean), "standard_error": _rounded(error)}


def _rounded(values: np.ndarray) -> list[float | None]:
    return [round(float(value), 6) if np.isfinite(value) else None for value in values]


def to_json(found: EditScores) -> str:
    """`summary` as JSON."""
    return json.dumps(summary(found), indent=1, allow_nan=False) + "\n"
