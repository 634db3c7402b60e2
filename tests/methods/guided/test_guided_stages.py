"""The stages that learn to spread edits: what they train, and what they measure."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from guided_models import begun, with_large
from ml_collections import ConfigDict

from colorize_jax import color, methods
from colorize_jax.methods import guided, scc
from colorize_jax.methods.guided import fields, stages
from colorize_jax.methods.parts.networks import init_networks
from colorize_jax.models import refine
from colorize_jax.models.layers import resize_field


def trained_last(config, networks, variables, batch, *, steps, changed=()):
    """The last stage, by name, after some steps that left all `variables` but these alone; and the metrics of each."""
    stage = guided.build_stages(config, networks, lambda each: scc.example_inputs(networks, config, each))[-1]
    state = stage.init(jax.random.key(2), batch, variables)
    update, told = jax.jit(stage.update), []
    for step in range(steps):
        state, metrics = update(state, batch, jax.random.key(100 + step))
        told.append({name: float(value) for name, value in metrics.items()})
    for name, value in variables["params"].items():
        same = jax.tree.map(np.array_equal, value, state.params[name])
        assert all(jax.tree.leaves(same)) == (name not in changed), name
    shown = jax.eval_shape(stage.evaluate, state.variables, batch, jax.random.key(3))
    assert {name: value.shape for name, value in shown.items()} == {
        f"decibels_{n}_reveals": (4,) for n in stages.SHOWN
    }
    return stage.name, state, told


def test_the_coarse_stage_learns_to_spread_and_changes_its_own_network_only(config, batch, monkeypatch):
    monkeypatch.setitem(fields.FIELDS, "spread_coarse", 8)  # compiles in a quarter of the time
    method = methods.build(config)
    by_name = {stage.name: stage for stage in method.stages}
    assert list(by_name)[-2:] == ["spread_coarse", "spread"]
    networks = scc.build_networks(config)
    inputs = scc.example_inputs(networks, config, batch)
    variables = init_networks(jax.random.key(0), networks, inputs, ("features", "gray"))
    stage = by_name["spread_coarse"]
    state = stage.init(jax.random.key(2), batch, variables)
    evaluate = jax.jit(stage.evaluate)
    before = evaluate(state.variables, batch, jax.random.key(3))
    update, losses = jax.jit(stage.update), []
    for step in range(40):
        state, metrics = update(state, batch, jax.random.key(100 + step))
        losses.append(float(metrics["loss"]))
    after = evaluate(state.variables, batch, jax.random.key(3))
    assert set(after) == {f"decibels_{n}_reveals" for n in stages.SHOWN}
    assert np.mean(losses[-8:]) < np.mean(losses[:8]) - 0.3
    assert float(after["decibels_10_reveals"].mean()) > float(before["decibels_10_reveals"].mean()) + 1
    frozen = {name: value for name, value in state.params.items() if name != "spread"}
    assert set(frozen) >= {"features", "gray"}
    for name, value in frozen.items():
        jax.tree.map(np.testing.assert_array_equal, value, variables["params"][name])


@pytest.mark.parametrize("painted", [0.0, 0.5, 1.0])
def test_a_share_of_the_photos_is_painted(painted, batch, monkeypatch):
    seen = jax.random.normal(jax.random.key(1), (4, 8, 8, 3))
    monkeypatch.setattr(stages.features, "read", lambda *_: (seen, None))
    told = stages._edits({}, {}, batch, jax.random.key(4), 16, painted)
    true = resize_field(batch["ab"], 16)
    changed = (jnp.abs(told.wanted - true).max(axis=(1, 2, 3)) > 1e-3).sum()
    assert changed == {0.0: 0, 1.0: 4}.get(painted, changed) and (painted != 0.5 or 0 < changed < 4)
    assert told.revealed.shape == (4, 16, 16) and told.colors.shape == (4, 16, 16, 2)


def test_people_say_what_is_one_thing(batch, monkeypatch):
    """Half of the photos are divided, into their left and right; what is painted of them is a half."""
    monkeypatch.setattr(stages.features, "read", lambda *_: (jnp.ones((4, 8, 8, 3)), None))
    halves = jnp.where(jnp.arange(32) < 16, 0, 1).astype(jnp.int16)
    said = jnp.stack([jnp.broadcast_to(halves, (32, 32)), jnp.full((32, 32), -1, jnp.int16)] * 2)
    for seed in range(6):
        told = stages._edits({}, {}, batch | {"regions": said}, jax.random.key(seed), 16, 1.0)
        change = np.asarray(told.wanted - resize_field(batch["ab"], 16))[::2]
        for half in (change[:, :, :8], change[:, :, 8:]):
            np.testing.assert_allclose(half, half[:, :1, :1] + 0 * half, atol=1e-5)


@pytest.mark.slow
def test_the_fine_stage_learns_and_changes_its_own_network_only(config, batch, monkeypatch):
    monkeypatch.setitem(fields.FIELDS, "spread", 8)
    monkeypatch.setattr(refine, "REACH", 1)
    fine = ConfigDict(config.to_dict())
    fine.spread.update({"fine": True, "fine_width": 4, "fine_hidden": 8, "painted": 0.5})
    networks, variables = begun(fine, batch, "features", "gray", "spread")
    name, state, told = trained_last(fine, networks, variables, batch, steps=24)
    losses = [metrics["loss"] for metrics in told]
    assert name == "spread_fine" and np.mean(losses[-8:]) < np.mean(losses[:8])
    prior = guided.spreader(networks, 8)(state.variables, batch)
    rows, confidence = prior.fine
    assert rows.shape == (4, 8, 16, 16) and confidence.shape == (4, 16, 16)
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-5)
    # The window's first cell lies above and to the left: beyond the border there.
    assert float(jnp.abs(rows[:, 0, 0]).max()) == 0 and float(jnp.abs(rows[:, 0, :, 0]).max()) == 0
    assert float(rows[:, 0, 1:, 1:].min()) > 0


@pytest.mark.slow
def test_the_correct_stage_learns_from_several_reveals_and_changes_its_own_network_only(
    correcting, batch, monkeypatch
):
    monkeypatch.setitem(fields.FIELDS, "spread", 8)
    monkeypatch.setattr(refine, "REACH", 1)
    whole = with_large(batch)
    networks, variables = begun(correcting, whole, "features", "gray", "spread", "refine")
    name, _, told = trained_last(correcting, networks, variables, whole, steps=40)
    gains = [metrics["gain"] for metrics in told]
    assert name == "correct" and np.mean(gains[-8:]) > gains[0] + 0.5, gains


@pytest.mark.slow
def test_together_both_similarities_learn_from_what_is_corrected(correcting, batch, monkeypatch):
    monkeypatch.setitem(fields.FIELDS, "spread", 8)
    monkeypatch.setattr(refine, "REACH", 1)
    together = ConfigDict(correcting.to_dict())
    together.spread.together = True
    whole = with_large(batch)
    networks, variables = begun(together, whole, "features", "gray", "spread", "refine")
    changed = ("spread", "refine")
    _, state, told = trained_last(together, networks, variables, whole, steps=24, changed=changed)
    losses = [metrics["loss"] for metrics in told]
    assert np.mean(losses[-8:]) < np.mean(losses[:8])
    statistics = variables["batch_stats"], state.batch_stats
    for name in changed:  # kept: what they normalise by is not measured on a few photos
        jax.tree.map(np.testing.assert_array_equal, *(tree.get(name, {}) for tree in statistics))


def test_the_correct_stage_measures_sRGB_of_the_large_image(correcting, batch):
    """The gain of a network that changes nothing is 0 whatever the colours; its loss is the error's logarithm."""
    whole = with_large(batch)
    networks, variables = begun(correcting, whole, "features", "gray", "spread", "refine", "correct")

    def constant(networks, variables, systems, true, *rest, **options):
        return jnp.zeros((4, 64, 64, 2)), jnp.zeros_like(true)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "_corrected", constant)
        of = jax.jit(partial(stages.correct_loss, networks, beta=5.0, turn=0.0, draws=2))
        loss, (_, told) = of(variables, whole, jax.random.key(0), jnp.array(0))
    lab = color.network_to_lab(
        *(np.asarray(whole[f"{name}_large"], np.float64) for name in ("lightness", "ab"))
    )
    gray = np.concatenate([lab[..., :1], np.zeros_like(lab[..., 1:])], axis=-1)
    errors = np.square(color.lab_to_srgb(lab) - color.lab_to_srgb(gray)).mean(axis=(1, 2, 3))
    assert float(told["gain"]) == 0
    np.testing.assert_allclose(told["squared_error"], errors.mean(), rtol=1e-4)
    np.testing.assert_allclose(loss, np.log(errors + 3e-5).mean(), atol=1e-4)
