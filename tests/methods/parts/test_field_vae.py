"""The objective of the colour field auto-encoder: what it adds up, and that minimising it learns the colours."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax import losses, methods
from colorize_jax.config import load
from colorize_jax.data import color_prior
from colorize_jax.data.color_statistics import BINS, bin_of, bin_weights
from colorize_jax.methods import resolve
from colorize_jax.methods.base import STATISTICS


@pytest.fixture(scope="module")
def batch():
    side = np.linspace(-1, 1, 64, dtype=np.float32)
    waves = np.sin(np.arange(1, 13, dtype=np.float32)[:, None, None] * side[:, None] + side)
    planes = waves.reshape(4, 3, 64, 64)
    arrays = {"lightness": planes[:, 0, ..., None], "ab": 0.3 * np.moveaxis(planes[:, 1:], 1, -1)}
    return jax.tree.map(jnp.asarray, arrays)


@pytest.fixture(scope="module")
def statistics():
    draw = np.random.default_rng(0)
    directions = np.linalg.qr(draw.normal(size=(64 * 64 * 2, 2)))[0].T.reshape(2, 64, 64, 2)
    arrays = {"components": directions, "deviations": [3.0, 2.0], "bin_weights": draw.uniform(1, 5, (64, 64))}
    return {name: jnp.asarray(value, jnp.float32) for name, value in arrays.items()}


@pytest.fixture(scope="module")
def history(batch, statistics):
    """The metrics of 40 steps of the stage `vae` on one batch; the config; the untrained variables."""
    config = load("vae_mdn_skip")
    config.width = 1 / 64
    config.model.latent = 6
    config.field_loss.update({"bins": "grid", "l2": 0.5})
    config.stages.vae.update({"epochs": 40.0, "batch_size": 4, "lr": 1e-2})
    config = resolve(config, images=4)
    stage = next(stage for stage in methods.build(config).stages if stage.name == "vae")
    before = {"params": {}, "batch_stats": {STATISTICS: statistics}}
    state = stage.init(jax.random.key(0), batch, before)
    assert state.batch_stats[STATISTICS] is statistics
    update = jax.jit(stage.update)
    metrics = []
    for step in range(40):
        state, found = update(state, batch, jax.random.key(step))
        metrics.append(jax.device_get(found))
    return metrics, config


def test_the_objective_is_the_weighted_sum_per_value_of_the_field(history, batch, statistics):
    (first, *_), config = history
    terms = losses.field_terms(
        jnp.zeros_like(batch["ab"]),  # the decoder starts from gray
        batch["ab"],
        statistics,
        terms=losses.FIELD_TERMS,
        bins=BINS["grid"],
    )
    weights = {"l2": 0.5, "hist": 1.0, "mah": 0.1, "grad": 1e-3}
    for name, value in terms.items():
        np.testing.assert_allclose(first[f"loss_{name}"], value.mean(), rtol=1e-4)
    total = sum(weights[name] * float(value.mean()) for name, value in terms.items())
    expected = (total + config.field_loss.kl * first["kl_nats"]) / (64 * 64 * 2)
    np.testing.assert_allclose(first["loss"], expected, rtol=1e-4)


def test_it_learns_one_batch(history):
    metrics, _ = history
    for name in ("loss", "loss_l2", "loss_hist", "loss_mah", "loss_grad"):
        assert np.mean([m[name] for m in metrics[-5:]]) < 0.6 * metrics[0][name], name


def test_the_weight_of_the_divergence_rises_over_its_ramp(batch, statistics):
    config = load("cvae")
    config.width, config.model.latent = 1 / 64, 6
    config.field_loss.kl = 10.0
    config.stages.vae.update({"epochs": 4.0, "batch_size": 4})
    config.field_loss.kl_ramp_epochs = 2.0  # eight steps of four images, of which sixteen are an epoch
    stage = methods.build(resolve(config, images=16)).stages[0]
    state = stage.init(jax.random.key(0), batch, {"params": {}, "batch_stats": {STATISTICS: statistics}})

    @jax.jit  # without the gradients: nothing asks for them
    def share(step):
        told = stage.update(state._replace(step=step), batch, jax.random.key(1))[1]
        return (told["loss"] * 64 * 64 * 2 - told["loss_l2"]) / (10 * told["kl_nats"])

    np.testing.assert_allclose([share(step) for step in (0, 2, 8, 15)], [0, 0.25, 1, 1], atol=1e-3)


def test_one_color_prior_serves_all_data(tmp_path, batch):
    file = tmp_path / "prior.npz"
    rare = np.full((2, 8, 8, 2), 60 / 128, np.float32)
    color_prior.write(file, [rare, np.zeros((6, 8, 8, 2), np.float32)], {"dataset": "other"})
    config = load("vae_mdn")
    config.field_loss.components = 2
    own = methods.build(resolve(config)).statistics.collect([jax.device_get(batch)])
    config.field_loss.prior = str(file)
    found = methods.build(resolve(config)).statistics.collect([jax.device_get(batch)])
    bins = BINS["gamut"]
    counts = color_prior.read(file, "gamut")
    assert counts.sum() == 8 * 64 and counts[bin_of(rare[0, 0, 0], bins)] == 2 * 64
    expected = bin_weights(counts, bins, uniform=0.5, cap=30.0)
    np.testing.assert_allclose(found["bin_weights"], expected, rtol=1e-6)
    assert np.abs(found["bin_weights"] - own["bin_weights"]).max() > 0.1
    np.testing.assert_array_equal(found["deviations"], own["deviations"])


def test_a_prior_that_is_none_is_named(tmp_path):
    config = load("cvae")
    config.field_loss.prior = str(tmp_path / "missing.npz")
    with pytest.raises(ValueError, match=r"config\.field_loss\.prior is .*missing.*--color_prior=FILE"):
        resolve(config)
    np.savez(tmp_path / "other.npz", gamut=np.ones((2, 2)))
    (tmp_path / "text.npz").write_text("no archive")
    for name, why in (("other", "no counts of the bins 'gamut'"), ("text", "text")):
        with pytest.raises(ValueError, match=why):
            color_prior.read(tmp_path / f"{name}.npz", "gamut")
    with pytest.raises(ValueError, match="no colour to count"):
        color_prior.write(tmp_path / "empty.npz", [], {})
