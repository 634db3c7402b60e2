"""The numbers that tell a failed layer: the identity trap, bad conditioning, overshoot."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax import gcrf
from colorize_jax.gcrf.energy import system_matrix

report = jax.jit(gcrf.diagnostics, static_argnames="iterations")


def test_the_identity_trap_is_reported():
    """τ → 0 drives S to the identity and the layer to a copy of its unary, whatever its loss says."""
    embeddings = jax.random.normal(jax.random.key(0), (20, 8))
    embeddings = 3 * embeddings / jnp.linalg.norm(embeddings, axis=1, keepdims=True)  # E Eᵀ peaks at i = j
    targets = jax.random.uniform(jax.random.key(1), (20, 2))
    weights = jnp.ones(20)

    def measured(temperature, exclude_diagonal=False):
        similarity = gcrf.similarity(embeddings, temperature, exclude_diagonal=exclude_diagonal)
        return report(similarity, gcrf.solve_similarity(similarity, targets, weights).value, targets, weights)

    healthy, trapped, saved = measured(8.0), measured(0.01), measured(0.01, exclude_diagonal=True)
    assert trapped["diagonal_mean"] > 0.99 and trapped["movement"] < 1e-3
    assert healthy["diagonal_mean"] < 0.5 and healthy["movement"] > 0.05
    assert saved["diagonal_mean"] == 0 and saved["movement"] > 0.05


@pytest.mark.parametrize("revealed", [3, 30])
def test_the_condition_estimate_is_close(revealed):
    embeddings = jax.random.normal(jax.random.key(2), (60, 6))
    similarity = gcrf.similarity(embeddings, 3.0)
    weights = jnp.where(jnp.arange(60) < revealed, 1.0, 0.0)
    targets = jnp.ones((60, 2))
    exact = np.linalg.cond(np.asarray(system_matrix(similarity, weights), np.float64))
    estimate = report(similarity, targets, targets, weights, iterations=60)["condition"]
    assert 0.9 * exact < estimate < 1.01 * exact
    assert 0.5 * exact < report(similarity, targets, targets, weights)["condition"] < 1.01 * exact


def chain(length: int) -> jnp.ndarray:
    """A hand-made S: every pixel leans on its two neighbours, so that (I−S)ᵀ(I−S) punishes curvature only."""
    ones = np.ones(length - 1)
    neighbors = np.diag(ones, 1) + np.diag(ones, -1)
    return jnp.asarray(neighbors / neighbors.sum(1, keepdims=True), jnp.float32)


def test_few_reveals_overshoot_and_a_weak_unary_weight_lowers_it():
    """No maximum principle: between and beyond two reveals the field is carried on like a bent spline."""
    similarity = chain(32)
    targets = jnp.zeros((32, 2)).at[14].set(jnp.array([0.5, -0.5]))
    revealed = jnp.zeros(32).at[jnp.array([10, 14])].set(5.0)

    def overshoot(weights):
        field = gcrf.solve_similarity(similarity, targets, weights).value
        return float(report(similarity, field, targets, weights)["overshoot"])

    alone, floored = overshoot(revealed), overshoot(jnp.maximum(revealed, 1e-3))
    assert alone > 0.25
    assert floored < 0.6 * alone


def test_a_field_inside_the_known_range_has_no_overshoot():
    similarity, targets = chain(4), jnp.array([[0.0], [0.2], [0.4], [9.0]])
    weights = jnp.array([1.0, 1.0, 1.0, 0.0])
    inside = jnp.array([[0.0], [0.1], [0.3], [0.4]])
    assert report(similarity, inside, targets, weights)["overshoot"] == 0
    assert report(similarity, inside.at[3].set(-0.3), targets, weights)["overshoot"] == pytest.approx(0.3)


def test_diagnostics_of_a_batch():
    similarity = jnp.stack([chain(6), chain(6)])
    targets = jax.random.uniform(jax.random.key(3), (2, 6, 2))
    weights = jnp.stack([jnp.ones(6), jnp.zeros(6)])
    rows = jax.jit(jax.vmap(gcrf.diagnostics))(similarity, targets, targets, weights)
    assert {name: value.shape for name, value in rows.items()} == dict.fromkeys(
        ("diagonal_mean", "movement", "condition", "overshoot"), (2,)
    )
    assert np.isfinite(rows["condition"][0]) and not rows["condition"][1] < 1e6
