"""S by window against the same S stored: products, solution, gradients."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax import gcrf
from colorize_jax.gcrf.windowed import reach_of, windowed

HEIGHT, WIDTH, REACH = 6, 7, 2
PIXELS = HEIGHT * WIDTH


def rows_of(logits):
    inside = jnp.stack(gcrf.shifted(jnp.ones((HEIGHT, WIDTH)), REACH))
    return jax.nn.softmax(jnp.where(inside > 0, logits, -jnp.inf), axis=0)


def stored(rows):
    """S as P × P, entry by entry."""
    matrix = jnp.zeros((PIXELS, PIXELS))
    at = np.arange(PIXELS).reshape(HEIGHT, WIDTH)
    for share, (y, x) in zip(rows, gcrf.offsets(REACH), strict=True):
        here = np.s_[max(0, -y) : HEIGHT - max(0, y), max(0, -x) : WIDTH - max(0, x)]
        there = np.s_[max(0, y) : HEIGHT + min(0, y), max(0, x) : WIDTH + min(0, x)]
        matrix = matrix.at[at[here].ravel(), at[there].ravel()].set(share[here].ravel())
    return matrix


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    logits = jnp.asarray(2 * rng.normal(size=(len(gcrf.offsets(REACH)), HEIGHT, WIDTH)), jnp.float32)
    targets = jnp.asarray(rng.normal(size=(PIXELS, 2)), jnp.float32)
    return logits, targets, jnp.asarray(rng.uniform(0.05, 2, PIXELS), jnp.float32)


def test_products_are_those_of_the_stored_matrix(problem):
    rows = rows_of(problem[0])
    matrix, operator = np.asarray(stored(rows), np.float64), windowed(rows)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-5)
    vectors = problem[1]
    np.testing.assert_allclose(operator.times(vectors), matrix @ vectors, atol=1e-5)
    np.testing.assert_allclose(operator.times_transposed(vectors), matrix.T @ vectors, atol=1e-5)
    np.testing.assert_allclose(operator.column_squares(), (matrix**2).sum(axis=0), atol=1e-5)
    np.testing.assert_allclose(operator.diagonal(), np.diag(matrix), atol=0)


def test_the_field_and_its_gradients_are_those_of_the_stored_similarity(problem):
    logits, targets, weights = problem

    def by_window(logits, targets, weights):
        found = gcrf.solve_windowed(rows_of(logits), targets, weights, tolerance=1e-6)
        return jnp.sum(found.value**3), found

    def by_matrix(logits, targets, weights):
        found = gcrf.solve_similarity(stored(rows_of(logits)), targets, weights, solver="cholesky")
        return jnp.sum(found.value**3), found

    mine, own = jax.jit(jax.grad(by_window, argnums=(0, 1, 2), has_aux=True))(logits, targets, weights)
    theirs, dense = jax.jit(jax.grad(by_matrix, argnums=(0, 1, 2), has_aux=True))(logits, targets, weights)
    np.testing.assert_allclose(own.value, dense.value, atol=2e-5)
    assert int(own.iterations) > 1
    for bar, expected in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(bar, expected, atol=2e-4 * float(jnp.abs(expected).max()))


def test_a_batch_is_its_images(problem):
    logits, targets, weights = (jnp.stack([x, x[::-1]]) for x in problem)
    rows = jax.vmap(rows_of)(logits)
    batch = gcrf.solve_windowed(rows, targets, weights).value
    alone = gcrf.solve_windowed(rows[1], targets[1], weights[1]).value
    np.testing.assert_allclose(batch[1], alone, atol=1e-4)


def test_what_cannot_be_solved_is_told(problem):
    rows, targets, weights = rows_of(problem[0]), *problem[1:]
    with pytest.raises(ValueError, match="do not agree"):
        inspect.unwrap(gcrf.solve_windowed)(rows, targets[:-1], weights)
    with pytest.raises(ValueError, match="any positive weight"):
        gcrf.solve_windowed(rows, targets, 0 * weights)
    with pytest.raises(ValueError, match="allowed are"):
        gcrf.solve_windowed(rows[:-1], targets, weights)
    with pytest.raises(np.linalg.LinAlgError):
        gcrf.solve_windowed(rows, targets, weights, tolerance=1e-6, max_iterations=1)
    assert [reach_of(cells) for cells in (8, 24, 80)] == [1, 2, 4]
