"""Forward: against a dense NumPy oracle in float64, batches, samples, dtypes, and what must raise."""

import inspect
from functools import partial

import dense_solves
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax import gcrf
from colorize_jax.gcrf.energy import lower_system_matrix, system_matrix
from colorize_jax.gcrf.solvers import cholesky

pytestmark = pytest.mark.quick

PIXELS, WIDTH, TEMPERATURE = 14, 5, 2.0


def problem(seed: int, *batch: int, columns: int = 2, dtype=np.float32):
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(*batch, PIXELS, WIDTH))
    targets = rng.uniform(-1, 1, size=(*batch, PIXELS, columns))
    weights = np.where(rng.uniform(size=(*batch, PIXELS)) < 0.4, 1.0, 0.0)
    weights[..., 0] = 2.0
    return tuple(jnp.asarray(array, dtype) for array in (embeddings, targets, weights))


def solved(embeddings, targets, weights, **options):
    return gcrf.solve(embeddings, targets, weights, temperature=TEMPERATURE, **options).value


oracle = partial(dense_solves.oracle, temperature=TEMPERATURE)


@pytest.mark.parametrize("exclude_diagonal", [False, True])
def test_agrees_with_the_dense_oracle(exclude_diagonal):
    arrays = problem(0)
    field = solved(*arrays, exclude_diagonal=exclude_diagonal)
    assert field.dtype == jnp.float32
    np.testing.assert_allclose(field, oracle(*arrays, exclude_diagonal=exclude_diagonal), atol=2e-5)


def test_the_solution_minimizes_the_energy():
    embeddings, targets, weights = problem(1)
    similarity = gcrf.similarity(embeddings, TEMPERATURE)
    field = gcrf.solve_similarity(similarity, targets, weights).value
    gradient = jax.grad(gcrf.energy, argnums=1)(similarity, field, targets, weights)
    np.testing.assert_allclose(gradient, 0, atol=1e-5)


@pytest.mark.parametrize("exclude_diagonal", [False, True])
def test_similarity_is_row_stochastic(exclude_diagonal):
    similarity = gcrf.similarity(problem(2)[0], TEMPERATURE, exclude_diagonal=exclude_diagonal)
    np.testing.assert_allclose(similarity.sum(1), 1, atol=1e-6)
    assert (np.diag(similarity) == 0).all() == exclude_diagonal


def test_several_samples_equal_separate_solves():
    embeddings, targets, weights = problem(3, columns=6)
    together = solved(embeddings, targets, weights)
    for start in (0, 2, 4):
        alone = solved(embeddings, targets[:, start : start + 2], weights)
        np.testing.assert_allclose(together[:, start : start + 2], alone, atol=1e-6)


def test_leading_axes_vmap_and_jit_agree():
    arrays = problem(4, 2, 3)
    field = solved(*arrays)
    assert field.shape == (2, 3, PIXELS, 2)
    mapped = jax.jit(jax.vmap(jax.vmap(solved)))(*arrays)
    np.testing.assert_allclose(field, mapped, atol=1e-6)
    np.testing.assert_allclose(field[1, 2], oracle(*(array[1, 2] for array in arrays)), atol=2e-5)


def test_half_precision_is_solved_in_float32_and_float64_is_kept():
    arrays = problem(5)
    half = [array.astype(jnp.bfloat16) for array in arrays]
    field = solved(*half)
    assert field.dtype == jnp.float32
    np.testing.assert_allclose(field, oracle(*(a.astype(jnp.float32) for a in half)), atol=2e-5)
    with jax.enable_x64(True):
        arrays = problem(5, dtype=np.float64)
        field = solved(*arrays)
        assert field.dtype == jnp.float64
        np.testing.assert_allclose(field, oracle(*arrays), atol=1e-12)


def test_constants_are_preserved():
    embeddings, targets, weights = problem(6)
    field = solved(embeddings, jnp.full_like(targets, 0.3), weights)
    np.testing.assert_allclose(field, 0.3, atol=1e-5)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (np.zeros(PIXELS), "singular.*some weight"),
        (np.full(PIXELS, -1.0), "negative value -1.*softplus"),
        (np.full(PIXELS, np.nan), "14 non-finite values.*division"),
    ],
)
def test_unsolvable_weights_raise_eagerly_and_are_nan_under_jit(weights, words):
    embeddings, targets, _ = problem(7)
    weights = jnp.asarray(weights, jnp.float32)
    with pytest.raises(ValueError, match=words):
        solved(embeddings, targets, weights)
    with pytest.raises(ValueError, match=words):
        gcrf.check_solvable(weights)
    field, pull = jax.jit(lambda *arrays: jax.vjp(solved, *arrays))(embeddings, targets, weights)
    assert np.isnan(field).all()
    assert all(np.isnan(bar).all() for bar in pull(jnp.ones_like(field)))


