"""The paper's method at a tiny width: what each stage trains, what samples are, what the G-CRF does to them."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from colorize_jax import methods
from colorize_jax.config import load
from colorize_jax.methods import resolve, scc
from colorize_jax.methods.parts import mixture, stages
from colorize_jax.models import external, vgg
from colorize_jax.models.layers import MOMENTUM


def rng(seed=0):
    """A fresh key each time: JAX's check for reused keys is on."""
    return jax.random.key(seed)


def tiny(**changes):
    config = load("base")
    config.width = 1 / 64
    config.update_from_flattened_dict(changes)
    return resolve(config, images=64)


@pytest.fixture(scope="module")
def batch():
    side = np.linspace(-1, 1, 64, dtype=np.float32)
    waves = np.sin(np.arange(1, 7, dtype=np.float32)[:, None, None] * side[:, None] + side)
    planes = waves.reshape(2, 3, 64, 64)
    arrays = {"lightness": planes[:, 0, ..., None], "ab": 0.3 * np.moveaxis(planes[:, 1:], 1, -1)}
    return jax.tree.map(jnp.asarray, arrays)


@pytest.fixture(scope="module")
def method():
    return methods.build(tiny())


@pytest.fixture(scope="module")
def variables(method, batch):
    """Fresh variables of all networks; the colour heads, which start at zero, drawn at random."""
    variables = None
    for seed, stage in enumerate(method.stages):
        begin = jax.jit(lambda *arguments, stage=stage: stage.init(*arguments).variables)
        variables = begin(rng(seed), batch, variables)
    for network, head in (("top", "colour"), ("features", "colours")):
        kernel = variables["params"][network][head]["kernel"]
        drawn = 0.05 * jax.random.normal(rng(7), kernel.shape)
        variables["params"][network][head]["kernel"] = drawn
    return variables


@pytest.fixture(scope="module")
def sampler(method):
    return jax.jit(method.colors.sample, static_argnames=("samples", "rule"))


def test_stages_are_the_papers_with_features_before(method):
    assert [stage.name for stage in method.stages] == ["features", "unary", "structure", "mdn"]


@pytest.mark.parametrize(
    ("name", "trained"),
    [
        ("features", {"features"}),
        ("unary", {"encoder", "gray", "trunk", "top"}),
        ("structure", {"structure", "top"}),
        ("mdn", {"mdn"}),
    ],
)
def test_each_stage_changes_its_own_networks_only(name, trained, method, variables, batch):
    stage = next(stage for stage in method.stages if stage.name == name)
    state = stage.init(rng(), batch, variables)._replace(**variables)
    update = jax.jit(stage.update)
    after, metrics = state, {}
    for step in range(3):  # the warm-up's first rate is zero
        after, metrics = update(after, batch, rng(step))
    assert np.isfinite(metrics["loss"])
    assert after.step == 3
    changed = {
        network
        for network, old in state.params.items()
        if any(jax.tree.leaves(jax.tree.map(lambda a, b: bool((a != b).any()), old, after.params[network])))
    }
    assert changed == trained


def test_modes_are_the_heaviest_means_and_ignore_the_key(sampler, variables, batch):
    drawn = sampler(variables, batch, rng(), samples=5, rule="modes")
    again = sampler(variables, batch, rng(1), samples=5, rule="modes")
    assert drawn.unary.shape == drawn.field.shape == (2, 5, 32, 32, 2)
    assert (jnp.diff(drawn.weights, axis=1) <= 0).all()
    np.testing.assert_array_equal(drawn.field, again.field)
    assert (drawn.field.var(axis=1).mean(axis=(1, 2, 3)) > 0).all()


def test_modes_that_cover_are_modes_chosen_by_their_colors(sampler, variables, batch):
    covering = methods.build(tiny(**{"mdn.choice": "cover"}))
    sample = jax.jit(covering.colors.sample, static_argnames=("samples", "rule"))
    drawn = sample(variables, batch, rng(), samples=5, rule="modes")
    modes = sampler(variables, batch, rng(), samples=8, rule="modes")
    chosen, weights = mixture.cover(modes.unary, modes.weights, 5)
    for image, picks in enumerate(np.asarray(chosen)):
        np.testing.assert_allclose(drawn.unary[image], modes.unary[image, picks], atol=1e-5)
        np.testing.assert_allclose(drawn.field[image], modes.field[image, picks], atol=1e-5)
    np.testing.assert_allclose(drawn.weights, weights, rtol=1e-5)
    with pytest.raises(ValueError, match="samples is 9, but rule 'modes' has 8 modes"):
        covering.colors.sample(variables, batch, rng(), samples=9, rule="modes")


