"""`cgan`: its two losses by hand, who learns in whose turn, and versions that differ by their dropout alone."""

import math
import pickle
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax import color, methods
from colorize_jax.config import load
from colorize_jax.methods import cgan, resolve
from colorize_jax.methods.parts.networks import apply, example_batch, init_networks
from colorize_jax.methods.parts.updates import init_state, play

SIDE = 16


def key(seed=5):
    return jax.random.key(seed)


def tiny(lr=2e-4, **own):
    config = load("cgan").unlock()
    config.stages.gan.lr = lr
    config.width, config.data.image_size = 1 / 16, SIDE
    config.gan.update({"draws": 8, "critic_layers": 2, **own})
    return resolve(config, images=64)


CONFIG = tiny()
NETWORKS = cgan.build_networks(CONFIG)


@jax.jit
def critic_loss(variables, batch):
    return cgan.critic_loss(NETWORKS, variables, batch, key(), jnp.zeros(()))


@partial(jax.jit, static_argnums=0)
def generator_loss(l1, variables, batch):
    """((loss, (statistics, metrics)), the gradients of the generator's weights)."""

    def loss(own):
        whole = {**variables, "params": {**variables["params"], "generator": own}}
        return cgan.generator_loss(NETWORKS, l1, whole, batch, key(), jnp.zeros(()))

    return jax.value_and_grad(loss, has_aux=True)(variables["params"]["generator"])


@pytest.fixture(scope="module")
def variables():
    inputs = cgan.example_inputs(example_batch(CONFIG))
    return init_networks(jax.random.key(1), NETWORKS, inputs, ("generator", "critic"))


@pytest.fixture(scope="module")
def batch():
    """Smooth photos whose colours follow their lightness."""
    side = np.linspace(-1, 1, SIDE)
    waves = np.arange(1, 9)[:, None, None]
    lightness = np.sin(waves * side[:, None] + 2 * side)[..., None].astype(np.float32)
    return {"lightness": jnp.asarray(lightness), "ab": jnp.asarray(0.3 * lightness * [1, -0.5] + [0.2, 0.1])}


@pytest.fixture(scope="module")
def draw():
    return jax.jit(methods.build(CONFIG).colors.sample, static_argnames=("samples", "rule"))


def with_constant_critic(variables, answer):
    """A critic that answers the same logit of everything."""
    critic = variables["params"]["critic"]
    last = max(name for name in critic if name.startswith("Conv"))
    silent = {"kernel": jnp.zeros_like(critic[last]["kernel"]), "bias": jnp.full(1, answer)}
    return {**variables, "params": {**variables["params"], "critic": {**critic, last: silent}}}


def test_colors_of_110_are_one_to_the_networks_and_come_back():
    ab = jnp.array([[[110.0, -55.0]]]) / color.AB_SCALE
    np.testing.assert_allclose(cgan.to_own(ab), [[[1.0, -0.5]]], rtol=1e-6)
    np.testing.assert_allclose(cgan.from_own(cgan.to_own(ab)), ab, rtol=1e-6)


def test_every_critics_term_begins_at_one_bit(variables, batch):
    value, (_, told) = critic_loss(variables, batch)
    assert abs(told["true_nats"] - math.log(2)) < 0.1 and abs(told["painted_nats"] - math.log(2)) < 0.1
    assert value == pytest.approx((told["true_nats"] + told["painted_nats"]) / 2)


def test_losses_are_right_against_a_critic_that_is_sure(variables, batch):
    """Of everything it says 'true' with a logit of 3."""
    sure = with_constant_critic(variables, 3.0)
    right, wrong = math.log1p(math.exp(-3)), math.log1p(math.exp(3))
    critic, (_, told) = critic_loss(sure, batch)
    assert told["true_nats"] == pytest.approx(right) and told["painted_nats"] == pytest.approx(wrong)
    assert critic == pytest.approx((right + wrong) / 2)
    assert generator_loss(0.0, sure, batch)[0][0] == pytest.approx(right)
    (weighted, (_, told)), _ = generator_loss(100.0, sure, batch)
    assert weighted == pytest.approx(right + 100 * told["own_absolute_error"])


def test_the_error_term_is_in_the_methods_own_units(variables, batch):
    generator = variables["params"]["generator"]
    last = max(name for name in generator if name.startswith("ConvTranspose"))
    gray = {**generator, last: jax.tree.map(jnp.zeros_like, generator[last])}
    painter = {**variables, "params": {**variables["params"], "generator": gray}}
    _, told = generator_loss(100.0, painter, batch)[0][1]
    assert told["own_absolute_error"] == pytest.approx(np.abs(batch["ab"]).mean() * 128 / 110)


def test_without_an_error_term_a_constant_critic_teaches_nothing(variables, batch):
    def gradients(l1, variables):
        return jax.tree.leaves(generator_loss(l1, variables, batch)[1])

    silent = with_constant_critic(variables, 0.5)
    assert not any(leaf.any() for leaf in gradients(0.0, silent))
    assert all(leaf.any() for leaf in gradients(0.0, variables))
    assert all(leaf.any() for leaf in gradients(100.0, silent))


def same(one, other):
    return all(map(np.array_equal, jax.tree.leaves(one), jax.tree.leaves(other)))


