"""An evaluation for people: tables as text or Markdown, pictures as PIL images, and the files of both.

Pictures show colours gamut-mapped at the image's own lightness; a metric never reads them.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from colorize_jax import color, files
from colorize_jax.data.transforms import Example
from colorize_jax.evaluation import published, records, tables
from colorize_jax.evaluation.predict import Predict, collect, image_keys
from colorize_jax.evaluation.records import Diagnostics, Evaluation, PerImage, answer, ratios
from colorize_jax.evaluation.tables import Scored, Table
from colorize_jax.photos.sheet import grid, write_sheet
from colorize_jax.shapes import Float, Int, UInt8

# Images on each contact sheet, and of those with the best and the worst scores in the page of `page`.
ROWS = 8
EXTREMES = 20

UNIT_REMARK = (
    "The papers do not state the unit of their error of best. Ours is network units, ab / 128. In ab / 255, "
    "LFW's gray is at 0.0386, which would put 0.030 at 0.78 of gray, worse than five blind templates, and "
    "0.047 above gray; the paper's own 11e-5 fits no reading of a per-pixel error of samples that have not "
    "seen the colours. Read the ratios."
)

_COLUMNS = (
    ("eob_mae", "eob_mae", "{:.4f}"),
    ("gray", "/gray", "{:.3f}"),
    ("templates", "/templates", "{:.3f}"),
    ("eob_mse", "eob_mse", "{:.5f}"),
    ("mae", "mae", "{:.4f}"),
    ("variance", "variance", "{:.5f}"),
    ("pair_ssim_ab", "pair_ssim_ab", "{:.3f}"),
    ("pair_ssim_rgb", "pair_ssim_rgb", "{:.3f}"),
    ("psnr_best", "psnr_best", "{:.2f}"),
    ("bleed", "bleed", "{:.3f}"),
)


def table(evaluation: Evaluation, *, markdown: bool = False) -> str:
    """Our rows, every metric, eob_mae also over gray's and the templates'; – where a value does not exist."""
    lines = [("row", "N", *(title for _, title, _ in _COLUMNS))]
    for row in evaluation.rows:
        if "eob_mae" not in row.scores and row.name != "truth":
            continue  # a row of another kind: it has a table of its own
        values = {**row.scores, **ratios(evaluation, row)}
        cells = (cell(values.get(name), form) for name, _, form in _COLUMNS)
        lines.append((row.name, str(row.samples), *cells))
    return aligned(lines, markdown)


def summary(evaluation: Evaluation, *, markdown: bool = False) -> str:
    """All that `colorize-eval` prints: protocol, table, G-CRF diagnostics, published values."""
    one = [Scored(evaluation.protocol.model, evaluation, {})]
    answers = answer([row.name for row in evaluation.rows])
    parts = [protocol_text(evaluation)]
    if answers:
        parts.append(table(evaluation, markdown=markdown))
    if evaluation.diagnostics:
        parts.append(diagnostics_text(evaluation.diagnostics))
    natural = (tables.natural_table, tables.judge_table, tables.automatic_table)
    own = [make(one) for make in natural] if answers else []
    own += [tables.distribution_table(one), tables.generated_table(one)]
    parts += [table_text(found, markdown=markdown) for found in own if len(found.lines) > 1]
    if answers and evaluation.protocol.dataset in published.DATASETS:
        beside = [tables.method_table(one, theirs) for theirs in published.METHOD_TABLES]
        parts += [table_text(found, markdown=markdown) for found in beside] + [UNIT_REMARK]
    return "\n\n".join(parts) + "\n"


def table_text(found: Table, *, markdown: bool = False) -> str:
    """A table with its title above and its note below."""
    title = f"## {found.title}" if markdown else found.title
    note = [found.note] if found.note else []
    return "\n\n".join([title, aligned(found.lines, markdown), *note])


def tables_text(found: Sequence[Table], *, markdown: bool = False) -> str:
    """All tables of a comparison, and what is to be known of the papers' unit."""
    return "\n\n".join([*(table_text(t, markdown=markdown) for t in found), UNIT_REMARK]) + "\n"


def read_scored(name: str, folder: Path) -> Scored:
    """A method's evaluation as `write` left it.

    Raises:
      ValueError: there is none.
    """
    paths = [folder / file for file in ("scores.json", "per_image.json")]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise ValueError(f"{folder} holds no {' and no '.join(missing)}; run colorize-eval first")
    scores, per_image = (path.read_text(encoding="utf-8") for path in paths)
    return Scored(name, records.from_json(scores), records.per_image_from_json(per_image))


