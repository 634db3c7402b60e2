"""One step on a loss: in parts, and with intermediate values computed again."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from colorize_jax.methods.parts import updates

STATS = {"net": {"mean": jnp.zeros(3)}}


def loss(variables, batch, rng, step):
    """Squared error of a linear map, and a running mean of its inputs."""
    weights = variables["params"]["net"]["weights"]
    error = jnp.mean((jnp.tanh(batch["x"] @ weights) - batch["y"]) ** 2)
    mean = 0.9 * variables["batch_stats"]["net"]["mean"] + 0.1 * batch["x"].mean(axis=0)
    return error, ({"net": {"mean": mean}}, {"error": error})


@pytest.fixture(scope="module")
def batch():
    draw = np.random.default_rng(0)
    return {"x": jnp.asarray(draw.normal(size=(12, 3))), "y": jnp.asarray(draw.normal(size=(12, 2)))}


def step(batch, **options):
    params = {"net": {"weights": jnp.ones((3, 2))}, "frozen": {"weights": jnp.ones(2)}}
    optimizer = lambda: optax.sgd(0.1)  # noqa: E731
    state = updates.init_state(params, {**STATS, "frozen": {}}, ("net",), optimizer)
    update = jax.jit(updates.loss_to_update(loss, ("net",), optimizer, **options))
    return update(state, batch, jax.random.key(0))


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
    made = [str(jax.make_jaxpr(how(remat))(plain[0], batch, jax.random.key(0))) for remat in (False, True)]
    # The backward pass needs the tanh: it makes it again from the product, which is kept.
    assert [text.count("tanh") for text in made] == [1, 2]
    assert [text.count("dot_general") for text in made] == [2, 2]


def how(remat):
    return updates.loss_to_update(loss, ("net",), lambda: optax.sgd(0.1), remat=remat)
