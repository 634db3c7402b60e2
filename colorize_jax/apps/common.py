"""What every program shares: one-line errors for mistakes of the user, and threads that do not fight."""

import ctypes
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from colorize_jax.apps import stop_key

stop_key.install()  # loading what follows takes seconds

# OpenBLAS starts a pool beside XLA's, and the two make small solves hundreds of times slower. It is read when
# numpy is loaded: import this module first.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from absl import app, flags, logging  # noqa: E402

from colorize_jax.apps import console, streams  # noqa: E402

M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8  # of glibc's malloc.h


def run(main: Callable[[Sequence[str]], int | None]) -> NoReturn:
    """Parses the flags, calls `main(positional arguments)` and exits with what it returns (None: 0).

    What a person or the machine does is one line on standard error, without a traceback: exit code 1, after Ctrl-C 130.
    ValueError and OSError tell a mistake of the user; see `console.told` for others. No printing ends the program.
    """
    streams.keep()
    _describe(main.__module__)
    app.run(lambda argv: _guarded(main, argv), flags_parser=console.parsed)
    sys.exit(0)


def keep_memory() -> None:
    """Lets glibc keep what is freed; for programs that ask for the same large blocks again and again.

    By default glibc hands every large block back to the kernel, which maps and zeroes its pages anew in the next step.
    That is a sixth of a training step on a CPU (`benchmarks/train.py`). Where there is no glibc this does nothing.
    Call it before threads start: a thread's own heap cannot hold large blocks.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return
    for parameter, value in ((M_ARENA_MAX, 1), (M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, -1)):
        mallopt(parameter, value)


def _describe(module: str) -> None:
    """Lets `--help` show a program's own flags: absl looks for them in `__main__`, a stub in a console script."""
    sys.modules["__main__"].__doc__ = sys.modules[module].__doc__
    for flag in flags.FLAGS.get_key_flags_for_module(module):
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)


def _guarded(main: Callable[[Sequence[str]], int | None], argv: Sequence[str]) -> int:
    logging.set_verbosity(logging.WARNING)  # JAX tells every backend that it does not find
    logging.get_absl_handler().addFilter(console.is_news)
    try:
        console.check_no_address(sys.argv[1:])
        code = main(argv[1:]) or 0
    except (KeyboardInterrupt, Exception) as error:
        if stop_key.was_pressed(error):
            console.tell(stop_key.TOLD)
            return stop_key.EXIT_CODE
        if (told := console.told(error)) is None:
            raise
        console.tell(told)
        return 1
    if (lost := streams.lost_output()) is not None:
        console.tell(f"standard output is not whole ({lost})")
        return code or 1
    return code
