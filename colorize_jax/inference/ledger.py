"""What bulk work has done, so that it goes on where it was killed: a folder of JSON lines, one file a process.

Lines are only ever added. A line cut short by a kill is the last one of its file, and counts as not written.

| line | meaning |
|---|---|
| `{"run": {...}}` | a start, with the settings that the pictures depend on |
| `{"begun": [name, ...]}` | the files of these photos may appear from here on: what lies there is ours |
| `{"done": name}` | all files of this photo are there |
| `{"failed": name, "error": text}` | none of them is |
"""

import contextlib
import hashlib
import json
import os
from array import array
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt64

from colorize_jax import files


def hash64(name: str) -> int:
    """The same 64 bits on every machine, at any time."""
    return int.from_bytes(hashlib.blake2b(os.fsencode(name), digest_size=8).digest(), "big")


class Ledger:
    """The ledger of one process, which knows what all processes had done when it was opened; a context manager.

    Done photos are remembered as 8 bytes each. Two names that share them are told apart by looking for the files.
    """

    def __init__(self, folder: Path, process: int, processes: int, settings: dict[str, Any]):
        """Reads every ledger in `folder`, and opens this process's own.

        Raises:
          ValueError: another process has this part, a ledger is damaged, or was begun with other settings.
        """
        self.path = folder / f"ledger-{process:04d}-of-{processes:04d}.jsonl"
        self._interrupted: set[str] = set()
        taken = f"{self.path} belongs to a process that is running; give each its own --process_id"
        with contextlib.ExitStack() as opened:
            opened.enter_context(files.locked(self.path.with_suffix(".lock"), taken))
            self._file = opened.enter_context(self.path.open("ab"))
            self._done = self._read_all(folder, settings)
            self._write({"run": settings})
            self._opened = opened.pop_all()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self._sync()
        self._opened.close()

    def is_done(self, name: str) -> bool:
        """Whether an earlier run has finished this photo."""
        key = np.uint64(hash64(name))
        place = np.searchsorted(self._done, key)
        return bool(place < len(self._done) and self._done[place] == key)

    def was_interrupted(self, name: str) -> bool:
        """Whether an earlier run ended while the files of this photo were appearing."""
        return name in self._interrupted

    def begin(self, names: list[str]) -> None:
        """Call it before any file of these photos gets its name. All lines so far are on the disk when it returns."""
        self._write({"begun": names})
        self._sync()

    def done(self, name: str) -> None:
        """All files of the photo are there."""
        self._write({"done": name})

    def failed(self, name: str, error: str) -> None:
        """The photo has no files; the next run tries it again."""
        self._write({"failed": name, "error": error})

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line).encode() + b"\n")
        self._file.flush()

    def _sync(self) -> None:
        os.fsync(self._file.fileno())

    def _read_all(self, folder: Path, settings: dict[str, Any]) -> UInt64[np.ndarray, " D"]:
        """The hashes of all photos that are done, sorted."""
        done = array("Q")
        for path in sorted(folder.glob("ledger-*.jsonl")):
            whole = self._read(path, settings, done)
            if path == self.path:
                os.truncate(path, whole)  # a line that was cut short must not swallow the next one
        return np.sort(np.frombuffer(done, np.uint64))

    def _read(self, path: Path, settings: dict[str, Any], done: "array[int]") -> int:
        """Takes in the whole lines of a ledger, and returns the bytes that they are."""
        size = 0
        begun: set[str] = set()
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                if not raw.endswith(b"\n"):
                    break
                size += len(raw)
                match _parsed(path, number, raw):
                    case {"run": before}:
                        _check_settings(path, before, settings)
                    case {"begun": [*names]}:
                        begun.update(names)
                    case {"done": str(name)}:
                        begun.discard(name)
                        done.append(hash64(name))
                    case {"failed": str(name)}:
                        begun.discard(name)
                    case _:
                        raise ValueError(f"{path}, line {number}: not a line of a ledger; {_START_ANEW}")
        self._interrupted |= begun
        return size


_START_ANEW = "give another --out, or remove the ledgers and add --overwrite"


def _parsed(path: Path, number: int, raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError as error:
        raise ValueError(f"{path}, line {number}: damaged ({error}); {_START_ANEW}") from error


def _check_settings(path: Path, before: dict[str, Any], settings: dict[str, Any]) -> None:
    changed = {
        key: (before.get(key), settings.get(key))
        for key in sorted(before.keys() | settings.keys())
        if before.get(key) != settings.get(key)
    }
    if changed:
        told = ", ".join(f"{key} was {old!r} and is {new!r}" for key, (old, new) in changed.items())
        raise ValueError(f"{path} was begun with other settings: {told}; give the same, or {_START_ANEW}")
