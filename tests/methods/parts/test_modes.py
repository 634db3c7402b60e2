"""The stage `modes`: mixture and decoder learn from the best of the colours that the means decode to."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax import methods
from colorize_jax.config import load
from colorize_jax.methods import resolve, scc
from colorize_jax.methods.parts import mixture, modes
from colorize_jax.models.layers import resize_field


def rng(seed=0):
    return jax.random.key(seed)


@pytest.fixture(scope="module")
def config():
    config = load("base")
    config.update_from_flattened_dict({"width": 1 / 32, "modes.learned": True})
    config.stages.modes.lr = 3e-3
    return resolve(config, images=640)


@pytest.fixture(scope="module")
def batch():
    return {
        "lightness": jax.random.uniform(rng(1), (4, 64, 64, 1), minval=-1),
        "ab": 0.3 * jnp.broadcast_to(jax.random.normal(rng(2), (4, 1, 1, 2)), (4, 64, 64, 2)),
    }


@pytest.fixture(scope="module")
def stage(config):
    return next(stage for stage in methods.build(config).stages if stage.name == "modes")


@pytest.fixture(scope="module")
def variables(config, batch):
    found = None
    for seed, stage in enumerate(methods.build(config).stages):
        begin = jax.jit(lambda *arguments, stage=stage: stage.init(*arguments).variables)
        found = begin(rng(seed), batch, found)
    kernel = found["params"]["top"]["colour"]["kernel"]
    found["params"]["top"]["colour"]["kernel"] = 0.05 * jax.random.normal(rng(9), kernel.shape)
    return found


def test_it_stands_behind_the_mixtures_stage(config):
    names = [stage.name for stage in methods.build(config).stages]
    assert names == ["features", "unary", "structure", "mdn", "modes"]


@pytest.fixture(scope="module")
def parts(config):
    return scc.build_model(config)


@pytest.fixture(scope="module")
def by_hand(parts):
    """What the loss is made of: errors of all means, of the closest and the drawn one, ln π."""
    predict = jax.jit(partial(mixture.predict, parts.networks, train=True))

    @jax.jit
    def errors(variables, photos, codes):
        colors, _ = scc.decode_versions(parts, variables, photos, codes, train=True)
        return jnp.abs(colors - resize_field(photos["ab"], 32)[:, None]).mean(axis=(2, 3, 4))

    def told(variables, photos, loss_rng):
        drop, draw = jax.random.split(loss_rng)
        (log_weights, means), _ = predict(variables, photos, rng=drop)
        rows = np.arange(len(means))
        of_all = np.asarray(errors(variables, photos, means))
        closest = of_all.argmin(axis=1)
        drawn = np.asarray(jax.random.randint(draw, (len(means),), 0, means.shape[1]))
        both = jnp.stack([means[rows, closest], means[rows, drawn]], axis=1)
        return of_all, np.asarray(errors(variables, photos, both)), np.asarray(log_weights)[rows, closest]

    return told


def test_the_loss_is_the_closest_decoded_means_and_a_share_of_any(parts, by_hand, variables, batch):
    loss = partial(modes.modes_loss, parts.networks, partial(scc.decode_versions, parts))
    value, (_, metrics) = jax.jit(partial(loss, scale=0.02, relaxation=0.25))(
        variables, batch, rng(), jnp.zeros(())
    )
    errors, learned, log_weight = by_hand(variables, batch, rng())
    expected = (0.75 * learned[:, 0] + 0.25 * learned[:, 1]) / 0.02 - log_weight
    np.testing.assert_allclose(value, expected.mean(), rtol=1e-4)
    np.testing.assert_allclose(metrics["best_of_all_error"], errors.min(axis=1).mean(), rtol=1e-4)
    np.testing.assert_allclose(metrics["weights_nats"], -log_weight.mean(), rtol=1e-4)


def test_photos_count_by_their_chroma(parts, by_hand, variables, batch):
    loss = partial(modes.modes_loss, parts.networks, partial(scc.decode_versions, parts))
    photos = {**batch, "ab": batch["ab"].at[0].set(0)}  # a gray one among them

    told = jax.jit(partial(loss, scale=0.02, relaxation=0.0, chroma_power=1.0))
    value, _ = told(variables, photos, rng(), jnp.zeros(()))
    _, learned, log_weight = by_hand(variables, photos, rng())
    chroma = np.linalg.norm(photos["ab"], axis=-1).mean(axis=(1, 2))
    assert chroma[0] == 0 < chroma[1:].min()
    np.testing.assert_allclose(
        value, np.average(learned[:, 0] / 0.02 - log_weight, weights=chroma), rtol=1e-4
    )


def test_no_gradient_comes_from_means_that_are_neither_closest_nor_drawn(parts, variables, batch):
    """One photo, whose colours the decoder makes of one mean only: what the others decode to cannot move a weight."""
    photo = jax.tree.map(lambda x: x[:1], batch)
    loss = partial(modes.modes_loss, parts.networks, partial(scc.decode_versions, parts))
    told = partial(loss, scale=0.02, relaxation=0.25)
    gradient = jax.jit(jax.grad(lambda v: told(v, photo, rng(), jnp.zeros(()))[0]))(variables)
    head = np.asarray(gradient["params"]["mdn"]["mixture"]["kernel"])[:, : 8 * 64].reshape(-1, 8, 64)
    moved = np.abs(head).sum(axis=(0, 2)) > 0
    assert 1 <= moved.sum() <= 2


def test_decoded_versions_are_decoded_one_by_one(parts, variables, batch):
    codes = jax.random.normal(rng(3), (4, 3, 64))
    together, stats = jax.jit(partial(scc.decode_versions, parts))(variables, batch, codes)
    gray = jax.jit(partial(scc.gray_features, parts))(variables, batch)
    decode = jax.jit(partial(scc.decode, parts))
    for n in range(3):
        alone, _ = decode(variables, codes[:, n], gray)
        np.testing.assert_allclose(together[:, n], alone, atol=1e-5)
    assert stats == {}


@pytest.mark.slow
def test_it_learns_several_colors_of_one_photo_and_changes_nothing_else(stage, variables, batch):
    """Four photos of one gray image and four colours: no single answer is right, four modes can be."""
    same = {**batch, "lightness": jnp.broadcast_to(batch["lightness"][:1], batch["lightness"].shape)}
    state = stage.init(rng(), same, variables)._replace(**variables)
    update = jax.jit(stage.update)
    errors = []
    for step in range(40):
        state, metrics = update(state, same, rng(step))
        errors.append(float(metrics["best_of_all_error"]))
    single = float(jnp.abs(same["ab"] - jnp.median(same["ab"], axis=0, keepdims=True)).mean())
    assert errors[-1] < 0.5 * single < errors[0]
    unchanged = jax.tree.map(lambda a, b: bool((a == b).all()), variables["params"], state.params)
    assert {name for name, same in unchanged.items() if not all(jax.tree.leaves(same))} == {
        "mdn",
        "gray",
        "trunk",
        "top",
    }
