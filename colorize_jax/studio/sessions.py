"""Photos that are open at once: bounded in number and in memory, and closed when no one has asked for long.

Where a new one does not fit, those that were used longest ago go. Their pages open their photos again by themselves.
"""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from colorize_jax.studio.live import LivePhoto


class Sessions:
    """Open photos by their ids, which cannot be guessed. Safe for threads."""

    def __init__(
        self,
        most: int = 16,
        most_bytes: int = 1 << 30,
        expire_seconds: float = 3600.0,
        clock: Callable[[], float] = time.monotonic,
    ):
        if most < 1 or most_bytes < 1 or not expire_seconds > 0:
            raise ValueError(
                f"most is {most}, most_bytes {most_bytes} and expire_seconds {expire_seconds}; all must be positive."
            )
        self.most, self.most_bytes, self.expire_seconds = most, most_bytes, expire_seconds
        self._clock, self._lock = clock, threading.Lock()
        self._open: OrderedDict[str, tuple[LivePhoto, float]] = OrderedDict()  # the last used last

    def add(self, live: LivePhoto) -> str:
        """Keeps a photo and returns its id; others go where it needs their place.

        Raises:
          ValueError: a photo that needs more memory than all may have together.
        """
        if live.bytes > self.most_bytes:
            raise ValueError(
                f"the photo needs {live.bytes / 1e6:.0f} MB of memory; allowed are {self.most_bytes / 1e6:.0f} MB"
            )
        identity = secrets.token_urlsafe(16)
        with self._lock:
            self._close_expired()
            while len(self._open) >= self.most or self._bytes() + live.bytes > self.most_bytes:
                self._open.popitem(last=False)
            self._open[identity] = live, self._clock()
        return identity

    def get(self, identity: str) -> LivePhoto | None:
        """An open photo, which counts as used now; None where there is none of this id, or no longer."""
        with self._lock:
            self._close_expired()
            if identity not in self._open:
                return None
            live, _ = self._open[identity]
            self._open[identity] = live, self._clock()
            self._open.move_to_end(identity)
            return live

    def close(self, identity: str) -> None:
        with self._lock:
            self._open.pop(identity, None)

    def close_expired(self) -> None:
        """Closes what no one has asked for in time. Every other call does so, too; this one is for a clock."""
        with self._lock:
            self._close_expired()

    def __len__(self) -> int:
        return len(self._open)

    def _bytes(self) -> int:
        return sum(live.bytes for live, _ in self._open.values())

    def _close_expired(self) -> None:
        oldest = self._clock() - self.expire_seconds
        while self._open and next(iter(self._open.values()))[1] < oldest:
            self._open.popitem(last=False)
