"""ImageNet: ILSVRC-2012 whole, its 50,000 validation photos alone, and Tiny ImageNet (200 classes, 64x64)."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path, PurePosixPath

from colorize_jax.data.archives import Archive, open_archive, open_nested_tar
from colorize_jax.data.builder import TEST, TRAIN, ArchiveBuilder, PhotoBuilder, StoredPhoto

_TINY_SPLITS = {"train": TRAIN, "val": TEST}
_WHOLE = {TRAIN: ("ILSVRC2012_img_train.tar", "train"), TEST: ("ILSVRC2012_img_val.tar", "val")}


class ImagenetVal(ArchiveBuilder):
    """ILSVRC-2015 validation photos from `ILSVRC2012_img_val.tar` or its folder; 1,000 random test images."""


class Imagenet2012(PhotoBuilder):
    """ILSVRC-2012 from the folder with `ILSVRC2012_img_train.tar` and `ILSVRC2012_img_val.tar`.

    The first is a tar of a tar a class. Folders `train` and `val`, unpacked, will do for either. Test is the
    publisher's val.
    """

    SPLITS = False

    @contextmanager
    def photos(self, scratch: Path) -> Iterator[list[StoredPhoto]]:
        with ExitStack() as stack:
            found = []
            for split in _WHOLE:
                archive = stack.enter_context(_open_whole(self._source, split))
                found += [
                    StoredPhoto(PurePosixPath(name).name, split, partial(archive.read, name))
                    for name in archive.names
                ]
            yield found


@contextmanager
def _open_whole(source: Path, split: str) -> Iterator[Archive]:
    """The tar of a split of ILSVRC-2012, or its folder.

    Raises:
      FileNotFoundError: neither is there.
    """
    packed, unpacked = (source / name for name in _WHOLE[split])
    if packed.exists():
        opened = open_nested_tar(packed) if split == TRAIN else open_archive(packed)
    elif unpacked.is_dir():
        opened = open_archive(unpacked)
    else:
        raise FileNotFoundError(
            f"source: {source} must be a folder that holds {packed.name} or, unpacked, {unpacked.name}"
        )
    with opened as archive:
        yield archive


class TinyImagenet(PhotoBuilder):
    """Tiny ImageNet from `tiny-imagenet-200.zip` or its folder; train is its train, test its val."""

    SPLITS = False

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
