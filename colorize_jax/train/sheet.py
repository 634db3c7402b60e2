"""Contact sheets: one row an image, one titled column a kind of picture."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from colorize_jax.files import replaced

GAP = 2
TITLE = 14  # pixels of the row of titles


def draw_sheet(columns: dict[str, np.ndarray]) -> np.ndarray:
    """Joins columns of pictures under their titles.

    Args:
      columns: title -> (B, H, W, 3), sRGB in [0, 1]; smaller pictures are enlarged to the largest H and W.

    Returns:
      (TITLE + B·(H + GAP), K·(W + GAP), 3), uint8, on white, with K columns.
    """
    rows = len(next(iter(columns.values())))
    height, width = (max(column.shape[axis] for column in columns.values()) for axis in (1, 2))
    sheet = Image.new("RGB", (len(columns) * (width + GAP), TITLE + rows * (height + GAP)), "white")
    draw = ImageDraw.Draw(sheet)
    for k, (title, pictures) in enumerate(columns.items()):
        draw.text((k * (width + GAP), 1), _shortened(draw, title, width), fill="black")
        for row, picture in enumerate(pictures):
            tile = Image.fromarray(_bytes(picture)).resize((width, height), Image.Resampling.NEAREST)
            sheet.paste(tile, (k * (width + GAP), TITLE + row * (height + GAP)))
    return np.asarray(sheet)


def _bytes(picture: np.ndarray) -> np.ndarray:
    return np.round(np.clip(np.nan_to_num(picture), 0, 1) * 255).astype(np.uint8)


def _shortened(draw: ImageDraw.ImageDraw, title: str, width: int) -> str:
    while title and draw.textlength(title) > width:
        title = title[:-1]
    return title


def write_sheet(path: Path, columns: dict[str, np.ndarray]) -> None:
    """Writes `draw_sheet(columns)` as a PNG, whole or not at all."""
    with replaced(path, overwrite=True) as temporary:
        Image.fromarray(draw_sheet(columns)).save(temporary)
