"""Stopping a run between two steps: SIGTERM and Ctrl-C become a request that the loop reads."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import jax

from colorize_jax.train import hosts


class Interrupted(Exception):
    """A signal asked the run to stop; all is saved.

    Attributes:
      signal: its number.
    """

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.signal = number


class StopRequest:
    """Remembers SIGTERM or the first Ctrl-C, so that the loop can save and stop between two steps."""

    def __init__(self, preemption: hosts.Preemption | None = None) -> None:
        self.signal: int | None = None
        self._preemption = preemption

    def came(self) -> bool:
        """Whether to stop; with several processes, at the same call on all of them."""
        if self.signal is None and self._preemption is not None and self._preemption.reached():
            self.signal = signal.SIGTERM
        return self.signal is not None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.signal is not None:
            raise KeyboardInterrupt  # the second Ctrl-C does not wait
        self.signal = number


@contextlib.contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Turns SIGTERM and SIGINT into a request while the context lasts; only the main thread can.

    With several processes JAX listens for SIGTERM, and Ctrl-C ends the process at once: it cannot be agreed upon.
    """
    if jax.process_count() > 1:
        yield StopRequest(hosts.Preemption())
        return
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, request) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
