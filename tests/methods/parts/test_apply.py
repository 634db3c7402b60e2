"""What is random or measured in training can be had at test time, and is not there unless asked for."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax.methods.parts import networks


class Noisy(nn.Module):
    """Half of the inputs, normalised."""

    @nn.compact
    def __call__(self, x, train):
        x = nn.Dropout(0.5)(x, deterministic=not train)
        return nn.BatchNorm(momentum=0.9)(x, use_running_average=not train)


@pytest.fixture(scope="module")
def own():
    """The network applied to a fixed input of mean 3, with running statistics of 0 and 1."""
    nets = {"net": Noisy()}
    x = 3 + jax.random.normal(jax.random.key(0), (64, 4))
    variables = networks.init_networks(jax.random.key(1), nets, {"net": (x,)}, ("net",))
    return x, partial(networks.apply, nets, variables, "net", x)


def test_nothing_is_random_at_test_time(own):
    x, apply = own
    output, stats = apply()
    np.testing.assert_allclose(output, x, rtol=1e-4)
    assert stats == {}


def test_a_key_lets_dropout_act_at_test_time(own):
    x, apply = own
    output, stats = apply(rng=jax.random.key(2))
    dropped = np.isclose(output, 0, atol=1e-6)
    np.testing.assert_allclose(output, np.where(dropped, 0, 2 * x), rtol=1e-4, atol=1e-6)
    assert 0.3 < dropped.mean() < 0.7 and stats == {}
    np.testing.assert_array_equal(output, apply(rng=jax.random.key(2))[0])
    assert not np.array_equal(output, apply(rng=jax.random.key(3))[0])


def test_the_batch_is_normalised_by_itself_where_asked_for(own):
    x, apply = own
    output, stats = apply(batch_statistics=True)
    np.testing.assert_allclose(output, (x - x.mean(0, keepdims=True)) / x.std(0, keepdims=True), atol=1e-3)
    assert stats == {}


def test_both_at_test_time_are_what_training_does(own):
    _, apply = own
    trained, stats = apply(train=True, rng=jax.random.key(2))
    both, _ = apply(batch_statistics=True, rng=jax.random.key(2))
    np.testing.assert_array_equal(both, trained)
    assert jnp.abs(stats["net"]["BatchNorm_0"]["mean"]).min() > 0.1
