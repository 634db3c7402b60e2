"""Servers of the studio and of the study in a thread, and requests to them."""

import contextlib
import io
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from PIL import Image


def png(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "png")
    return file.getvalue()


class Address(NamedTuple):
    """Of a running studio, or study; `studio` is what its requests share."""

    host: str
    studio: Any

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def ask(self, path: str, body: bytes | None = None, method: str | None = None, **headers: str):
        """(status, bytes) of a request of the studio's own page, where no header says otherwise."""
        own = {"Origin": self.url} | {name.title(): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, body, own, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def told(self, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
        """(status, message) of a request that is refused."""
        status, answer = self.ask(path, body, **headers)
        return status, json.loads(answer)["message"]


@contextlib.contextmanager
def running(server, listening) -> Iterator[None]:
    """Serves in a thread."""
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    assert server.started
    yield
    server.should_exit = True
    thread.join(10)
