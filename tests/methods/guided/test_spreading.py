"""The stages that learn an S for edits: what is revealed, what the solve answers, what is trained."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from colorize_jax import color, gcrf, methods
from colorize_jax.config import beside, resolve
from colorize_jax.control import settle
from colorize_jax.control.calibrate import calibrated
from colorize_jax.methods import scc
from colorize_jax.methods.guided import spreading
from colorize_jax.methods.parts.networks import init_networks
from colorize_jax.models import refine, spread
from colorize_jax.models.layers import resize_field

pytestmark = pytest.mark.usefixtures("quick_compiler")
BASE = Path(__file__).parents[3] / "configs" / "base.py"


def brute_reveal(true, corners, patch):
    """Shares and colours of patches at `corners` (y, x), in cells, on one field, by subsampling each cell."""
    side, fine = len(true), 40
    at = (np.arange(side * fine) + 0.5) / fine
    share, summed = np.zeros((side, side)), np.zeros(true.shape)
    for y, x in corners:
        inside = ((at >= y) & (at < y + patch))[:, None] & ((at >= x) & (at < x + patch))[None]
        covered = inside.reshape(side, fine, side, fine).mean(axis=(1, 3))
        mean = np.einsum("yx,yxc->c", covered, true) / covered.sum()
        share += covered
        summed += covered[..., None] * mean
    return np.minimum(share, 1), summed / np.maximum(share, 1e-9)[..., None]


def test_reveals_are_patches_of_the_benchmarks_size_in_their_mean_color():
    side, key = 16, jax.random.key(3)
    true = np.random.default_rng(0).normal(size=(2, side, side, 2)).astype(np.float32)
    counts = jnp.array([1.0, 5.0])
    colors, share = spreading.reveal(key, jnp.asarray(true), counts)
    patch = spreading.PATCH * side
    places = jax.random.uniform(jax.random.clone(key), (2, spreading.MOST, 2, 1)) * (side - patch)
    for k, count in enumerate((1, 5)):
        expected_share, expected = brute_reveal(true[k], np.asarray(places)[k, :count, :, 0], patch)
        np.testing.assert_allclose(share[k].reshape(side, side), expected_share, atol=0.05)
        seen = expected_share > 0.1
        np.testing.assert_allclose(colors[k].reshape(side, side, 2)[seen], expected[seen], atol=0.15)
    np.testing.assert_allclose(share[0].sum(), patch**2, rtol=1e-5)


def test_waves_make_a_gaussian_of_the_distance():
    values = jnp.linspace(-1, 1, 41)
    phi = spread.waves(values, 0.5)
    kernel = np.asarray(phi @ phi.T)
    distance = np.abs(np.subtract.outer(np.asarray(values), np.asarray(values)))
    np.testing.assert_allclose(np.diagonal(kernel), 1, atol=1e-5)
    np.testing.assert_allclose(kernel, np.exp(-(distance**2) / 2 / 0.25), atol=0.12)


def spread_of_two(rng):
    embeddings = jnp.asarray(rng.normal(size=(1, 9, 4)), jnp.float32)
    unary = jnp.asarray(rng.normal(size=(1, 9, 2)), jnp.float32)
    return spreading.Spread(embeddings, unary, jnp.asarray(rng.uniform(0.1, 1, (1, 9)), jnp.float32))


def test_the_field_is_the_minimizer_of_eq_5_with_reveals_and_unary():
    rng = np.random.default_rng(1)
    given = spread_of_two(rng)
    colors, revealed = (
        rng.normal(size=(1, 9, 2)),
        rng.uniform(0, 1, (1, 9)) * (rng.uniform(size=(1, 9)) > 0.5),
    )
    field, reach = spreading.solve(
        given, jnp.asarray(colors, jnp.float32), jnp.asarray(revealed, jnp.float32), beta=5.0
    )
    z = np.asarray(given.embeddings[0], np.float64)
    z = z @ z.T
    np.fill_diagonal(z, -np.inf)
    s = np.exp(z - z.max(axis=1, keepdims=True))
    s /= s.sum(axis=1, keepdims=True)
    off = np.eye(9) - s
    known, kappa = 5 * revealed[0], np.asarray(given.confidence[0], np.float64)
    a = off.T @ off + np.diag(known + kappa)
    unary = calibrated(given.unary[0], *(jnp.asarray(x[0], jnp.float32) for x in (colors, revealed)))
    b = known[:, None] * colors[0] + kappa[:, None] * np.asarray(unary, np.float64)
    np.testing.assert_allclose(field[0], np.linalg.solve(a, b), atol=2e-4)
    np.testing.assert_allclose(reach[0], np.clip(np.linalg.solve(a, known), 0, 1), atol=2e-4)


@pytest.fixture(scope="module")
def config():
    config = beside(str(BASE), "base")
    config.width, config.spread.learned = 1 / 64, True
    config.spread.width, config.spread.hidden = 8, 8
    config.stages.spread_coarse.lr = 1e-2
    return resolve(config, images=640)


@pytest.fixture(scope="module")
def batch():
    """Two halves of unlike lightness and colour, at another place in each image."""
    edge = np.array([20, 40, 30, 50])[:, None, None]
    left = np.broadcast_to(np.arange(64)[None, None, :] < edge, (4, 64, 64))
    lightness = np.where(left, -0.5, 0.5).astype(np.float32)
    ab = np.where(left[..., None], [0.3, 0.1], [-0.2, 0.2]).astype(np.float32)
    return {"lightness": jnp.asarray(lightness[..., None]), "ab": jnp.asarray(ab)}


def test_the_coarse_stage_learns_to_spread_and_changes_its_own_network_only(config, batch, monkeypatch):
    monkeypatch.setitem(spreading.FIELDS, "spread_coarse", 8)  # compiles in a quarter of the time
    method = methods.build(config)
    stages = {stage.name: stage for stage in method.stages}
    assert list(stages)[-2:] == ["spread_coarse", "spread"]
    networks = scc.build_networks(config)
    inputs = scc.example_inputs(networks, config, batch)
    variables = init_networks(jax.random.key(0), networks, inputs, ("features", "gray"))
    stage = stages["spread_coarse"]
    state = stage.init(jax.random.key(2), batch, variables)
    evaluate = jax.jit(stage.evaluate)
    before = evaluate(state.variables, batch, jax.random.key(3))
    update, losses = jax.jit(stage.update), []
    for step in range(40):
        state, metrics = update(state, batch, jax.random.key(100 + step))
        losses.append(float(metrics["loss"]))
    after = evaluate(state.variables, batch, jax.random.key(3))
    assert set(after) == {f"decibels_{n}_reveals" for n in spreading.SHOWN}
    assert np.mean(losses[-8:]) < np.mean(losses[:8]) - 0.3
    assert float(after["decibels_10_reveals"].mean()) > float(before["decibels_10_reveals"].mean()) + 1
    frozen = {name: value for name, value in state.params.items() if name != "spread"}
    assert set(frozen) >= {"features", "gray"}
    for name, value in frozen.items():
        jax.tree.map(np.testing.assert_array_equal, value, variables["params"][name])


def test_a_config_without_it_has_no_such_network(config):
    plain = beside(str(BASE), "base")
    del plain.spread  # as in models that were released before
    assert spreading.spread_networks(plain) == {}
    names = methods.build(config).abstract_variables()["params"]
    assert "spread" in names


def begun(config, batch, *names):
    """The networks of a config, and variables of those that are named."""
    networks = scc.build_networks(config)
    inputs = scc.example_inputs(networks, config, batch)
    return networks, init_networks(jax.random.key(0), networks, inputs, names)


def trained_last(config, networks, variables, batch, *, steps, changed=()):
    """The last stage, by name, after some steps that left all `variables` but these alone; and the metrics of each."""
    stage = spreading.stages(config, networks, lambda each: scc.example_inputs(networks, config, each))[-1]
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
        f"decibels_{n}_reveals": (4,) for n in spreading.SHOWN
    }
    return stage.name, state, told


def test_the_fine_stage_learns_and_changes_its_own_network_only(config, batch, monkeypatch):
    monkeypatch.setitem(spreading.FIELDS, "spread", 8)
    monkeypatch.setattr(refine, "REACH", 1)
    fine = ConfigDict(config.to_dict())
    fine.spread.fine, fine.spread.fine_width, fine.spread.fine_hidden = True, 4, 8
    networks, variables = begun(fine, batch, "features", "gray", "spread")
    name, state, told = trained_last(fine, networks, variables, batch, steps=24)
    losses = [metrics["loss"] for metrics in told]
    assert name == "spread_fine" and np.mean(losses[-8:]) < np.mean(losses[:8])
    prior = spreading.spreader(networks, 8)(state.variables, batch)
    rows, confidence = prior.fine
    assert rows.shape == (4, 8, 16, 16) and confidence.shape == (4, 16, 16)
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-5)
    # The window's first cell lies above and to the left: beyond the border there.
    assert float(jnp.abs(rows[:, 0, 0]).max()) == 0 and float(jnp.abs(rows[:, 0, :, 0]).max()) == 0
    assert float(rows[:, 0, 1:, 1:].min()) > 0


def test_turned_colors_keep_their_relations_and_some_photos_theirs():
    rng = np.random.default_rng(5)
    ab, unary = rng.normal(size=(40, 3, 3, 2)), rng.normal(size=(40, 4, 2))
    given = jnp.asarray(ab, jnp.float32), jnp.asarray(unary, jnp.float32)
    for found, before in zip(spreading.turned(jax.random.key(0), 0.0, *given), given, strict=True):
        np.testing.assert_array_equal(found, before)
    turned, turned_unary = spreading.turned(jax.random.key(0), 0.5, *given)
    # All inner products of a photo's true and regressed colours: what a rotation or a mirror leaves as it is.
    both = [
        np.concatenate([a.reshape(40, 9, 2), u], axis=1) for a, u in ((ab, unary), (turned, turned_unary))
    ]
    before, after = (np.einsum("bic,bjc->bij", x, x) for x in both)
    np.testing.assert_allclose(after, before, atol=1e-4)
    same = np.abs(both[1] - both[0]).max(axis=(1, 2)) < 1e-6
    assert 10 < same.sum() < 30
    sense = np.sign(np.linalg.det(both[1][~same][:, :2]) * np.linalg.det(both[0][~same][:, :2]))
    assert {-1.0, 1.0} == set(sense)  # some are mirrored, some are not


@pytest.fixture(scope="module")
def correcting(config):
    """A config of a small network that corrects 32 × 32 pixels."""
    with_it = ConfigDict(config.to_dict())
    with_it.spread.fine, with_it.spread.fine_width, with_it.spread.fine_hidden = True, 4, 8
    with_it.spread.correct, with_it.spread.correct_side = 4, 16
    with_it.spread.draws = 2
    with_it.data.lightness_large, with_it.data.ab_large = 32, True
    with_it.stages.correct.lr = 1e-2
    return with_it


def with_large(batch):
    """The batch with its own images at half the size for the large ones."""
    sizes = {name: (4, 32, 32, value.shape[-1]) for name, value in batch.items()}
    large = {f"{name}_large": jax.image.resize(batch[name], size, "linear") for name, size in sizes.items()}
    return batch | large


def test_a_correction_begins_with_the_lifted_answer_settled_and_sees_where_edits_are(
    correcting, batch, monkeypatch
):
    networks, variables = begun(correcting, batch, "features", "gray", "spread", "correct")
    seen = spreading.seen_of(
        networks, variables, batch, spreading.spread_of(networks, variables, batch, 32)[0]
    )
    draw = np.random.default_rng(0)
    field, reach = draw.normal(size=(4, 64, 64, 2)) / 10, draw.uniform(size=(4, 32, 32))
    colors, pixels = draw.normal(size=(4, 16, 16, 2)) / 10, draw.normal(size=(4, 32, 32, 2)) / 10
    covered = jnp.zeros((4, 32, 32)).at[:, 20, 20].set(1.0)
    field, reach, colors, pixels = (jnp.asarray(x, jnp.float32) for x in (field, reach, colors, pixels))

    def correct(tree, revealed):
        given = (field, reach, colors, revealed, pixels, covered)
        return spreading.correct(networks, tree, seen, *given)

    known = jnp.zeros((4, 16, 16)).at[:, 2:3, 4:5].set(1.0)
    lifted = jax.image.resize(field, (4, 32, 32, 2), "cubic")
    shares = jax.vmap(settle.shares)(50 * (1 + resize_field(seen.lightness, 32)[..., 0]))
    expected = jax.vmap(settle.settle)(shares, lifted, jnp.full((4, 32, 32), 0.03), pixels, covered)
    np.testing.assert_allclose(correct(variables, known), expected, atol=1e-3)
    monkeypatch.setattr(settle, "settle", lambda shares, field, confidence, *edits: field)
    unsettled = jax.jit(correct)
    np.testing.assert_allclose(unsettled(variables, known), lifted, atol=1e-6)
    last = variables["params"]["correct"]["change"]
    last["kernel"] = jnp.asarray(draw.normal(size=last["kernel"].shape), jnp.float32)
    change = np.abs(unsettled(variables, known) - unsettled(variables, jnp.zeros_like(known)))
    assert change[:, 2:8, 6:12].mean() > 4 * change[:, 24:].mean() > 0


def test_the_network_tells_how_much_its_colors_are_to_be_believed(correcting, batch, monkeypatch):
    networks, variables = begun(correcting, batch, "features", "gray", "spread", "correct")
    seen = spreading.seen_of(
        networks, variables, batch, spreading.spread_of(networks, variables, batch, 32)[0]
    )
    given = (
        jnp.ones((4, 64, 64, 2)),
        jnp.zeros((4, 32, 32)),
        jnp.zeros((4, 16, 16, 2)),
        jnp.zeros((4, 16, 16)),
    )
    edits = (jnp.zeros((4, 32, 32, 2)), jnp.zeros((4, 32, 32)))
    monkeypatch.setattr(settle, "settle", lambda shares, field, confidence, *edits: confidence)
    told = []
    for bias in (-20.0, 0.0, 20.0):
        variables["params"]["correct"]["belief"]["bias"] = jnp.full(4, bias)
        told.append(np.asarray(spreading.correct(networks, variables, seen, *given, *edits)))
    for found, expected in zip(told, (settle.LEAST, 0.03, settle.MOST), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0.02)


def test_the_correct_stage_learns_from_several_reveals_and_changes_its_own_network_only(
    correcting, batch, monkeypatch
):
    monkeypatch.setitem(spreading.FIELDS, "spread", 8)
    monkeypatch.setattr(refine, "REACH", 1)
    whole = with_large(batch)
    networks, variables = begun(correcting, whole, "features", "gray", "spread", "refine")
    name, _, told = trained_last(correcting, networks, variables, whole, steps=40)
    gains = [metrics["gain"] for metrics in told]
    assert name == "correct" and np.mean(gains[-8:]) > gains[0] + 0.5, gains


def test_together_both_similarities_learn_from_what_is_corrected(correcting, batch, monkeypatch):
    monkeypatch.setitem(spreading.FIELDS, "spread", 8)
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

    def constant(networks, variables, known, true, *rest, **options):
        return jnp.zeros((4, 64, 64, 2)), jnp.zeros_like(true)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spreading, "_corrected", constant)
        loss, (_, told) = spreading.correct_loss(
            networks, variables, whole, jax.random.key(0), 0, beta=5.0, turn=0.0, draws=2
        )
    lab = color.network_to_lab(
        *(np.asarray(whole[f"{name}_large"], np.float64) for name in ("lightness", "ab"))
    )
    gray = np.concatenate([lab[..., :1], np.zeros_like(lab[..., 1:])], axis=-1)
    errors = np.square(color.lab_to_srgb(lab) - color.lab_to_srgb(gray)).mean(axis=(1, 2, 3))
    assert float(told["gain"]) == 0
    np.testing.assert_allclose(told["squared_error"], errors.mean(), rtol=1e-4)
    np.testing.assert_allclose(loss, np.log(errors + 3e-5).mean(), atol=1e-4)


def test_refining_joins_what_looks_alike_and_parts_what_does_not():
    side, edge = 8, 5
    left = np.broadcast_to(np.arange(side) < edge, (side, side))
    rows = jnp.stack(
        [
            jnp.where((there == left) & (inside > 0), 1.0, 0.0)
            for there, inside in zip(
                gcrf.shifted(jnp.asarray(left, jnp.float32), 1),
                gcrf.shifted(jnp.ones((side, side)), 1),
                strict=True,
            )
        ]
    )
    rows = rows / rows.sum(axis=0, keepdims=True)
    fine = spreading.Fine(rows[None], jnp.full((1, side, side), 0.01))
    colors, revealed = np.zeros((side, side, 2), np.float32), np.zeros((side, side), np.float32)
    colors[4, 1], revealed[4, 1] = (0.4, 0.1), 1
    given = jnp.asarray(colors)[None], jnp.asarray(revealed)[None]
    field = spreading.refine(fine, jnp.zeros((1, side, side, 2)), *given, beta=5.0)[0]
    assert float(jnp.abs(field[left == 0]).max()) < 1e-3
    assert float(field[left][:, 0].min()) > 0.05
