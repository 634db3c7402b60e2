"""LSUN church_outdoor (Yu et al. 2015): 126,227 training and 300 validation photos, WebP in an LMDB."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from colorize_jax.data.archives import open_lmdb
from colorize_jax.data.builder import TEST, TRAIN, PhotoBuilder, StoredPhoto

PUBLISHED = "http://dl.yf.io/lsun/scenes/"
_DATABASES = {TRAIN: "church_outdoor_train_lmdb", TEST: "church_outdoor_val_lmdb"}


class LsunChurch(PhotoBuilder):
    """LSUN church_outdoor from the folder with both LMDBs or their zips; test is the publisher's val.

    Asked for test images, as the papers' 1,000, it draws them from the training photos and leaves val out.
    """

    @contextmanager
    def photos(self, scratch: Path) -> Iterator[list[StoredPhoto]]:
        splits = _DATABASES if self._test_images is None else (TRAIN,)
        with ExitStack() as stack:
            archives = {
                split: stack.enter_context(open_lmdb(find_database(self._source, split), scratch))
                for split in splits
            }
            yield [
                StoredPhoto(name, split, partial(archive.read, name))
                for split, archive in archives.items()
                for name in archive.names
            ]


def find_database(source: Path, split: str) -> Path:
    """The LMDB folder of a split, or its zip, in the folder `source`.

    Raises:
      FileNotFoundError: neither is there.
    """
    for path in (source / _DATABASES[split], source / f"{_DATABASES[split]}.zip"):
        if path.exists():
            return path
    raise FileNotFoundError(
        f"source: {source} must be a folder that holds {_DATABASES[split]}.zip (from {PUBLISHED}) or, unpacked, "
        f"{_DATABASES[split]}"
    )
