"""Anyone's photos: a folder, zip, tar or compressed tar of image files, prepared under a name of one's own."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from colorize_jax.data.archives import open_archive
from colorize_jax.data.builder import TEST, TRAIN, PhotoBuilder, StoredPhoto
from colorize_jax.photos import kinds

_SPLITS = {"train": TRAIN, "val": TEST, "test": TEST}


class Folder(PhotoBuilder):
    """A folder or archive of photos; its own split if all lie in `train` and in `val` or `test`, else random.

    Args:
      include: globs of the paths to read, see `matches`; none: all.
      exclude: globs of those among them to leave out.
      suffixes: in which the names of the files to read end, in small letters.
    """

    TEST_IMAGES = 0.1

    def __init__(
        self,
        *,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        suffixes: tuple[str, ...] = kinds.SUFFIXES,
        **others: Any,
    ):
        self._include, self._exclude, self._suffixes = include or ("*",), exclude, suffixes
        super().__init__(**others)

    @contextmanager
    def photos(self, scratch: Path) -> Iterator[list[StoredPhoto]]:
        with open_archive(self._source) as archive:
            read = (path for path in archive.names if path.lower().endswith(self._suffixes))
            paths = tuple(path for path in read if matches(path, self._include))
            if not paths:
                raise ValueError(f"include: nothing in {self._source} matches {', '.join(self._include)}")
            short = without_common_folder(paths)
            excluded = {name for name, path in zip(short, paths, strict=True) if matches(path, self._exclude)}
            self._skipped.update(dict.fromkeys(excluded, "excluded"))
            yield [
                StoredPhoto(name, split, partial(archive.read, path))
                for name, split, path in zip(short, own_splits(short), paths, strict=True)
                if name not in excluded
            ]


def matches(path: str, globs: Sequence[str]) -> bool:
    """Whether a glob fits the path, or its end after a slash; `*` matches slashes, too."""
    return any(fnmatchcase(path, glob) or fnmatchcase(path, f"*/{glob}") for glob in globs)


def own_splits(names: tuple[str, ...]) -> list[str | None]:
    """The split of each path by its first folder (train; val or test), or None for all where that tells none."""
    splits = [_SPLITS.get(PurePosixPath(name).parts[0]) for name in names]
    return splits if {*splits} == {TRAIN, TEST} else [None] * len(names)


def without_common_folder(names: tuple[str, ...]) -> tuple[str, ...]:
    """The paths without the folders that all of them start with: a zip and its unpacked folder give the same names."""
    folders = [PurePosixPath(name).parts[:-1] for name in names]
    common = 0
    while all(len(parts) > common and parts[common] == folders[0][common] for parts in folders):
        common += 1
    return tuple("/".join(PurePosixPath(name).parts[common:]) for name in names)
