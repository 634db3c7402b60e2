"""No photo makes a channel explode that training never fired."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from colorize_jax.methods.parts import networks
from colorize_jax.models.features import FeatureNetwork


def test_only_variances_far_below_their_layers_mean_are_raised():
    layer = {"mean": jnp.array([0.0, 5.0]), "var": jnp.array([0.0, 4.0])}
    healthy = {"mean": jnp.zeros(2), "var": jnp.array([0.1, 2.0])}
    floored = networks.with_floor({"a": {"b": layer}, "c": healthy})
    np.testing.assert_allclose(floored["a"]["b"]["var"], [0.02, 4.0])
    jax.tree.map(np.testing.assert_array_equal, floored["c"], healthy)
    np.testing.assert_array_equal(floored["a"]["b"]["mean"], layer["mean"])


def test_a_channel_that_never_fired_does_not_explode():
    """Statistics without a floor multiply its first answer by 1 / √1e-5, BatchNorm's own guard."""
    network = FeatureNetwork(width=1 / 32)
    gray = jax.random.uniform(jax.random.key(0), (4, 64, 64, 1), minval=-1)
    variables = jax.jit(partial(network.init, train=False))(jax.random.key(1), gray)
    _, measured = jax.jit(partial(network.apply, train=True, mutable=["batch_stats"]))(variables, gray)
    dead = measured["batch_stats"]["ConvBlock_8"]["BatchNorm_0"]
    dead["var"] = dead["var"].at[0].set(0)
    own = {"params": {"f": variables["params"]}, "batch_stats": {"f": measured["batch_stats"]}}
    raw, _ = network.apply(
        {"params": own["params"]["f"], "batch_stats": own["batch_stats"]["f"]}, gray, train=False
    )
    (maps, _), _ = networks.apply({"f": network}, own, "f", gray)
    assert jnp.abs(raw[..., 0]).max() > 10 * jnp.abs(maps[..., 0]).max()
    np.testing.assert_array_equal(raw[..., 1:], maps[..., 1:])
