"""The tfds builder that all sources share: screens the photos, splits them by name, writes ArrayRecord.

A source is one subclass with one method, `photos`. Records hold the publisher's encoded bytes, untouched, and
the file's name; a source may add to them. Beside the records lie `metadata.json` (split and its hashes, number of
photos skipped) and `skipped.json` (which, and why). tfds writes into a folder of another name and renames it at the
end, so a prepared data set is complete.
"""

import abc
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, NamedTuple

import tensorflow_datasets as tfds
from tqdm import tqdm

from colorize_jax import files
from colorize_jax.data import screening, splits
from colorize_jax.data.archives import open_archive
from colorize_jax.data.prepared import VERSION as PREPARED_VERSION

TRAIN, TEST = "train", "test"


class StoredPhoto(NamedTuple):
    """A photo in an open archive. `split` is the publisher's, None where there is none."""

    name: str
    split: str | None
    read: Callable[[], bytes]


class PhotoBuilder(tfds.core.GeneratorBasedBuilder):
    """Prepares the photos of one source.

    Args:
      source: what was downloaded: an archive or a folder, see the subclass.
      data_dir: where prepared data sets lie; this one goes to `<data_dir>/<name>/1.0.0`.
      name: what it will be called; by default the builder's own name.
      test_images: size of the random test split, see `splits.size_of_test`; None for the publisher's split, or where
        there is none, the class's `TEST_IMAGES`.
      seed: of the random split.
      screen: which photos are left out, beside unreadable and gray ones.
    """

    name: str
    VERSION = tfds.core.Version(PREPARED_VERSION)
    RELEASE_NOTES: ClassVar[dict] = {PREPARED_VERSION: "First."}
    TEST_IMAGES: ClassVar[float | None] = None  # None: the publisher's split
    SPLITS: ClassVar[bool] = True  # whether `test_images` may ask for another split than the publisher's
    # Nothing is downloaded. Looking for checksums all the same, tfds would need a package that it does not declare.
    url_infos: ClassVar[dict] = {}

    def __init__(
        self,
        *,
        source: Path,
        data_dir: str | os.PathLike[str],
        test_images: float | None,
        seed: int,
        name: str = "",
        screen: screening.Screen = screening.READABLE,
    ):
        if name:
            self.name = name
        self._source = source
        self._test_images = test_images
        self._seed = seed
        self._screen = screen
        self._open_archives = ExitStack()
        self._skipped: dict[str, str] = {}
        super().__init__(data_dir=os.fspath(data_dir), file_format=tfds.core.FileFormat.ARRAY_RECORD)

    @abc.abstractmethod
    def photos(self, scratch: Path) -> AbstractContextManager[list[StoredPhoto]]:
        """Opens the source. `scratch` is an existing folder for what must be unpacked; leave nothing there."""

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=type(self).__doc__,
            features=tfds.features.FeaturesDict(self._features()),
            metadata=tfds.core.MetadataDict(),
        )

    def _features(self) -> dict[str, Any]:
        """Of a record."""
        return {"image": tfds.features.Image(shape=(None, None, None)), "name": tfds.features.Text()}

    def _example(self, photo: StoredPhoto) -> dict[str, Any]:
        """A record's content."""
        return {"image": photo.read(), "name": photo.name}

    def _log_download_bytes(self) -> None:
        """Nothing: tfds would announce a download that does not happen."""

    def _log_download_done(self) -> None:
        """Nothing, for the same reason."""

    def _download_and_prepare(self, dl_manager: Any, download_config: Any = None) -> None:
        # tfds calls this while `data_dir` is still the folder that will be renamed when all went well.
        with self._open_archives:
            super()._download_and_prepare(dl_manager, download_config)
        skipped = [{"name": files.shown(name), "reason": why} for name, why in sorted(self._skipped.items())]
        files.write_json(Path(self.data_dir) / "skipped.json", skipped, overwrite=True)

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
        stored = self._open_archives.enter_context(self.photos(Path(self.data_dir)))
        photos = [photo._replace(name=files.shown(photo.name)) for photo in stored]  # records hold UTF-8
        usable = self._usable(photos)
        chosen = self._split(usable)
        named = {split: [photo.name for photo in photos] for split, photos in chosen.items()}
        self.info.metadata.update(
            source=self._source.name,
            skipped=len(self._skipped),
            unlike=list(self._screen.unlike.origins),
            images={split: len(names) for split, names in named.items()},
            split_hash={split: splits.split_hash(names) for split, names in named.items()},
        )
        return {split: self._generate_examples(photos) for split, photos in chosen.items()}

    def _generate_examples(self, photos: list[StoredPhoto]) -> Iterator[tuple[str, dict[str, Any]]]:
        for photo in tqdm(photos, desc="writing", unit=" photos", disable=None):
            yield photo.name, self._example(photo)

    def _usable(self, photos: list[StoredPhoto]) -> list[StoredPhoto]:
        _check_names(photos)
        names = [photo.name for photo in photos]
        looks = [*screening.looks([photo.read for photo in photos], self._screen)]
        reasons = dict(zip(names, screening.reasons(names, looks, self._screen), strict=True))
        self._skipped.update({name: reason for name, reason in reasons.items() if reason is not None})
        for name, look in zip(names, looks, strict=True):
            if look.pages > 1:
                self._skipped[f"{name}, pages after the first"] = f"pages: {look.pages}"
        usable = [photo for photo in photos if reasons[photo.name] is None]
        if not usable:
            raise ValueError(
                f"source: none of the {len(photos)} images in {self._source} is a readable colour photo"
            )
        return usable

    def _split(self, photos: list[StoredPhoto]) -> dict[str, list[StoredPhoto]]:
        share = self._test_images
        if share is None and any(photo.split is None for photo in photos):
            share = self.TEST_IMAGES
        if share is not None:
            names = [photo.name for photo in photos]
            test = splits.choose_test(names, splits.size_of_test(share, len(names)), self._seed)
            photos = [photo._replace(split=TEST if photo.name in test else TRAIN) for photo in photos]
        self.info.metadata["split"] = "publisher's" if share is None else f"random, seed {self._seed}"
        chosen = {split: [photo for photo in photos if photo.split == split] for split in (TRAIN, TEST)}
        # tfds refuses to write a split without examples.
        return {split: members for split, members in chosen.items() if members}


class ArchiveBuilder(PhotoBuilder):
    """The photos of one archive or folder, called by their files' names alone; 1,000 random test images.

    The folder's name is no part of a photo's: the split is the same from the archive and from any folder that it is
    unpacked to.
    """

    TEST_IMAGES = 1000

    @contextmanager
    def photos(self, scratch: Path) -> Iterator[list[StoredPhoto]]:
        with open_archive(self._source) as archive:
            yield [
                StoredPhoto(PurePosixPath(name).name, None, partial(archive.read, name))
                for name in archive.names
            ]


def _check_names(photos: list[StoredPhoto]) -> None:
    seen: set[str] = set()
    for photo in photos:
        if photo.name in seen:
            raise ValueError(f"source: two photos are called {photo.name}; names must be unique")
        seen.add(photo.name)
