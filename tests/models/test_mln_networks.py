"""The networks of Cao et al. 2017: what an answer sees, which layers are given noise and the gray photo, sizes."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax.models.mln import ImageCritic, MultiNoiseGenerator

SIZE = (34, 38)
SMALL = 1 / 16


def drawn(network, *inputs):
    return jax.jit(partial(network.init, train=False))(jax.random.key(0), *inputs)


@pytest.fixture(scope="module")
def gray():
    return jax.random.uniform(jax.random.key(1), (1, *SIZE, 1))


@pytest.fixture(scope="module")
def code():
    return jax.random.uniform(jax.random.key(2), (1, 6))


@pytest.fixture(scope="module")
def generator(gray, code):
    """(`(params, gray, code) -> the answer`, params), by running statistics, as when it is asked for versions."""
    network = MultiNoiseGenerator(width=SMALL)
    variables = drawn(network, gray, code)
    answer = jax.jit(lambda params, *x: network.apply({**variables, "params": params}, *x, train=False))
    return answer, variables["params"]


def without(params, layer, rows):
    kernel = params[layer]["kernel"]
    return {**params, layer: {**params[layer], "kernel": kernel.at[..., rows, :].set(0)}}


def test_a_pixel_sees_27_pixels_of_the_photo_and_keeps_its_place(generator, gray, code):
    """With positive weights no path is cut by a ReLU."""
    answer, params = generator
    positive = jax.tree.map(lambda x: 0.2 * jnp.abs(x), params)
    row, column = 16, 20
    seen = jax.grad(lambda x: answer(positive, x, code)[0, row, column].sum())(gray)[0, ..., 0] != 0
    expected = np.zeros(SIZE, bool)
    expected[row - 13 : row + 14, column - 13 : column + 14] = True
    np.testing.assert_array_equal(seen, expected)
    assert answer(params, gray, code).shape == (1, *SIZE, 2)


@pytest.mark.parametrize("level", range(6))
def test_every_layer_sees_the_photo(generator, gray, code, level):
    answer, params = generator
    row = params[f"Conv_{level - 1}"]["kernel"].shape[-1] if level else 0
    deaf = without(params, f"Conv_{level}", row)
    assert not np.array_equal(answer(deaf, gray, code), answer(params, gray, code))
    for other in set(range(6)) - {level}:
        row = params[f"Conv_{other - 1}"]["kernel"].shape[-1] if other else 0
        params = without(params, f"Conv_{other}", row)
    assert not np.array_equal(answer(params, gray, code), answer(params, -gray, code))


@pytest.mark.parametrize("layer", ["Dense_0", "Dense_1", "Dense_2"])
def test_every_map_of_noise_reaches_the_answer(generator, gray, code, layer):
    answer, params = generator
    for other in {"Dense_0", "Dense_1", "Dense_2"} - {layer}:
        params = without(params, other, slice(None))
    assert not np.array_equal(answer(params, gray, code), answer(params, gray, -code))
    params = without(params, layer, slice(None))
    np.testing.assert_array_equal(answer(params, gray, code), answer(params, gray, -code))


@pytest.mark.parametrize(("noisy", "conditioned"), [(1, 6), (3, 6), (6, 2)])
def test_layers_are_given_noise_and_the_photo_from_the_first(gray, code, noisy, conditioned):
    network = MultiNoiseGenerator(noisy, conditioned, SMALL)
    params = jax.eval_shape(partial(network.init, train=False), jax.random.key(0), gray, code)["params"]
    assert sum("Dense" in name for name in params) == noisy
    shapes = [params[f"Conv_{level}"]["kernel"].shape for level in range(6)]
    before = [0, *(shape[-1] for shape in shapes)]
    for level, shape in enumerate(shapes):
        assert shape[2] == before[level] + (level < noisy) + (level < conditioned)


def test_they_have_the_published_sizes():
    """1,969 million multiplications a photo, nearly all in the convolutions of the authors' program."""
    gray, code = jnp.zeros((1, 64, 64, 1)), jnp.zeros((1, 100))
    network = MultiNoiseGenerator(noise_layers=1)
    params = jax.eval_shape(partial(network.init, train=False), jax.random.key(0), gray, code)["params"]
    weights = sum(params[f"Conv_{level}"]["kernel"].size for level in range(6))
    assert round((weights * 64**2 + params["Dense_0"]["kernel"].size) / 1e6) == 1969
    critic = jax.eval_shape(
        partial(ImageCritic().init, train=False), jax.random.key(0), jnp.zeros((1, 64, 64, 3))
    )["params"]
    assert [critic[f"Conv_{level}"]["kernel"].shape for level in range(4)] == [
        (5, 5, 3, 64), (5, 5, 64, 128), (5, 5, 128, 256), (5, 5, 256, 512),
    ]  # fmt: skip
    assert [critic[f"Dense_{level}"]["kernel"].shape for level in range(2)] == [(4 * 4 * 512, 64), (64, 1)]


def test_the_critic_says_one_number_without_bounds():
    images, critic = jax.random.normal(jax.random.key(3), (2, 16, 16, 3)), ImageCritic(SMALL)
    variables = drawn(critic, images)
    last = {**variables["params"]["Dense_1"], "bias": jnp.full(1, 100.0)}
    loud = {**variables, "params": {**variables["params"], "Dense_1": last}}
    answer = jax.jit(partial(critic.apply, train=False))
    np.testing.assert_allclose(answer(loud, images), [100, 100], rtol=1e-3)
    one, other = answer(variables, images)
    assert one != other
