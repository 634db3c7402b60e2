"""The comparison as one HTML file that needs no network: tables, contact sheets, curves, scores and commands.

Pictures are inlined, and written as PNGs beside the page. How the page looks is in `templates`.
"""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import numpy as np
from PIL import Image

from colorize_jax import files
from colorize_jax.evaluation import published, report, tables
from colorize_jax.evaluation.report import Gallery
from colorize_jax.evaluation.tables import Scored, Table
from colorize_jax.photos.sheet import grid, write_sheet
from colorize_jax.train.telemetry import read_metrics

FIG5_SAMPLES = 3  # versions of each method in a row of Fig. 5
FIG7_IMAGES = 4
DETAILS = ("eob_mae", "mae", "mae_weighted", "variance", "pair_ssim_ab", "psnr_best", "bleed")

SHEETS = {
    "fig7_unary_and_field": "before and after the G-CRF, as Fig. 7 of Messaoud et al. 2018",
    "fig8_attention": "which pixels a marked pixel is coloured like, as Fig. 8 of Messaoud et al. 2018",
    "generated": "images from nothing",
}
"""Pictures of an evaluation's folder that are shown as they are, and their captions."""


class Sheet(NamedTuple):
    """Pictures on the page that are one image: its file name without ending, what it shows, and itself."""

    name: str
    caption: str
    image: Image.Image


class Section(NamedTuple):
    """A comparison as the page shows it.

    Attributes:
      title: data set and split.
      tables: all of them.
      sheets: pictures.
      scores: a table of its images for each method.
      commands: that made the models and their evaluations.
    """

    title: str
    tables: list[Table]
    sheets: list[Sheet]
    scores: list[Table]
    commands: list[str]


class Comparison(NamedTuple):
    """The methods that were scored together, and the folder of each one's evaluation."""

    title: str
    scored: tuple[Scored, ...]
    folders: dict[str, Path]


def read_comparison(folder: Path) -> Comparison:
    """What `colorize-eval --methods` left in `folder`, or a single evaluation.

    Raises:
      ValueError: there is no evaluation.
    """
    if (folder / "scores.json").is_file():
        folders = {folder.name: folder}
    else:
        folders = {path.parent.name: path.parent for path in sorted(folder.glob("*/scores.json"))}
    if not folders:
        raise ValueError(f"{folder} holds no evaluation; run colorize-eval --methods=… --out={folder} first")
    read = [report.read_scored(name, place) for name, place in folders.items()]
    scored = tuple(sorted(read, key=_as_in_the_papers))
    protocol = scored[0].evaluation.protocol
    return Comparison(f"{protocol.dataset}/{protocol.split}", scored, folders)


def _as_in_the_papers(each: Scored) -> tuple[int, str]:
    order, method = published.ORDER, each.evaluation.protocol.method
    return (order.index(method) if method in order else len(order)), each.name


def write(out: Path, comparisons: Sequence[Comparison], *, command: str) -> list[Path]:
    """Writes `index.html` and its PNGs.

    Args:
      out: folder.
      comparisons: a section of the page each.
      command: the one that makes the page.

    Returns:
      The paths of all that was written, the page first.
    """
    sections, paths = [], []
    for number, comparison in enumerate(comparisons):
        sheets = pictures(comparison)
        for sheet in sheets:
            path = out / f"{number}_{sheet.name}.png"
            write_sheet(path, sheet.image)
            paths.append(path)
        sections.append(_section(comparison, sheets))
    page = out / "index.html"
    files.write_text(page, render(sections, command) + "\n", overwrite=True)
    return [page, *paths]


