"""Anyone's photos: a folder, zip, tar or compressed tar of image files, prepared under a name of one's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath

from colorize_jax.data.archives import open_archive
from colorize_jax.data.builder import Photo, PhotoBuilder


class Folder(PhotoBuilder):
    """A folder or archive of photos with a random test split."""

    @contextmanager
    def photos(self, scratch: Path) -> Iterator[list[Photo]]:
        with open_archive(self._source) as archive:
            short = without_common_folder(archive.names)
            yield [
                Photo(name, None, partial(archive.read, path))
                for name, path in zip(short, archive.names, strict=True)
            ]


def without_common_folder(names: tuple[str, ...]) -> tuple[str, ...]:
    """The paths without the folders that all of them start with: a zip and its unpacked folder give the same names."""
    folders = [PurePosixPath(name).parts[:-1] for name in names]
    common = 0
    while all(len(parts) > common and parts[common] == folders[0][common] for parts in folders):
        common += 1
    return tuple("/".join(PurePosixPath(name).parts[common:]) for name in names)
