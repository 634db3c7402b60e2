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
        rows.append(np.hstack([_small(picture) for picture in pictures]))
    Image.fromarray(np.vstack(rows)).save(out, quality=88)


def _small(picture: np.ndarray) -> np.ndarray:
    """`WIDTH` pixels wide, with a margin of white."""
    image = Image.fromarray(picture)
    image = image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS)
    return np.pad(np.asarray(image), [(0, GAP), (0, GAP), (0, 0)], constant_values=255)


if __name__ == "__main__":
    common.run(main)
