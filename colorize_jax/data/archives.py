"""Opens what people download (folders, zip, tar, tgz, tars of tars, LMDB) as one thing: names, and what reads one.

Nothing is decoded here: the bytes that come out are the publisher's own JPEG, PNG or WebP files.
"""

import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from colorize_jax.photos import kinds
from colorize_jax.photos.discover import on_stderr, photos_below

DAMAGED = (OSError, ValueError, EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error)
"""What reading one file of an archive, and decoding it, may raise."""


class Archive(NamedTuple):
    """An open archive. `names` keep the archive's order; `read` returns one file's bytes and may be called
    from one thread only."""

    names: tuple[str, ...]
    read: Callable[[str], bytes]


def is_image_name(name: str) -> bool:
    """Whether a path names an image file, leaving out hidden files and the copies macOS adds to zips."""
    path = PurePosixPath(name)
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    return kinds.is_photo(name) and not hidden


@contextmanager
def open_archive(path: str | os.PathLike[str]) -> Iterator[Archive]:
    """Opens a folder, zip, tar or compressed tar of image files.

    A compressed tar has no random access: it is streamed once and its images stay in memory. What is passed over in a
    folder is told on standard error, see `photos_below`.

    Raises:
      ValueError: `path` is none of these, or holds no image.
      FileNotFoundError: there is nothing at `path`.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"source: there is nothing at {path}")
    with ExitStack() as stack:
        try:
            archive = stack.enter_context(_opener(path)(path))
        except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error) as error:
            raise ValueError(
                f"source: {path} is damaged or cut short ({error}); download it again"
            ) from error
        if not archive.names:
            raise ValueError(
                f"source: {path} holds no image file; known endings are {', '.join(kinds.SUFFIXES)}"
            )
        yield archive


def _opener(path: Path) -> Callable:
    if path.is_dir():
        return _open_folder
    if zipfile.is_zipfile(path):
        return _open_zip
    try:
        compressed = tarfile.open(path, "r:")  # noqa: SIM115, closed below
    except tarfile.ReadError:
        pass
    else:
        compressed.close()
        return _open_tar
    if tarfile.is_tarfile(path):
        return _open_compressed_tar
    raise ValueError(
        f"source: {path} is no folder, zip, tar or compressed tar, or its download was cut short"
    )


@contextmanager
def _open_folder(path: Path) -> Iterator[Archive]:
    names = sorted(photo.relative_to(path).as_posix() for photo in photos_below(path, on_stderr))
    yield Archive(tuple(filter(is_image_name, names)), lambda name: (path / name).read_bytes())


@contextmanager
def _open_zip(path: Path) -> Iterator[Archive]:
    with zipfile.ZipFile(path) as file:
        yield Archive(tuple(filter(is_image_name, file.namelist())), file.read)


@contextmanager
def _open_tar(path: Path) -> Iterator[Archive]:
    with tarfile.open(path, "r:") as file:
        members = {member.name: member for member in file if member.isfile() and is_image_name(member.name)}

        def read(name: str) -> bytes:
            stream = file.extractfile(members[name])
            assert stream is not None  # only regular files are members
            return stream.read()

        yield Archive(tuple(members), read)


@contextmanager
def _open_compressed_tar(path: Path) -> Iterator[Archive]:
    files: dict[str, bytes] = {}
    with tarfile.open(path, "r|*") as stream:
        for member in stream:
            if member.isfile() and is_image_name(member.name):
                content = stream.extractfile(member)
                assert content is not None  # only regular files are members
                files[member.name] = content.read()
    yield Archive(tuple(files), files.__getitem__)


@contextmanager
def open_nested_tar(path: str | os.PathLike[str]) -> Iterator[Archive]:
    """Opens an uncompressed tar of uncompressed tars of images, as ILSVRC-2012 is published; nothing is unpacked.

    Only where each image lies is kept: a million of them fit in memory. A name is `INNER/NAME` without the inner tar's
    ending.

    Raises:
      ValueError: `path` is no such tar, is cut short, or holds no image.
    """
    places: dict[str, tuple[int, int]] = {}
    try:
        with tarfile.open(path, "r:") as outer:
            for member in outer:
                if member.isfile() and member.name.endswith(".tar"):
                    places |= _places_within(outer, member)
    except (tarfile.TarError, EOFError) as error:
        raise ValueError(f"source: {path} is damaged or cut short ({error}); download it again") from error
    if not places:
        raise ValueError(
            f"source: {path} holds no tar with an image file in it; give the archive as published"
        )
    with open(path, "rb") as file:

        def read(name: str) -> bytes:
            start, size = places[name]
            content = os.pread(file.fileno(), size, start)
            if len(content) < size:
                raise EOFError(f"{name} is cut short")
            return content

        yield Archive(tuple(places), read)


def _places_within(outer: tarfile.TarFile, member: tarfile.TarInfo) -> dict[str, tuple[int, int]]:
    """Where in the outer tar's file the images of one of its tars begin, and their sizes, in bytes."""
    stream = outer.extractfile(member)
    assert stream is not None  # only regular files are asked for
    folder = PurePosixPath(member.name).stem
    with tarfile.open(fileobj=stream, mode="r:") as inner:
        return {
            f"{folder}/{photo.name}": (member.offset_data + photo.offset_data, photo.size)
            for photo in inner
            if photo.isfile() and is_image_name(photo.name)
        }


