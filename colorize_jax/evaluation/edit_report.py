"""`edits.EditScores` for people: a table by reveals, the curves beside published ones, and a sheet of answers."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from colorize_jax import color, files
from colorize_jax.classical import Propagate
from colorize_jax.evaluation import edits, metrics, published, report, tables
from colorize_jax.evaluation.edits import ColorPhoto, EditScores
from colorize_jax.evaluation.reveals import RevealProtocol
from colorize_jax.photos.sheet import grid, write_sheet
from colorize_jax.shapes import Float, UInt8


def table(found: EditScores, *, markdown: bool = False) -> str:
    """Mean PSNR by reveals; then each method's leak, seconds and worst photo at the largest count."""
    counts = [str(count) for count in found.counts]
    lines = [("method", *counts, "leak", "seconds", "worst", "worst − gray")]
    for name in found.scores:
        means = {score: _mean(found, name, score) for score in edits.SCORES}
        worst = edits.worst(found, name, -1)
        last = (means["leak"][-1], means["seconds"].mean(), worst["psnr"], worst["psnr_over_gray"])
        forms = ("{:.2f}", "{:.2f}", "{:.1f}", "{:+.1f}")
        cells = [report.cell(value, form) for value, form in zip(last, forms, strict=True)]
        lines.append((name, *(f"{value:.2f}" for value in means["psnr"]), *cells))
    return report.aligned(lines, markdown)


def _mean(found: EditScores, method: str, score: str) -> np.ndarray:
    return metrics.mean_and_error(edits.by_photo(found, method, score))[0]


def paired_table(found: EditScores, method: str, *, markdown: bool = False) -> str:
    """`method` − every other one by reveals, PSNR in dB, mean ± standard error over the photos."""
    lines = [(f"{method} −", *(str(count) for count in found.counts))]
    for other in found.scores:
        if other != method:
            means, errors = edits.paired(found, method, other)
            cells = [f"{m:+.2f} ± {e:.2f}" for m, e in zip(means, errors, strict=True)]
            lines.append((other, *cells))
    return report.aligned(lines, markdown)


def published_table(protocol: RevealProtocol, *, markdown: bool = False) -> str:
    """Published PSNR of the same protocol on other images; only differences between rows can be compared."""
    curves = [curve for curve in published.CURVES if curve.protocol == protocol.name]
    counts = sorted({count for curve in curves for count in curve.psnr})
    lines = [("published, other images", *(str(count) for count in counts), "source")]
    for curve in curves:
        cells = (report.cell(curve.psnr.get(count), "{:.2f}") for count in counts)
        lines.append((curve.name, *cells, curve.source))
    return report.aligned(lines, markdown)


DEEPPROP = (
    "deepprop is simpler than published: fully connected where the paper convolves the patch, 400 steps, and no "
    "refinement of its answer."
)

PAPERS_OWN = "the paper's S"
"""Ends the name of a row: edits alone, spread by the S that the model has its colours from, as the paper's are."""


def claims_table(found: EditScores, *, markdown: bool = False) -> str:
    """Whether Messaoud's Table 3 has the order that is found here: each method less the next, and what was not run.

    'yes' and 'no' need a difference of two standard errors over the photos.
    """
    counts = [count for count in (10, 50, 100) if count in found.counts]
    lines = [("the paper's order", *(f"{count} reveals" for count in counts))]
    for first, second in itertools.pairwise(published.EDITED):
        rows = [(a, b) for a in _rows_of(found, first) for b in _rows_of(found, second)]
        lines += [(f"{a} over {b}", *_order_cells(found, a, b, counts)) for a, b in rows]
        if not rows:
            absent = [name for name in (first, second) if not _rows_of(found, name)]
            lines.append((f"{first} over {second}", *[f"not run: {', '.join(absent)}"] * len(counts)))
    return report.aligned(lines, markdown)


def _rows_of(found: EditScores, name: str) -> list[str]:
    """The rows that stand for a method of the paper's table."""
    own = published.EDITED_HERE.get(name)
    if name in published.EDITED_HERE:
        return [own] if own in found.scores else []
    is_papers = name == published.OWN_CURVE
    return [row for row in found.scores if is_papers and row.endswith(f", {PAPERS_OWN}")]


def _order_cells(found: EditScores, first: str, second: str, counts: Sequence[int]) -> list[str]:
    means, errors = edits.paired(found, first, second)
    told = {
        count: f"{mean:+.2f} ± {error:.2f} {tables.verdict(mean, error)}"
        for count, mean, error in zip(found.counts, means, errors, strict=True)
    }
    return [told[count] for count in counts]


