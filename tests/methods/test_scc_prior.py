"""`scc` on the photo prior: what its networks read, what stages change, what a model carries, its versions."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax import methods
from colorize_jax.config import load
from colorize_jax.methods import scc, scc_prior
from colorize_jax.methods.base import STATISTICS
from colorize_jax.methods.parts import features, prior
from colorize_jax.methods.parts.networks import abstract

pytestmark = pytest.mark.usefixtures("small_encoder")


def rng(seed=0):
    """A fresh key each time: JAX's check for reused keys is on."""
    return jax.random.key(seed)


@pytest.fixture(scope="module")
def config():
    config = load("scc_prior")
    config.width, config.modes.learned = 1 / 64, True
    config.prior.widths = (16, 12, 12, 8, 8)
    config.spread.update({"learned": True, "width": 8, "hidden": 8, "fine": True})
    config.spread.update({"fine_width": 4, "fine_hidden": 8})
    return methods.resolve(config, images=640)


@pytest.fixture(scope="module")
def batch():
    large = np.random.default_rng(0).uniform(-1, 1, (2, 8, 8, 3)).astype(np.float32)
    large = jax.image.resize(large, (2, 128, 128, 3), "linear")
    small = large[:, ::2, ::2]
    return {"lightness": small[..., :1], "ab": 0.3 * small[..., 1:], "lightness_large": large[..., :1]}


@pytest.fixture(scope="module")
def method(config, small_encoder):
    return methods.build(config)


@pytest.fixture(scope="module")
def variables(config, method, batch):
    """Of the networks without those of edits, drawn at random, the colour heads as well, which start at zero."""
    networks = scc_prior.build_networks(config)
    names = ("encoder", *scc.SAMPLING_NETWORKS, *prior.NAMES)
    generator = np.random.default_rng(1)

    def drawn(path, leaf):
        if path[-1].key == "kernel":
            scale = np.prod(leaf.shape[:-1]) ** -0.5
            return jnp.asarray(scale * generator.standard_normal(leaf.shape), jnp.float32)
        return jnp.full(leaf.shape, float(path[-1].key in ("scale", "var")))

    needed = abstract(networks, scc.example_inputs(networks, config, batch), names)
    found = jax.tree_util.tree_map_with_path(drawn, needed)
    found["batch_stats"][STATISTICS] = {prior.WEIGHTS: jnp.ones(len(prior.bin_centers()))}
    return found


def test_stages_are_the_priors_and_then_those_of_scc(method):
    of_scc = ["unary", "structure", "mdn", "modes", "spread_coarse", "spread", "spread_fine"]
    assert [stage.name for stage in method.stages] == ["prior", "prior_tuned", *of_scc]


@pytest.mark.slow
def test_each_stage_goes_on_with_what_the_one_before_left(method, variables, batch):
    for stage in method.stages:
        state = jax.eval_shape(stage.init, rng(), batch, variables)
        after, metrics = jax.eval_shape(stage.update, state, batch, rng())
        assert metrics["loss"].shape == () and jax.tree.map(jnp.shape, after) == jax.tree.map(
            jnp.shape, state
        )
        variables = after.variables


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "trained"), [("unary", {"encoder", "gray", "trunk", "top"}), ("mdn", {"mdn"})]
)
def test_the_prior_is_a_constant_to_later_stages(name, trained, method, variables, batch):
    stage = next(stage for stage in method.stages if stage.name == name)
    state = stage.init(rng(), batch, variables)
    update = jax.jit(stage.update)
    after, metrics = state, {}
    for step in range(2):  # the warm-up's first rate is zero
        after, metrics = update(after, batch, rng(step))
    assert np.isfinite(metrics["loss"])
    same = {
        network: jax.tree.all(jax.tree.map(np.array_equal, old, after.params[network]))
        for network, old in state.params.items()
    }
    assert {network for network, equal in same.items() if not equal} == trained
    for network in prior.NAMES:
        jax.tree.map(np.testing.assert_array_equal, state.batch_stats[network], after.batch_stats[network])


@pytest.mark.slow
def test_the_guess_and_then_modes_a_histogram_and_the_priors_colors(method, config, variables, batch):
    @jax.jit  # one program: they share the prior
    def answers(variables, batch):
        drawn = method.colors.sample(variables, batch, rng(), samples=5, rule="modes")
        shares = method.distribution.histograms(variables, batch)
        guess = prior.guesser(config, scc_prior.build_networks(config))(variables, batch)
        return drawn, shares, method.colors.regress(variables, batch), guess

    drawn, shares, regressed, guess = answers(variables, batch)
    assert drawn.field.shape == drawn.unary.shape == (2, 5, 32, 32, 2) and drawn.weights.shape == (2, 5)
    assert (drawn.field.var(axis=1).mean(axis=(1, 2, 3)) > 0).all()
    np.testing.assert_allclose(drawn.unary[:, 0], guess, atol=1e-5)
    np.testing.assert_allclose(drawn.weights.sum(axis=1), 1, rtol=1e-5)
    assert (np.diff(drawn.weights[:, 1:]) <= 0).all()
    np.testing.assert_allclose(shares.sum(-1), 1, rtol=1e-5)
    assert regressed.shape == (2, 32, 32, 2) and regressed.any()
    mirrored, *_ = answers(variables, batch | {"lightness_large": batch["lightness_large"][:, ::-1]})
    assert not np.allclose(mirrored.unary, drawn.unary, atol=1e-4)


