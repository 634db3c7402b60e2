"""`pic`: its colours at their two ends, its bits, draws pixel by pixel, and the average of its weights."""

import math
import pickle
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from colorize_jax import color, methods
from colorize_jax.config import load
from colorize_jax.methods import pic, resolve
from colorize_jax.methods.parts.networks import init_networks
from colorize_jax.methods.parts.updates import init_state, play
from colorize_jax.models import logistics
from colorize_jax.models.layers import resize_field
from colorize_jax.models.pixel_cnn import ConditionalPixelCNN, Layout, LayoutLevel

COMPONENTS, SIDE = 2, 16
NETWORK = ConditionalPixelCNN(
    8 * COMPONENTS, Layout((LayoutLevel(8, 2, 1), LayoutLevel(8, 2, 1)), 8), blocks=1, width=1 / 40
)
"""As small as one can be; the published ones are of `tests/models/test_pixel_cnn.py`."""


def key(seed=5):
    return jax.random.key(seed)


def config(size=64, **own):
    made = load("pic").unlock()
    made.width, made.data.image_size = 1 / 40, size
    made.pic.update(own)
    return resolve(made, images=64)


@pytest.fixture(scope="module")
def batch():
    """Smooth photos, each of a tint of its own."""
    side = np.linspace(-1, 1, SIDE)
    waves = np.arange(1, 9)[:, None, None]
    lightness = (0.7 * np.sin(waves * side[:, None] + 2 * side))[..., None].astype(np.float32)
    tints = np.random.default_rng(0).uniform(-0.3, 0.3, (8, 1, 1, 2)).astype(np.float32)
    return {"lightness": jnp.asarray(lightness), "ab": jnp.asarray(0.05 * lightness + tints)}


@pytest.fixture(scope="module")
def variables(batch):
    inputs = pic.example_inputs(NETWORK, batch)
    drawn = init_networks(key(1), {pic.NAME: NETWORK}, inputs, (pic.NAME,))
    noise = np.random.default_rng(2)
    params = jax.tree.map(lambda x: x + 0.1 * noise.normal(size=x.shape).astype(np.float32), drawn["params"])
    return {**drawn, "params": params}


@pytest.fixture(scope="module")
def bits():
    return jax.jit(lambda variables, batch: pic.bits(NETWORK, variables, batch)[0])


@pytest.fixture(scope="module")
def draw():
    return jax.jit(partial(pic.sample, NETWORK), static_argnames=("samples", "rule"))


def test_colors_come_back_from_the_methods_units():
    ab = jax.random.uniform(key(), (5, 7, 2), minval=-1)
    np.testing.assert_allclose(pic.from_own(pic.to_own(ab)), ab, atol=1e-6)


def test_whole_numbers_of_a_and_b_are_its_levels():
    a, b = np.arange(-127, 129), np.arange(-128, 128)
    own = pic.to_own(color.ab_to_network(jnp.asarray(np.stack([a, b], axis=-1), jnp.float32)))
    np.testing.assert_allclose(own[:, 0], np.linspace(-1, 1, 256), atol=1e-6)
    np.testing.assert_allclose(own[:, 1], np.linspace(-1, 1, 256), atol=1e-6)
    np.testing.assert_allclose(logistics.quantized(own), own, atol=1e-6)


def test_every_color_of_a_screen_comes_back_to_half_a_level():
    levels = np.linspace(0, 1, 9, dtype=np.float32)
    lab = color.srgb_to_lab(np.stack(np.meshgrid(levels, levels, levels), axis=-1))
    lightness, ab = color.lightness_to_network(lab[..., :1]), color.ab_to_network(lab[..., 1:])
    own = logistics.quantized(pic.to_own(jnp.asarray(ab)))
    np.testing.assert_allclose(color.network_to_ab(pic.from_own(own)), lab[..., 1:], atol=0.501)
    np.testing.assert_allclose(
        pic.shown(jnp.asarray(lightness), pic.to_own(jnp.asarray(ab))),
        2 * np.stack(np.meshgrid(levels, levels, levels), axis=-1) - 1,
        atol=1e-2,
    )


