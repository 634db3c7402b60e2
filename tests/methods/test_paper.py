"""`scc:paper=1`: the sizes are the supplement's, and each field that makes it the printed model is seen to act."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax import gcrf, losses, methods
from colorize_jax.config import load
from colorize_jax.methods import resolve, scc
from colorize_jax.methods.parts import mixture
from colorize_jax.methods.parts.networks import apply, init_networks
from colorize_jax.models.layers import resize_field


def rng(seed=0):
    """A fresh key each time: JAX's check for reused keys is on."""
    return jax.random.key(seed)


def printed(**changes):
    config = load("scc:paper=1,features=small").unlock()
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
def variables(batch):
    """As drawn, but for the colour head, which starts at zero."""
    config = printed()
    networks = scc.build_networks(config)
    inputs = scc.example_inputs(networks, config, batch)
    variables = init_networks(rng(), networks, inputs, tuple(networks))
    head = variables["params"]["top"]["colour"]
    head["kernel"] = 0.05 * jax.random.normal(rng(7), head["kernel"].shape)
    return variables


@pytest.fixture(scope="module")
def mixture_loss(variables, batch):
    """`(config, seed) -> loss` of the mixture's stage."""

    def one(config, seed):
        model = scc.build_model(config)
        loss = mixture.objective(config, model.networks, partial(scc.encode, model))
        return float(loss(variables, batch, rng(seed), jnp.array(0))[0])

    return one


def unrolled(fields):
    """(B, F, F, 2) as rows of cells."""
    return fields.reshape(len(fields), -1, 2)


@pytest.fixture(scope="module")
def small():
    """Embeddings and temperature of two images of 8x8 cells, unary colours, and an H that keeps a tenth."""
    structure = 0.7 * jax.random.normal(rng(1), (2, 64, 8)), jnp.float32(1)
    unary = 0.2 * jax.random.normal(rng(3), (2, 1, 8, 8, 2))
    return structure, unary, (jax.random.uniform(rng(4), (2, 64)) < 0.1).astype(jnp.float32)


def test_it_has_the_supplements_sizes_and_reads_conv7():
    config = resolve(load("scc:paper=1"), images=64)
    shapes = methods.build(config).abstract_variables()["params"]
    assert shapes["trunk"]["ConvBlock_0"]["Conv_0"]["kernel"].shape == (4, 4, 64 + 1024, 1024)
    assert shapes["structure"]["embedding"]["kernel"].shape == (5, 5, 256, 512)
    assert "log_temperature" not in shapes["structure"]
    assert shapes["mdn"]["ConvBlock_0"]["Conv_0"]["kernel"].shape == (5, 5, 512, 384)
    assert shapes["mdn"]["mixture"]["kernel"].shape == (4096, 8 * 64 + 8)
    assert shapes["features"]["Conv_16"]["kernel"].shape == (3, 3, 512, 512)  # conv7_3
    assert [stage.name for stage in methods.build(config).stages] == ["features", "unary", "structure", "mdn"]


def test_the_encoder_drops_what_its_fully_connected_layers_read(variables, batch):
    def means(config):
        networks = scc.build_networks(config)
        one = partial(apply, networks, variables, "encoder", batch["ab"], train=True)
        return [one(rng=rng(seed))[0][0] for seed in (0, 1)]

    dropped, whole = means(printed()), means(printed(**{"model.dropout": 0.0}))
    assert not np.allclose(*dropped)
    np.testing.assert_array_equal(*whole)


@pytest.mark.parametrize("only", [{"mdn.dropout": 0.25}, {"mdn.code": "sample"}, {}])
def test_the_mixture_learns_from_drawn_codes_and_with_dropout(only, mixture_loss):
    plain = {"mdn.dropout": 0.0, "mdn.code": "mean"}
    told = [mixture_loss(printed(**(plain | only)), seed) for seed in (1, 2)]
    assert (told[0] != told[1]) == bool(only)


def test_no_relaxation_counts_the_closest_component_alone(mixture_loss):
    plain = {"mdn.dropout": 0.0, "mdn.code": "mean"}
    assert mixture_loss(printed(**plain), 1) < mixture_loss(printed(**plain, **{"mdn.relaxation": 0.05}), 1)


def test_the_variance_of_every_method_is_a_tenth(variables, batch):
    names = ("scc:paper=1", "scc", "vae_mdn", "vae_mdn_skip", "scc_prior")
    assert [load(name).mdn.sigma ** 2 for name in names] == pytest.approx([0.1] * len(names))
    config = printed()
    networks, sigma = scc.build_networks(config), config.mdn.sigma
    draw = partial(mixture.draw_codes, networks, variables, batch, sigma=sigma, rule="random")
    codes = [draw(rng(5), samples=64)[0], draw(rng(5), samples=64)[0]]
    np.testing.assert_array_equal(*codes)
    centered = partial(mixture.draw_codes, networks, variables, batch, rng(5), sigma=0.0, rule="random")
    np.testing.assert_allclose((codes[0] - centered(samples=64)[0]).var(), 0.1, rtol=0.05)


