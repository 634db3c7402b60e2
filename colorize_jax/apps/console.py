"""What a program meets outside of itself: its command line, disks that fill up, machines without the wanted device.

Each is one line that says what to do. None needs more than the standard library and absl.
"""

import errno
import logging
import os
import re
import sys
from collections.abc import Sequence

from absl import flags

from colorize_jax.apps.stop_key import chain, tell
from colorize_jax.photos.errors import one_line

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FULL_IN_WORDS = re.compile("no space left on device|disk quota exceeded", re.IGNORECASE)
_OF_DEVICES = (
    RuntimeError,
    AssertionError,
)  # JAX asserts where the plugin of a device that it knows is missing
_ADDRESS = re.compile(r"(?:--?[\w.]+=)?(?:https?|s?ftp|file|gs|s3|az)://")
_HELP = {"-h", "-?", "-help", "--help"}


def parsed(command: Sequence[str]) -> list[str]:
    """Parses the flags, and returns the other arguments; prints the program's own flags where help is asked for."""
    if _HELP & {*command[1 : command.index("--") if "--" in command else None]}:
        module = sys.modules["__main__"]
        print(f"{(module.__doc__ or '').strip()}\n\nflags:\n{flags.FLAGS.main_module_help()}")
        sys.exit(0)
    try:
        return flags.FLAGS(command)
    except flags.Error as error:
        tell(f"{one_line(error)}; --help lists all flags")
        sys.exit(1)


def check_no_address(command: Sequence[str]) -> None:
    """Raises: ValueError, where an argument or a flag is an address and not a path."""
    for argument in command:
        if _ADDRESS.match(argument):
            raise ValueError(
                f"{argument}: an address, and only files of this machine are read and written; download it, or mount "
                "the bucket or the share, and name the path"
            )


def told(error: BaseException) -> str | None:
    """An error of the world in one line; None where it is a bug of this program, which deserves its traceback."""
    if any(map(_is_full, chain(error))):
        return f"the disk is full ({one_line(error)}); free some space, then give the same command again"
    if (missing := missing_device(error)) is not None:
        return missing
    if isinstance(error, ModuleNotFoundError) and not f"{error.name}".startswith("colorize_jax"):
        return (
            f"{one_line(error)}; colorize-doctor tells which extra of the package has it, and how to add it"
        )
    return one_line(error) if isinstance(error, (ValueError, OSError)) else None


def missing_device(error: BaseException) -> str | None:
    """What to do where JAX has no device to begin with; None where `error` has another cause."""
    if not isinstance(error, _OF_DEVICES) or "jax" not in sys.modules:
        return None
    try:
        sys.modules["jax"].devices()
    except _OF_DEVICES as reason:
        wanted, why = os.environ.get("JAX_PLATFORMS", ""), f" ({one_line(reason)})" if str(reason) else ""
        return (
            f"JAX_PLATFORMS is {wanted!r}, and no such device is ready here{why}; unset it or set it to cpu, or "
            "add what the device needs: pip install 'colorize_jax[gpu]' or [tpu]"
        )
    return None


def is_news(record: logging.LogRecord) -> bool:
    """Whether a log record says more than that the disk is full, which the program tells once, at its end."""
    error = record.exc_info[1] if record.exc_info else None
    return not (any(map(_is_full, chain(error))) or _FULL_IN_WORDS.search(record.getMessage()))


def _is_full(error: BaseException) -> bool:
    """Libraries that write in C++ tell it in words alone."""
    return getattr(error, "errno", None) in _FULL or _FULL_IN_WORDS.search(str(error)) is not None
