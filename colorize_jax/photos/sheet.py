"""Pictures side by side on white: each under a caption of its own, or in a grid with titles and labels."""

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image, ImageDraw, ImageFont

from colorize_jax import files

TEXT = 13
"""Size of the letters, in pixels."""

_MARGIN = 2  # left and right of a captioned picture
_CAPTION = 22
_NARROWEST = 120  # of a captioned picture, so that the caption is seen

Corner = tuple[int, int]
"""x and y of an upper left corner."""


def write_sheet(path: Path, sheet: Image.Image) -> None:
    """Writes a picture, the format by the name's suffix; see `files.replaced`. A file that is there is replaced."""
    with files.replaced(path, overwrite=True) as temporary:
        sheet.save(temporary)


def captioned(pictures: Sequence[Image.Image], captions: Sequence[str], *, columns: int) -> Image.Image:
    """Pictures of one size in reading order, each under its caption.

    Args:
      pictures: RGB, at least one.
      captions: one a picture; one line.
      columns: at most so many pictures a row.

    Raises:
      ValueError: as many captions as pictures are needed.
    """
    if len(captions) != len(pictures):
        raise ValueError(f"captioned: {len(captions)} captions for {len(pictures)} pictures; give one each")
    width, height = max(pictures[0].width + 2 * _MARGIN, _NARROWEST), pictures[0].height + _CAPTION
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    cells = [(x * width + _MARGIN, y * height) for y in range(rows) for x in range(columns)]
    return _drawn(
        (columns * width, rows * height),
        [(text, (x, y + 3)) for text, (x, y) in zip(captions, cells, strict=False)],
        [(picture, (x, y + _CAPTION)) for picture, (x, y) in zip(pictures, cells, strict=False)],
        TEXT,
    )


def grid(
    rows: Sequence[Sequence[UInt8[ndarray, "_ _ 3"]]],
    *,
    columns: Sequence[str] = (),
    labels: Sequence[str] = (),
    scale: int = 2,
    gap: int = 4,
    text: int = TEXT,
) -> Image.Image:
    """Pictures in rows, with titles over the columns and a label left of each row.

    Args:
      rows: the pictures, sRGB, all rows of one length; a row is as high as its highest, all columns as wide as the
        widest picture.
      columns: titles, one a column, or none; see `fitting`.
      labels: one a row, of one or more lines, or none.
      scale: whole-number magnification, nearest neighbour: the pixels that were measured are the ones seen.
      gap: white pixels between pictures.
      text: size of the letters.

    Raises:
      ValueError: ragged rows, or titles or labels that do not fit them.
    """
    _check_grid(rows, columns, labels)
    width = max(picture.shape[1] for row in rows for picture in row) * scale + gap
    heights = [max(picture.shape[0] for picture in row) * scale + gap for row in rows]
    top = text + 7 if columns else gap
    *tops, bottom = itertools.accumulate(heights, initial=top)
    left = _widest(labels, text) + 2 * gap
    titles = [(title, (left + width * x, 2)) for x, title in enumerate(columns)]
    beside = [(label, (gap, y + 2)) for y, label in zip(tops, labels, strict=False)]
    pictures = (
        (_enlarged(picture, scale), (left + width * x, y))
        for y, row in zip(tops, rows, strict=True)
        for x, picture in enumerate(row)
    )
    return _drawn((left + width * len(rows[0]), bottom), [*titles, *beside], pictures, text)


def fitting(title: str, width: int, *, text: int = TEXT) -> str:
    """As many of the title's first letters as are at most `width` pixels wide."""
    font = ImageFont.load_default(size=text)
    fits = (title[:n] for n in range(len(title), 0, -1) if font.getlength(title[:n]) <= width)
    return next(fits, "")


def _check_grid(rows: Sequence[Sequence[ndarray]], columns: Sequence[str], labels: Sequence[str]) -> None:
    if len({len(row) for row in rows}) != 1:
        raise ValueError(
            f"grid: rows have lengths {[len(row) for row in rows]}; give rows of one length, at least one"
        )
    for name, texts, wanted in (("columns", columns, len(rows[0])), ("labels", labels, len(rows))):
        if texts and len(texts) != wanted:
            raise ValueError(f"grid: {len(texts)} {name} for {wanted}; give one each, or none")


def _widest(labels: Sequence[str], text: int) -> int:
    font = ImageFont.load_default(size=text)
    return max((int(font.getlength(line)) for label in labels for line in label.split("\n")), default=0)


def _enlarged(picture: ndarray, scale: int) -> Image.Image:
    size = (picture.shape[1] * scale, picture.shape[0] * scale)
    return Image.fromarray(picture).resize(size, Image.Resampling.NEAREST)


def _drawn(
    size: tuple[int, int],
    texts: Iterable[tuple[str, Corner]],
    pictures: Iterable[tuple[Image.Image, Corner]],
    letters: int,
) -> Image.Image:
    sheet = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=letters)
    for text, place in texts:
        draw.text(place, text, fill="black", font=font)
    for picture, place in pictures:
        sheet.paste(picture, place)
    return sheet
