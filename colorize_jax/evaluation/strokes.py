"""Does a colour fill the thing it is put on, and stop at its edge? People's segments of photos say what things are.

Each larger segment gets one mark in a hue of its own. A pixel belongs to the mark whose colour is nearest to its own,
if it has at least half of the chroma along that hue; else to none.

| score | better | over the marked segments of a photo, the mean of |
|---|---|---|
| `iou` | higher | pixels of the mark inside its segment / pixels of either |
| `fill` | higher | pixels of the mark inside its segment / the segment's |
| `spill` | lower | pixels of the mark outside its segment / the mark's |
| `psnr` | higher | no such mean: the photo's PSNR, dB, where every mark has its segment's own mean colour |
| `psnr_off` | higher | the same where these colours were chosen by eye, in the mean over the ways to be wrong, `OFF` |

Photos are the independent units.
"""

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from colorize_jax import color
from colorize_jax.classical import Propagate
from colorize_jax.evaluation import edits
from colorize_jax.evaluation.edits import ColorPhoto
from colorize_jax.shapes import Bool, Float, Int

KINDS = ("click", "stroke")
SCORES = ("iou", "fill", "spill", "psnr", "psnr_off", "seconds")

LEAST, MOST = 0.03, 6
"""Share of a photo that a marked segment has at least, and how many are marked at most: the largest."""

CHROMA = 40.0
"""CIE ab of the marks' colours, whose hues are 60 degrees apart."""

OFF = tuple(itertools.product((-25.0, 25.0), (0.6, 1.4)))
"""How colours chosen by eye are wrong: (degrees of hue, factor of chroma)."""

_THINNEST = 1.5  # radius of the thinnest brush, pixels


class Mark(NamedTuple):
    """A person's segment of a photo, and the pixels of it that are marked."""

    segment: Bool[np.ndarray, "H W"]
    pixels: Bool[np.ndarray, "H W"]