@pytest.mark.parametrize("turn", [0, 1])
def test_each_player_changes_its_own_network_alone(variables, batch, turn):
    players = cgan.players(CONFIG, NETWORKS)
    state = init_state(variables["params"], variables["batch_stats"], players)
    after, _ = jax.jit(play((players[turn],)))(state, batch, key())
    own, other = ("critic", "generator")[:: 1 - 2 * turn]
    for before, then in ((state.params, after.params), (state.opt_state, after.opt_state)):
        assert same(before[other], then[other]) and not same(before[own], then[own])


def test_it_learns_colors_that_follow_the_lightness(batch):
    """In 100 steps on 8 photos, at ten times the published rate."""
    config = tiny(lr=2e-3, critic_layers=1)
    networks = cgan.build_networks(config)
    drawn = init_networks(key(6), networks, cgan.example_inputs(batch), ("generator", "critic"))
    players = cgan.players(config, networks)
    update = jax.jit(play(players))
    state = init_state(drawn["params"], drawn["batch_stats"], players)
    for step in range(100):
        state, _ = update(state, batch, jax.random.fold_in(key(), step))
    field = jax.jit(partial(cgan.regress, networks))(state.variables, batch)
    assert np.abs(field - batch["ab"]).mean() < np.abs(batch["ab"]).mean() / 2


@pytest.mark.parametrize("rule", ["random", "modes"])
def test_versions_come_from_the_key_alone_and_differ(draw, variables, batch, rule):
    drawn = draw(variables, batch, key(), samples=3, rule=rule)
    assert drawn.field.shape == (8, 3, SIDE, SIDE, 2) and np.abs(drawn.field).max() <= 110 / 128
    np.testing.assert_allclose(drawn.weights.sum(axis=1), 1, rtol=1e-6)
    assert (drawn.field.var(axis=1).mean(axis=(1, 2, 3)) > 0).all()
    assert same(draw(variables, batch, key(), samples=3, rule=rule), drawn)
    assert not np.array_equal(draw(variables, batch, key(6), samples=3, rule=rule).field, drawn.field)


def test_without_dropout_there_is_one_answer(variables, batch):
    still = methods.build(tiny(dropout=0.0)).colors.sample
    drawn = jax.jit(lambda key: still(variables, batch, key, samples=3, rule="random").field)(key())
    assert np.array_equal(drawn[:, 0], drawn[:, 1]) and np.array_equal(drawn[:, 0], drawn[:, 2])
    plain = methods.build(CONFIG).colors.regress(variables, batch)
    np.testing.assert_allclose(plain, drawn[:, 0], atol=1e-6)


def test_the_plain_answer_knows_no_key_and_no_other_photo(draw, variables, batch):
    together = draw(variables, batch, key(), samples=1, rule="plain").field
    assert np.array_equal(draw(variables, batch, key(6), samples=1, rule="plain").field, together)
    alone = draw(variables, {"lightness": batch["lightness"][:1]}, key(), samples=1, rule="plain").field
    np.testing.assert_allclose(alone[0], together[0], atol=1e-6)
    own, _ = apply(NETWORKS, variables, "generator", batch["lightness"][:1], batch_statistics=True)
    np.testing.assert_allclose(together[0], own * 110 / 128, atol=1e-6)
    other = {**variables, "batch_stats": jax.tree.map(lambda x: 7 * x + 1, variables["batch_stats"])}
    assert np.array_equal(draw(other, batch, key(), samples=1, rule="plain").field, together)


def test_modes_are_centers_of_the_draws(draw, variables, batch):
    """As many clusters as draws: each draw is its own, and all have the same share."""
    drawn = draw(variables, batch, key(), samples=8, rule="modes")
    np.testing.assert_allclose(drawn.weights, 1 / 8, rtol=1e-6)
    one = draw(variables, batch, key(), samples=1, rule="modes").field[:, 0]
    np.testing.assert_allclose(drawn.field.mean(axis=1), one, atol=1e-6)


def test_requests_that_cannot_be_answered_are_refused(variables, batch):
    colors = methods.build(CONFIG).colors
    assert colors.request() == (5, "modes") and colors.request(rule="plain") == (1, "plain")
    with pytest.raises(ValueError, match="allowed are 'modes', 'random' and 'plain'"):
        colors.sample(variables, batch, key(), samples=1, rule="best")
    with pytest.raises(ValueError, match=r"samples is 9, but config\.gan\.draws is 8"):
        colors.sample(variables, batch, key(), samples=9, rule="modes")


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({"critic_layers": 4}, r"gan\.critic_layers is 4.*image_size 16; it can be at most 2"),
        ({"l1": -1.0}, r"gan\.l1 is -1\.0"),
        ({"dropout": 1.0}, r"gan\.dropout is 1\.0"),
    ],
)
def test_fields_that_cannot_be_are_named(own, told):
    with pytest.raises(ValueError, match=told):
        tiny(**own)


def test_sides_are_powers_of_two():
    config = load("cgan:size=256")
    assert resolve(config).data.image_size == 256
    config.data.image_size = 96
    with pytest.raises(ValueError, match=r"data\.image_size is 96.*a power of two"):
        resolve(config)


def test_a_model_needs_the_generator_alone_and_can_be_sent_to_another_process():
    method = methods.build(CONFIG)
    assert set(method.abstract_variables()["params"]) == {"generator"}
    again = pickle.loads(pickle.dumps(method.colors))
    assert again.sample.args == method.colors.sample.args and again.request() == (5, "modes")
