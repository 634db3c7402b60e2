"""`mln_gan`: YUV at its two ends, the critic's sign and bound, who learns in whose turn, versions that differ."""

import pickle
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from colorize_jax import color, methods
from colorize_jax.config import load
from colorize_jax.methods import mln_gan, resolve
from colorize_jax.methods.parts.networks import example_batch, init_networks
from colorize_jax.methods.parts.updates import init_state, play

SIDE, NOISE = 16, 8


def key(seed=5):
    return jax.random.key(seed)


def tiny(**own):
    config = load("mln_gan").unlock()
    config.width, config.data.image_size = 1 / 16, SIDE
    config.mln.update({"noise": NOISE, **own})
    return resolve(config, images=64)


CONFIG = tiny()
NETWORKS = mln_gan.build_networks(CONFIG)
to_own, from_own = jax.jit(mln_gan.to_own), jax.jit(mln_gan.from_own)
PLAYERS = mln_gan.players(CONFIG, NETWORKS)


@jax.jit
def losses(variables, batch):
    """(The critic's loss and what it tells, the generator's loss and the gradients of its weights)."""
    critic, (_, told) = mln_gan.critic_loss(NETWORKS, NOISE, variables, batch, key(), jnp.zeros(()))

    def of_generator(own):
        whole = {**variables, "params": {**variables["params"], "generator": own}}
        return mln_gan.generator_loss(NETWORKS, NOISE, whole, batch, key(), jnp.zeros(()))[0]

    return critic, told, *jax.value_and_grad(of_generator)(variables["params"]["generator"])


@pytest.fixture(scope="module")
def variables():
    inputs = mln_gan.example_inputs(NOISE, example_batch(CONFIG))
    return init_networks(jax.random.key(1), NETWORKS, inputs, ("generator", "critic"))


@pytest.fixture(scope="module")
def batch():
    """Smooth photos whose colours follow their lightness."""
    side = np.linspace(-1, 1, SIDE)
    waves = np.arange(1, 9)[:, None, None]
    lightness = (0.7 * np.sin(waves * side[:, None] + 2 * side))[..., None].astype(np.float32)
    return {"lightness": jnp.asarray(lightness), "ab": jnp.asarray(0.1 * lightness * [1, -0.5] + [0.1, 0.05])}


@pytest.fixture(scope="module")
def draw():
    return jax.jit(methods.build(CONFIG).colors.sample, static_argnames=("samples", "rule"))


@pytest.fixture(scope="module")
def turns():
    """The update of each player alone."""
    return tuple(jax.jit(play((player,))) for player in PLAYERS)


def begun(variables):
    return init_state(variables["params"], variables["batch_stats"], PLAYERS)


def in_network_units(rgb):
    lab = color.srgb_to_lab(np.asarray(rgb, np.float32))
    return color.lightness_to_network(lab[..., :1]), color.ab_to_network(lab[..., 1:])


def test_gray_red_and_green_are_what_bt601_says():
    lightness, ab = in_network_units([[[[0.25, 0.25, 0.25], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]])
    own = to_own(lightness, ab)[0, 0]
    np.testing.assert_allclose(own[0], [-0.5, 0, 0], atol=1e-3)
    np.testing.assert_allclose(own[1:, 1:], [[-0.338, 1.0], [-0.662, -0.838]], atol=1e-3)
    assert abs(own[1, 0]) < 0.1  # of a gray as light as red, and not 2 * 0.299 - 1


def test_every_color_comes_back_from_yuv():
    """A level of 8 bits is 1/255."""
    levels = np.linspace(0, 1, 9)
    rgb = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, 27, 27, 3)
    lightness, ab = in_network_units(rgb)
    back = from_own(lightness, to_own(lightness, ab)[..., 1:])
    again = color.lab_to_srgb(color.network_to_lab(lightness, np.asarray(back)))
    np.testing.assert_allclose(again, rgb, atol=1 / 255)
    np.testing.assert_allclose(back, ab, atol=1e-3)


def test_wild_colors_are_those_of_a_picture():
    lightness = jnp.linspace(-1, 1, 25).reshape(1, 5, 5, 1)
    uv = jnp.concatenate([jnp.ones_like(lightness), -jnp.ones_like(lightness)], axis=-1)
    ab = from_own(lightness, uv)
    assert np.isfinite(ab).all() and np.abs(ab).max() <= 1


def test_the_critic_says_more_of_true_images_and_the_generator_wants_that(variables, batch):
    critic, told, generator, gradients = losses(variables, batch)
    assert float(critic) == pytest.approx(float(told["on_painted"] - told["on_true"]))
    assert float(generator) == pytest.approx(-float(told["on_painted"]), rel=1e-5)
    assert all(leaf.any() for leaf in jax.tree.leaves(gradients))


def test_a_critic_that_says_the_same_of_all_teaches_nothing(variables, batch):
    last = {"kernel": jnp.zeros((4, 1)), "bias": jnp.full(1, 3.0)}
    silent = {**variables["params"], "critic": {**variables["params"]["critic"], "Dense_1": last}}
    critic, _, generator, gradients = losses({**variables, "params": silent}, batch)
    assert critic == 0 and generator == -3 and not any(leaf.any() for leaf in jax.tree.leaves(gradients))


def same(one, other):
    return all(map(np.array_equal, jax.tree.leaves(one), jax.tree.leaves(other)))


def largest(weights):
    return max(float(np.abs(leaf).max()) for leaf in jax.tree.leaves(weights))


