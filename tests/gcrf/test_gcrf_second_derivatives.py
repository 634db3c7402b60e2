"""A gradient of a gradient through each solve, in float64, against autodiff of the plain solve."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dense_solves import loss, of_embeddings, of_similarity

from colorize_jax import gcrf
from colorize_jax.gcrf import operators

PIXELS, WIDTH = 7, 3
NAMES = ("embeddings", "targets", "weights", "temperature")
EVERY = (0, 1, 2, 3)
LONG = pytest.param("cg_matrix_free", marks=pytest.mark.slow)
"""Tiles in loops in loops: one test of it is enough for every day."""
SHORT = tuple(solver for solver in gcrf.SOLVERS if solver != "cg_matrix_free")
each_solver = pytest.mark.parametrize("solver", gcrf.SOLVERS)


def ours(solver, embeddings, targets, weights, temperature):
    options = {"temperature": temperature, "exclude_diagonal": True, "solver": solver}
    return gcrf.solve(embeddings, targets, weights, **options).value


plain = partial(of_embeddings, exclude_diagonal=True)


def penalty(solve, *arguments):
    """‖gradient‖², as a critic's is held small, of all arguments."""
    bars = jax.grad(partial(loss, solve), argnums=tuple(range(len(arguments))))(*arguments)
    return sum(jnp.sum(bar**2) for bar in bars)


def penalty_gradients(solve, arguments):
    return jax.jit(jax.grad(partial(penalty, solve), argnums=tuple(range(len(arguments)))))(*arguments)


def agree(got, want, names, rtol=1e-8):
    for name, a, b in zip(names, got, want, strict=True):
        np.testing.assert_allclose(a, b, atol=rtol * np.abs(b).max(), err_msg=name)


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    """Two tiles a side, the last one filled up."""
    monkeypatch.setattr(operators, "block_size", lambda: 4)


@pytest.fixture
def arguments():
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        yield (
            jnp.asarray(rng.normal(size=(PIXELS, WIDTH))),
            jnp.asarray(rng.uniform(-1, 1, size=(PIXELS, 2))),
            jnp.asarray(rng.uniform(0.1, 2, PIXELS)),
            jnp.asarray(1.7),
        )


@each_solver
def test_the_gradient_of_a_gradient_penalty(arguments, solver):
    got = penalty_gradients(partial(ours, solver), arguments)
    agree(got, penalty_gradients(plain, arguments), NAMES)


@pytest.mark.parametrize("solver", [*SHORT, LONG])
def test_hessian_vector_products_in_both_modes(arguments, solver):
    """Reverse over reverse, and forward over reverse, along one direction of all four arguments."""
    direction = tuple(jnp.cos(jnp.arange(a.size, dtype=a.dtype)).reshape(a.shape) for a in arguments)

    @partial(jax.jit, static_argnums=0)
    def products(solve, arguments):
        gradient = jax.grad(lambda arguments: loss(solve, *arguments))
        along = lambda arguments: sum(map(jnp.vdot, gradient(arguments), direction))  # noqa: E731
        return jax.grad(along)(arguments), jax.jvp(gradient, (arguments,), (direction,))[1]

    want = products(plain, arguments)[0]
    for got in products(partial(ours, solver), arguments):
        agree(got, want, NAMES)


@pytest.mark.parametrize("solver", ["cholesky", LONG])
def test_each_image_of_a_batch_has_its_own(arguments, solver):
    """vmap of the penalty's gradient, against each image alone; the temperature is the same for all."""
    images = [arguments, (arguments[0][::-1], *arguments[1:]), (0.5 * arguments[0], *arguments[1:])]
    batch = tuple(jnp.stack(each) for each in list(zip(*images, strict=True))[:3])
    second = jax.grad(partial(penalty, partial(ours, solver)), argnums=EVERY)
    got = jax.jit(jax.vmap(second, (0, 0, 0, None)))(*batch, arguments[3])
    for number, image in enumerate(images):
        agree([bar[number] for bar in got], penalty_gradients(plain, image), NAMES)