def test_colors_that_no_screen_has_are_shown_as_the_nearest_that_it_has():
    shown = pic.shown(jnp.linspace(-1, 1, 5)[:, None], jnp.full((5, 2), 1.0))
    assert np.isfinite(shown).all() and np.abs(shown).max() <= 1


def test_bits_are_a_mean_over_pixels_and_both_channels(variables, batch, bits):
    """What is said is the same of all pixels where the last layer has a bias alone."""
    said = np.random.default_rng(3).normal(size=8 * COMPONENTS).astype(np.float32)
    params = jax.tree.map(jnp.copy, variables["params"])
    last = params[pic.NAME]["pixels"]["NormedConv_0"]
    last |= {"scale": jnp.zeros(len(said)), "bias": jnp.asarray(said)}
    found = bits({**variables, "params": params}, batch)
    lightness, true = resize_field(batch["lightness"], 4), pic.to_own(resize_field(batch["ab"], 4))
    logs = logistics.log_likelihood(
        jnp.tile(jnp.asarray(said), (8, 4, 4, 1)), lightness, logistics.quantized(true)
    )
    np.testing.assert_allclose(found["bits"], -logs.sum(axis=(1, 2)) / (4 * 4 * 2 * math.log(2)), rtol=1e-5)
    np.testing.assert_allclose(found["gray_bits"], bits(variables, batch)["gray_bits"], rtol=1e-5)


def test_the_loss_asks_for_both_and_every_weight_learns(variables, batch):
    def loss(params):
        whole = {**variables, "params": params}
        value, (_, told) = pic.pixel_loss(NETWORK, 0.5, whole, batch, key(), jnp.zeros(()))
        return value, told

    (value, told), slopes = jax.jit(jax.value_and_grad(loss, has_aux=True))(variables["params"])
    assert value == pytest.approx(float(told["bits"] + 0.5 * told["gray_bits"]), rel=1e-6)
    assert all(leaf.any() and np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))


def test_draws_are_those_of_asking_for_one_pixel_after_another(variables, batch):
    """The whole network again for every pixel, on the colours that were drawn before."""
    lightness = batch["lightness"][:1]
    gray = resize_field(lightness, 4)
    random = logistics.noise(key(), (1, 4, 4), COMPONENTS)
    own = {"params": variables["params"][pic.NAME]}

    @jax.jit
    def whole(drawn):
        said, _ = NETWORK.apply(own, lightness, pic.shown(gray, drawn), train=False)
        return logistics.draw(said, gray, random)

    drawn = jnp.ones((1, 4, 4, 2))
    for row in range(4):
        for column in range(4):
            drawn = drawn.at[:, row, column].set(whole(drawn)[:, row, column])
    version = jax.jit(partial(pic.paint, NETWORK, 1.0))(variables, lightness[0], key())
    np.testing.assert_allclose(version, pic.from_own(drawn[0]), atol=1e-6)
    assert len(np.unique(version.reshape(-1, 2), axis=0)) > 8


def test_versions_differ_and_come_from_the_key_alone(draw, variables, batch):
    gray = {"lightness": batch["lightness"]}
    drawn, again, other = (draw(variables, gray, key(n), samples=5, rule="random") for n in (5, 5, 6))
    assert drawn.field.shape == (8, 5, 4, 4, 2)
    np.testing.assert_array_equal(drawn.field, drawn.unary)
    np.testing.assert_allclose(drawn.weights, 1 / 5)
    assert (drawn.field.var(axis=1).mean(axis=(1, 2, 3)) > 0).all()
    np.testing.assert_array_equal(drawn.field, again.field)
    assert not np.array_equal(drawn.field, other.field)


def test_means_vary_less_than_draws(draw, variables, batch):
    spread = {
        rule: draw(variables, batch, key(), samples=5, rule=rule).field.var(axis=1).mean()
        for rule in pic.SPREADS
    }
    assert 0 < spread["means"] < spread["random"]