def test_a_pixel_may_explain_itself_at_a_temperature_that_stays(variables, batch):
    model = scc.build_model(printed())
    (embeddings, temperature), _ = scc.embed(model, variables, batch)
    assert temperature == 1.0
    rows = scc.similarity(model, variables, batch)
    expected = jax.nn.softmax(embeddings[0] @ embeddings[0].T, axis=1)
    np.testing.assert_allclose(rows[0], expected, atol=1e-5)
    assert (jnp.diagonal(rows, axis1=1, axis2=2) > 0).all()


def test_the_unary_stage_minimizes_half_the_squares_and_the_divergence(variables, batch):
    config = printed(**{"model.dropout": 0.0})
    error, weight = losses.RECONSTRUCTION[config.loss.reconstruction], config.loss.kl_weight
    gray = jax.tree.map(jnp.copy, variables)
    gray["params"]["top"]["colour"] = jax.tree.map(jnp.zeros_like, gray["params"]["top"]["colour"])
    loss = partial(scc.unary_loss, scc.build_model(config), reconstruction=error, kl_weight=weight)
    value, (_, metrics) = jax.jit(loss)(gray, batch, rng(), jnp.array(0))
    nats = jnp.square(resize_field(batch["ab"], 32)).sum(axis=(1, 2, 3)).mean() / 2 + metrics["kl_nats"]
    np.testing.assert_allclose(value * 32 * 32 * 2 / 2, nats, rtol=1e-5)


def test_lu_gives_the_colors_and_the_gradients_of_cholesky(small):
    structure, unary, kept = small

    def loss(structure, unary, solver):
        model = scc.build_model(printed(**{"gcrf.solver": solver}))
        return jnp.square(scc.make_consistent(model, structure, unary, kept, beta=1.0) - 0.1).mean()

    assert printed().gcrf.solver == "lu"
    found, expected = (
        jax.value_and_grad(loss, argnums=(0, 1))(structure, unary, s) for s in ("lu", "cholesky")
    )
    assert all(bool(jnp.any(leaf != 0)) for leaf in jax.tree.leaves(expected))
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-2, atol=1e-5), found, expected)


def test_where_all_are_kept_the_system_is_the_printed_one(small):
    structure, unary, _ = small
    field = unrolled(scc.make_consistent(scc.build_model(printed()), structure, unary, beta=5.0)[:, 0])
    for rows, x, alpha in zip(similarities(structure), field, unrolled(unary[:, 0]), strict=True):
        apart = x - rows @ x
        np.testing.assert_allclose(apart - rows.T @ apart + 5 * x, 5 * alpha, atol=1e-5)


def similarities(structure):
    """S of both images, the diagonal kept."""
    embeddings, temperature = structure
    return [gcrf.similarity(each, temperature) for each in embeddings]


def test_the_floor_is_on_hidden_pixels_or_on_all(small):
    _, unary, kept = small
    columns = unrolled(unary[:, 0])
    on = lambda which: scc.build_model(printed(**{"gcrf.floor_on": which, "gcrf.floor": 0.5}))  # noqa: E731
    np.testing.assert_allclose(scc.believed(on("hidden"), columns, kept, 2.0)[1], 2 * kept + 0.5 * (1 - kept))
    np.testing.assert_allclose(scc.believed(on("all"), columns, kept, 2.0)[1], 2 * kept + 0.5)


def test_without_a_floor_hidden_pixels_make_the_system_singular(small):
    structure, unary, kept = small
    identity = (100 * structure[0], structure[1])  # S nears I
    model = scc.build_model(printed())
    solve = jax.jit(partial(scc.make_consistent, beta=1.0), static_argnums=0)
    hashable = model._replace(networks=None)
    assert np.isfinite(solve(hashable, identity, unary, kept)).all()
    assert np.isnan(solve(hashable._replace(floor=0.0), identity, unary, kept)).any()


def test_a_model_without_a_floor_takes_no_edits_and_is_evaluated_unmasked(variables, batch):
    config = printed(**{"gcrf.floor": 0.0, "stages.structure.schedule": ((0.0, 1.0),)})
    assert methods.build(config).edits is None and methods.build(printed()).edits is not None
    stage = next(stage for stage in methods.build(config).stages if stage.name == "structure")
    shapes = jax.eval_shape(stage.evaluate, variables, batch, rng())
    assert [name for name in shapes if "kept" in name] == ["absolute_error_kept_1"]


def test_the_density_of_equation_5_is_that_of_its_energy(small):
    structure, unary, kept = small
    model, true = scc.build_model(printed()), 0.1 * jax.random.normal(rng(6), (2, 8, 8, 2))
    told = scc.likelihood(model, structure, unary[:, 0], kept, true, noise=1.0)
    field = scc.make_consistent(model, structure, unary, kept, beta=model.beta_train)[:, 0]
    targets, weights = scc.believed(model, unrolled(unary[:, 0]), kept, model.beta_train)
    for image, rows in enumerate(similarities(structure)):
        of = lambda x: gcrf.energy(rows, unrolled(x)[image], targets[image], weights[image])  # noqa: B023, E731
        apart = np.eye(64) - np.asarray(rows, np.float64)
        logarithm = np.linalg.slogdet(apart.T @ apart + np.diag(weights[image]))[1]
        nats = of(field) - of(true) + logarithm - 64 * np.log(2 * np.pi)  # two channels
        np.testing.assert_allclose(told[image], nats / 128, rtol=1e-3)