def test_one_singular_image_does_not_spoil_the_batch():
    embeddings, targets, weights = problem(8, 2)
    weights = weights.at[0].set(0)
    with pytest.raises(ValueError, match="an image without any positive weight"):
        gcrf.solve(embeddings, targets, weights, temperature=TEMPERATURE)
    field = jax.jit(solved)(embeddings, targets, weights)
    assert np.isnan(field[0]).all() and np.isfinite(field[1]).all()


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), np.ones(2)])
def test_an_impossible_temperature_raises(temperature):
    with pytest.raises(ValueError, match=r"one finite number > 0.*square root of D"):
        inspect.unwrap(gcrf.solve)(*problem(9), temperature=temperature)


def test_shapes_that_do_not_agree_raise():
    """Unwrapped: where a test run checks the annotations, their own error would come first."""
    embeddings, targets, weights = problem(10)
    with pytest.raises(ValueError, match=r"\(14, 5\).*\(13, 2\).*allowed"):
        inspect.unwrap(gcrf.solve)(embeddings, targets[:-1], weights, temperature=TEMPERATURE)
    with pytest.raises(ValueError, match="square"):
        inspect.unwrap(gcrf.solve_similarity)(jnp.ones((PIXELS, 3)), targets, weights)


@partial(jax.jit, static_argnames="block")
def blocked_solve(matrix, right, block):
    return cholesky.solve(cholesky.factor(matrix, block=block), right)


@jax.jit
def lapack_solve(matrix, right):
    return cholesky.solve_once(cholesky.factor_once(matrix), right)


@pytest.mark.parametrize(("size", "block"), [(12, 12), (13, 4), (7, 16), (150, 64)])
def test_the_blocked_factor_solves_like_lapack(size, block):
    rng = np.random.default_rng(size)
    with jax.enable_x64(True):
        similarity = jax.nn.softmax(jnp.asarray(rng.normal(size=(size, size))), axis=1)
        matrix = system_matrix(similarity, jnp.asarray(rng.uniform(0, 1, size)))
        right = jnp.asarray(rng.normal(size=(size, 3)))
        blocked = blocked_solve(matrix, right, block)
        np.testing.assert_allclose(blocked, np.linalg.solve(matrix, right), atol=1e-10)
        np.testing.assert_allclose(lapack_solve(matrix, right), blocked, atol=1e-10)


@pytest.mark.parametrize("size", [3, 8, 13, 30])
def test_half_of_the_matrix_is_made_of_whole_diagonal_blocks(size):
    rng = np.random.default_rng(size)
    similarity = jax.nn.softmax(jnp.asarray(rng.normal(size=(size, size)), jnp.float32), axis=1)
    weights = jnp.asarray(rng.uniform(0, 1, size), jnp.float32)
    whole = np.asarray(system_matrix(similarity, weights))
    half = np.asarray(lower_system_matrix(similarity, weights, block=2))
    block = np.arange(size) // 2
    made = block[:, None] >= block
    np.testing.assert_allclose(half[made], whole[made], atol=1e-6)
    assert np.all((half == 0) | (np.abs(half - whole) < 1e-6))
    assert size < 30 or np.mean(half == 0) > 0.3


def test_the_blocked_factor_is_as_accurate_as_lapack_when_badly_conditioned():
    """As after few reveals: the inverted diagonal blocks must not cost digits."""
    positions = np.linspace(0, 1, 200)[:, None]
    similarity = jax.nn.softmax(jnp.asarray(-((positions - positions.T) ** 2) / 4e-4, jnp.float32), axis=1)
    weights = jnp.zeros(200).at[jnp.array([20, 90, 170])].set(1.0)
    matrix = system_matrix(similarity, weights)
    right = weights[:, None]
    exact = np.linalg.solve(np.asarray(matrix, np.float64), np.asarray(right, np.float64))
    lapack = np.abs(lapack_solve(matrix, right) - exact).max()
    blocked = np.abs(blocked_solve(matrix, right, 64) - exact).max()
    assert np.linalg.cond(np.asarray(matrix, np.float64)) > 1e4
    assert blocked < 3 * lapack + 1e-6


def test_an_indefinite_matrix_gives_nan_everywhere():
    matrix = jnp.eye(6).at[5, 5].set(-1.0)
    for solve in (lapack_solve, partial(blocked_solve, block=2)):
        assert np.isnan(solve(matrix, jnp.ones((6, 1)))).all()
