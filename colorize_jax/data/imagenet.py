"""ImageNet: the 50,000 validation photos of ILSVRC-2012 to 2015, and Tiny ImageNet (200 classes, 64x64)."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath

from colorize_jax.data.archives import open_archive
from colorize_jax.data.builder import TEST, TRAIN, ArchiveBuilder, PhotoBuilder, StoredPhoto

_TINY_SPLITS = {"train": TRAIN, "val": TEST}


class ImagenetVal(ArchiveBuilder):
    """ILSVRC-2015 validation photos from `ILSVRC2012_img_val.tar` or its folder; 1,000 random test images."""


class TinyImagenet(PhotoBuilder):
    """Tiny ImageNet from `tiny-imagenet-200.zip` or its folder; train is its train, test its val."""

    @contextmanager
    def photos(self, scratch: Path) -> Iterator[list[StoredPhoto]]:
        with open_archive(self._source) as archive:
            photos = [
                StoredPhoto(PurePosixPath(name).name, split, partial(archive.read, name))
                for name in archive.names
                if (split := _tiny_split(name)) is not None
            ]
            if not photos:
                raise ValueError(f"source: {self._source} has no train/ or val/ folder; is it Tiny ImageNet?")
            yield photos


def _tiny_split(name: str) -> str | None:
    # The publisher's unlabelled `test` folder belongs to neither split.
    folders = [part for part in PurePosixPath(name).parts[:-1] if part in (*_TINY_SPLITS, "test")]
    return _TINY_SPLITS.get(folders[0]) if folders else None