def protocol_text(found: EditScores) -> str:
    """One line with all that the numbers depend on."""
    rule = found.protocol
    return (
        f"{len(found.photos)} photos at {rule.side}×{rule.side}, protocol {rule.name} ({rule.patch}×{rule.patch} "
        f"patches, {rule.placement}), {found.draws} draws a photo, seed {found.seed}; PSNR in dB of clipped RGB, "
        f"mean over photos; gray {found.gray.mean():.2f}. leak and worst at {found.counts[-1]} reveals."
    )


def summary(found: EditScores, *, markdown: bool = False) -> str:
    """All that `colorize-eval --task=edits` prints; differences are those of the first method."""
    first = next(iter(found.scores))
    parts = [
        protocol_text(found),
        table(found, markdown=markdown),
        paired_table(found, first, markdown=markdown),
    ]
    if any(curve.protocol == found.protocol.name for curve in published.CURVES):
        parts.append(published_table(found.protocol, markdown=markdown))
    if found.protocol.name == "paper" and {10, 50, 100} & set(found.counts):
        parts.append(claims_table(found, markdown=markdown))
    if published.EDITED_HERE["Endo"] in found.scores:
        parts.append(DEEPPROP)
    return "\n\n".join(parts) + "\n"


def plot(found: EditScores, path: Path) -> None:
    """PSNR by reveals with standard errors; dashed the published curves of the same protocol, other images.

    Raises:
      ModuleNotFoundError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("plots need matplotlib; pip install 'colorize_jax[train]'") from error
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for name in found.scores:
        mean, spread = metrics.mean_and_error(edits.by_photo(found, name, "psnr"))
        axes.errorbar(found.counts, mean, yerr=spread, label=name, marker=".", capsize=2)
    for curve in published.CURVES:
        if curve.protocol == found.protocol.name:
            label = f"{curve.name} (other images)"
            axes.plot(list(curve.psnr), list(curve.psnr.values()), "--", linewidth=1, label=label)
    # Linear up to one reveal, so that none has a place on the axis.
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xticks(found.counts, labels=[str(count) for count in found.counts])
    axes.set(xlabel="reveals", ylabel="PSNR, dB", title=f"{len(found.photos)} photos, {found.protocol.name}")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    with files.replaced(path, overwrite=True) as temporary:
        figure.savefig(temporary, dpi=120)


def sheet(
    photos: Sequence[ColorPhoto],
    methods: Mapping[str, Propagate],
    rule: RevealProtocol,
    *,
    counts: Sequence[int] = (10, 50),
    seed: int = 0,
) -> Image.Image:
    """One photo and count a row: what was revealed, every method's answer, and the photo itself."""
    rows, labels = [], []
    for photo in photos:
        for count in counts:
            targets, weights = edits.revealed(photo, rule, count, draw=0, seed=seed)
            answers = [method(photo.lightness, targets, weights) for method in methods.values()]
            pictures = [_picture(photo.lightness, field) for field in (*answers, photo.ab)]
            rows.append([_marked(photo.lightness, targets, weights), *pictures])
            # One PSNR a method, in the order of the columns, below the count.
            values = "\n".join(f"{edits.psnr(photo, field):.1f}" for field in answers)
            labels.append(f"{count} reveals\n{values}")
    return grid(rows, columns=["revealed", *methods, "photo"], labels=labels, scale=1)


def _picture(
    lightness: Float[np.ndarray, "H W"], ab: Float[np.ndarray, "H W 2"]
) -> UInt8[np.ndarray, "H W 3"]:
    return report.to_picture(color.lightness_to_network(lightness)[..., None], ab)


def _marked(lightness: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The gray photo with the revealed patches in their colour at middle lightness, so that they can be seen."""
    shown = np.where(weights, 60.0, lightness * 0.6 + 40)
    return _picture(shown.astype(lightness.dtype), targets)


def write(folder: Path, found: EditScores, pictures: Mapping[str, Image.Image]) -> list[Path]:
    """Writes `edits.json`, `edits.md`, `edits.png` (the plot) and the pictures as PNG; returns their paths."""
    texts = {"edits.json": edits.to_json(found), "edits.md": summary(found, markdown=True)}
    for name, text in texts.items():
        files.write_text(folder / name, text, overwrite=True)
    plot(found, folder / "edits.png")
    for name, picture in pictures.items():
        write_sheet(folder / f"{name}.png", picture)
    return [folder / name for name in (*texts, "edits.png", *(f"{name}.png" for name in pictures))]
