"""Labeled Faces in the Wild, aligned by deep funneling (Huang et al. 2012): 13,233 faces, 250x250 JPEG."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath

from colorize_jax.data.archives import open_archive
from colorize_jax.data.builder import Photo, PhotoBuilder


class LfwDeepfunneled(PhotoBuilder):
    """LFW deep-funneled from `lfw-deepfunneled.tgz` or the folder in it; 1,000 random test images."""

    TEST_IMAGES = 1000

    @contextmanager
    def photos(self, scratch: Path) -> Iterator[list[Photo]]:
        # Names such as Aaron_Eckhart_0001.jpg are unique without the person's folder, and so the split is the
        # same from the tgz, the folder in it, or a folder of other layout.
        with open_archive(self._source) as archive:
            yield [
                Photo(PurePosixPath(name).name, None, partial(archive.read, name)) for name in archive.names
            ]