def test_a_version_more_than_there_are_modes_is_the_guess(method, config):
    most = config.mdn.components + 1
    assert method.colors.request(most, "modes") == (most, "modes")
    with pytest.raises(ValueError, match=f"rule 'modes' gives at most {most}"):
        method.colors.request(most + 1, "modes")


def test_other_networks_read_maps_of_one_size_whatever_the_prior_reads(config, variables, batch):
    networks = scc_prior.build_networks(config)
    large = jax.image.resize(batch["lightness_large"], (2, 160, 160, 1), "linear")
    read = jax.jit(partial(prior.read, networks))
    told, closer = read(variables, batch), read(variables, batch | {"lightness_large": large})
    assert jax.tree.map(jnp.shape, told) == jax.tree.map(jnp.shape, closer)
    for blank, found in zip(prior.blank(networks, batch)[0], told[0], strict=True):
        assert blank.shape[1:] == found.shape[1:]
    own = jax.jit(partial(prior.predict, networks))(variables, batch)
    np.testing.assert_allclose(told[1], own[0], atol=1e-5)


def test_what_a_code_decodes_to_is_added_to_the_regressed_colors(config, variables, batch, monkeypatch):
    networks = scc_prior.build_networks(config)
    monkeypatch.setattr(features, "regress", lambda *_: jnp.full((2, 40, 40, 2), 0.25))
    model = scc.model_of(config, networks)
    codes = jax.random.normal(rng(), (2, 3, config.model.latent))

    @jax.jit
    def decoded(variables, batch):
        both = [model._replace(residual=residual) for residual in (False, True)]
        return [scc.decode_versions(each, variables, batch, codes)[0] for each in both]

    alone, added = decoded(variables, batch)
    np.testing.assert_allclose(added - alone, 0.25, atol=1e-5)


@pytest.mark.parametrize("tint", [0.0, 0.25, 1.0])
def test_the_tint_is_taken_out_as_far_as_it_differs_from_the_regressed_one(tint, config, batch, monkeypatch):
    monkeypatch.setattr(features, "regress", lambda *_: jnp.full((2, 32, 32, 2), 0.1))
    model = scc.model_of(config, {})._replace(tint=tint)
    learned = scc.less_tinted(model, {}, batch)["ab"]
    mean = batch["ab"].mean(axis=(1, 2))
    np.testing.assert_allclose(learned.mean(axis=(1, 2)), tint * mean + (1 - tint) * 0.1, atol=1e-6)
    np.testing.assert_allclose(
        learned - learned.mean(axis=(1, 2), keepdims=True), batch["ab"] - mean[:, None, None], atol=1e-6
    )


def test_cells_are_the_lightness_beside_features_of_length_one(config, variables, batch):
    networks = scc_prior.build_networks(config)
    cells = jax.jit(partial(features.read_cells, networks, side=32))(variables, batch)
    assert cells.shape[1:] == features.blank_cells(networks, batch, 32).shape[1:] == (32, 32, 1 + 8)
    lengths = jnp.linalg.norm(cells[..., 1:], axis=-1)  # a network as drawn sees nothing in some cells
    assert jnp.median(lengths) > 0.99 and lengths.max() < 1 + 1e-5
    np.testing.assert_allclose(
        cells[..., 0], jax.image.resize(batch["lightness"], (2, 32, 32, 1), "linear")[..., 0], atol=1e-6
    )


def test_a_model_carries_the_prior_and_no_encoder(config, method, batch):
    carried = method.abstract_variables()
    mixture = {"gray", "trunk", "top", "structure", "mdn", *prior.NAMES}
    assert set(carried["params"]) == mixture | {"spread", "refine"}
    told = jax.eval_shape(method.edits.spread, carried, batch)
    assert told.similarity.shape == (2, 1024, 1024) and told.unary.shape == (2, 32, 32, 2)
    assert told.fine.confidence.shape == (2, 64, 64)


def test_smaller_gray_images_are_refused():
    config = load("scc_prior")
    config.data.lightness_large = 96
    with pytest.raises(ValueError, match=r"lightness_large is 96.*set it to 128"):
        methods.resolve(config)
