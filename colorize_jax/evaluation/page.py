"""The comparison as one HTML file that needs no network: tables, contact sheets, curves, scores and commands.

Pictures are inlined, and written as PNGs beside the page.
"""

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from colorize_jax.evaluation import report, tables
from colorize_jax.evaluation.report import Gallery
from colorize_jax.evaluation.tables import Scored, Table
from colorize_jax.photos.sheet import grid
from colorize_jax.train.telemetry import read_metrics

FIG5_SAMPLES = 3  # versions of each method in a row of Fig. 5
FIG7_IMAGES = 4
DETAILS = ("eob_mae", "mae", "mae_weighted", "variance", "pair_ssim_ab", "psnr_best", "bleed")

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1b1b1b; margin: 2rem auto; max-width: 78rem; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { margin-top: 2.6rem; border-bottom: 1px solid #ccc; } h3 { margin-top: 1.8rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: 0.85rem; }
th, td { padding: 0.2rem 0.6rem; border-bottom: 1px solid #e3e3e3; text-align: right; white-space: nowrap; }
th:first-child, td:first-child, .text { text-align: left; } th { background: #f4f4f2; }
.note { color: #555; font-size: 0.85rem; max-width: 60rem; } img { max-width: 100%; height: auto; }
pre { background: #f4f4f2; padding: 0.7rem; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 0.8rem; }
summary { cursor: pointer; margin: 0.5rem 0; } nav a { margin-right: 1rem; }
"""


class Picture(NamedTuple):
    """A picture of the page: its file name without ending, what it shows, and itself."""

    name: str
    caption: str
    image: Image.Image


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
    order = ("scc", "vae_mdn", "vae_mdn_skip", "cvae")
    method = each.evaluation.protocol.method
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
    out.mkdir(parents=True, exist_ok=True)
    sections, paths = [], []
    for number, comparison in enumerate(comparisons):
        found = pictures(comparison)
        for picture in found:
            path = out / f"{number}_{picture.name}.png"
            picture.image.save(path)
            paths.append(path)
        sections.append(_section(number, comparison, found))
    links = "".join(
        f'<a href="#c{number}">{html.escape(c.title)}</a>' for number, c in enumerate(comparisons)
    )
    body = (
        f"<h1>Diverse colorization, compared</h1><nav>{links}</nav>"
        f'<p class="note">{html.escape(report.UNIT_REMARK)}</p>{"".join(sections)}'
        f"<h2>This page</h2><pre>{html.escape(command)}</pre>"
    )
    page = out / "index.html"
    page.write_text(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Diverse colorization, compared</title><style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )
    return [page, *paths]


def _section(number: int, comparison: Comparison, found: Sequence[Picture]) -> str:
    parts = [f'<h2 id="c{number}">{html.escape(comparison.title)}</h2>']
    parts += [table_html(table) for table in tables.all_tables(comparison.scored)]
    parts += [_picture_html(picture) for picture in found]
    parts += ["<h3>Scores of each image</h3>", *(_scores_html(each) for each in comparison.scored)]
    commands = dict.fromkeys(c for each in comparison.scored for c in each.evaluation.protocol.commands)
    parts.append(f"<h3>Commands</h3><pre>{html.escape(chr(10).join(commands))}</pre>")
    return "".join(parts)


def table_html(found: Table) -> str:
    """A table with its title and its note."""
    head, *rows = found.lines
    titles = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td{_kind(cell)}>{html.escape(cell)}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    note = f'<p class="note">{html.escape(found.note)}</p>' if found.note else ""
    return f'<h3>{html.escape(found.title)}</h3><div class="wide"><table><tr>{titles}</tr>{body}</table></div>{note}'


def _kind(cell: str) -> str:
    """Numbers stand to the right, and – with them."""
    number = any(c.isdigit() for c in cell) or not any(c.isalpha() for c in cell)
    return "" if number else ' class="text"'


def _picture_html(picture: Picture) -> str:
    buffer = io.BytesIO()
    picture.image.save(buffer, "PNG", optimize=True)
    data = base64.b64encode(buffer.getvalue()).decode()
    caption = html.escape(picture.caption)
    return (
        f'<h3>{caption}</h3><div class="wide"><img alt="{caption}" src="data:image/png;base64,{data}"></div>'
    )


def _scores_html(each: Scored) -> str:
    """The scores of every image of a method, the best first, folded away."""
    values = each.per_image["field"]
    names = [name for name in DETAILS if name in values]
    order = np.argsort(values["eob_mae"], kind="stable")
    lines = [("image", *names)]
    lines += [(str(i), *(f"{values[name][i]:.4g}" for name in names)) for i in order]
    rows = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in line) + "</tr>" for line in lines[1:])
    titles = "".join(f"<th>{title}</th>" for title in lines[0])
    return (
        f"<details><summary>{html.escape(each.name)}: {len(order)} images by eob_mae</summary>"
        f'<div class="wide"><table><tr>{titles}</tr>{rows}</table></div></details>'
    )


def pictures(comparison: Comparison) -> list[Picture]:
    """All pictures of a comparison for which there is something to show, in the order of the page."""
    galleries = {each.name: report.read_gallery(comparison.folders[each.name]) for each in comparison.scored}
    shown = {name: found for name, found in galleries.items() if found is not None}
    found = []
    if shown:
        found += [
            Picture("fig5", "Images × methods, as Fig. 5 of Messaoud et al. 2018", fig5(shown)),
            Picture(
                "fig7", "Methods × versions of an image, as Fig. 7 of Deshpande et al. 2017", fig7(shown)
            ),
        ]
    found.append(
        Picture("error_and_variance", "Error of best against variance", error_and_variance(comparison.scored))
    )
    curves = training_curves(comparison.scored)
    if curves:
        found.append(Picture("training", "Training", curves))
    for name, own in shown.items():
        errors = next(each for each in comparison.scored if each.name == name).per_image["field"]["eob_mae"]
        found += _extremes(name, own, errors)
    for name, folder in comparison.folders.items():
        for file, caption in (
            ("fig7_unary_and_field", "before and after the G-CRF, as Fig. 7 of Messaoud et al. 2018"),
            (
                "fig8_attention",
                "which pixels a marked pixel is coloured like, as Fig. 8 of Messaoud et al. 2018",
            ),
        ):
            path = folder / f"{file}.png"
            if path.is_file():
                with Image.open(path) as opened:
                    found.append(Picture(f"{name}_{file}", f"{name}: {caption}", opened.convert("RGB")))
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
    some = next(iter(chosen.values()))
    rows, labels = [], []
    for i, (gray, truth) in enumerate(zip(some.lightness, some.truth, strict=True)):
        for name, own in chosen.items():
            versions = [report.to_picture(gray, field) for field in own.field[i]]
            rows.append([*versions, report.to_picture(gray, truth)])
            labels.append(f"image {some.indices[i]}\n{name}")
    count = some.field.shape[1]
    return grid(rows, columns=[*(f"version {n + 1}" for n in range(count)), "truth"], labels=labels)


def _extremes(name: str, own: Gallery, errors: np.ndarray) -> list[Picture]:
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
        found.append(Picture(f"{name}_{kind}", caption, sheet))
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

    Down is closer to the truth, right is more diverse; the blind templates are what both must be read against.
    """
    figure = _figure(8, 5)
    axes = figure.add_subplot()
    for number, each in enumerate(scored):
        own, shade = each.per_image["field"], f"C{number}"
        kept = own["variance"] > 0  # a logarithmic axis has no zero
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
