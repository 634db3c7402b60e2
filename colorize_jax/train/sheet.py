"""A training run's sheet of pictures: one row an image, one titled column a kind of picture."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from colorize_jax.photos.sheet import fitting, grid, write_sheet

_GAP = 2
_TEXT = 10


def draw(columns: dict[str, np.ndarray]) -> Image.Image:
    """Joins columns of pictures under their titles.

    Args:
      columns: title -> (B, H, W, 3), sRGB in [0, 1]; smaller pictures are enlarged to the largest H and W.
    """
    height, width = (max(column.shape[axis] for column in columns.values()) for axis in (1, 2))
    tiles = [[_tile(picture, width, height) for picture in pictures] for pictures in columns.values()]
    titles = [fitting(title, width, text=_TEXT) for title in columns]
    return grid(list(zip(*tiles, strict=True)), columns=titles, scale=1, gap=_GAP, text=_TEXT)


def write(path: Path, columns: dict[str, np.ndarray]) -> None:
    """Writes `draw(columns)` as a PNG."""
    write_sheet(path, draw(columns))


def _tile(picture: np.ndarray, width: int, height: int) -> UInt8[np.ndarray, "{height} {width} 3"]:
    levels = np.round(np.clip(np.nan_to_num(picture), 0, 1) * 255).astype(np.uint8)
    return np.asarray(Image.fromarray(levels).resize((width, height), Image.Resampling.NEAREST))
