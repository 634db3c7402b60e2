"""A studio on a free port, with a model whose versions and similarity are written down; and a browser."""

import contextlib
import io
import json
import shutil
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict
from PIL import Image

from colorize_jax.colorize import Colorizer
from colorize_jax.methods.base import Samples

SIDE = 32
ANGLES = np.array([0.5, 2.2, 4.0])


def _sample(variables, batch, rng, *, samples, rule):
    """Version n has one colour of chroma 20."""
    angles = jnp.asarray(ANGLES[:samples])
    colours = variables["chroma"] * jnp.stack([jnp.cos(angles), jnp.sin(angles)], -1)
    field = jnp.broadcast_to(colours[:, None, None], (samples, SIDE, SIDE, 2))
    return Samples(field[None], field[None], jnp.full((1, samples), 1 / samples))


def _similarity(variables, batch):
    """Cells of one lightness are alike, wherever they lie."""
    lightness = jax.image.resize(batch["lightness"][0, ..., 0], (SIDE, SIDE), "linear").reshape(-1)
    row, column = jnp.divmod(jnp.arange(SIDE**2), SIDE)
    features = jnp.stack([8 * lightness, row / 40, column / 40], -1)
    distance = ((features[:, None] - features[None]) ** 2).sum(-1)
    return jax.nn.softmax(-distance + jnp.diag(jnp.full(SIDE**2, -1e9)))[None]


@pytest.fixture(scope="session")
def colorizer() -> Colorizer:
    config = ConfigDict({"data": {"image_size": 64, "lightness_large": 0}})
    config.gcrf = ConfigDict({"beta_test": 5.0, "floor": 1e-3})
    return Colorizer(config, _sample, {"chroma": np.float32(20 / 128)}, _similarity)


@pytest.fixture(scope="session")
def gray() -> np.ndarray:
    """A dark ground with two bright squares, noisy: what one square is painted, the other one is, too."""
    picture = np.full((300, 400), 70, np.uint8)
    picture[60:180, 40:160] = picture[120:240, 240:360] = 190
    return picture + np.random.default_rng(0).integers(0, 6, picture.shape, dtype=np.uint8)


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


@pytest.fixture(scope="session")
def address(colorizer) -> Iterator[Address]:
    pytest.importorskip("uvicorn", reason="the studio's server is the extra [studio]")
    from colorize_jax.studio import serve

    listening = serve.listen(0)
    studio = serve.make(colorizer, samples=3, max_bytes=3_000_000, max_pixels=2_000_000)
    server = serve.server(studio, listening)
    with running(server, listening):
        yield Address(serve.url_of(listening)[7:-1], studio)


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


CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser():
    found = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if found is None:
        pytest.skip(f"none of {', '.join(CHROMIUMS)} is installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is of the extra [test]")
    with playwright.sync_playwright() as driver:
        # In a container there is no sandbox, and /dev/shm is small.
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        launched = driver.chromium.launch(executable_path=found, args=arguments)
        yield launched
        launched.close()