@pytest.mark.parametrize("solver", ["lu", "cholesky", "cg"])
def test_through_a_given_similarity(arguments, solver):
    embeddings, targets, weights, temperature = arguments
    given = gcrf.similarity(embeddings, temperature), targets, weights
    got = penalty_gradients(lambda *a: gcrf.solve_similarity(*a, solver=solver).value, given)
    agree(got, penalty_gradients(of_similarity, given), ("similarity", "targets", "weights"))


def test_through_a_similarity_by_window(arguments):
    height, width = 3, 4
    rng = np.random.default_rng(1)
    inside = jnp.stack(gcrf.shifted(jnp.ones((height, width)), 1)) > 0
    logits = jnp.asarray(rng.normal(size=inside.shape))
    targets = jnp.asarray(rng.uniform(-1, 1, (height * width, 2)))
    weights = jnp.asarray(rng.uniform(0.1, 2, height * width))

    def rows_of(logits):
        return jax.nn.softmax(jnp.where(inside, logits, -jnp.inf), axis=0)

    def stored(rows):
        """S as P × P: row p has the shares of cell p's window."""
        at = np.pad(np.arange(height * width).reshape(height, width), 1, constant_values=height * width)
        near = [at[1 + y : 1 + y + height, 1 + x : 1 + x + width].ravel() for y, x in gcrf.offsets(1)]
        beyond = jnp.zeros((height * width, height * width + 1))
        pixels = np.arange(height * width)
        for share, columns in zip(rows.reshape(len(rows), -1), near, strict=True):
            beyond = beyond.at[pixels, columns].add(share)
        return beyond[:, :-1]

    def by_window(logits, targets, weights):
        return gcrf.solve_windowed(rows_of(logits), targets, weights, tolerance=1e-12).value

    def by_matrix(logits, targets, weights):
        return of_similarity(stored(rows_of(logits)), targets, weights)

    given = logits, targets, weights
    got, want = (penalty_gradients(solve, given) for solve in (by_window, by_matrix))
    agree(got, want, ("logits", "targets", "weights"))


@pytest.mark.parametrize("solver", ["cholesky", LONG])
def test_a_third_derivative(arguments, solver):
    def third(solve, weights):
        along = lambda f: lambda w: jnp.sum(jax.grad(f)(w))  # noqa: E731
        value = lambda w: loss(solve, *arguments[:2], w, arguments[3])  # noqa: E731
        return jax.grad(along(along(value)))(weights)

    got, want = (jax.jit(partial(third, solve))(arguments[2]) for solve in (partial(ours, solver), plain))
    np.testing.assert_allclose(got, want, rtol=1e-7)


def test_a_second_solve_that_does_not_converge_is_nan(arguments):
    """The first pass is solved at once, since its targets are 0; what is iterated for the second is not."""
    embeddings, targets, weights, temperature = arguments

    def moved(targets):
        options = {"temperature": temperature, "solver": "cg", "max_iterations": 1}
        return jnp.sum(gcrf.solve(embeddings, targets, weights, **options).value ** 2)

    bars = jax.jit(jax.grad(lambda t: jnp.sum(jax.grad(moved)(t))))(0 * targets)
    assert np.isnan(bars).all()


def test_the_second_derivative_of_tiles_has_no_square_array():
    pixels = 64
    embeddings = jnp.asarray(np.random.default_rng(2).normal(size=(pixels, 4)), jnp.float32)
    targets, weights = jnp.ones((pixels, 2)), jnp.ones(pixels)

    def largest(solver):
        second = jax.grad(lambda e: penalty(partial(ours, solver), e, targets, weights, 2.0))
        text = jax.jit(second).lower(embeddings).as_text()
        return f"{pixels}x{pixels}xf32" in text

    assert largest("cg") and not largest("cg_matrix_free")