def test_it_is_judged_at_the_size_of_its_colors(draw, variables, batch):
    told = jax.jit(partial(pic.evaluate, NETWORK))(variables, batch, key())
    assert {"bits", "gray_bits", "best_absolute_error", "first_absolute_error", "variance"} == told.keys()
    assert all(values.shape == (8,) and np.isfinite(values).all() for values in told.values())
    fields = draw(variables, batch, key(), samples=5, rule="random").field
    errors = np.abs(fields - resize_field(batch["ab"], 4)[:, None]).mean(axis=(2, 3, 4))
    np.testing.assert_allclose(told["best_absolute_error"], errors.min(axis=1), atol=1e-5)


def test_the_average_of_the_weights_is_what_is_handed_over_and_not_the_last(variables, batch):
    one = pic.player(config(average=0.9), NETWORK)
    state = init_state(variables["params"], variables["batch_stats"], (one,))
    after, told = jax.jit(play((one,)))(state, batch, key())
    assert np.isfinite(told["loss"])
    average = jax.tree.map(
        lambda first, last: 0.9 * first + 0.1 * last, state.params[pic.NAME], after.params[pic.NAME]
    )
    jax.tree.map(partial(np.testing.assert_allclose, atol=1e-6), after.averaged["params"][pic.NAME], average)
    moved = jax.tree.map(lambda x, y: float(jnp.abs(x - y).max()), average, after.params[pic.NAME])
    assert max(jax.tree.leaves(moved)) > 1e-5


@pytest.mark.slow
@pytest.mark.usefixtures("whole_compiler")
def test_the_colors_before_tell_what_the_gray_photo_does_not(variables, batch, bits):
    """Each photo has a tint that its lightness does not tell."""
    one = pic.player(config(average=0.9), NETWORK)._replace(optimizer=lambda: optax.adam(3e-3))
    update, state = jax.jit(play((one,))), init_state(variables["params"], variables["batch_stats"], (one,))
    for step in range(300):
        tints = jax.random.uniform(key(step), (8, 1, 1, 2), minval=-0.4, maxval=0.4)
        state, _ = update(state, {**batch, "ab": batch["ab"] + tints}, jax.random.fold_in(key(), step))
    found = bits(state.averaged, batch)
    assert found["bits"].mean() < found["gray_bits"].mean() - 0.2


def test_a_rule_that_is_not_there_is_refused(variables, batch):
    colors = methods.build(config()).colors
    assert colors.request() == (5, "random")
    with pytest.raises(ValueError, match="allowed are 'random' and 'means'"):
        colors.sample(variables, batch, key(), samples=1, rule="modes")


@pytest.mark.parametrize(
    ("size", "own", "told"),
    [
        (66, {}, r"data\.image_size is 66.*multiple of config\.pic\.downsample, which is 4"),
        (64, {"downsample": 3}, r"pic\.downsample is 3.*2 or 4"),
        (64, {"mixture": 0}, r"pic\.mixture is 0"),
        (64, {"average": 1.0}, r"pic\.average is 1\.0"),
        (64, {"dropout": 1.0}, r"pic\.dropout is 1\.0"),
    ],
)
def test_fields_that_cannot_be_are_named(size, own, told):
    with pytest.raises(ValueError, match=told):
        config(size, **own)


@pytest.mark.parametrize(("size", "downsample", "field"), [(64, 4, 16), (128, 4, 32), (32, 2, 16)])
def test_parity_and_native_sizes(size, downsample, field):
    method = methods.build(config(size, downsample=downsample))
    lightness = jax.ShapeDtypeStruct((1, size, size, 1), jnp.float32)
    sample = partial(method.colors.sample, samples=5, rule="random")
    found = jax.eval_shape(sample, method.abstract_variables(), {"lightness": lightness}, key())
    assert found.field.shape == (1, 5, field, field, 2)


def test_a_model_can_be_sent_to_another_process():
    method = methods.build(config())
    assert set(method.abstract_variables()["params"]) == {pic.NAME}
    again = pickle.loads(pickle.dumps(method.colors))
    assert again.sample.args == method.colors.sample.args and again.request() == (5, "random")
