"""What a folder of results remembers: which photo each file was made of.

So no photo is coloured twice, none gets another one's name, and no result is taken for a photo. The memory is the file
`.colorized.jsonl` in the folder, to which lines are only ever added; a line cut short by a kill counts as not written.

| field | is |
|---|---|
| `state` | 'begun': the files may appear from here on, what lies there is ours; 'done': all are there |
| `target` | the name of all files without their ends, relative to the folder |
| `files` | their names, relative to the folder |
| `photo`, `page` | its path relative to the folder, absolute on another drive; the page, from 0 |
| `stamp` | the photo file's size in bytes and time of change in ns: another stamp is another photo |
| `made` | hash of how it was coloured |
"""

import contextlib
import functools
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from colorize_jax.photos import kinds

RECORD = ".colorized.jsonl"
BULK = ".bulk"
"""A folder of bulk work's ledgers, which lies in the folder of its results."""

_PHOTO = "|".join(suffix[1:] for suffix in kinds.SUFFIXES)
_OF_BULK = re.compile(
    rf".+\.(?:{_PHOTO})_(?:\d+|sheet)\.\w+", re.IGNORECASE
)  # a photo's whole name, and an end


class Source(NamedTuple):
    """What a result is made of.

    Attributes:
      photo: its file.
      page: of the file, from 0.
      alias: what stands for the file's path where the path says nothing, as of a pipe; '' elsewhere.
    """

    photo: Path
    page: int = 0
    alias: str = ""


class Remembered(NamedTuple):
    """A line of the record; see the module."""

    state: str
    target: str
    files: list[str]
    photo: str
    page: int
    stamp: list[int]
    made: str


class Results:
    """The record of one folder, as it was when it was opened, and what this run adds."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._entries: dict[tuple[str, int], list[Remembered]] = {}
        for entry in _entries(folder):
            before = self._entries.get((entry.photo, entry.page), [])
            # What has a file of an earlier entry has replaced it.
            kept = [other for other in before if not {*other.files} & {*entry.files}]
            self._entries[entry.photo, entry.page] = [*kept, entry]
        self._taken = {entry.target.casefold() for all_ in self._entries.values() for entry in all_}

    def target(self, source: Source, candidates: Iterable[Path]) -> Path:
        """The name that the photo has for ever: the one that it had, or the first that no other photo has."""
        key = self._key(source)
        if key in self._entries:
            return self._folder / self._entries[key][0].target
        free = next(path for path in candidates if self._relative(path).casefold() not in self._taken)
        self._taken.add(self._relative(free).casefold())
        return free

    def is_done(self, source: Source, files: Iterable[Path], made: str) -> bool:
        """Whether an earlier run made all these files of this very photo in this way, and they are there."""
        wanted = ("done", made, stamp(source.photo))
        same = any((entry.state, entry.made, entry.stamp) == wanted for entry in self._of(source))
        return same and all(map(is_there, files))

    def was_interrupted(self, source: Source, files: Iterable[Path]) -> bool:
        """Whether those of the files that are there are what an earlier run of this photo was stopped at."""
        there = {self._relative(path) for path in files if path.exists()}
        return any(entry.state == "begun" and there <= {*entry.files} for entry in self._of(source))

    def write(self, state: str, source: Source, target: Path, files: Iterable[Path], made: str) -> None:
        """Adds a line: 'begun' before any file gets its name, 'done' once all have theirs; `made` is a `digest`."""
        photo, page = self._key(source)
        names = [self._relative(path) for path in files]
        entry = Remembered(state, self._relative(target), names, photo, page, stamp(source.photo), made)
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / RECORD).open("ab+") as record:
            record.seek(max(0, record.tell() - 1))
            # A line that a kill cut short must not swallow this one.
            ended = b"" if record.read(1) in (b"", b"\n") else b"\n"
            record.write(ended + json.dumps(entry._asdict()).encode() + b"\n")

    def _of(self, source: Source) -> list[Remembered]:
        return self._entries.get(self._key(source), [])

    def _key(self, source: Source) -> tuple[str, int]:
        return source.alias or _from(self._folder, source.photo), source.page

    def _relative(self, path: Path) -> str:
        return Path(os.path.relpath(path, self._folder)).as_posix()


def digest(how: Any) -> str:
    """A hash of a description, as JSON, of how photos are coloured."""
    text = json.dumps(how, sort_keys=True, default=lambda array: array.tolist())
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def stamp(photo: Path) -> list[int]:
    """Size in bytes and time of the last change in ns; none where the photo is not there."""
    with contextlib.suppress(OSError):
        status = photo.stat()
        return [status.st_size, status.st_mtime_ns]
    return []


def is_there(path: Path) -> bool:
    """Whether the file is there and not empty, as a power cut may leave one that was just renamed."""
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def known() -> Callable[[Path], bool]:
    """Tells whether a file is a result, by the records in the folders above it, each of which is read once."""

    @functools.cache
    def recorded(folder: Path) -> tuple[frozenset[str], bool]:
        """Names relative to the folder, and whether it is one of bulk work."""
        files = frozenset(name for entry in _entries(folder) for name in entry.files)
        return files, (folder / BULK).is_dir()

    @functools.cache
    def folders(parent: Path) -> list[tuple[Path, frozenset[str], bool]]:
        """Those above that have a record."""
        found = [(folder, *recorded(folder)) for folder in (parent, *parent.parents)]
        return [each for each in found if each[1] or each[2]]

    def is_result(path: Path) -> bool:
        path = Path(os.path.abspath(path))
        return any(
            path.relative_to(folder).as_posix() in files or (bulk and bool(_OF_BULK.fullmatch(path.name)))
            for folder, files, bulk in folders(path.parent)
        )

    return is_result


def _from(folder: Path, photo: Path) -> str:
    """The photo's path from the folder, links followed, so that both may be moved together."""
    there = os.path.realpath(photo)
    with contextlib.suppress(ValueError):  # another drive
        return Path(os.path.relpath(there, os.path.realpath(folder))).as_posix()
    return there


def _entries(folder: Path) -> Iterator[Remembered]:
    """The whole lines of a folder's record; none where it has no record that can be read."""
    with contextlib.suppress(OSError), (folder / RECORD).open("rb") as lines:
        for line in lines:
            with contextlib.suppress(ValueError, TypeError):
                yield Remembered(**json.loads(line))
