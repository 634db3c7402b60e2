"""The table of solvers: each against the dense oracle, what each reports, what each refuses, which one 'auto' takes."""

import re
from functools import partial

import dense_solves
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax import gcrf
from colorize_jax.gcrf import layer, operators
from colorize_jax.gcrf.energy import system_matrix
from colorize_jax.gcrf.solvers import cg
from colorize_jax.gcrf.solvers.base import StoppingRule, apply

PIXELS, WIDTH, TEMPERATURE = 70, 6, 2.0
each_solver = pytest.mark.parametrize("solver", gcrf.SOLVERS)


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    """Three tiles a side, the last one filled up."""
    monkeypatch.setattr(operators, "block_size", lambda: 32)


def problem(seed: int, dtype=np.float32, pixels: int = PIXELS):
    rng = np.random.default_rng(seed)
    weights = np.where(rng.uniform(size=pixels) < 0.2, 1.0, 0.0)
    weights[0] = 2.0
    arrays = rng.normal(size=(pixels, WIDTH)), rng.uniform(-1, 1, size=(pixels, 3)), weights
    return tuple(jnp.asarray(array, dtype) for array in arrays)


@each_solver
@pytest.mark.parametrize("exclude_diagonal", [False, True])
def test_each_solver_agrees_with_the_dense_oracle(solver, exclude_diagonal):
    arrays = problem(0)
    solution = gcrf.solve(*arrays, temperature=TEMPERATURE, exclude_diagonal=exclude_diagonal, solver=solver)
    np.testing.assert_allclose(
        solution.value,
        dense_solves.oracle(*arrays, temperature=TEMPERATURE, exclude_diagonal=exclude_diagonal),
        atol=5e-5,
    )
    assert gcrf.Status(int(solution.status)) is gcrf.Status.SOLVED
    assert 0 < solution.residual < 1e-5
    assert (solution.iterations > 0) == gcrf.SOLVERS[solver].iterative


@jax.jit
def everything(operator, vectors, weights):
    """All that a solver may ask of an operator."""
    return {
        "times": operator.times(vectors),
        "times_transposed": operator.times_transposed(vectors),
        "columns": operator.columns(cg.landmarks(PIXELS)),
        "apply": apply(operator, weights, vectors),
        "diagonal of A": cg.prepare(operator, weights).diagonal,
    }


@pytest.mark.parametrize("exclude_diagonal", [False, True])
def test_tiles_multiply_as_the_stored_matrix(exclude_diagonal):
    with jax.enable_x64(True):
        embeddings, vectors, weights = problem(1, np.float64)
        attention = operators.Attention(embeddings, jnp.asarray(TEMPERATURE))
        tiles = jax.jit(partial(operators.blockwise, exclude_diagonal=exclude_diagonal))(attention)
        similarity = gcrf.similarity(embeddings, TEMPERATURE, exclude_diagonal=exclude_diagonal)
        dense = system_matrix(similarity, weights)
        got, stored = (everything(each, vectors, weights) for each in (tiles, operators.Stored(similarity)))
        for name, want in stored.items():
            np.testing.assert_allclose(got[name], want, rtol=1e-11, atol=1e-14, err_msg=name)
        np.testing.assert_allclose(stored["apply"], dense @ vectors, atol=1e-12)
        np.testing.assert_allclose(stored["diagonal of A"], jnp.diag(dense), atol=1e-12)


def test_the_preconditioner_saves_more_than_half_of_the_iterations(monkeypatch):
    """On a smooth S with few reveals; a wrong coarse part would only cost iterations, and be seen nowhere else."""
    positions = np.stack(np.meshgrid(np.linspace(0, 1, 20), np.linspace(0, 1, 20)), -1).reshape(-1, 2)
    distances = ((positions[:, None] - positions[None]) ** 2).sum(-1)
    similarity = jax.nn.softmax(jnp.asarray(-distances / 0.005, jnp.float32), axis=1)
    weights = jnp.full(400, 1e-4).at[jnp.array([21, 130, 377])].set(1.0)
    targets = jax.random.uniform(jax.random.key(0), (400, 2))

    def iterations():
        jax.clear_caches()
        return int(gcrf.solve_similarity(similarity, targets, weights, solver="cg").iterations)

    with_smooth_fields = iterations()
    monkeypatch.setattr(cg, "LANDMARKS", 1)
    assert with_smooth_fields < 0.5 * iterations()


@jax.jit
def conjugate_gradients(operator, weights, field):
    """(x, iterations of each column, M⁻¹ A) for b = A `field`."""
    state = cg.prepare(operator, weights)
    right = apply(operator, weights, field)
    conditioned = cg.precondition(state, apply(operator, weights, jnp.eye(PIXELS)))
    return *cg.solve(operator, weights, state, right, StoppingRule(1e-10, 1000)), conditioned


def test_each_column_stops_by_itself():
    """Zeros at once, an eigenvector of M⁻¹ A after one iteration, while another column goes on."""
    with jax.enable_x64(True):
        embeddings, targets, weights = problem(2, np.float64)
        operator = operators.Stored(gcrf.similarity(embeddings, TEMPERATURE))
        conditioned = conjugate_gradients(operator, weights, targets)[-1]
        eigenvector = jnp.asarray(np.linalg.eig(conditioned)[1][:, 5].real)
        field = jnp.stack([jnp.zeros(PIXELS), eigenvector, targets[:, 0]], axis=1)
        solved, iterations, _ = conjugate_gradients(operator, weights, field)
        assert iterations[0] == 0 and iterations[1] == 1 and iterations[2] > 5
        np.testing.assert_allclose(solved, field, atol=1e-8)


