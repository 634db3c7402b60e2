"""Ctrl-C is one line, whenever it comes: while modules are loaded, in callbacks, and at work.

Nothing but the standard library is imported, so that this is in force before anything else is loaded.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType

EXIT_CODE = 130
"""After Ctrl-C, as shells have it."""

TOLD = "stopped by Ctrl-C; give the same command again to go on"

_SOON_S = 0.05


def install() -> None:
    """Takes over Ctrl-C, unless it is ignored, as in jobs in the background; and what Python prints of errors."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _pressed)
    sys.excepthook = excepthook
    sys.unraisablehook = _unraisablehook


def was_pressed(error: BaseException | None) -> bool:
    """Whether Ctrl-C is the cause of an error: code in C may make another one of it."""
    return any(isinstance(each, KeyboardInterrupt) for each in chain(error))


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and its causes."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def tell(text: str) -> None:
    """One line on standard error."""
    print(f"error: {text}", file=sys.stderr, flush=True)


def excepthook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Python's own, but for Ctrl-C, and for what follows a full disk."""
    if was_pressed(error):
        tell(TOLD)
    # Writes that were under way when a checkpoint failed come back to an event loop that has ended.
    elif str(error) != "Event loop is closed":
        sys.__excepthook__(kind, error, trace)


def _pressed(number: int, frame: FrameType | None) -> None:
    """Ends the program at once while modules are loaded, which in C may crash else; later raises KeyboardInterrupt."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            os.write(2, f"error: {TOLD}\n".encode())
            os._exit(EXIT_CODE)
        frame = frame.f_back
    raise KeyboardInterrupt


def _unraisablehook(caught: "sys.UnraisableHookArgs") -> None:
    """Python's own, but that a Ctrl-C comes again which a callback had, where nothing can be raised."""
    if issubclass(caught.exc_type, KeyboardInterrupt):
        main = threading.main_thread().ident
        assert main is not None  # it runs
        # A signal, and not _thread.interrupt_main(): a sleep or a read would not notice that one.
        threading.Timer(_SOON_S, signal.pthread_kill, (main, signal.SIGINT)).start()
    else:
        sys.__unraisablehook__(caught)
