"""How each method of the family puts code and gray together."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax import methods
from colorize_jax.config import load, to_json
from colorize_jax.methods import cvae, resolve, vae_mdn, vae_mdn_skip
from colorize_jax.methods.base import STATISTICS


def tiny(name, **fields):
    config = load(name)
    config.width = 1 / 64
    config.model.latent = 6
    config.update_from_flattened_dict(fields)
    return resolve(config, images=64)


def test_a_code_of_zero_hides_the_gray_map_from_the_product_but_not_from_the_pair():
    code, skips = jnp.zeros((1, 3)), (jnp.ones((1, 8, 8, 2)),)
    maps = (jnp.arange(48.0).reshape(1, 4, 4, 3), skips)
    assert vae_mdn_skip.STARTS[tiny("vae_mdn_skip").skip.join] is cvae.start
    start, passed = cvae.start(code, maps)
    assert not start.any() and passed is skips
    start, passed = vae_mdn_skip.pair(code + 2, maps)
    np.testing.assert_array_equal(start[..., :3], jnp.full((1, 4, 4, 3), 2.0))
    np.testing.assert_array_equal(start[..., 3:], maps[0])
    assert passed is skips
    start, passed = vae_mdn.start(code + 2, None)
    assert start.shape == (1, 4, 4, 3) and passed == ()


@pytest.mark.parametrize(
    ("name", "stages", "sampling"),
    [
        ("vae_mdn", ["features", "vae", "mdn"], {"decoder", "features", "mdn"}),
        ("vae_mdn_skip", ["features", "vae", "mdn"], {"gray", "decoder", "features", "mdn"}),
        ("cvae", ["vae"], {"gray", "decoder"}),
        ("cvae_v1", ["features", "vae"], {"gray", "decoder", "features"}),
    ],
)
def test_stages_and_the_networks_that_sampling_needs(name, stages, sampling):
    method = methods.build(tiny(name))
    assert [stage.name for stage in method.stages] == stages
    variables = method.abstract_variables()
    assert set(variables["params"]) == sampling
    batch = {"lightness": jnp.zeros((2, 64, 64, 1))}
    for rule in ("modes", "random"):
        drawn = jax.eval_shape(
            lambda v, key, rule=rule: method.colors.sample(v, batch, key, samples=3, rule=rule),
            variables,
            jax.random.key(0),
        )
        assert drawn.field.shape == (2, 3, 64, 64, 2) and drawn.weights.shape == (2, 3)
    with pytest.raises(ValueError, match="allowed are 'modes' and 'random'"):
        jax.eval_shape(
            lambda v, key: method.colors.sample(v, batch, key, samples=1, rule="best"),
            variables,
            jax.random.key(0),
        )


def photos(seed):
    lightness, ab = np.split(np.random.default_rng(seed).uniform(-0.5, 0.5, (2, 64, 64, 3)), [1], axis=-1)
    return {"lightness": jnp.asarray(lightness, jnp.float32), "ab": jnp.asarray(ab, jnp.float32)}


@pytest.fixture(scope="module")
def encoded():
    """The KL divergence of the codes, untrained, for other gray images of the same colours, by config."""

    def divergences(name, **fields):
        config = tiny(name, **fields)
        *before, stage = methods.build(config).stages
        batch, known = photos(0), {"params": {}, "batch_stats": {STATISTICS: {}}}
        for each in (*before, stage):
            known = each.init(jax.random.key(1), batch, known).variables
        evaluate = jax.jit(stage.evaluate)
        others = (batch, {**batch, "lightness": photos(1)["lightness"]})
        return [evaluate(known, each, jax.random.key(3))["kl_nats"] for each in others]

    return divergences


@pytest.mark.parametrize(
    ("name", "fields", "moves"),
    [
        ("cvae", {}, True),
        ("cvae", {"cvae.encoder_sees_gray": False}, False),
        ("cvae_v1", {}, True),
    ],
)
def test_another_gray_image_moves_the_code_where_the_encoder_sees_it(encoded, name, fields, moves):
    own, other = encoded(name, **fields)
    assert (np.abs(own - other).min() > 1e-6) == moves


def test_the_gray_vector_of_the_first_version_reaches_the_versions():
    method = methods.build(tiny("cvae_v1", **{"cvae.draws": 4}))
    draw = np.random.default_rng(0)

    def random(path, x):
        if len(x.shape) < 2:
            return jnp.full(x.shape, float(path[-1].key in ("scale", "var")))
        return jnp.asarray(draw.normal(0, np.prod(x.shape[:-1]) ** -0.5, x.shape), jnp.float32)

    variables = jax.tree_util.tree_map_with_path(random, method.abstract_variables())
    sample = jax.jit(
        lambda batch: method.colors.sample(variables, batch, jax.random.key(0), samples=2, rule="modes")
    )
    own, other = (sample({"lightness": photos(seed)["lightness"]}) for seed in (0, 1))
    assert np.abs(own.field - other.field).max() > 1e-4
    np.testing.assert_allclose(own.weights.sum(axis=1), 1, rtol=1e-6)


def test_a_run_of_before_keeps_what_it_was():
    """Its config.json has none of the fields that came later."""
    for name, path, then in (
        ("cvae", "cvae.encoder_sees_gray", False),
        ("vae_mdn_skip", "skip.join", "pair"),
    ):
        old = json.loads(to_json(tiny(name)))
        section, field = path.split(".")
        del old[section][field], old["field_loss"]["prior"], old["field_loss"]["kl_ramp_epochs"]
        config = methods.read_config(json.dumps(old))
        assert config[section][field] == then and config.field_loss.prior == "own"
        assert config.field_loss.kl_ramp_epochs == 0
