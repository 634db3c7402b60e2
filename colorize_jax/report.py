"""An evaluation for people: tables as text or Markdown, pictures as PIL images, and the files of both.

Pictures show colours gamut-mapped at the image's own lightness; a metric never reads them.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from colorize_jax import color, evaluate
from colorize_jax.evaluate import Batch, Evaluation, PerImage, Predict, ratios
from colorize_jax.shapes import Float, UInt8

# Images on each contact sheet.
ROWS = 8

Similarity = Callable[[Batch], Any]
"""`batch -> S (B, P, P)`."""


class Published(NamedTuple):
    """A published row on LFW: error of best, variance and pair SSIM as printed; None where not reported."""

    name: str
    eob: float
    variance: float
    ssim: float | None
    source: str


_MESSAOUD = "Messaoud et al. 2018, Table 2"
_DESHPANDE = "Deshpande et al. 2017, Table 3"

PUBLISHED_LFW = (
    Published("c-GAN", 0.047, 8.40e-6, 0.92, _MESSAOUD),
    Published("MLN-GAN", 0.057, 2.83e-2, 0.12, _MESSAOUD),
    Published("BicycleGAN", 0.045, 6.50e-3, 0.51, _MESSAOUD),
    Published("VAE-MDN", 0.035, 1.81e-2, 0.49, _MESSAOUD),
    Published("PIC", 0.043, 5.32e-2, 0.36, _MESSAOUD),
    Published("the paper's method", 11e-5, 8.86e-3, 0.61, _MESSAOUD),
    Published("CVAE", 0.031, 1.0e-4, None, _DESHPANDE),
    Published("VAE-MDN", 0.030, 1.1e-3, None, _DESHPANDE),
    Published("VAE-MDN + skip", 0.031, 4.4e-4, None, _DESHPANDE),
)

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
        values = {**row.scores, **ratios(evaluation, row)}
        cells = (cell(values.get(name), form) for name, _, form in _COLUMNS)
        lines.append((row.name, str(row.samples), *cells))
    return aligned(lines, markdown)


def published_table(evaluation: Evaluation, *, markdown: bool = False) -> str:
    """LFW's published error of best, variance and SSIM beside ours, each with its source and protocol."""
    p = evaluation.protocol
    ours = f"{p.images} images, N = {p.samples} {p.rule}, {p.resolution}², {p.model}"
    lines = [("method", "eob", "variance", "SSIM", "source")]
    for published in PUBLISHED_LFW:
        cells = (f"{published.eob:.3g}", f"{published.variance:.3g}", cell(published.ssim, "{:.2f}"))
        lines.append((published.name, *cells, published.source))
    for row in evaluation.rows:
        if row.name in ("templates", "unary", "field"):
            scores = row.scores
            cells = (f"{scores['eob_mae']:.4f}", f"{scores['variance']:.3g}", f"{scores['pair_ssim_ab']:.2f}")
            lines.append((f"ours: {row.name}", *cells, f"here, ab only; {ours}"))
    return aligned(lines, markdown)


def summary(evaluation: Evaluation, *, markdown: bool = False) -> str:
    """All that `colorize-eval` prints: protocol, table, G-CRF diagnostics, published values."""
    parts = [protocol_text(evaluation), table(evaluation, markdown=markdown)]
    if evaluation.diagnostics:
        parts.append(diagnostics_text(evaluation))
    if evaluation.protocol.dataset.startswith("lfw"):
        parts += [published_table(evaluation, markdown=markdown), UNIT_REMARK]
    return "\n\n".join(parts) + "\n"


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


def diagnostics_text(evaluation: Evaluation) -> str:
    """Means of the G-CRF's diagnostics and the worst image of each."""
    found = evaluation.diagnostics
    if found is None:
        return "no G-CRF"
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


