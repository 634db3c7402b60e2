"""BSDS500 with what people have made of it: the photos, and the regions into which they divided each of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import tensorflow_datasets as tfds

from colorize_jax.data import bsds, regions
from colorize_jax.data.builder import TEST, TRAIN, PhotoBuilder, StoredPhoto


class BsdsPeople(PhotoBuilder):
    """The photos of BSDS500 that people have divided, and how; train is its train, test its val and test."""

    def _features(self) -> dict[str, Any]:
        return {**super()._features(), "regions": tfds.features.Text()}

    def _example(self, photo: StoredPhoto) -> dict[str, Any]:
        return {**super()._example(photo), "regions": self._regions[photo.name]()}

    @contextmanager
    def photos(self, scratch: Path) -> Iterator[list[StoredPhoto]]:
        with bsds.opened(self._source) as (read, found):
            self._regions = {photo.name: partial(_regions, read, drawn) for photo, drawn in found}
            yield [
                StoredPhoto(photo.name, TRAIN if "train" in photo.parts else TEST, partial(read, photo))
                for photo, _ in found
            ]


def _regions(read: Callable[[PurePosixPath], bytes], drawn: PurePosixPath) -> bytes:
    return regions.packed(bsds.people(read(drawn)))
