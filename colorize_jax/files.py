"""Files that are there whole or not at all, and locks that keep a second process out.

What is written goes to a temporary file in the same folder first, which takes the file's name once it is complete: a
process that is killed leaves the old file, or none. The hidden name of a temporary file ends with the target's
suffix, from which Pillow and NumPy take the format.
"""

import codecs
import contextlib
import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import filelock
import numpy as np
from jaxtyping import Shaped

_LONGEST_STEM = 100  # bytes; most file systems have room for 255 in a name, some for 143


def shown(text: str | os.PathLike[str]) -> str:
    r"""A file's name, or what has one in it, on one line: bytes that are no UTF-8, and control characters, as \xe9."""
    whole = os.fspath(text).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda found: rf"\x{ord(found[0]):02x}", whole)


@contextlib.contextmanager
def all_replaced(targets: Sequence[Path], *, overwrite: bool = False) -> Iterator[list[Path]]:
    """Temporary paths, one a target, to write to; they become the targets when the block ends without an error.

    After an error none does, and all temporary files are removed. Folders are made where they are missing.

    Args:
      targets: files, each named once.
      overwrite: whether a file that is there is replaced.

    Raises:
      ValueError: a target is there already, without `overwrite`; at the start, or where it appeared meanwhile.
    """
    if not overwrite:
        _check_free(targets)
    temporary = [_temporary(target) for target in targets]
    try:
        for target in targets:
            target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if not overwrite:
            _check_free(targets)
        for written, target in zip(temporary, targets, strict=True):
            os.replace(written, target)
    finally:
        for leftover in temporary:
            leftover.unlink(missing_ok=True)


@contextlib.contextmanager
def replaced(target: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """As `all_replaced`, for one file."""
    with all_replaced([target], overwrite=overwrite) as (temporary,):
        yield temporary


def write_text(path: Path, text: str, *, overwrite: bool = False) -> None:
    """Writes UTF-8, line ends as they are; see `all_replaced`."""
    with replaced(path, overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any, *, overwrite: bool = False) -> None:
    """Writes JSON for people to read, keys in their own order; see `all_replaced`."""
    write_text(path, json.dumps(value, indent=1) + "\n", overwrite=overwrite)


def write_arrays(
    path: Path,
    arrays: Mapping[str, Shaped[np.ndarray, "..."]],
    *,
    compressed: bool = False,
    overwrite: bool = False,
) -> None:
    """Writes NumPy's `.npz`, without pickles; see `all_replaced`."""
    save = np.savez_compressed if compressed else np.savez
    with replaced(path, overwrite=overwrite) as temporary, temporary.open("wb") as file:
        save(file, allow_pickle=False, **arrays)


def read_arrays(path: Path) -> dict[str, Shaped[np.ndarray, "..."]]:
    """All arrays of a `.npz` file; pickles are refused."""
    with np.load(path, allow_pickle=False) as archive:
        return dict(archive)


def found(folder: Path, pattern: str) -> list[Path]:
    """The files in `folder` whose names fit a glob, by name, without the temporary ones that a killed process left."""
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))


def remove_leftovers(targets: Sequence[Path]) -> None:
    """Removes the temporary files that a killed process left for these targets, which lie in one folder."""
    names = "|".join(re.escape(_short(target.stem)) for target in targets)
    temporary = re.compile(rf"\.(?:{names})\.[0-9a-f]{{8}}\.tmp(?:\.\w+)?")
    with contextlib.suppress(FileNotFoundError), os.scandir(targets[0].parent) as entries:
        for path in [Path(entry.path) for entry in entries if temporary.fullmatch(entry.name)]:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(path: Path, taken: str) -> Iterator[None]:
    """Holds the lock file `path`; the system frees it however this process ends, and the file stays.

    Args:
      path: made where it is missing, with its folder.
      taken: the error's message where another process holds it.

    Raises:
      ValueError: another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path, blocking=False, thread_local=False)
    try:
        held = lock.acquire()
    except filelock.Timeout:
        raise ValueError(taken) from None
    with held:
        yield


def _check_free(targets: Sequence[Path]) -> None:
    for target in targets:
        if target.exists():
            raise ValueError(f"{target}: exists already; overwrite=True replaces it")


def _temporary(target: Path) -> Path:
    # A random word, not the process's number, which two machines with one file system may share.
    return target.with_name(f".{_short(target.stem)}.{secrets.token_hex(4)}.tmp{target.suffix}")


def _short(stem: str) -> str:
    """The stem, or its beginning and its hash where what `_temporary` adds could make it too long for a folder."""
    name = os.fsencode(stem)
    if len(name) <= _LONGEST_STEM:
        return stem
    beginning = name[: _LONGEST_STEM // 2].decode("utf-8", "ignore")
    return f"{beginning}-{hashlib.blake2b(name, digest_size=8).hexdigest()}"


def read_text(path: Path) -> str:
    """The text of a file that people write: UTF-8, or UTF-16 or UTF-32 with its byte order mark, as Windows saves it.

    Raises:
      ValueError: it is none of these.
    """
    return decoded(path.read_bytes(), os.fspath(path))


def decoded(content: bytes, name: str) -> str:
    """As `read_text`, of bytes; `name` is what errors call them."""
    encoding = encoding_of(content, name)
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name}: not text in {encoding.upper()} ({error.reason}); save it as UTF-8"
        ) from error


def encoding_of(beginning: bytes, name: str) -> str:
    """The encoding of a text that begins with these bytes, as `read_text` knows them.

    Raises:
      ValueError: zero bytes, as of UTF-16 without its mark, or of no text at all.
    """
    for mark, encoding in _MARKS:
        if beginning.startswith(mark):
            return encoding
    if b"\0" in beginning:
        raise ValueError(f"{name}: not text, or UTF-16 without its byte order mark; save it as UTF-8")
    return "utf-8"


_MARKS = (  # that of UTF-32 begins as UTF-16's
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
