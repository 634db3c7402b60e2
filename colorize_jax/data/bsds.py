"""The photos of BSDS500 that people have divided into regions (Arbelaez et al. 2011), straight from the archive."""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image
from scipy import io as matlab

from colorize_jax.data import transforms
from colorize_jax.data.transforms import Example, View
from colorize_jax.shapes import Int


def whole_photos(
    archive: str | Path, *, images: int = 0
) -> Iterator[tuple[str, bytes, list[Int[np.ndarray, "H W"]]]]:
    """Each photo's name and file, and the regions of every person who drew some, at its own pixels.

    Photos in a folder `train` are left out: models learn from them.

    Args:
      archive: as of `segmented_photos`, whose errors it raises.
      images: at most so many, evenly spread over the names; 0: all.
    """
    with _opened(archive) as (opened, found):
        drawn = [pair for pair in found if "train" not in pair[0].parts]
        for photo, regions in drawn[:: max(1, len(drawn) // images) if images else 1][: images or None]:
            yield photo.stem, opened.read(str(photo)), _people(opened.read(str(regions)))


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
    with _opened(archive) as (opened, found):
        for photo, regions in found[: images or None]:
            pixels = transforms.to_network(transforms.pixels(opened.read(str(photo)), view, None))
            example = {key: value[None] for key, value in pixels.items()}
            people = _people(opened.read(str(regions)))
            yield example, [_scaled(labels, view.image_size) for labels in people]


@contextmanager
def _opened(
    archive: str | Path,
) -> Iterator[tuple[zipfile.ZipFile, list[tuple[PurePosixPath, PurePosixPath]]]]:
    """The archive, and the names of photos and their regions, in the order of the photos' own names."""
    try:
        with zipfile.ZipFile(archive) as opened:
            files = {PurePosixPath(name) for name in opened.namelist()}
            photos = {path.stem: path for path in files if path.suffix == ".jpg"}
            drawn = {path.stem: path for path in files if path.suffix == ".mat" and path.stem in photos}
            if not drawn:
                raise ValueError(f"{archive} holds no photo with regions (NAME.jpg and NAME.mat)")
            yield opened, [(photos[stem], drawn[stem]) for stem in sorted(drawn)]
    except (OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{archive} cannot be read as a zip archive ({error}); give BSDS500's") from error


def _people(content: bytes) -> list[np.ndarray]:
    """Each person's labels, at the photo's own pixels."""
    people = matlab.loadmat(io.BytesIO(content))["groundTruth"][0]
    return [person["Segmentation"][0, 0].astype(np.int32) for person in people]


def _scaled(labels: np.ndarray, side: int) -> Int[np.ndarray, "S S"]:
    box = transforms.center_box(labels.shape[1], labels.shape[0])
    # One label a pixel, that of its middle: labels have no average.
    small = Image.fromarray(labels).resize((side, side), Image.Resampling.NEAREST, box=box)
    return np.unique(np.asarray(small), return_inverse=True)[1].reshape(side, side)
