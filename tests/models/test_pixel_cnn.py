"""The network of Royer et al. 2017: what a pixel sees, its start, its size, and step by step the same as at once."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from colorize_jax.models import pixel_cnn
from colorize_jax.models.pixel_cnn import LAYOUTS, ConditionalPixelCNN, Layout, LayoutLevel, NormedConv

NETWORK = ConditionalPixelCNN(
    8, Layout((LayoutLevel(8, 2, 1), LayoutLevel(8, 2, 1, 2)), 8), blocks=2, width=1 / 40
)
HEIGHT, WIDTH = 4, 5
PIXELS = HEIGHT * WIDTH


@pytest.fixture(scope="module")
def images():
    """(Gray photos, colours as they are shown)."""
    gray = jax.random.uniform(jax.random.key(1), (3, 4 * HEIGHT, 4 * WIDTH, 1), minval=-1)
    return gray, jax.random.uniform(jax.random.key(2), (3, HEIGHT, WIDTH, 3), minval=-1)


@pytest.fixture(scope="module")
def variables(images):
    return jax.jit(partial(NETWORK.init, train=False))(jax.random.key(0), *images)


@pytest.fixture(scope="module")
def say():
    return jax.jit(partial(NETWORK.apply, train=False))


def test_a_pixel_sees_the_colors_before_it_and_neither_its_own_nor_any_later(images, variables, say):
    """One image for each pixel, whose colour is another in it."""
    gray, shown = (jnp.repeat(x[:1], PIXELS, axis=0) for x in images)
    rows, columns = np.divmod(np.arange(PIXELS), WIDTH)
    changed = shown.at[np.arange(PIXELS), rows, columns].add(0.5)
    said, by_gray = say(variables, gray, changed)
    before, by_gray_before = say(variables, gray, shown)
    sees = (said != before).any(axis=-1).reshape(PIXELS, PIXELS)  # [changed, asked]
    assert not np.tril(sees).any()
    right, below = columns < WIDTH - 1, rows < HEIGHT - 1
    for step, there in (
        (1, right),
        (WIDTH, below),
        (WIDTH + 1, below & right),
        (WIDTH - 1, below & (columns > 0)),
    ):
        assert sees[np.flatnonzero(there), np.flatnonzero(there) + step].all()
    np.testing.assert_array_equal(by_gray, by_gray_before)


def test_every_pixel_sees_all_of_the_gray_photo(images, variables):
    def total(gray):
        said = NETWORK.apply(variables, gray[None], images[1][:1], train=False)
        return [x[0].sum(axis=-1) for x in said]

    for slopes in jax.jit(jax.jacrev(total))(images[0][0]):
        assert slopes.shape == (HEIGHT, WIDTH, 4 * HEIGHT, 4 * WIDTH, 1) and (slopes != 0).all()


def test_pixel_by_pixel_it_says_the_same(images, variables, say):
    gray, shown = images
    mix = jax.random.normal(jax.random.key(5), (8, 2))

    def color(said, row, column):
        return said @ mix, jax.lax.dynamic_slice(shown, (0, row, column, 0), (3, 1, 1, 3))

    walked = jax.jit(lambda params: pixel_cnn.walk(NETWORK, params, gray, color))(variables["params"])
    np.testing.assert_allclose(walked, say(variables, gray, shown)[0] @ mix, rtol=1e-4, atol=1e-5)


def convolutions(network, variables, *inputs):
    """What each convolution gave, by its path."""
    _, state = network.apply(
        variables,
        *inputs,
        train=False,
        capture_intermediates=lambda module, _: isinstance(module, NormedConv),
        mutable=["intermediates"],
    )
    return {path[:-1]: given for path, (given,) in flatten_dict(state["intermediates"]).items()}


def test_every_channel_starts_with_mean_zero_and_its_gain(images, variables):
    """1, and 0.1 of what a block adds."""
    given = jax.jit(partial(convolutions, NETWORK))(variables, *images)
    gains = []
    for path, x in given.items():
        np.testing.assert_allclose(x.mean(axis=(0, 1, 2)), 0, atol=1e-4, err_msg=str(path))
        deviations = x.std(axis=(0, 1, 2))
        gains.append(float(deviations[0]))
        np.testing.assert_allclose(deviations, gains[-1], rtol=1e-3, err_msg=str(path))
    blocks = 2 + 2 * NETWORK.blocks
    assert sorted(np.round(gains, 4)) == [0.1] * blocks + [1.0] * (len(given) - blocks)


@pytest.mark.parametrize(
    ("side", "layout", "embedding", "streams", "channels"),
    [(128, LAYOUTS[4], 113_718, 11_974, 160), (32, LAYOUTS[2], 3_648, 3_056, 256)],
)
def test_it_has_the_size_of_the_authors_programs(side, layout, embedding, streams, channels):
    """In million multiplications a photo, added up by hand: of a block of `rows`, 160·(320·9 + 640·9 + 320) a pixel."""
    network, small = (
        ConditionalPixelCNN(80, layout),
        side // math.prod(level.stride for level in layout.levels),
    )
    inputs = jnp.zeros((1, side, side, 1)), jnp.zeros((1, small, small, 3))
    variables = jax.eval_shape(partial(network.init, train=False), jax.random.key(0), *inputs)
    given = jax.eval_shape(partial(convolutions, network), variables, *inputs)
    kernels = {
        path[:-1]: x for path, x in flatten_dict(variables["params"]).items() if path[-1] == "direction"
    }
    assert kernels.keys() == given.keys()
    work = {"embedding": 0, "rows": 0, "pixels": 0}
    for path, kernel in kernels.items():
        work[path[0]] += kernel.size * math.prod(given[path].shape[1:3])
    assert round(work["embedding"] / 1e6) == embedding
    assert round((work["rows"] + work["pixels"]) / 1e6) == streams
    assert given["embedding", f"NormedConv_{len(layout.levels)}"].shape == (1, small, small, channels)


def test_the_gray_photos_network_has_room_for_a_mixture_at_any_width():
    network = ConditionalPixelCNN(80, LAYOUTS[4], width=1 / 8)
    inputs = jnp.zeros((1, 16, 16, 1)), jnp.zeros((1, 4, 4, 3))
    variables = jax.eval_shape(partial(network.init, train=False), jax.random.key(0), *inputs)
    said, by_gray = jax.eval_shape(partial(network.apply, train=False), variables, *inputs)
    assert said.shape == by_gray.shape == (1, 4, 4, 80)
