"""Photos from pipes, and one version into a pipe: `cat photo.jpg | colorize - --out=- > colored.png`."""

import contextlib
import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

DASH = "-"
"""Stands for standard input among photos, and for standard output as the folder of the results."""

MAX_BYTES = 1 << 30
"""Of a photo in a pipe."""


@contextlib.contextmanager
def spooled(arguments: Sequence[str]) -> Iterator[dict[str, Path]]:
    """The arguments that are pipes, `-` among them, with files that their content was read to.

    Raises:
      ValueError: nothing is piped into `-`, or more than `MAX_BYTES`.
    """
    with tempfile.TemporaryDirectory(prefix="colorize-") as folder:
        asked = [argument for argument in dict.fromkeys(arguments) if argument == DASH or _is_pipe(argument)]
        yield {argument: _read(argument, Path(folder) / f"{number}") for number, argument in enumerate(asked)}


@contextlib.contextmanager
def file_of(argument: str) -> Iterator[Path]:
    """The file that an argument names, or one with the content of the pipe that it is.

    Raises:
      ValueError: as `spooled`.
    """
    with spooled([argument]) as piped:
        yield piped.get(argument, Path(argument))


def _is_pipe(argument: str) -> bool:
    """Whether it is neither a file nor a folder, as /dev/stdin and the <(...) of shells are."""
    try:
        mode = os.stat(argument).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode)


def _read(argument: str, folder: Path) -> Path:
    folder.mkdir()
    target = folder / ("stdin" if argument in (DASH, "/dev/stdin") else "pipe")
    if argument == DASH:
        if sys.stdin is None or sys.stdin.isatty():
            raise ValueError(
                "- is standard input, and nothing is piped into it; as in: cat photo.jpg | colorize -"
            )
        _keep(sys.stdin.buffer.read(MAX_BYTES + 1), target, "-")
    else:
        with open(argument, "rb") as stream:
            _keep(stream.read(MAX_BYTES + 1), target, argument)
    return target


def _keep(content: bytes, target: Path, name: str) -> None:
    if len(content) > MAX_BYTES:
        raise ValueError(f"{name}: more than {MAX_BYTES:,} bytes; save the photo as a file, and name that")
    target.write_bytes(content)
    # A pipe has no time of change, by which photos are told from each other: the content's hash stands for it.
    time = int.from_bytes(hashlib.blake2b(content, digest_size=7).digest(), "big")
    os.utime(target, ns=(time, time))


@contextlib.contextmanager
def results_folder(out: str) -> Iterator[Path]:
    """The folder for results; of `-` a temporary one, whose only file goes to standard output.

    What is printed meanwhile goes to standard error, then.

    Raises:
      ValueError: standard output is a terminal, or there are several results.
    """
    if out != DASH:
        yield Path(out)
        return
    if sys.stdout is None or sys.stdout.isatty():
        raise ValueError(
            "--out=- writes a picture to standard output, which is a terminal: add > colored.png"
        )
    output = sys.stdout.buffer
    with tempfile.TemporaryDirectory(prefix="colorize-") as folder, contextlib.redirect_stdout(sys.stderr):
        yield Path(folder)
        written = [path for path in Path(folder).rglob("[!.]*") if path.is_file()]
        if len(written) > 1:
            raise ValueError(
                f"--out=- takes one version of one photo, and there are {len(written)}; give a folder"
            )
        for path in written:
            output.write(path.read_bytes())
            output.flush()