def grid(
    rows: Sequence[Sequence[UInt8[np.ndarray, "H W 3"]]],
    *,
    columns: Sequence[str] = (),
    labels: Sequence[str] = (),
    scale: int = 2,
    gap: int = 4,
) -> Image.Image:
    """Pictures of one size in rows, with titles over the columns and a label left of each row.

    Args:
      rows: the pictures, all rows of one length.
      columns: titles, one a column, or none.
      labels: one a row, or none.
      scale: whole-number magnification, nearest neighbour: the pixels that were measured are the ones seen.
      gap: white pixels between pictures.

    Raises:
      ValueError: ragged rows, or titles or labels that do not fit them.
    """
    if len({len(row) for row in rows}) != 1:
        raise ValueError(
            f"grid: rows have lengths {[len(row) for row in rows]}; give rows of one length, at least one"
        )
    for name, texts, wanted in (("columns", columns, len(rows[0])), ("labels", labels, len(rows))):
        if texts and len(texts) != wanted:
            raise ValueError(f"grid: {len(texts)} {name} for {wanted}; give one each, or none")
    font = ImageFont.load_default(size=13)
    height, width = (side * scale + gap for side in rows[0][0].shape[:2])
    left = (
        max((int(font.getlength(line)) for text in labels for line in text.split("\n")), default=0) + 2 * gap
    )
    top = 20 if columns else gap
    sheet = Image.new("RGB", (left + width * len(rows[0]), top + height * len(rows)), "white")
    draw = ImageDraw.Draw(sheet)
    for place, text in enumerate(columns):
        draw.text((left + width * place, 2), text, fill="black", font=font)
    for place, text in enumerate(labels):
        draw.multiline_text((gap, top + height * place + 2), text, fill="black", font=font)
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            size = (picture.shape[1] * scale, picture.shape[0] * scale)
            enlarged = Image.fromarray(picture).resize(size, Image.Resampling.NEAREST)
            sheet.paste(enlarged, (left + width * x, top + height * y))
    return sheet


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


def pictures(
    predict: Predict,
    similarity: Similarity | None,
    batches: Callable[[], Iterable[Batch]],
    per_image: PerImage,
) -> dict[str, Image.Image]:
    """The pictures of an evaluation by file name: contact sheets of the first, best and worst images, Figs. 7 and 8.

    Args:
      predict: from `evaluate.predictor`; without a row `unary` Fig. 7 is left out.
      similarity: `batch -> S (B, P, P)`; None leaves Fig. 8 out.
      batches: opens the test set anew.
      per_image: from `evaluate.score_images`; best and worst are by `eob_mae` of `field`.
    """
    scores = per_image["field"]["eob_mae"]
    order = np.argsort(scores, kind="stable")
    chosen = {"first": range(min(ROWS, scores.size)), "best": order[:ROWS], "worst": order[::-1][:ROWS]}
    found = {}
    for name, places in chosen.items():
        indices = [int(place) for place in places]
        # The draw of rule 'random' depends on the batch: these are other samples of the same distribution.
        batch = evaluate.collect(batches(), indices)
        fields = predict(batch, jax.random.key(0))
        labels = [f"image {i}\n{scores[i]:.4f}" for i in indices]
        lightness, truth = batch["lightness"], batch["ab"]
        found[f"contact_{name}"] = contact_sheet(lightness, truth, fields["field"], labels=labels)
        if name == "first" and "unary" in fields:
            found["fig7_unary_and_field"] = unary_and_field(
                lightness, truth, fields["unary"][:, 0], fields["field"][:, 0]
            )
            if similarity:
                found["fig8_attention"] = attention(lightness, np.asarray(similarity(batch), np.float32))
    return found


def write(
    folder: Path, evaluation: Evaluation, per_image: PerImage, sheets: dict[str, Image.Image]
) -> list[Path]:
    """Writes `scores.json`, `per_image.json`, `table.md` and the PNGs; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "scores.json": evaluate.to_json(evaluation),
        "per_image.json": evaluate.per_image_to_json(per_image),
        "table.md": summary(evaluation, markdown=True),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    for name, sheet in sheets.items():
        sheet.save(folder / f"{name}.png")
    return [folder / name for name in (*texts, *(f"{name}.png" for name in sheets))]