def render(sections: Sequence[Section], command: str) -> str:
    """The page as HTML; every text of a section is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["base64_png"] = _base64_png
    environment.tests["text"] = _is_text
    template = environment.get_template("page.html")
    return template.render(sections=sections, command=command, remark=report.UNIT_REMARK)


def _section(comparison: Comparison, sheets: Sequence[Sheet]) -> Section:
    commands = dict.fromkeys(c for each in comparison.scored for c in each.evaluation.protocol.commands)
    scores = [scores_of_images(each) for each in comparison.scored if each.answers]
    return Section(
        comparison.title, tables.all_tables(comparison.scored), list(sheets), scores, list(commands)
    )


def _is_text(cell: str) -> bool:
    """Whether a cell is text, which stands to the left; numbers and – stand to the right."""
    return any(c.isalpha() for c in cell) and not any(c.isdigit() for c in cell)


def _base64_png(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def scores_of_images(each: Scored) -> Table:
    """The scores of every image of a method, the best first."""
    values = each.answers
    names = [name for name in DETAILS if name in values]
    order = np.argsort(values["eob_mae"], kind="stable")
    lines: list[tuple[str, ...]] = [("image", *names)]
    lines += [(str(i), *(f"{values[name][i]:.4g}" for name in names)) for i in order]
    return Table(f"{each.name}: {len(order)} images by eob_mae", lines)


def pictures(comparison: Comparison) -> list[Sheet]:
    """All pictures of a comparison for which there is something to show, in the order of the page."""
    galleries = {each.name: report.read_gallery(comparison.folders[each.name]) for each in comparison.scored}
    shown = {name: found for name, found in galleries.items() if found is not None}
    answering = [each for each in comparison.scored if each.answers]
    found = []
    if shown:
        found += [
            Sheet("fig5", "Images × methods, as Fig. 5 of Messaoud et al. 2018", fig5(shown)),
            Sheet("fig7", "Methods × versions of an image, as Fig. 7 of Deshpande et al. 2017", fig7(shown)),
        ]
    if answering:
        found.append(
            Sheet("error_and_variance", "Error of best against variance", error_and_variance(answering))
        )
    curves = training_curves(comparison.scored)
    if curves:
        found.append(Sheet("training", "Training", curves))
    for each in answering:
        if each.name in shown:
            found += _extremes(each.name, shown[each.name], each.answers["eob_mae"])
    for name, folder in comparison.folders.items():
        found += _kept(name, folder)
    return found


def _kept(name: str, folder: Path) -> list[Sheet]:
    found = []
    for file, caption in SHEETS.items():
        path = folder / f"{file}.png"
        if path.is_file():
            with Image.open(path) as opened:
                found.append(Sheet(f"{name}_{file}", f"{name}: {caption}", opened.convert("RGB")))
    return found


def _first(galleries: dict[str, Gallery], count: int) -> dict[str, Gallery]:
    indices = list(range(min(count, len(next(iter(galleries.values())).indices))))
    return {name: found.rows(indices) for name, found in galleries.items()}


def fig5(galleries: dict[str, Gallery], *, images: int = report.ROWS) -> Image.Image:
    """One image a row: gray, the first versions of each method, ground truth."""
    chosen = _first(galleries, images)
    some = next(iter(chosen.values()))
    shown = {name: own.field[:, :FIG5_SAMPLES] for name, own in chosen.items()}
    rows = []
    for i, (gray, truth) in enumerate(zip(some.lightness, some.truth, strict=True)):
        versions = [report.to_picture(gray, f) for fields in shown.values() for f in fields[i]]
        rows.append([report.to_gray(gray), *versions, report.to_picture(gray, truth)])
    titles = [name if n == 0 else "" for name, fields in shown.items() for n in range(fields.shape[1])]
    return grid(rows, columns=["gray", *titles, "truth"])


def fig7(galleries: dict[str, Gallery], *, images: int = FIG7_IMAGES) -> Image.Image:
    """One method a row, for one image after the other: all its versions, ground truth last."""
    chosen = _first(galleries, images)
    some, count = next(iter(chosen.values())), max(own.field.shape[1] for own in chosen.values())
    empty = np.full((*some.truth.shape[1:3], 3), 255, np.uint8)
    rows, labels = [], []
    for i, (gray, truth) in enumerate(zip(some.lightness, some.truth, strict=True)):
        for name, own in chosen.items():
            versions = [report.to_picture(gray, field) for field in own.field[i]]
            missing = [empty] * (count - len(versions))
            rows.append([*versions, *missing, report.to_picture(gray, truth)])
            labels.append(f"image {some.indices[i]}\n{name}")
    return grid(rows, columns=[*(f"version {n + 1}" for n in range(count)), "truth"], labels=labels)


def _extremes(name: str, own: Gallery, errors: np.ndarray) -> list[Sheet]:
    found = []
    for kind, indices in zip(("best", "worst"), report.extremes(errors, report.EXTREMES), strict=True):
        part = own.rows(indices)
        rows = [
            [
                report.to_gray(gray),
                report.to_picture(gray, truth),
                *(report.to_picture(gray, f) for f in fields),
            ]
            for gray, truth, fields in zip(part.lightness, part.truth, part.field, strict=True)
        ]
        labels = [f"image {i}\n{errors[i]:.4f}" for i in indices]
        sheet = grid(rows, labels=labels, scale=1)
        caption = f"{name}: the {len(indices)} images with the {kind} eob_mae (gray, truth, versions)"
        found.append(Sheet(f"{name}_{kind}", caption, sheet))
    return found


def _drawn(figure: Any) -> Image.Image:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    buffer.seek(0)
    with Image.open(buffer) as opened:
        return opened.convert("RGB")


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure  # without pyplot: no window, no state

    return Figure((width, height), layout="constrained")


def error_and_variance(scored: Sequence[Scored]) -> Image.Image:
    """Error of best against variance, the plot of Deshpande et al.'s first version: each image and the means.

    Lower is closer to the truth, and further right is more diverse. Both must be read against the blind templates. A
    method of one answer has no variance, so no place on the logarithmic axis: it is drawn as a line.
    """
    figure = _figure(8, 5)
    axes = figure.add_subplot()
    for number, each in enumerate(scored):
        own, shade = each.answers, f"C{number}"
        kept = own["variance"] > 0
        if not kept.any():
            axes.axhline(own["eob_mae"].mean(), color=shade, linestyle="--", label=each.name)
            continue
        axes.scatter(own["variance"][kept], own["eob_mae"][kept], s=9, alpha=0.3, color=shade, linewidths=0)
        axes.scatter(
            own["variance"].mean(), own["eob_mae"].mean(), s=90, color=shade, edgecolors="black", label=each.name,
            zorder=3,
        )  # fmt: skip
    blind = scored[0].per_image["templates"]
    axes.scatter(
        blind["variance"].mean(), blind["eob_mae"].mean(), marker="X", s=90, color="gray", edgecolors="black",
        label="blind templates", zorder=3,
    )  # fmt: skip
    gray = scored[0].per_image["gray"]["eob_mae"].mean()
    axes.axhline(gray, color="gray", linestyle=":", label="gray")
    axes.set(xscale="log", xlabel="variance of the versions, network units²", ylabel="eob_mae, network units")
    axes.legend(fontsize=8)
    return _drawn(figure)


def training_curves(scored: Sequence[Scored]) -> Image.Image | None:
    """The loss of each stage over its steps, a panel a stage; None where no training run is at hand.

    Stages of one name have one objective only where their methods say so: read each curve against itself.
    """
    curves: dict[str, dict[str, tuple[list[int], list[float]]]] = {}
    for each in scored:
        workdir = each.evaluation.protocol.workdir
        lines = read_metrics(Path(workdir) / "metrics.jsonl").lines if workdir else []
        for line in lines:
            if line["kind"] == "train" and line["loss"] is not None:
                steps, losses = curves.setdefault(line["stage"], {}).setdefault(each.name, ([], []))
                steps.append(line["step"])
                losses.append(line["loss"])
    if not curves:
        return None
    figure = _figure(3.6 * len(curves), 3.4)
    colors = {each.name: f"C{number}" for number, each in enumerate(scored)}
    for number, (stage, own) in enumerate(curves.items()):
        axes = figure.add_subplot(1, len(curves), number + 1)
        for name, (steps, losses) in own.items():
            axes.plot(steps, losses, label=name, color=colors[name])
        positive = all(loss > 0 for _, losses in own.values() for loss in losses)
        axes.set(title=f"stage {stage}", xlabel="step", ylabel="loss", yscale="log" if positive else "linear")
        axes.legend(fontsize=7)
    return _drawn(figure)