def test_no_convergence_raises_with_the_causes_and_is_nan_under_jit():
    arrays = problem(3)
    solve = partial(gcrf.solve, temperature=TEMPERATURE, solver="cg", max_iterations=2)
    with pytest.raises(
        np.linalg.LinAlgError, match=r"1 of 1 systems.*max_iterations.*few pixels carry weight"
    ):
        solve(*arrays)
    (solution, pull) = jax.jit(lambda *a: jax.vjp(solve, *a))(*arrays)
    assert solution.status == gcrf.Status.MAX_ITERATIONS and solution.iterations == 2
    assert np.isnan(solution.value).all()
    bars = pull(solution._replace(value=jnp.ones_like(solution.value), **no_gradient(solution)))
    assert all(np.isnan(bar).all() for bar in bars)
    kept = solve(*arrays, throw=False)
    assert kept.status == gcrf.Status.MAX_ITERATIONS and np.isfinite(kept.value).all()
    assert kept.residual > 1e-5


def no_gradient(solution):
    """Cotangents of the integers."""
    zero = np.zeros((), jax.dtypes.float0)
    return {"residual": jnp.zeros_like(solution.residual), "iterations": zero, "status": zero}


@each_solver
def test_a_singular_system_raises_and_says_so_under_jit(solver):
    embeddings, targets, weights = problem(4)
    solve = partial(gcrf.solve, temperature=TEMPERATURE, solver=solver, throw=False)
    with pytest.raises(ValueError, match="singular"):
        solve(embeddings, targets, 0 * weights)
    solution = jax.jit(solve)(embeddings, targets, 0 * weights)
    assert solution.status == gcrf.Status.SINGULAR and np.isnan(solution.value).all()


def test_a_target_that_is_not_finite_is_named():
    embeddings, targets, weights = problem(5)
    with pytest.raises(np.linalg.LinAlgError, match=r"not finite.*non-finite embedding, target"):
        gcrf.solve(embeddings, targets.at[0, 0].set(jnp.nan), weights, temperature=TEMPERATURE)


def test_a_wrong_field_is_inaccurate(monkeypatch):
    """The residual is measured, whatever a solver believes: a factor that is off by 1 % does not pass."""
    wrong = gcrf.SOLVERS["lu"]
    solve = lambda *a: (1.01 * wrong.solve(*a)[0], wrong.solve(*a)[1])  # noqa: E731
    monkeypatch.setitem(gcrf.SOLVERS, "wrong", wrong._replace(solve=solve))
    with pytest.raises(np.linalg.LinAlgError, match="residual is larger than the tolerance"):
        gcrf.solve(*problem(6), temperature=TEMPERATURE, solver="wrong")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"solver": "gauss"}, "solver is 'gauss'; allowed are 'auto', 'lu'"),
        ({"tolerance": 0.0}, "tolerance is 0.0"),
        ({"max_iterations": 0}, "max_iterations is 0"),
    ],
)
def test_options_that_cannot_be_raise(options, words):
    with pytest.raises(ValueError, match=words):
        gcrf.solve(*problem(7), temperature=TEMPERATURE, **options)


def test_a_given_similarity_is_never_matrix_free():
    similarity = gcrf.similarity(problem(8)[0], TEMPERATURE)
    with pytest.raises(ValueError, match=r"allowed are 'auto', 'lu', 'cholesky', 'cg'$"):
        gcrf.solve_similarity(similarity, *problem(8)[1:], solver="cg_matrix_free")


@pytest.mark.parametrize(
    ("pixels", "batch", "backend", "gibibytes", "expected"),
    [
        (256, 1, "cpu", 8, "cholesky"),
        (1024, 1, "cpu", 8, "cg"),
        (4096, 1, "cpu", 8, "cg"),
        (4096, 1, "gpu", 40, "cholesky"),
        (16384, 1, "cpu", 12, "cg"),
        (16384, 1, "cpu", 2, "cg_matrix_free"),
        (65536, 1, "gpu", 40, "cg_matrix_free"),
        (1024, 32, "gpu", 40, "cholesky"),
        (4096, 32, "gpu", 8, "cg_matrix_free"),
    ],
)
def test_what_auto_takes_and_why(pixels, batch, backend, gibibytes, expected):
    choice = gcrf.choose(pixels, batch=batch, backend=backend, memory=gibibytes * 2**30)
    assert choice.solver == expected
    assert f"{batch} x {pixels} pixels on {backend}" in choice.reason


def test_the_matrix_free_gradient_has_no_square_array():
    """Neither forward nor backward, in the compiled program; the gradient of a stored S has one."""
    pixels = 200
    arrays = problem(9, pixels=pixels)

    def loss(solver, *arrays):
        return jnp.sum(gcrf.solve(*arrays, temperature=TEMPERATURE, solver=solver).value ** 2)

    def largest(solver):
        program = jax.jit(jax.grad(partial(loss, solver), argnums=(0, 1, 2)))
        shapes = re.findall(r"f32\[([\d,]+)\]", program.lower(*arrays).compile().as_text())
        return max(np.prod([int(n) for n in shape.split(",")]) for shape in shapes)

    assert largest("cg_matrix_free") < pixels * 64 < pixels**2
    assert largest("cg") >= pixels**2  # the test would see one


@each_solver
def test_the_second_call_does_not_compile(solver):
    arrays = problem(10)
    solve = partial(gcrf.solve, temperature=TEMPERATURE, solver=solver)
    solve(*arrays)
    compiled = layer._solve._cache_size()
    solve(*(array + 0.01 for array in arrays))
    assert layer._solve._cache_size() == compiled