@pytest.mark.parametrize("turn", [0, 1])
def test_each_player_changes_its_own_network_alone_and_the_critics_is_bounded(variables, batch, turns, turn):
    state = begun(variables)
    after, _ = turns[turn](state, batch, key())
    own, other = ("critic", "generator")[:: 1 - 2 * turn]
    for before, then in ((state.params, after.params), (state.opt_state, after.opt_state)):
        assert same(before[other], then[other]) and not same(before[own], then[own])
    assert largest(state.params["critic"]) > 0.01 and largest(after.params["generator"]) > 0.01
    assert (largest(after.params["critic"]) <= np.float32(0.01)) == (own == "critic")


def test_a_step_is_five_turns_of_the_critic_and_one_of_the_generator():
    assert [(p.name, p.trained, p.repeats, p.clip) for p in PLAYERS] == [
        ("critic", ("critic",), 5, 0.01), ("generator", ("generator",), 1, None),
    ]  # fmt: skip
    gradient = {"x": jnp.array([3.0])}
    for player, lr in zip(PLAYERS, (2e-4, 1e-4), strict=True):
        optimizer = player.optimizer()
        change, _ = optimizer.update(gradient, optimizer.init(gradient), gradient)
        np.testing.assert_allclose(change["x"], [-lr], rtol=1e-4)


def test_its_adam_is_rmsprop_once_the_beginning_is_forgotten():
    adam, rmsprop = PLAYERS[1].optimizer(), optax.rmsprop(1e-4, decay=0.9)
    gradients = np.random.default_rng(0).normal(size=(100, 5)).astype(np.float32)
    states = [optimizer.init(jnp.zeros(5)) for optimizer in (adam, rmsprop)]
    for gradient in gradients:
        ours, states[0] = adam.update(jnp.asarray(gradient), states[0], jnp.zeros(5))
        theirs, states[1] = rmsprop.update(jnp.asarray(gradient), states[1], jnp.zeros(5))
    np.testing.assert_allclose(ours, theirs, rtol=1e-3)


def spread(variables, batch):
    """Variance of a pixel's U and V over four codes, in training."""
    images = jax.jit(lambda rng: mln_gan.painted_images(NETWORKS, NOISE, variables, batch, rng)[0])
    return np.stack([images(key(seed))[..., 1:] for seed in range(4)]).var(axis=0).mean()


def test_versions_differ_at_the_start(variables, batch):
    assert spread(variables, batch) > 1e-3


@pytest.mark.slow
@pytest.mark.usefixtures("whole_compiler")
def test_versions_differ_after_200_steps(variables, batch, draw):
    update, state = jax.jit(play(PLAYERS)), begun(variables)
    for step in range(200):
        state, _ = update(state, batch, jax.random.fold_in(key(), step))
    assert spread(state.variables, batch) > 1e-3
    field = draw(state.variables, batch, key(), samples=4, rule="random").field
    assert field.var(axis=1).mean() > 1e-5  # on a photo's own lightness colours have less room


def test_versions_come_from_the_key_alone_and_differ(draw, variables, batch):
    drawn = draw(variables, batch, key(), samples=3, rule="random")
    assert (drawn.field.shape == (8, 3, SIDE, SIDE, 2) and drawn.unary is drawn.field) or same(*drawn[:2])
    np.testing.assert_allclose(drawn.weights, 1 / 3)
    assert (drawn.field.var(axis=1).mean(axis=(1, 2, 3)) > 0).all()
    assert same(draw(variables, batch, key(), samples=3, rule="random"), drawn)
    assert not np.array_equal(draw(variables, batch, key(6), samples=3, rule="random").field, drawn.field)


def test_a_version_is_the_networks_answer_by_running_statistics_on_the_photos_lightness(variables, batch):
    lightness = batch["lightness"][0]
    gray, code = mln_gan.luma(lightness[None]), mln_gan.codes(key(), 1, NOISE)
    own = {name: variables[name]["generator"] for name in variables}
    uv = jax.jit(partial(NETWORKS["generator"].apply, train=False))(own, gray, code)
    version = jax.jit(partial(mln_gan.paint, NETWORKS, NOISE))(variables, lightness, key())
    np.testing.assert_allclose(version, from_own(lightness[None], uv)[0], atol=1e-5)


def test_requests_that_cannot_be_answered_are_refused(variables, batch):
    colors = methods.build(CONFIG).colors
    assert colors.request() == (5, "random")
    with pytest.raises(ValueError, match="allowed is 'random'"):
        colors.sample(variables, batch, key(), samples=1, rule="modes")


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({"noise_layers": 7}, r"mln\.noise_layers is 7.*from 1 to 6"),
        ({"condition_layers": 0}, r"mln\.condition_layers is 0.*from 1 to 6"),
        ({"critic_steps": 0}, r"mln\.critic_steps is 0"),
        ({"clip": 0.0}, r"mln\.clip is 0\.0"),
    ],
)
def test_fields_that_cannot_be_are_named(own, told):
    with pytest.raises(ValueError, match=told):
        tiny(**own)


def test_a_model_needs_the_generator_alone_and_can_be_sent_to_another_process():
    method = methods.build(CONFIG)
    assert set(method.abstract_variables()["params"]) == {"generator"}
    again = pickle.loads(pickle.dumps(method.colors))
    assert again.sample.args == method.colors.sample.args and again.request() == (5, "random")
