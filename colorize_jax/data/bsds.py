"""The photos of BSDS500 that people have divided into regions (Arbelaez et al. 2011), straight from the archive."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image
from scipy import io as matlab

from colorize_jax.data import transforms
from colorize_jax.data.transforms import Example, View
from colorize_jax.shapes import Int


def segmented_photos(
    archive: str | Path, view: View, *, images: int = 0
) -> Iterator[tuple[Example, list[Int[np.ndarray, "S S"]]]]:
    """Each photo as a batch of one, centred, and the regions of every person who drew some, at the same pixels.

    Args:
      archive: a zip with `….jpg` and, for some of them, `….mat` of the same name with `groundTruth`, as published.
      view: its crop and flip are not used.
      images: how many, the first ones by name; 0: all.

    Raises:
      ValueError: the archive is missing, is no zip, or holds no photo with regions.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            files = {PurePosixPath(name) for name in opened.namelist()}
            photos = {path.stem: path for path in files if path.suffix == ".jpg"}
            drawn = {path.stem: path for path in files if path.suffix == ".mat" and path.stem in photos}
            if not drawn:
                raise ValueError(f"{archive} holds no photo with regions (NAME.jpg and NAME.mat)")
            for stem in sorted(drawn)[: images or None]:
                content = opened.read(str(photos[stem]))
                pixels = transforms.to_network(transforms.pixels(content, view, None))
                example = {key: value[None] for key, value in pixels.items()}
                yield example, _regions(opened.read(str(drawn[stem])), view.image_size)
    except (OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{archive} cannot be read as a zip archive ({error}); give BSDS500's") from error


def _regions(content: bytes, side: int) -> list[np.ndarray]:
    """Each person's regions, labels 0 … K − 1, of the square in the middle, at `side`."""
    people = matlab.loadmat(io.BytesIO(content))["groundTruth"][0]
    return [_scaled(person["Segmentation"][0, 0], side) for person in people]


def _scaled(labels: np.ndarray, side: int) -> Int[np.ndarray, "S S"]:
    box = transforms.center_box(labels.shape[1], labels.shape[0])
    # One label a pixel, that of its middle: labels have no average.
    small = Image.fromarray(labels.astype(np.int32)).resize((side, side), Image.Resampling.NEAREST, box=box)
    return np.unique(np.asarray(small), return_inverse=True)[1].reshape(side, side)
