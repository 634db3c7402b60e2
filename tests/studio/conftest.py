"""A studio on a free port, with a model whose versions and similarity are written down."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from colorizers import colorizer_of
from ml_collections import ConfigDict
from served import Address, running

from colorize_jax.inference.colorizer import Colorizer
from colorize_jax.methods.base import Samples

SIDE = 32
ANGLES = np.array([0.5, 2.2, 4.0])


def _sample(variables, batch, rng, *, samples, rule):
    """Version n has one colour of chroma 20."""
    angles = jnp.asarray(ANGLES[:samples])
    colors = variables["chroma"] * jnp.stack([jnp.cos(angles), jnp.sin(angles)], -1)
    field = jnp.broadcast_to(colors[:, None, None], (samples, SIDE, SIDE, 2))
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
    return colorizer_of(config, _sample, {"chroma": np.float32(20 / 128)}, similarity=_similarity)


@pytest.fixture(scope="session")
def gray() -> np.ndarray:
    """A dark ground with two bright squares, noisy: what one square is painted, the other one is, too."""
    picture = np.full((300, 400), 70, np.uint8)
    picture[60:180, 40:160] = picture[120:240, 240:360] = 190
    return picture + np.random.default_rng(0).integers(0, 6, picture.shape, dtype=np.uint8)


@pytest.fixture(scope="session")
def address(colorizer) -> Iterator[Address]:
    pytest.importorskip("uvicorn", reason="the studio's server is the extra [studio]")
    from colorize_jax.studio import serve

    listening = serve.listen(0)
    studio = serve.make(colorizer, samples=3, max_bytes=3_000_000, max_pixels=2_000_000)
    server = serve.server(studio, listening)
    with running(server, listening):
        yield Address(serve.url_of(listening)[7:-1], studio)