def test_chroma_multiplies_what_is_sampled(sampler, variables, batch):
    twice = methods.build(tiny(**{"mdn.chroma": 2.0}))
    drawn = sampler(variables, batch, rng(), samples=2, rule="modes")
    doubled = jax.jit(twice.colors.sample, static_argnames=("samples", "rule"))(
        variables, batch, rng(), samples=2, rule="modes"
    )
    np.testing.assert_allclose(doubled.unary, 2 * drawn.unary, rtol=1e-5)
    np.testing.assert_allclose(doubled.field, 2 * drawn.field, atol=1e-5)
    np.testing.assert_array_equal(doubled.weights, drawn.weights)


def test_random_samples_follow_the_key(sampler, variables, batch):
    drawn = sampler(variables, batch, rng(), samples=9, rule="random")
    again = sampler(variables, batch, rng(), samples=9, rule="random")
    other = sampler(variables, batch, rng(1), samples=9, rule="random")
    np.testing.assert_array_equal(drawn.field, again.field)
    assert (drawn.field != other.field).any()


def test_more_modes_than_components_or_an_unknown_rule_is_an_error(method, variables, batch):
    with pytest.raises(ValueError, match="samples is 9, but rule 'modes' has 8 modes"):
        method.colors.sample(variables, batch, rng(), samples=9, rule="modes")
    with pytest.raises(ValueError, match="rule is 'best'; allowed are 'modes' and 'random'"):
        method.colors.sample(variables, batch, rng(), samples=1, rule="best")


def test_samples_of_one_image_solved_together_equal_separate_solves(variables, batch):
    model = scc.build_model(tiny())
    structure, _ = scc.embed(model, variables, batch)
    unary = jax.random.normal(rng(), (2, 3, 32, 32, 2))
    kept = (jax.random.uniform(rng(), (2, 1024)) < 0.3).astype(jnp.float32)
    solve = jax.jit(partial(scc.make_consistent, model, beta=5.0))
    together = solve(structure, unary, kept)
    for n in range(3):
        alone = solve(structure, unary[:, n : n + 1], kept)
        np.testing.assert_allclose(alone[:, 0], together[:, n], atol=2e-4)


def test_calibration_measures_what_an_update_mixes_into_the_running_statistics(method, variables, batch):
    stage = method.stages[0]
    state = stage.init(rng(), batch, variables)
    state, _ = jax.jit(stage.update)(state, batch, rng(1))  # running statistics other than the first ones
    measured = jax.jit(stage.calibrate)(state.variables, batch, rng(2))
    after, _ = jax.jit(stage.update)(state, batch, rng(2))
    assert set(measured) == {"features"}
    mixed = jax.tree.map(
        lambda old, own: MOMENTUM * old + (1 - MOMENTUM) * own,
        state.batch_stats["features"],
        measured["features"],
    )
    jax.tree.map(
        partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6), after.batch_stats["features"], mixed
    )


def test_a_hidden_unary_color_does_not_leak_and_hidden_pixels_lean_to_gray(variables, batch):
    model = scc.build_model(tiny())
    structure, _ = scc.embed(model, variables, batch)
    unary = 0.2 + 0.1 * jax.random.normal(rng(), (2, 1, 32, 32, 2))
    kept = jnp.zeros((2, 1024)).at[:, :10].set(1.0)
    solve = jax.jit(partial(scc.make_consistent, model, structure, beta=1.0))
    solved = solve(unary, kept)
    hidden = unary.at[:, :, 1:].set(-0.9)  # all rows but the first, which holds the ten kept pixels
    np.testing.assert_allclose(solve(hidden, kept), solved, atol=1e-6)
    assert np.all(np.abs(solve(unary, 0 * kept)) < 1e-6)