def marks(regions: Sequence[Int[np.ndarray, "H W"]], kind: str) -> list[Mark]:
    """The marks of a photo, the largest segment first.

    Args:
      regions: labels by pixel, of each person who drew some; those of the person who drew fewest are marked.
      kind: 'click', a disc in the middle of the segment's widest place, a third as wide; or 'stroke', the disc and a
        line on to the farthest pixel that is well inside.

    Raises:
      ValueError: another kind.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; allowed are {', '.join(KINDS)}")
    coarsest = min(regions, key=lambda labels: len(np.unique(labels)))
    labels, sizes = np.unique(coarsest, return_counts=True)
    large = [label for size, label in sorted(zip(sizes, labels, strict=True), reverse=True)]
    chosen = [label for label in large if (coarsest == label).mean() >= LEAST][:MOST]
    return [Mark(coarsest == label, _marked(coarsest == label, kind)) for label in chosen]


def _marked(segment: Bool[np.ndarray, "H W"], kind: str) -> Bool[np.ndarray, "H W"]:
    from scipy import ndimage

    depth = ndimage.distance_transform_edt(np.pad(segment, 1))[1:-1, 1:-1]
    middle = np.array(np.unravel_index(depth.argmax(), depth.shape))
    radius = max(_THINNEST, depth.max() / 3)
    rows, columns = np.ogrid[: segment.shape[0], : segment.shape[1]]
    marked = (rows - middle[0]) ** 2 + (columns - middle[1]) ** 2 <= radius**2
    if kind == "stroke" and depth.max() > radius:
        parts, _ = ndimage.label(depth > radius)
        inside = np.argwhere(parts == parts[tuple(middle)])
        end = inside[np.square(inside - middle).sum(axis=1).argmax()]
        line = np.zeros_like(segment)
        line[_line(middle, end)] = True
        marked = marked | ndimage.binary_dilation(line & segment)
    return marked & segment


def _line(start: Int[np.ndarray, "2"], end: Int[np.ndarray, "2"]) -> tuple[np.ndarray, np.ndarray]:
    """Pixels from one to the other."""
    count = int(np.abs(end - start).max()) + 1
    rows, columns = (np.linspace(a, b, count).round().astype(int) for a, b in zip(start, end, strict=True))
    return rows, columns


def hues(count: int) -> Float[np.ndarray, "K 2"]:
    """The colours of `count` marks, network units."""
    angles = np.deg2rad(np.arange(count) * 360 / MOST + 20)
    return color.ab_to_network(CHROMA * np.stack([np.cos(angles), np.sin(angles)], axis=-1)).astype(
        np.float32
    )


def told(found: Sequence[Mark], colors: Float[np.ndarray, "K 2"]) -> tuple[np.ndarray, np.ndarray]:
    """(targets (H, W, 2), weights (H, W)) of the marks in these colours, as `classical.Propagate` takes them."""
    shape = found[0].segment.shape
    targets, weights = np.zeros((*shape, 2), np.float32), np.zeros(shape, bool)
    for mark, own in zip(found, colors, strict=True):
        targets[mark.pixels], weights[mark.pixels] = own, True
    return targets, weights


def taken(answer: Float[np.ndarray, "H W 2"], colors: Float[np.ndarray, "K 2"]) -> Int[np.ndarray, "H W"]:
    """The mark of every pixel of an answer, from 0; −1 for none. All in network units."""
    nearest = np.square(answer[:, :, None] - colors).sum(axis=-1).argmin(axis=-1)
    lengths = np.linalg.norm(colors, axis=-1)
    along = (answer * colors[nearest]).sum(axis=-1) / lengths[nearest]
    return np.where(along >= lengths[nearest] / 2, nearest, -1)


def overlap(found: Sequence[Mark], labels: Int[np.ndarray, "H W"]) -> dict[str, float]:
    """`iou`, `fill` and `spill` of one photo; a mark that no pixel took has a spill of 0."""
    rows = []
    for number, (segment, _) in enumerate(found):
        own = labels == number
        both = (own & segment).sum()
        rows.append(
            (
                both / (own | segment).sum(),
                both / segment.sum(),
                1 - both / max(1, own.sum()) if own.any() else 0,
            )
        )
    iou, fill, spill = np.mean(rows, axis=0)
    return {"iou": float(iou), "fill": float(fill), "spill": float(spill)}


def nearness(photo: ColorPhoto, found: Sequence[Mark], method: Propagate) -> dict[str, float]:
    """`psnr` and `psnr_off` of one photo."""
    true = np.stack([photo.ab[mark.segment].mean(axis=0) for mark in found])

    def reached(colors: np.ndarray) -> float:
        return edits.psnr(photo, np.asarray(method(photo.lightness, *told(found, colors))))

    wrong = [reached(turned(true, degrees, factor)) for degrees, factor in OFF]
    return {"psnr": reached(true), "psnr_off": float(np.mean(wrong))}


def turned(
    colors: Float[np.ndarray, "*batch 2"], degrees: float, factor: float
) -> Float[np.ndarray, "*batch 2"]:
    """Colours with another hue and chroma."""
    angle = np.deg2rad(degrees)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (factor * colors @ rotation).astype(np.float32)


class StrokeScores(NamedTuple):
    """Scores of all methods.

    Attributes:
      kind: of the marks.
      photos: names, in the order of the arrays.
      scores: {method: {score: (photos,)}}.
    """

    kind: str
    photos: tuple[str, ...]
    scores: dict[str, dict[str, Float[np.ndarray, "photos"]]]


def evaluate(
    photos: Sequence[tuple[ColorPhoto, Sequence[Int[np.ndarray, "H W"]]]],
    methods: Mapping[str, Propagate],
    kind: str,
) -> StrokeScores:
    """Every method on every photo of at least two marks.

    Args:
      photos: with the regions of the people who drew some.
      methods: {name: propagation}.
      kind: of `KINDS`.

    Raises:
      ValueError: no photo has two segments to mark.
    """
    kept = [(photo, found) for photo, found in _all_marks(photos, kind) if len(found) > 1]
    if not kept:
        raise ValueError("photos: none has two segments to mark; give photos that people have divided")
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in methods}
    for (photo, found), (name, method) in itertools.product(kept, methods.items()):
        colors = hues(len(found))
        begun = time.perf_counter()
        answer = np.asarray(method(photo.lightness, *told(found, colors)))
        seconds = time.perf_counter() - begun
        own = overlap(found, taken(answer, colors))
        rows[name].append(own | nearness(photo, found, method) | {"seconds": seconds})
    scores = {
        name: {score: np.array([row[score] for row in own]) for score in SCORES} for name, own in rows.items()
    }
    return StrokeScores(kind, tuple(photo.name for photo, _ in kept), scores)


def _all_marks(
    photos: Sequence[tuple[ColorPhoto, Sequence[np.ndarray]]], kind: str
) -> Iterator[tuple[ColorPhoto, list[Mark]]]:
    for photo, regions in photos:
        yield photo, marks(regions, kind)
