"""The photo prior: soft-encoded colours, weights of bins, what each stage changes, the answers by rule."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax import methods
from colorize_jax.config import load
from colorize_jax.methods import photo_prior
from colorize_jax.methods.base import STATISTICS
from colorize_jax.methods.parts import histograms, prior
from colorize_jax.models.prior import of_two_by_two

SIDE, CELLS = 64, 16

pytestmark = pytest.mark.usefixtures("small_encoder")


@pytest.fixture(scope="module")
def config():
    config = load("photo_prior")
    config.prior.widths = (16, 12, 12, 8, 8)
    config.data.lightness_large = SIDE
    config.data.image_size = 32
    config.optim.warmup_steps = 0
    return methods.resolve(config, images=640)


@pytest.fixture(scope="module")
def batch():
    """Two pictures: the left half is bright and red, the right half dark and blue; and mirrored."""
    sign = jnp.where(jnp.arange(SIDE) < SIDE // 2, 1.0, -1.0)
    large = jnp.broadcast_to(jnp.stack([sign, -sign])[:, None, :, None], (2, SIDE, SIDE, 1))
    small = large[:, ::2, ::2]
    ab = jnp.concatenate([0.3 * small, 0.2 * small], axis=-1)
    return {"lightness": 0.5 * small, "ab": ab, "lightness_large": 0.5 * large}


def test_a_faded_photo_is_read_as_if_it_were_not(config, batch, encoder):
    networks = prior.networks(config)
    faded = batch | {"lightness_large": 0.3 * batch["lightness_large"] + 0.4}
    as_it_is = {prior.ENCODER: networks[prior.ENCODER].clone(even_levels=False)}

    def finest(networks, batch):
        found = networks[prior.ENCODER].apply({"params": encoder}, batch["lightness_large"])
        return np.asarray(found[0])

    np.testing.assert_allclose(finest(networks, faded), finest(networks, batch), atol=1e-4)
    assert np.abs(finest(as_it_is, faded) - finest(as_it_is, batch)).max() > 1e-2


@pytest.fixture
def trained(config, batch, encoder, monkeypatch):
    """`(stage, steps) -> (state before, state after, metrics of the first and the last step)`."""
    monkeypatch.setattr(prior, "load_gray", lambda: encoder)

    def train(number, steps):
        method = methods.build(config)
        weights = {prior.WEIGHTS: jnp.ones(len(prior.bin_centers()))}
        given = {"params": {}, "batch_stats": {STATISTICS: weights}}
        stage = method.stages[number]
        begin = state = jax.jit(stage.init)(jax.random.key(0), batch, given)
        update = jax.jit(stage.update)
        told = []
        for step in range(steps):
            state, metrics = update(state, batch, jax.random.key(step))
            told.append(metrics)
        return begin, state, (told[0], told[-1])

    return train


def changed(before, after):
    """Paths of the weights that differ."""
    differ = jax.tree.map(lambda a, b: bool((a != b).any()), before, after)
    leaves, _ = jax.tree_util.tree_flatten_with_path(differ)
    return {"/".join(entry.key for entry in path) for path, moved in leaves if moved}


def test_centers_are_colors_of_srgb():
    centers = 128 * prior.bin_centers()
    assert np.array_equal(centers, 10 * np.round(centers / 10)) and len(np.unique(centers, axis=0)) == len(
        centers
    )
    told = set(map(tuple, np.round(centers).astype(int)))
    # Black, red, green and blue; and what sRGB has at no lightness.
    assert {(0, 0), (80, 70), (-90, 80), (80, -110)} <= told and not {(110, 110), (-80, -80)} & told


def test_soft_encoding_sums_to_one_and_is_exact_at_a_center():
    centers = prior.bin_centers()
    own = np.flatnonzero((np.abs(128 * centers) <= 20).all(axis=-1))
    nearest, shares = prior.soft_encoded(jnp.asarray(centers[own]))
    np.testing.assert_array_equal(nearest[:, 0], own)
    np.testing.assert_allclose(shares.sum(-1), 1, rtol=1e-6)
    np.testing.assert_allclose(shares[:, 1:] / shares[:, :1], np.exp(-2), rtol=1e-3)  # 10 units at σ = 5
    np.testing.assert_allclose((shares[..., None] * centers[nearest]).sum(1), centers[own], atol=1e-4)


def test_soft_encoding_takes_the_nearest_bins():
    ab = np.random.default_rng(0).uniform(-0.6, 0.6, (50, 2)).astype(np.float32)
    nearest, _ = prior.soft_encoded(jnp.asarray(ab))
    distances = 128 * np.linalg.norm(ab[:, None] - prior.bin_centers(), axis=-1)
    taken = np.take_along_axis(distances, np.asarray(nearest), axis=1)
    # The colour is rounded to whole units first, by 0.71 of them at most.
    assert (taken <= np.sort(distances, axis=1)[:, : histograms.NEIGHBORS] + 1.42).all()
    assert all(len(set(row)) == histograms.NEIGHBORS for row in np.asarray(nearest).tolist())


def test_rare_colors_weigh_more_and_the_mean_is_one(config):
    gray, red = np.zeros((3, 4, 4, 2), np.float32), np.full((1, 4, 4, 2), 0.4, np.float32)
    weights = prior.survey(config).collect([{"ab": gray}, {"ab": red}])[prior.WEIGHTS]
    of_gray, of_red = (
        weights[int(prior.soft_encoded(jnp.asarray(field[0, 0, 0]))[0][0])] for field in (gray, red)
    )
    assert of_red > 2 * of_gray
    np.testing.assert_allclose(0.75 * of_gray + 0.25 * of_red, 1, rtol=1e-5)
    assert weights.shape == prior.survey(config).shapes()[prior.WEIGHTS].shape


def test_one_of_two_by_two_cells_is_the_same_place_in_each():
    cells = jnp.arange(5 * 4, dtype=jnp.float32).reshape(1, 5, 4, 1)
    told = of_two_by_two(cells, jnp.array([1, 0]))[0, ..., 0]
    np.testing.assert_array_equal(told, [[4, 6], [12, 14]])


def test_the_first_stage_trains_the_decoder_alone(trained):
    begin, state, (first, last) = trained(0, 30)
    moved = changed(begin.params, state.params)
    assert moved and all(path.startswith("prior/") for path in moved)
    assert last["loss"] < 0.8 * first["loss"]
    uniform = np.log(len(prior.bin_centers()))
    np.testing.assert_allclose(first["cross_entropy_nats"], uniform, rtol=1e-3)


@pytest.mark.slow
def test_the_second_stage_leaves_depthwise_kernels(trained):
    # The first step finds heads of zeros, which pass no gradient on.
    begin, state, _ = trained(1, 2)
    moved = changed(begin.params["lite0"], state.params["lite0"])
    assert {"block_3/expand/kernel", "block_6/project/kernel"} <= moved
    assert not [path for path in moved if "depthwise" in path or "stem" in path]


def test_rules_give_one_version_each(config, batch, encoder):
    method = methods.build(config)
    drawn = jax.tree.map(lambda x: jnp.full(x.shape, 0.01), method.abstract_variables())
    variables = {**drawn, "params": {**drawn["params"], "lite0": encoder}}

    @jax.jit  # one program: they share the networks
    def answers(variables):
        draw = partial(method.colors.sample, variables, batch, jax.random.key(0), samples=1)
        found = {rule: draw(rule=rule) for rule in photo_prior.RULES}
        return (
            found,
            method.colors.regress(variables, batch),
            method.distribution.histograms(variables, batch),
        )

    found, regressed, shares = answers(variables)
    for samples in found.values():
        assert samples.field.shape == (2, 1, CELLS, CELLS, 2) and samples.weights.shape == (2, 1)
    np.testing.assert_allclose(shares.sum(-1), 1, rtol=1e-5)
    np.testing.assert_allclose(found["expected"].field[:, 0], shares @ prior.bin_centers(), atol=1e-5)
    np.testing.assert_array_equal(found["regressed"].field[:, 0], regressed)
    assert not np.allclose(found["annealed"].field, found["likeliest"].field, atol=1e-3)


def test_answers_are_of_photos_and_not_of_rebalanced_training(monkeypatch):
    weights, shares = np.linspace(0.5, 2, 260).astype(np.float32), np.linspace(1, 3, 260) / 520
    seen = jnp.asarray(np.log(shares * weights), jnp.float32)[None, None, None]
    monkeypatch.setattr(prior, "predict", lambda *_: (None, None, seen))
    variables = {"params": {}, "batch_stats": {STATISTICS: {prior.WEIGHTS: jnp.asarray(weights)}}}
    np.testing.assert_allclose(prior.histograms({}, variables, {})[0, 0, 0], shares, rtol=1e-5)
    guess = partial(prior.guess, {}, variables, {}, temperature=1.0)
    centers = prior.bin_centers()
    np.testing.assert_allclose(guess(vividness=0.0)[0, 0, 0], shares @ centers, atol=1e-6)
    rebalanced = shares * weights / (shares @ weights)
    np.testing.assert_allclose(guess(vividness=1.0)[0, 0, 0], rebalanced @ centers, atol=1e-6)


def test_a_missing_large_image_is_told():
    config = load("photo_prior")
    config.data.lightness_large = 0
    with pytest.raises(ValueError, match=r"lightness_large is 0.*set it to 128"):
        methods.resolve(config)
