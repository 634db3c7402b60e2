"""How each method of the family puts code and gray together."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax import methods
from colorize_jax.config import load
from colorize_jax.methods import cvae, resolve, vae_mdn, vae_mdn_skip


def tiny(name):
    config = load(name)
    config.width = 1 / 64
    config.model.latent = 6
    return resolve(config, images=64)


def test_a_code_of_zero_hides_the_gray_map_from_the_product_but_not_from_the_pair():
    code, skips = jnp.zeros((1, 3)), (jnp.ones((1, 8, 8, 2)),)
    maps = (jnp.arange(48.0).reshape(1, 4, 4, 3), skips)
    start, passed = cvae.start(code, maps)
    assert not start.any() and passed is skips
    start, passed = vae_mdn_skip.start(code + 2, maps)
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