def write_comparison(folder: Path, scored: Sequence[Scored], found: Sequence[Table]) -> None:
    """Writes `comparison.json`, the methods' evaluations and the tables' cells, and `tables.md`."""
    whole = {
        "methods": {each.name: json.loads(records.to_json(each.evaluation)) for each in scored},
        "tables": [table._asdict() for table in found],
    }
    text = json.dumps(whole, indent=1, allow_nan=False) + "\n"
    files.write_text(folder / "comparison.json", text, overwrite=True)
    files.write_text(folder / "tables.md", tables_text(found, markdown=True), overwrite=True)


def protocol_text(evaluation: Evaluation) -> str:
    """One paragraph with all that the numbers depend on."""
    p = evaluation.protocol
    packages = ", ".join(f"{name} {version}" for name, version in p.versions.items())
    return (
        f"{p.model} on {p.dataset}/{p.split} (split {p.split_hash}), {p.images} images at {p.resolution}², "
        "network units; "
        f"{p.samples} samples, rule {p.rule}, field {p.field}² lifted by {p.lift}, seed {p.seed}, batches of "
        f"{p.batch_size}; blind baselines fitted on {p.fit_images} training images. {packages}."
    )


def diagnostics_text(found: Diagnostics) -> str:
    """Means of the G-CRF's diagnostics and the worst image of each."""
    terms = [
        f"{name} {found.mean[name]:.3g} (worst {found.worst[name]:.3g}, image {found.worst_image[name]})"
        for name in found.mean
    ]
    return f"G-CRF over the first {found.images} images: " + "; ".join(terms)


def cell(value: float | None, form: str) -> str:
    """A number of a table, – where it does not exist."""
    return "–" if value is None or not np.isfinite(value) else form.format(value)


