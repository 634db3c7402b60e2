"""Photos that a new data set must not repeat: those of archives, folders and prepared data sets."""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from colorize_jax.data import likeness, prepared, screening
from colorize_jax.data.archives import open_archive

Reads = dict[str, Callable[[], bytes]]
"""What reads each photo, by the name that it is told by."""


def photos(entries: Sequence[str], directory: str | os.PathLike[str]) -> likeness.Known:
    """The hashes of all photos that the entries name.

    Args:
      entries: archives or folders, and data sets prepared in `directory`, as NAME or NAME:SPLIT.
      directory: where prepared data sets lie.

    Raises:
      FileNotFoundError: there is nothing of an entry's name.
      ValueError: an archive holds no image, or a data set has no such split.
    """
    if not entries:
        return likeness.NOTHING_KNOWN
    reads: Reads = {}
    with ExitStack() as stack:
        for entry in entries:
            reads |= _prepared(entry, directory) or _archived(entry, directory, stack)
        return screening.known(reads, [Path(entry).name for entry in entries])


def _prepared(entry: str, directory: str | os.PathLike[str]) -> Reads:
    """Nothing where no data set of the entry's name is prepared."""
    name, _, split = entry.partition(":")
    if not prepared.is_prepared(directory, name):
        return {}
    chosen = [split] if split else [*prepared.summary(directory, name).images]
    sources = [prepared.PhotoSource(directory, name, one) for one in chosen]
    return {
        f"{name}:{source.split} {i}": partial(_image, source, i)
        for source in sources
        for i in range(len(source))
    }


def _image(source: prepared.PhotoSource, index: int) -> bytes:
    return source[index].image


def _archived(entry: str, directory: str | os.PathLike[str], stack: ExitStack) -> Reads:
    """Of an archive, which is open as long as `stack` is."""
    if not Path(entry).exists():
        there = ", ".join(prepared.prepared_names(directory)) or "none"
        raise FileNotFoundError(
            f"unlike: {entry!r} is no archive, no folder and no data set prepared in {directory}, which are: {there}"
        )
    archive = stack.enter_context(open_archive(entry))
    return {f"{Path(entry).name}/{name}": partial(archive.read, name) for name in archive.names}
