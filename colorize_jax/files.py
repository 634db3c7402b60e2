"""Files that are there whole or not at all, and locks that keep a second process out.

What is written goes to a temporary file in the same folder first, which takes the file's name once it is complete: a
process that is killed leaves the old file, or none. The hidden name of a temporary file ends with the target's
suffix, from which Pillow and NumPy take the format.
"""

import contextlib
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
    names = "|".join(re.escape(target.stem) for target in targets)
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
    return target.with_name(f".{target.stem}.{secrets.token_hex(4)}.tmp{target.suffix}")