def test_the_likelihood_falls_with_the_distance_from_the_truth(variables, batch):
    model = scc.build_model(tiny())
    structure, _ = scc.embed(model, variables, batch)
    true, kept = 0.2 * jax.random.normal(rng(), (2, 32, 32, 2)), jnp.ones((2, 1024))
    value = jax.jit(lambda offset: scc.likelihood(model, structure, true + offset, kept, true, noise=0.01))
    at, near, far = value(0.0), value(0.05), value(0.1)
    # A constant offset leaves Λd alone where S keeps constants, so Q grows by w·offset² a pixel: 0.01 / 2σ² = 0.5.
    np.testing.assert_allclose(near - far, (0.01 - 0.0025) / 0.02, rtol=0.02)
    assert np.all(at > near)


def test_similarity_rows_sum_to_one_and_leave_the_pixel_itself_out(method, variables, batch):
    rows = method.edits.similarity(variables, batch)
    assert rows.shape == (2, 1024, 1024)
    np.testing.assert_allclose(rows.sum(axis=-1), 1, atol=1e-5)
    assert not rows[:, jnp.arange(1024), jnp.arange(1024)].any()


def test_sampling_needs_no_encoder(method, sampler, variables, batch):
    needed = method.abstract_variables()
    assert "encoder" not in needed["params"]
    part = jax.tree.map(
        lambda _, full: full, needed, {k: {n: variables[k][n] for n in needed[k]} for k in needed}
    )
    assert jax.tree.map(jnp.shape, part) == jax.tree.map(jnp.shape, needed)
    assert jnp.isfinite(sampler(part, batch, rng(), samples=5, rule="modes").field).all()


def test_the_mask_follows_the_schedule():
    schedule = ((0.0, 1.0), (2.0, 0.75), (4.0, 0.1))
    steps = [0, 19, 20, 39, 40, 1000]
    shares = [float(scc.kept_share(jnp.array(step), 10, schedule)) for step in steps]
    np.testing.assert_allclose(shares, [1, 1, 0.75, 0.75, 0.1, 0.1])


def test_a_model_released_before_a_field_of_training_existed_still_samples(sampler, variables, batch):
    config = ConfigDict(tiny().to_dict())
    for training in ("loss", "optim", "stages"):
        del config[training]
    method = methods.build(config)
    expected = sampler(variables, batch, rng(), samples=2, rule="modes")
    drawn = jax.jit(method.colors.sample, static_argnames=("samples", "rule"))(
        variables, batch, rng(), samples=2, rule="modes"
    )
    np.testing.assert_allclose(drawn.field, expected.field, atol=1e-6)
    with pytest.raises(AttributeError):
        list(method.stages)


def test_an_unknown_method_lists_those_present():
    config = load("base")
    config.method = "pix2pix"
    with pytest.raises(ValueError, match=r"'pix2pix'; the methods present are \[.*'scc'"):
        methods.build(config)


def test_bfloat16_computes_but_solves_in_float32(variables, batch):
    sample = methods.build(tiny(compute_dtype="bfloat16")).colors.sample
    drawn = jax.eval_shape(partial(sample, samples=5, rule="modes"), variables, batch, rng())
    assert drawn.field.dtype == drawn.unary.dtype == jnp.float32


@pytest.mark.slow
def test_vgg_is_a_configuration_without_a_features_stage(monkeypatch, variables, batch):
    """VGG-16 with drawn weights where the real ones are not installed: the same sizes, the same path."""
    method = methods.build(tiny(**{"features.network": "vgg16", "data.lightness_large": 224}))
    assert [stage.name for stage in method.stages] == ["unary", "structure", "mdn"]
    assert method.colors.regress is None
    assert "features" not in method.abstract_variables()["params"]

    large = {**batch, "lightness_large": jnp.zeros((2, 224, 224, 1)).at[:, 100:].set(0.5)}
    if not external.available("vgg16"):
        drawn = vgg.Vgg16Features().init(rng(), large["lightness_large"])["params"]
        monkeypatch.setattr(stages, "load_vgg16", lambda: drawn)
    before = {
        k: {n: v for n, v in tree.items() if n not in ("features", "mdn")} for k, tree in variables.items()
    }
    stage = method.stages[-1]
    state = stage.init(rng(), large, before)
    assert state.params["mdn"]["ConvBlock_0"]["Conv_0"]["kernel"].shape[2] == 512
    after, metrics = jax.jit(stage.update)(state, large, rng())
    assert np.isfinite(metrics["loss"])
    assert jax.tree.all(
        jax.tree.map(lambda a, b: (a == b).all(), state.params["features"], after.params["features"])
    )
