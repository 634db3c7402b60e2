"""`strokes.StrokeScores` for people and files: a table, differences to the others, a sheet of the answers."""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from colorize_jax import color, files
from colorize_jax.classical import Propagate
from colorize_jax.data import bsds
from colorize_jax.evaluation import metrics, report, strokes
from colorize_jax.evaluation.edits import ColorPhoto
from colorize_jax.evaluation.strokes import StrokeScores
from colorize_jax.photos.sheet import grid, write_sheet
from colorize_jax.shapes import Float, UInt8

Divided = tuple[ColorPhoto, Sequence[np.ndarray]]
"""A photo, and the regions of every person who drew some."""

_FORMS = {
    "iou": "{:.3f}",
    "fill": "{:.3f}",
    "spill": "{:.3f}",
    "psnr": "{:.2f}",
    "psnr_off": "{:.2f}",
    "seconds": "{:.2f}",
}


def divided_photos(archive: str | Path, *, limit: int = 0) -> list[Divided]:
    """Photos of BSDS500 at their own size; see `bsds.whole_photos`."""
    found: list[Divided] = []
    for name, content, regions in bsds.whole_photos(archive, images=limit):
        rgb = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
        lab = color.srgb_to_lab(rgb.astype(np.float32) / 255)
        photo = ColorPhoto(name, lab[..., 0].clip(0, 100), color.ab_to_network(lab[..., 1:]))
        found.append((photo, regions))
    return found


def run(photos: Sequence[Divided], methods: Mapping[str, Propagate], out: Path) -> None:
    """Measures every method from clicks and from strokes, prints the tables and writes the files.

    Args:
      photos: of `divided_photos`.
      methods: {name: propagation}; the first one's paired differences to all others are told.
      out: folder to write to: `strokes.json`, `strokes.md` and `strokes_sheet.png`.
    """
    found = [strokes.evaluate(photos, methods, kind) for kind in strokes.KINDS]
    print("\n\n".join(summary(each) for each in found))
    text = json.dumps({each.kind: told(each) for each in found}, indent=1) + "\n"
    files.write_text(out / "strokes.json", text, overwrite=True)
    markdown = "\n\n".join(summary(each, markdown=True) for each in found) + "\n"
    files.write_text(out / "strokes.md", markdown, overwrite=True)
    write_sheet(out / "strokes_sheet.png", sheet(photos[:: max(1, len(photos) // 6)][:6], methods))
    for name in ("strokes.json", "strokes.md", "strokes_sheet.png"):
        print(f"wrote {out / name}")


def told(found: StrokeScores) -> dict[str, Any]:
    """All scores, for JSON: by method the means with standard errors, and every photo's."""
    methods = {}
    for name, own in found.scores.items():
        means = {score: metrics.mean_and_error(values[:, None]) for score, values in own.items()}
        methods[name] = {
            score: {
                "mean": float(mean[0]),
                "standard_error": float(error[0]),
                "by_photo": own[score].tolist(),
            }
            for score, (mean, error) in means.items()
        }
    return {"photos": list(found.photos), "methods": methods}


def summary(found: StrokeScores, *, markdown: bool = False) -> str:
    """The means of one kind of marks, and how far the first method's IoU is ahead of each other's, photo by photo."""
    first, *_ = found.scores
    lines: list[tuple[str, ...]] = [
        (f"{found.kind}, {len(found.photos)} photos", *strokes.SCORES, f"IoU of {first} −")
    ]
    for name, own in found.scores.items():
        means = [_FORMS[score].format(own[score].mean()) for score in strokes.SCORES]
        mean, error = metrics.mean_and_error((found.scores[first]["iou"] - own["iou"])[:, None])
        ahead = "" if name == first else f"{mean[0]:+.3f} ± {error[0]:.3f}"
        lines.append((name, *means, ahead))
    return report.aligned(lines, markdown)


def sheet(photos: Sequence[Divided], methods: Mapping[str, Propagate]) -> Image.Image:
    """A photo and a kind of marks a row: the marks, every method's answer, and the segments in their colours."""
    rows, labels = [], []
    for photo, regions in photos:
        for kind in strokes.KINDS:
            found = strokes.marks(regions, kind)
            colors = strokes.hues(len(found))
            targets, weights = strokes.told(found, colors)
            answers = [np.asarray(method(photo.lightness, targets, weights)) for method in methods.values()]
            wanted = sum(mark.segment[..., None] * own for mark, own in zip(found, colors, strict=True))
            pictures = [_small(photo.lightness, field) for field in (*answers, wanted)]
            rows.append([_small(np.where(weights, 60.0, 0.6 * photo.lightness + 40), targets), *pictures])
            values = (strokes.overlap(found, strokes.taken(answer, colors))["iou"] for answer in answers)
            labels.append("\n".join([photo.name, kind, *(f"{value:.2f}" for value in values)]))
    return grid(rows, columns=["marks", *methods, "segments"], labels=labels, scale=1)


def _small(lightness: np.ndarray, ab: Float[np.ndarray, "H W 2"]) -> UInt8[np.ndarray, "h w 3"]:
    shown = report.to_picture(color.lightness_to_network(lightness.astype(np.float32))[..., None], ab)
    height, width = shown.shape[:2]
    return np.asarray(
        Image.fromarray(shown).resize((240 * width // max(shown.shape), 240 * height // max(shown.shape)))
    )
