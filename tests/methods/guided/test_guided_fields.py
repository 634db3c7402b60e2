"""The fields of guided edits: what the solves answer, and what the correction begins with."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from guided_models import begun

from colorize_jax import gcrf, methods
from colorize_jax.config import load
from colorize_jax.control import settle
from colorize_jax.control.calibrate import calibrated
from colorize_jax.control.prior import Fine
from colorize_jax.methods import guided
from colorize_jax.methods.guided import fields
from colorize_jax.models import spread
from colorize_jax.models.layers import resize_field


def test_waves_make_a_gaussian_of_the_distance():
    values = jnp.linspace(-1, 1, 41)
    phi = spread.waves(values, 0.5)
    kernel = np.asarray(phi @ phi.T)
    distance = np.abs(np.subtract.outer(np.asarray(values), np.asarray(values)))
    np.testing.assert_allclose(np.diagonal(kernel), 1, atol=1e-5)
    np.testing.assert_allclose(kernel, np.exp(-(distance**2) / 2 / 0.25), atol=0.12)


def coarse_of_two(rng):
    embeddings = jnp.asarray(rng.normal(size=(1, 9, 4)), jnp.float32)
    unary = jnp.asarray(rng.normal(size=(1, 9, 2)), jnp.float32)
    return fields.Coarse(embeddings, unary, jnp.asarray(rng.uniform(0.1, 1, (1, 9)), jnp.float32))


def test_the_field_is_the_minimizer_of_eq_5_with_reveals_and_unary():
    rng = np.random.default_rng(1)
    given = coarse_of_two(rng)
    colors, revealed = (
        rng.normal(size=(1, 9, 2)),
        rng.uniform(0, 1, (1, 9)) * (rng.uniform(size=(1, 9)) > 0.5),
    )
    field, reach = fields.solve(
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


def test_a_config_without_it_has_no_such_network(config):
    assert guided.spread_networks(load("base")) == {}
    names = methods.build(config).abstract_variables()["params"]
    assert "spread" in names


def context_of(networks, variables, batch):
    def found(variables):
        coarse, *_ = fields.coarse_of(networks, variables, batch, 32)
        return fields.context_of(networks, variables, batch, coarse)

    return jax.jit(found)(variables)


@pytest.mark.slow
def test_a_correction_begins_with_the_lifted_answer_settled_and_sees_where_edits_are(
    correcting, batch, monkeypatch
):
    networks, variables = begun(correcting, batch, "features", "gray", "spread", "correct")
    context = context_of(networks, variables, batch)
    draw = np.random.default_rng(0)
    field, reach = draw.normal(size=(4, 64, 64, 2)) / 10, draw.uniform(size=(4, 32, 32))
    colors, pixels = draw.normal(size=(4, 16, 16, 2)) / 10, draw.normal(size=(4, 32, 32, 2)) / 10
    covered = jnp.zeros((4, 32, 32)).at[:, 20, 20].set(1.0)
    field, reach, colors, pixels = (jnp.asarray(x, jnp.float32) for x in (field, reach, colors, pixels))

    def correct(tree, revealed):
        given = (field, reach, colors, revealed, pixels, covered)
        return fields.correct(networks, tree, context, *given)

    known = jnp.zeros((4, 16, 16)).at[:, 2:3, 4:5].set(1.0)
    lifted = jax.image.resize(field, (4, 32, 32, 2), "cubic")
    shares = jax.vmap(settle.shares)(50 * (1 + resize_field(context.lightness, 32)[..., 0]))
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
    context = context_of(networks, variables, batch)
    given = (
        jnp.ones((4, 64, 64, 2)),
        jnp.zeros((4, 32, 32)),
        jnp.zeros((4, 16, 16, 2)),
        jnp.zeros((4, 16, 16)),
    )
    edits = (jnp.zeros((4, 32, 32, 2)), jnp.zeros((4, 32, 32)))
    believed = lambda shares, field, confidence, *edits: jnp.stack(2 * [confidence], axis=-1)  # noqa: E731
    monkeypatch.setattr(settle, "settle", believed)
    correct = jax.jit(lambda variables: fields.correct(networks, variables, context, *given, *edits))
    told = []
    for bias in (-20.0, 0.0, 20.0):
        variables["params"]["correct"]["belief"]["bias"] = jnp.full(4, bias)
        told.append(np.asarray(correct(variables)))
    for found, expected in zip(told, (settle.LEAST, 0.03, settle.MOST), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0.02)


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
    fine = Fine(rows[None], jnp.full((1, side, side), 0.01))
    colors, revealed = np.zeros((side, side, 2), np.float32), np.zeros((side, side), np.float32)
    colors[4, 1], revealed[4, 1] = (0.4, 0.1), 1
    given = jnp.asarray(colors)[None], jnp.asarray(revealed)[None]
    field = fields.refine(fine, jnp.zeros((1, side, side, 2)), *given, beta=5.0)[0]
    assert float(jnp.abs(field[left == 0]).max()) < 1e-3
    assert float(field[left][:, 0].min()) > 0.05