@contextmanager
def open_lmdb(path: str | os.PathLike[str], scratch: str | os.PathLike[str]) -> Iterator[Archive]:
    """Opens an LSUN LMDB (key: 40 hex digits, value: an encoded image), as a folder or still in its zip.

    Args:
      path: folder with `data.mdb`, or the zip with that folder in it.
      scratch: existing folder with room for the unpacked database; nothing is left there.

    Raises:
      ValueError: there is no `data.mdb` in it, or it is no LMDB database.
    """
    path = Path(path)
    if path.is_dir():
        with _open_database(path) as archive:
            yield archive
        return
    database = Path(scratch) / f"unpacked_{path.stem}"
    try:
        _unpack_database(path, database)
        with _open_database(database) as archive:
            yield archive
    finally:
        shutil.rmtree(database, ignore_errors=True)


def _unpack_database(path: Path, database: Path) -> None:
    if not zipfile.is_zipfile(path):
        raise ValueError(f"source: {path} is neither a folder nor a complete zip; download it again")
    database.mkdir(parents=True)
    with zipfile.ZipFile(path) as file:
        inside = [name for name in file.namelist() if PurePosixPath(name).name == "data.mdb"]
        if len(inside) != 1:
            raise ValueError(f"source: {path} should hold one data.mdb, it holds {len(inside)}")
        with file.open(inside[0]) as packed, open(database / "data.mdb", "wb") as unpacked:
            shutil.copyfileobj(packed, unpacked, length=1 << 20)


@contextmanager
def _open_database(folder: Path) -> Iterator[Archive]:
    import lmdb  # an extra that only this source needs

    if not (folder / "data.mdb").is_file():
        raise ValueError(f"source: {folder} has no data.mdb; give the folder of the LMDB or its zip")
    try:
        # lock=False: the database may lie on a read-only disk, and nobody writes to it.
        database = lmdb.open(str(folder), readonly=True, lock=False, readahead=False)
    except lmdb.Error as error:
        raise ValueError(f"source: {folder} is no LMDB database ({error})") from error
    with database, database.begin(buffers=False) as transaction:
        # LMDB maps the file into memory: a page beyond its end would kill the process instead of raising.
        if (database.info()["last_pgno"] + 1) * database.stat()["psize"] > (
            folder / "data.mdb"
        ).stat().st_size:
            raise ValueError(f"source: {folder / 'data.mdb'} is cut short; download it again")
        names = tuple(key.decode("ascii") for key in transaction.cursor().iternext(values=False))
        yield Archive(names, lambda name: bytes(transaction.get(name.encode("ascii"), b"")))
