"""The photos of a folder: each file once, links followed, and a line for whatever is passed over.

Workers import this module: it must never import jax.
"""

import collections
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import NamedTuple

from colorize_jax import files
from colorize_jax.photos import film, kinds, results


class Remark(NamedTuple):
    """One line on what a folder has, beside its photos; an error where it may have had photos that nobody sees."""

    text: str
    is_error: bool = False


Tell = Callable[[Remark], None]
_DIGITS = re.compile(r"([0-9]+)")


def on_stderr(told: Remark) -> None:
    """Prints a remark as one line on standard error: an error, or a note."""
    print(f"{'error' if told.is_error else 'note'}: {told.text}", file=sys.stderr, flush=True)


def by_number(path: str | os.PathLike[str]) -> tuple[list[list[str | int]], str]:
    """Sorts paths as people count: frame2.png before frame10.png."""
    parts = (_DIGITS.split(part) for part in PurePath(path).parts)
    return [[int(x) if n % 2 else x for n, x in enumerate(part)] for part in parts], os.fspath(path)


def photos_below(folder: Path, tell: Tell, *, without: Path | None = None) -> Iterator[Path]:
    """The photos below a folder, in the order of the file system; hidden files and folders are none of them.

    Linked folders are read after all others, by name and each folder once, so that a photo has the name that it has
    without the link. A link that leads nowhere is a photo by its name, which reading refuses.

    Args:
      folder: to look in.
      tell: is given a remark for what is passed over: folders that cannot be read or were read already, results of
        `colorize`, photos of kinds that are not read.
      without: a folder that is left out without a word, as that of the results.
    """
    walk = _Walk(tell, without)
    own, linked = [folder], set[Path]()
    while own or linked:
        there = own.pop() if own else min(linked)
        linked.discard(there)
        for entry in walk.entries(there):
            path = Path(entry.path)
            if not _is_folder(entry):
                if walk.is_wanted(path):
                    yield path
            elif entry.is_symlink():
                linked.add(path)
            else:
                own.append(path)
    walk.tell_the_rest(folder)


class _Walk:
    """What a walk has seen, and counts of what it passes over."""

    def __init__(self, tell: Tell, without: Path | None):
        self._tell, self._is_result = tell, results.known()
        self._without = None if without is None else _identity(without)
        self._seen: set[tuple[int, int]] = set()
        self._results = self._films = 0
        self._unread = collections.Counter[str]()

    def entries(self, folder: Path) -> Iterator[os.DirEntry[str]]:
        """What a folder has, without what is hidden; nothing of one that was read already."""
        identity = _identity(folder)
        if identity is not None and identity == self._without:
            return
        if identity in self._seen:
            self._tell(
                Remark(
                    f"{files.shown(folder)}: a link to a folder that is read under its own name; passed over"
                )
            )
            return
        if identity is not None:
            self._seen.add(identity)
        try:
            with os.scandir(folder) as entries:
                yield from (entry for entry in entries if not entry.name.startswith("."))
        except OSError as error:
            self._tell(
                Remark(
                    f"{files.shown(folder)}: cannot be read ({error.strerror}); its photos are left out", True
                )
            )

    def is_wanted(self, path: Path) -> bool:
        suffix = path.suffix.lower()
        if suffix in kinds.UNREAD:
            self._unread[suffix] += 1
        self._films += film.is_film(path) and not self._is_result(path)
        if suffix not in kinds.SUFFIXES:
            return False
        if self._is_result(path):
            self._results += 1
            return False
        return True

    def tell_the_rest(self, folder: Path) -> None:
        """One line for each kind of what was passed over."""
        name = files.shown(folder)
        if self._results:
            self._tell(
                Remark(f"{name}: {self._results:,} results of earlier runs are no photos; passed over")
            )
        if self._films:
            self._tell(Remark(f"{name}: {self._films:,} films passed over; name a film itself to colour it"))
        if self._unread:
            told = ", ".join(f"{count:,} {suffix}" for suffix, count in sorted(self._unread.items()))
            self._tell(Remark(f"{name}: {told} passed over, which are not read here; {kinds.DEVELOP}"))


def _identity(folder: Path) -> tuple[int, int] | None:
    """What two paths of one folder have in common; None for one that is not there or not to be seen."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that goes round
        return False
