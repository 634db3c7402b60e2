"""Where the tests keep what XLA compiled, from one run to the next, and how a worker gives freed memory back."""

import contextlib
import ctypes
import hashlib
import os
import platform
import sys
from importlib import metadata
from pathlib import Path

LARGEST = 2 * 2**30
"""Bytes that the folder may have when a run begins: what was not read for longest goes first."""


def use() -> None:
    """Tells JAX, and every program that a test starts, the folder of `folder`; one that is set already stays."""
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    if "PYTEST_XDIST_WORKER" not in os.environ:
        _trim(folder(), LARGEST)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder())
    # Small programs, too: the suite has thousands. JAX's own limit of the size would search the folder at each write.
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"


def _trim(place: Path, largest: int) -> None:
    """Removes the files that were not read for longest, until the others have `largest` bytes at most."""
    read = sorted(((file.stat(), file) for file in place.iterdir()), key=lambda each: -each[0].st_atime)
    total = 0
    for status, file in read:
        total += status.st_size
        if total > largest:
            file.unlink(missing_ok=True)


def folder() -> Path:
    """The user's own, one for each version of jaxlib, of Python and kind of processor: programs fit no others."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    version = f"jaxlib{metadata.version('jaxlib')}-python{sys.version_info.major}.{sys.version_info.minor}"
    return cache / "colorize_jax" / "tests" / f"{version}-{hashlib.sha256(_processor()).hexdigest()[:12]}"


def _processor() -> bytes:
    """What tells one kind of processor from another."""
    told = platform.machine() + platform.processor()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        told += "".join(
            sorted({line for line in lines if line.startswith(("flags", "model name", "Features"))})
        )
    return told.encode()


def give_back() -> None:
    """Returns freed memory to the system where the C library can (glibc): else a worker never shrinks."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