def aligned(lines: Sequence[Sequence[str]], markdown: bool) -> str:
    """Rows of cells, the titles first, as plain text or as a Markdown table."""
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    # The last column is text in the published table and a number in ours: only a number is set to the right.
    left = [not any(character.isdigit() for character in cell) for cell in lines[-1]]
    padded = [
        [
            cell.ljust(w) if i == 0 or left[i] else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        ]
        for line in lines
    ]
    if not markdown:
        return "\n".join("  ".join(line).rstrip() for line in padded)
    rule = [("-" * w) if i == 0 or left[i] else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
    return "\n".join("| " + " | ".join(line) + " |" for line in [padded[0], rule, *padded[1:]])


def to_picture(
    lightness: Float[np.ndarray, "H W 1"], field: Float[np.ndarray, "H W 2"]
) -> UInt8[np.ndarray, "H W 3"]:
    """A colour field on its lightness, network units, as gamut-mapped 8-bit sRGB."""
    return color.lab_to_srgb_bytes(color.network_to_lab(lightness, field))


def to_gray(lightness: Float[np.ndarray, "H W 1"]) -> UInt8[np.ndarray, "H W 3"]:
    """A lightness, network units, as 8-bit sRGB."""
    return to_picture(lightness, np.zeros((*lightness.shape[:2], 2), np.float32))


def contact_sheet(
    lightness: Float[np.ndarray, "B H W 1"],
    truth: Float[np.ndarray, "B H W 2"],
    samples: Float[np.ndarray, "B N H W 2"],
    *,
    labels: Sequence[str] = (),
) -> Image.Image:
    """One image a row: gray, truth, then its N versions in the method's order. Network units."""
    rows = [
        [to_gray(gray), to_picture(gray, own), *(to_picture(gray, field) for field in fields)]
        for gray, own, fields in zip(lightness, truth, samples, strict=True)
    ]
    titles = ["gray", "truth", *(f"version {n + 1}" for n in range(samples.shape[1]))]
    return grid(rows, columns=titles, labels=labels)


def unary_and_field(
    lightness: Float[np.ndarray, "B H W 1"],
    truth: Float[np.ndarray, "B H W 2"],
    unary: Float[np.ndarray, "B H W 2"],
    field: Float[np.ndarray, "B H W 2"],
) -> Image.Image:
    """Fig. 7 of Messaoud 2018, one image a column: truth, unary, G-CRF output, and their colours alone.

    The last two rows show the colours at a constant lightness, L* = 65, where speckle and bleeding hide less.
    """
    flat = np.full_like(lightness, color.lightness_to_network(65.0))
    sources = ((lightness, truth), (lightness, unary), (lightness, field), (flat, unary), (flat, field))
    rows = [[to_picture(gray, x) for gray, x in zip(grays, fields, strict=True)] for grays, fields in sources]
    return grid(rows, labels=("truth", "unary", "G-CRF", "unary,\ncolour", "G-CRF,\ncolour"))


ATTENTION_PIXELS = ((0.55, 0.4), (0.2, 0.5), (0.15, 0.08))
"""(y, x) as shares of the side: on aligned faces a cheek, the hair, the background."""


def attention(
    lightness: Float[np.ndarray, "B H W 1"],
    similarity: Float[np.ndarray, "B P P"],
    *,
    pixels: Sequence[tuple[float, float]] = ATTENTION_PIXELS,
) -> Image.Image:
    """Fig. 8 of Messaoud 2018: the gray image, then each marked pixel's row of S, darker blue for stronger.

    Args:
      lightness: network units.
      similarity: S over the field's pixels, rows of the image first.
      pixels: (y, x) of the marked pixels as shares of the side, in [0, 1).

    The map is S_ij over the 99.5th percentile of its row without the pixel itself, so that one near-copy does
    not hide the rest.
    """
    side = round(similarity.shape[-1] ** 0.5)
    rows = []
    for gray, rows_of_s in zip(lightness, similarity, strict=True):
        maps = [
            _attention_map(gray, rows_of_s, int(y * side) * side + int(x * side), side) for y, x in pixels
        ]
        rows.append([to_gray(gray), *maps])
    return grid(rows, columns=["gray", *(f"pixel {n + 1}" for n in range(len(pixels)))])


def _attention_map(gray: np.ndarray, similarity: np.ndarray, pixel: int, side: int) -> np.ndarray:
    weights = similarity[pixel].astype(np.float64)
    others = np.delete(weights, pixel)
    strength = np.clip(weights / max(np.percentile(others, 99.5), 1e-12), 0, 1).reshape(side, side)
    cell = gray.shape[0] // side
    strength = np.kron(strength, np.ones((cell, cell)))[..., None]
    # Paler than the photo, so that dark hair is not mistaken for strong attention.
    pale = 255 - (255 - to_gray(gray).astype(np.float64)) * 0.45
    picture = (pale * (1 - strength) + np.array([0, 40, 160]) * strength).astype(np.uint8)
    y, x = (cell * place for place in divmod(pixel, side))
    picture[max(y - 1, 0) : y + cell + 1, max(x - 1, 0) : x + cell + 1] = (230, 30, 30)
    return picture


class Gallery(NamedTuple):
    """Images of a test set with a method's versions, to be looked at; network units.

    Attributes:
      indices: places in the test set; the first `ROWS` images, and the best and worst `EXTREMES` by `eob_mae`.
      lightness, truth: the images.
      field: the versions.
      unary: the first version before the G-CRF; None for a method without one.
    """

    indices: Int[np.ndarray, "B"]
    lightness: Float[np.ndarray, "B H W 1"]
    truth: Float[np.ndarray, "B H W 2"]
    field: Float[np.ndarray, "B N H W 2"]
    unary: Float[np.ndarray, "B H W 2"] | None

    def rows(self, indices: Sequence[int]) -> "Gallery":
        """These images, in this order.

        Raises:
          ValueError: one is not in the gallery.
        """
        place = {int(index): row for row, index in enumerate(self.indices)}
        missing = [index for index in indices if index not in place]
        if missing:
            raise ValueError(f"images {missing} are not in the gallery; it has {sorted(place)}")
        rows = [place[index] for index in indices]
        unary = None if self.unary is None else self.unary[rows]
        return Gallery(self.indices[rows], self.lightness[rows], self.truth[rows], self.field[rows], unary)


def extremes(errors: Float[np.ndarray, "B"], count: int) -> tuple[list[int], list[int]]:
    """The places of the `count` smallest errors, best first, and of the largest, worst first."""
    order = [int(place) for place in np.argsort(errors, kind="stable")]
    return order[:count], order[::-1][:count]


def gallery(
    predict: Predict, batches: Callable[[], Iterable[Example]], per_image: PerImage, *, seed: int
) -> Gallery:
    """The first images, and those with the best and the worst scores, with the versions that were scored.

    Args:
      predict: from `predict.predictor`.
      batches: opens the test set anew.
      per_image: from `score.score_images`.
      seed: as there.
    """
    row = answer(per_image)
    errors = per_image[row]["eob_mae"]
    best, worst = extremes(errors, EXTREMES)
    indices = np.array(sorted({*range(min(ROWS, errors.size)), *best, *worst}))
    together = len(next(iter(batches()))["ab"])
    images = collect(batches(), [int(i) for i in indices])
    parts = []
    for start in range(0, len(indices), together):
        # Filled up to the size of the scored batches, for which the networks are compiled.
        rows = np.minimum(np.arange(start, start + together), len(indices) - 1)
        batch = {name: value[rows] for name, value in images.items()}
        parts.append(predict(batch, image_keys(seed, indices[rows])))
    fields = {name: np.concatenate([part[name] for part in parts])[: len(indices)] for name in parts[0]}
    unary = fields["unary"][:, 0] if "unary" in fields else None
    return Gallery(indices, images["lightness"], images["ab"], fields[row], unary)


def pictures(found: Gallery, per_image: PerImage) -> dict[str, Image.Image]:
    """The pictures of an evaluation by file name: contact sheets of the first, best and worst images, and Fig. 7.

    Args:
      found: from `gallery`; without a unary Fig. 7 is left out.
      per_image: from `score.score_images`; best and worst are by `eob_mae` of the method's answer.
    """
    scores = per_image[answer(per_image)]["eob_mae"]
    best, worst = extremes(scores, ROWS)
    first = list(range(min(ROWS, scores.size)))
    sheets = {}
    for name, indices in {"first": first, "best": best, "worst": worst}.items():
        chosen = found.rows(indices)
        labels = [f"image {i}\n{scores[i]:.4f}" for i in indices]
        sheets[f"contact_{name}"] = contact_sheet(chosen.lightness, chosen.truth, chosen.field, labels=labels)
    chosen = found.rows(first)
    if chosen.unary is not None:
        sheets["fig7_unary_and_field"] = unary_and_field(
            chosen.lightness, chosen.truth, chosen.unary, chosen.field[:, 0]
        )
    return sheets


def image_sheet(images: Float[np.ndarray, "N H W 3"], *, columns: int = ROWS) -> Image.Image:
    """The first images of a generator, network units: full rows only, at most as many as there are columns."""
    columns = min(columns, len(images))
    rows = min(columns, len(images) // columns)
    shown = [to_picture(image[..., :1], image[..., 1:]) for image in images[: rows * columns]]
    return grid([shown[n * columns : (n + 1) * columns] for n in range(rows)])


def read_gallery(folder: Path) -> Gallery | None:
    """The gallery that `write` left in the folder of an evaluation; None where there is none."""
    path = folder / "gallery.npz"
    if not path.is_file():
        return None
    arrays = files.read_arrays(path)
    # The conversion of colours needs more than the 16 bits that they are kept in.
    wide: dict[str, Any] = {
        name: array.astype(np.float32) if array.dtype == np.float16 else array
        for name, array in arrays.items()
    }
    return Gallery(**{"unary": None, **wide})


def write(
    folder: Path,
    evaluation: Evaluation,
    per_image: PerImage,
    sheets: dict[str, Image.Image],
    found: Gallery | None,
) -> list[Path]:
    """Writes `gallery.npz`, the PNGs, `table.md`, `per_image.json` and last `scores.json`; returns their paths."""
    if found is not None:
        arrays = {name: value for name, value in found._asdict().items() if value is not None}
        compact = {name: a.astype(np.float16) if a.dtype == np.float32 else a for name, a in arrays.items()}
        files.write_arrays(folder / "gallery.npz", compact, compressed=True, overwrite=True)
    for name, picture in sheets.items():
        write_sheet(folder / f"{name}.png", picture)
    texts = {
        "table.md": summary(evaluation, markdown=True),
        "per_image.json": records.per_image_to_json(per_image),
        "scores.json": records.to_json(evaluation),  # last: where it is, all is
    }
    for name, text in texts.items():
        files.write_text(folder / name, text, overwrite=True)
    galleries = () if found is None else ("gallery.npz",)
    return [folder / name for name in (*galleries, *(f"{name}.png" for name in sheets), *texts)]
