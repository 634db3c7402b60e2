"""Conjugate gradients that know the lowest eigenvectors give the direct solution in a few steps."""

import numpy as np
import pytest

from colorize_jax.gcrf.interactive import deflated
from colorize_jax.gcrf.interactive.deflated import Deflated

SIDE = 16


def quadratic(reach: float) -> np.ndarray:
    """(I−S)ᵀ(I−S) of a walk to cells about `reach` away: colours are to travel far."""
    row, column = np.divmod(np.arange(SIDE**2), SIDE)
    distance = (row[:, None] - row) ** 2 + (column[:, None] - column) ** 2
    near = np.exp(-distance / (2 * reach**2)) * (distance > 0)
    off = np.eye(SIDE**2) - near / near.sum(1, keepdims=True)
    return off.T @ off


@pytest.mark.parametrize("reach", [1.0, 3.0])
@pytest.mark.parametrize("few", [True, False])
def test_the_direct_solution(reach, few):
    rng = np.random.default_rng(0)
    matrix = quadratic(reach)
    weights = np.full(SIDE**2, 1e-3)
    at = rng.choice(SIDE**2, 8 if few else 200, replace=False)
    weights[at] = rng.uniform(0.1, 20, len(at))
    right = weights[:, None] * rng.normal(size=(SIDE**2, 3))
    found = Deflated(matrix, rank=32).solve(weights, right)
    wanted = np.linalg.solve(matrix + np.diag(weights), right)
    np.testing.assert_allclose(found, wanted, atol=5e-3 * np.abs(wanted).max())


def test_eigenvectors_save_steps(monkeypatch):
    """The point of them: with a bare diagonal the same steps do not get there."""
    weights = np.full(SIDE**2, 1e-3)
    weights[:4] = 5.0
    right = weights[:, None] * (np.arange(SIDE**2) < 2)[:, None]
    monkeypatch.setattr(deflated, "_MOST_STEPS", 6)
    assert Deflated(quadratic(1.0), rank=64).solve(weights, right) is not None
    assert Deflated(quadratic(1.0), rank=1).solve(weights, right) is None


def test_a_column_of_zeros_and_all_eigenvectors():
    matrix, weights = quadratic(1.0), np.full(SIDE**2, 0.5)
    right = np.eye(SIDE**2)[:, :2] * [1, 0]
    found = Deflated(matrix, rank=10**6).solve(weights, right)
    np.testing.assert_allclose(found, np.linalg.solve(matrix + np.diag(weights), right), atol=1e-4)
    assert (found[:, 1] == 0).all()
