"""The photos of BSDS500 that people have divided into regions (Arbelaez et al. 2011), straight from the archives."""

import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Int
from PIL import Image
from scipy import io as matlab

from colorize_jax.data import transforms
from colorize_jax.data.transforms import Example, View


def whole_photos(
    archive: str | Path, *, images: int = 0
) -> Iterator[tuple[str, bytes, list[Int[np.ndarray, "H W"]]]]:
    """Each photo's name and file, and the regions of every person who drew some, at its own pixels.

    Photos in a folder `train` are left out: models learn from them.

    Args:
      archive: as of `segmented_photos`, whose errors it raises.
      images: at most so many, evenly spread over the names; 0: all.
    """
    with opened(archive) as (read, found):
        drawn = [pair for pair in found if "train" not in pair[0].parts]
        for photo, regions in drawn[:: max(1, len(drawn) // images) if images else 1][: images or None]:
            yield photo.stem, read(photo), people(read(regions))


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
    with opened(archive) as (read, found):
        for photo, regions in found[: images or None]:
            pixels = transforms.to_network(transforms.pixels(read(photo), view, None))
            example = {key: value[None] for key, value in pixels.items()}
            yield example, [_scaled(labels, view.image_size) for labels in people(read(regions))]


Pair = tuple[PurePosixPath, PurePosixPath]
"""The names of a photo and of its regions."""


@contextmanager
def opened(source: str | Path) -> Iterator[tuple[Callable[[PurePosixPath], bytes], list[Pair]]]:
    """What reads a file, and the photos that people have divided, in the order of their own names.

    Args:
      source: a zip, or a folder of several whose names begin with bsds500, with `….jpg` and `….mat` as published.

    Raises:
      ValueError: as `segmented_photos`.
    """
    source = Path(source)
    archives = sorted(source.glob("bsds500*.zip")) if source.is_dir() else [source]
    try:
        with ExitStack() as stack:
            zips = [stack.enter_context(zipfile.ZipFile(path)) for path in archives]
            files = {PurePosixPath(name): each for each in zips for name in each.namelist()}
            photos = {path.stem: path for path in files if path.suffix == ".jpg"}
            drawn = {path.stem: path for path in files if path.suffix == ".mat" and path.stem in photos}
            if not drawn:
                raise ValueError(f"{source} holds no photo with regions (NAME.jpg and NAME.mat)")
            pairs = [(photos[stem], drawn[stem]) for stem in sorted(drawn)]
            yield lambda path: files[path].read(str(path)), pairs
    except (OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{source} cannot be read as a zip archive ({error}); give BSDS500's") from error


def people(content: bytes) -> list[np.ndarray]:
    """Each person's labels (H, W), at the photo's own pixels, of the content of a `.mat`."""
    found = matlab.loadmat(io.BytesIO(content))["groundTruth"][0]
    return [person["Segmentation"][0, 0].astype(np.int32) for person in found]


def _scaled(labels: np.ndarray, side: int) -> Int[np.ndarray, "S S"]:
    box = transforms.center_box(labels.shape[1], labels.shape[0])
    # One label a pixel, that of its middle: labels have no average.
    small = Image.fromarray(labels).resize((side, side), Image.Resampling.NEAREST, box=box)
    return np.unique(np.asarray(small), return_inverse=True)[1].reshape(side, side)
