"""One step on a loss, in parts and with values computed again; and of several players in turn."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from ml_collections import ConfigDict

from colorize_jax.methods.base import Player
from colorize_jax.methods.parts import updates

STATS = {"net": {"mean": jnp.zeros(3)}}


def loss(variables, batch, rng, step):
    """Squared error of a linear map, and a running mean of its inputs."""
    weights = variables["params"]["net"]["weights"]
    error = jnp.mean((jnp.tanh(batch["x"] @ weights) - batch["y"]) ** 2)
    mean = 0.9 * variables["batch_stats"]["net"]["mean"] + 0.1 * batch["x"].mean(axis=0)
    return error, ({"net": {"mean": mean}}, {"error": error})


PLAYER = Player("net", ("net",), loss, lambda: optax.sgd(0.1))


@pytest.fixture(scope="module")
def batch():
    draw = np.random.default_rng(0)
    return {"x": jnp.asarray(draw.normal(size=(12, 3))), "y": jnp.asarray(draw.normal(size=(12, 2)))}


def step(batch, **options):
    params = {"net": {"weights": jnp.ones((3, 2))}, "frozen": {"weights": jnp.ones(2)}}
    state = updates.init_state(params, {**STATS, "frozen": {}}, (PLAYER,))
    return jax.jit(updates.play((PLAYER,), **options))(state, batch, jax.random.key(0))


def test_the_gradient_of_parts_is_that_of_the_whole(batch):
    whole, metrics = step(batch)
    parts, told = step(batch, accumulate=3)
    np.testing.assert_allclose(parts.params["net"]["weights"], whole.params["net"]["weights"], rtol=1e-6)
    for name in ("loss", "error", "gradient_norm"):
        np.testing.assert_allclose(told[name], metrics[name], rtol=1e-6)
    assert jax.tree.structure(parts) == jax.tree.structure(whole)


def test_statistics_run_on_through_the_parts(batch):
    mean = np.zeros(3)
    for part in range(3):
        mean = 0.9 * mean + 0.1 * np.asarray(batch["x"])[part::3].mean(axis=0)
    np.testing.assert_allclose(step(batch, accumulate=3)[0].batch_stats["net"]["mean"], mean, rtol=1e-6)


def test_computing_again_changes_nothing_and_keeps_products_only(batch):
    plain, again = step(batch), step(batch, remat=True)
    for one, other in zip(jax.tree.leaves(plain), jax.tree.leaves(again), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-6)
    made = [
        str(jax.make_jaxpr(updates.play((PLAYER,), remat=remat))(plain[0], batch, jax.random.key(0)))
        for remat in (False, True)
    ]
    # The backward pass needs the tanh: it makes it again from the product, which is kept.
    assert [text.count("tanh") for text in made] == [1, 2]
    assert [text.count("dot_general") for text in made] == [2, 2]


def hinge(variables, batch):
    """How much higher a critic (a linear map with a square in it) scores made points than real ones, (B,)."""
    critic, generator = (variables["params"][name]["weights"] for name in ("critic", "generator"))
    score = lambda x: jnp.tanh(x @ critic) @ jnp.ones(2)  # noqa: E731
    return score(batch["x"] @ generator) - score(batch["x"]), score


def critic_loss(variables, batch, rng, step):
    """With the gradient penalty of Gulrajani et al. 2017 at points between made and real ones."""
    gap, score = hinge(variables, batch)
    share = jax.random.uniform(rng, (len(gap), 1))
    between = batch["x"] + share * (batch["x"] @ variables["params"]["generator"]["weights"] - batch["x"])
    slopes = jax.vmap(jax.grad(score))(between)
    penalty = jnp.mean((jnp.linalg.norm(slopes, axis=-1) - 1) ** 2)
    return gap.mean() + 10 * penalty, ({}, {"penalty": penalty})


def generator_loss(variables, batch, rng, step):
    return -hinge(variables, batch)[0].mean() + 0 * jax.random.normal(rng), ({}, {})


CRITIC = Player("critic", ("critic",), critic_loss, lambda: optax.adam(0.1), repeats=2, clip=0.3)
GENERATOR = Player("generator", ("generator",), generator_loss, lambda: optax.sgd(0.2), ema=0.9)


def game(*players):
    params = {
        "critic": {"weights": jnp.linspace(-0.4, 0.5, 6).reshape(3, 2)},
        "generator": {"weights": jnp.linspace(-1, 1, 9).reshape(3, 3)},
    }
    return updates.init_state(params, {"critic": {}, "generator": {}}, players)


@functools.partial(jax.jit, static_argnums=(0, 4))
def turn(player, params, moments, batch, clip, key):
    """A player's turn, by optax alone."""

    def own_loss(own):
        return player.loss({"params": params | own, "batch_stats": {}}, batch, key, 0)

    own = {player.name: params[player.name]}
    (value, _), gradient = jax.value_and_grad(own_loss, has_aux=True)(own)
    changes, moments = player.optimizer().update(gradient, moments, own)
    after = optax.apply_updates(own, changes)
    after = jax.tree.map(lambda x: jnp.clip(x, -clip, clip) if clip else x, after)
    return value, params | after, moments


def test_one_player_is_a_plain_step_of_its_optimiser_bit_by_bit(batch):
    player = CRITIC._replace(repeats=1, clip=None)
    state = game(player)
    value, params, moments = turn(
        player, state.params, state.opt_state["critic"], batch, None, jax.random.key(5)
    )
    after, metrics = jax.jit(updates.play((player,)))(state, batch, jax.random.key(5))
    same = jax.tree.map(np.array_equal, (params, moments), (after.params, after.opt_state["critic"]))
    assert all(jax.tree.leaves(same)) and metrics["loss"] == value and after.step == 1
    assert set(metrics) == {"loss", "gradient_norm", "penalty"}


