"""A contact sheet of a folder of photos: `python benchmarks/sheet.py FOLDER OUT [MODEL] [SAMPLES]`.

One photo a row: gray, version 1 to N, and the photo itself, 160 pixels high, in the order of their names. The photos of
`people.txt` and `ordinary.txt` are in no training set; each line has a file's name and where it is from.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from colorize_jax.inference.colorizer import Colorizer
from colorize_jax.photos.photo import read_photo, read_rgb
from colorize_jax.photos.sheet import grid

HEIGHT = 160


def row(colorizer: Colorizer, path: Path, samples: int) -> list[np.ndarray]:
    photo, truth = read_photo(path), read_rgb(path)
    versions = [picture[..., :3] for picture in colorizer.colorize(photo, samples=samples).rgb]
    gray = np.asarray(Image.fromarray(truth).convert("L").convert("RGB"))
    return [small(picture) for picture in (gray, *versions, truth)]


def small(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    return np.asarray(Image.fromarray(picture).resize((round(width * HEIGHT / height), HEIGHT)))


def main(folder: Path, out: Path, model: str = "default", samples: int = 5) -> None:
    colorizer = Colorizer.load(model)
    paths = sorted(path for path in folder.iterdir() if path.is_file())
    rows = [row(colorizer, path, samples) for path in paths]
    titles = ["gray", *(f"version {n + 1}" for n in range(samples)), "photo"]
    grid(rows, columns=titles, labels=[path.stem[:12] for path in paths], scale=1).save(out)
    print(f"wrote {out}: {len(paths)} photos")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:4], *map(int, sys.argv[4:5]))
