"""The README's picture of edits: `python benchmarks/edits_picture.py docs/images/edits.jpg`.

Each example photo with the edits that come with it, these alone, mode 'guided', and the true photo.
"""

from colorize_jax.apps import common  # first: it sets numpy's threads

# isort: split
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from colorize_jax.control.document import as_edits
from colorize_jax.control.raster import mark
from colorize_jax.inference.colorizer import Colorizer
from colorize_jax.inference.explain import show_edits
from colorize_jax.photos.photo import as_photo
from colorize_jax.photos.sheet import grid

EXAMPLES = Path(__file__).parents[1] / "examples"
WIDTH, GAP = 320, 4


def main(arguments: Sequence[str]) -> None:
    """Writes the picture."""
    (out,) = arguments
    model, rows = Colorizer.load(), []
    for file in sorted((EXAMPLES / "edits").glob("*.json")):
        gray, true = EXAMPLES / f"{file.stem}_gray.jpg", EXAMPLES / f"{file.stem}.jpg"
        photo = as_photo(gray)
        shown = [show_edits(photo, mark(as_edits(file), *photo.lightness.shape))]
        shown += [model.edit(gray, file, mode=mode).rgb[0] for mode in ("alone", "guided")]
        pictures = (*shown, np.asarray(Image.open(true).convert("RGB")))
        rows.append([_small(picture) for picture in pictures])
    grid(rows, scale=1, gap=GAP).save(out, quality=88)


def _small(picture: np.ndarray) -> np.ndarray:
    """`WIDTH` pixels wide."""
    image = Image.fromarray(picture)
    size = (WIDTH, round(image.height * WIDTH / image.width))
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS))


if __name__ == "__main__":
    common.run(main)