def test_players_act_in_turn_each_on_what_the_one_before_left(batch):
    state = game(CRITIC, GENERATOR)
    params, moments = state.params, state.opt_state
    keys = jax.random.split(jax.random.key(5), 3)
    _, params, first = turn(CRITIC, params, moments["critic"], batch, 0.3, keys[0])
    critic, params, second = turn(CRITIC, params, first, batch, 0.3, keys[1])
    generator, params, _ = turn(GENERATOR, params, moments["generator"], batch, None, keys[2])
    after, metrics = jax.jit(updates.play((CRITIC, GENERATOR)))(state, batch, jax.random.key(5))
    close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-7)
    jax.tree.map(close, (after.params, after.opt_state["critic"]), (params, second))
    close(metrics["critic_loss"], critic)
    close(metrics["loss"], critic + generator)
    assert np.abs(after.params["critic"]["weights"]).max() == np.float32(0.3)  # Adam moves by 0.1 a turn
    assert after.step == 1 and {"critic_penalty", "generator_gradient_norm"} <= set(metrics)


def test_averages_follow_the_weights_and_are_what_is_handed_over(batch):
    state, mean = game(CRITIC, GENERATOR), np.linspace(-1, 1, 9).reshape(3, 3)
    update = jax.jit(updates.play((CRITIC, GENERATOR)))
    for number in range(3):
        state, _ = update(state, batch, jax.random.key(number))
        mean = 0.9 * mean + 0.1 * np.asarray(state.params["generator"]["weights"])
    handed = state.averaged["params"]
    np.testing.assert_allclose(handed["generator"]["weights"], mean, rtol=1e-5)
    assert handed["critic"] is state.params["critic"] and set(state.opt_state["extra"]["averages"]) == {
        "generator"
    }


def test_a_turn_of_players_may_come_in_parts_and_be_computed_again(batch):
    play = functools.partial(updates.play, (CRITIC, GENERATOR))
    whole, told = jax.jit(play(remat=True))(game(CRITIC, GENERATOR), batch, jax.random.key(5))
    plain, _ = jax.jit(play())(game(CRITIC, GENERATOR), batch, jax.random.key(5))
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), whole, plain)
    _, parts = jax.jit(play(accumulate=3))(game(CRITIC, GENERATOR), batch, jax.random.key(5))
    assert set(parts) == set(told) and np.isfinite(parts["loss"])


@pytest.mark.parametrize(
    ("players", "told"),
    [
        ((), "at least one"),
        ((CRITIC, CRITIC), "a name of its own"),
        ((CRITIC._replace(name="extra"),), "none 'extra'"),
        ((GENERATOR, GENERATOR._replace(name="again")), "one average"),
        ((CRITIC._replace(repeats=0),), "repeats 0"),
        ((CRITIC._replace(clip=0.0),), "clip 0.0"),
        ((CRITIC._replace(ema=1.0),), "ema 1.0"),
    ],
)
def test_players_that_cannot_play_are_refused(players, told):
    with pytest.raises(ValueError, match=told):
        updates.play(players)


def test_rates_scale_changes_and_keep_whole_weights():
    optim = ConfigDict({"b1": 0.9, "b2": 0.99, "weight_decay": 0.5, "clip_norm": 1.0, "warmup_steps": 0})
    params = {"full": jnp.ones(2), "third": jnp.ones(2), "kept": jnp.ones(2)}
    optimizer = updates.adam(optim, 0.1, 10, lambda _: {"full": 1.0, "third": 1 / 3, "kept": 0.0})()
    changes, _ = optimizer.update(jax.tree.map(jnp.ones_like, params), optimizer.init(params), params)
    np.testing.assert_array_equal(changes["kept"], 0)
    np.testing.assert_allclose(3 * changes["third"], changes["full"], rtol=1e-6)
    assert (changes["full"] < -0.1).all()  # the step and the decay


def test_a_rate_may_rise_stay_and_then_fall_linearly():
    optim = ConfigDict({"b1": 0.5, "b2": 0.999, "weight_decay": 0.0, "clip_norm": 0.0, "warmup_steps": 2})
    params, gradient, told = {"net": jnp.ones(1)}, {"net": jnp.ones(1)}, []
    optimizer = updates.adam(optim, 0.4, 20, left=0.0, falling=0.2)()
    state = optimizer.init(params)
    for _ in range(22):  # two beyond the end
        changes, state = optimizer.update(gradient, state, params)
        told.append(-float(changes["net"][0]))
    np.testing.assert_allclose(told, [0, 0.2, *15 * [0.4], 0.3, 0.2, 0.1, 0, 0], atol=1e-5)


def test_without_clipping_and_decay_every_step_is_a_whole_rate():
    optim = ConfigDict({"b1": 0.5, "b2": 0.999, "weight_decay": 0.0, "clip_norm": 0.0, "warmup_steps": 0})
    params, gradient = {"net": jnp.ones(2)}, {"net": jnp.array([300.0, -300.0])}
    optimizer = updates.adam(optim, 0.1, 4, left=1.0)()
    state = optimizer.init(params)
    for _ in range(6):  # two beyond the end
        changes, state = optimizer.update(gradient, state, params)
        np.testing.assert_allclose(changes["net"], [-0.1, 0.1], rtol=1e-5)
    assert float(optax.tree.get(state, "nu")["net"][0]) > 100  # of the gradient itself, not of a clipped one
