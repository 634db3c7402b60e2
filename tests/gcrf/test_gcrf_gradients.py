"""Backward, in float64: one table of gradients, four independent ways to compute each."""

from functools import partial

import dense_solves
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dense_solves import loss
from dense_solves import of_embeddings as autodiff

from colorize_jax import gcrf
from colorize_jax.gcrf import operators
from colorize_jax.gcrf.energy import system_matrix

PIXELS, WIDTH, COLUMNS = 11, 4, 4
NAMES = ("embeddings", "targets", "weights", "temperature")


def ours(embeddings, targets, weights, temperature, exclude_diagonal, solver="auto"):
    return gcrf.solve(
        embeddings,
        targets,
        weights,
        temperature=temperature,
        exclude_diagonal=exclude_diagonal,
        solver=solver,
    ).value


def custom_linear_solve(embeddings, targets, weights, temperature, exclude_diagonal):
    """Eq. (6) through jax's own implicit rule."""
    similarity = gcrf.similarity(embeddings, temperature, exclude_diagonal=exclude_diagonal)
    matrix = system_matrix(similarity, weights)
    dense = jax.lax.stop_gradient(matrix)
    return jax.lax.custom_linear_solve(
        lambda x: matrix @ x,
        weights[:, None] * targets,
        lambda _, b: jnp.linalg.solve(dense, b),
        symmetric=True,
    )


@pytest.fixture
def arguments():
    rng = np.random.default_rng(0)
    weights = rng.uniform(0.1, 2, PIXELS) * (rng.uniform(size=PIXELS) < 0.6)
    weights[0] = 1.0
    with jax.enable_x64(True):
        yield (
            jnp.asarray(rng.normal(size=(PIXELS, WIDTH))),
            jnp.asarray(rng.uniform(-1, 1, size=(PIXELS, COLUMNS))),
            jnp.asarray(weights),
            jnp.asarray(1.7),
        )


def gradients(solve, exclude_diagonal, arguments):
    solve = partial(solve, exclude_diagonal=exclude_diagonal)
    return jax.jit(jax.grad(partial(loss, solve), argnums=(0, 1, 2, 3)))(*arguments)


@pytest.mark.parametrize("exclude_diagonal", [False, True])
@pytest.mark.parametrize("solver", gcrf.SOLVERS)
def test_all_four_gradients_of_each_solver_agree(arguments, exclude_diagonal, solver):
    got = gradients(partial(ours, solver=solver), exclude_diagonal, arguments)
    for reference in (autodiff, custom_linear_solve):
        for name, a, b in zip(NAMES, got, gradients(reference, exclude_diagonal, arguments), strict=True):
            assert a.dtype == jnp.float64
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11, err_msg=name)


@pytest.mark.parametrize("exclude_diagonal", [False, True])
def test_all_four_gradients_agree_with_finite_differences(arguments, exclude_diagonal):
    got = gradients(ours, exclude_diagonal, arguments)
    value = jax.jit(partial(loss, partial(ours, exclude_diagonal=exclude_diagonal)))
    rng = np.random.default_rng(1)
    for i, name in enumerate(NAMES):
        # A weight of zero may only grow, so weights move where they are positive.
        direction = rng.normal(size=arguments[i].shape) * (np.asarray(arguments[i]) > 0 if i == 2 else 1)
        step = 1e-5 * jnp.asarray(direction)
        up, down = (value(*arguments[:i], arguments[i] + s, *arguments[i + 1 :]) for s in (step, -step))
        np.testing.assert_allclose(np.sum(got[i] * direction), (up - down) / 2e-5, rtol=1e-6, err_msg=name)


def test_gradients_through_a_given_similarity(arguments):
    embeddings, targets, weights, temperature = arguments
    similarity = gcrf.similarity(embeddings, temperature)

    def of(solve):
        return jax.jit(jax.grad(partial(loss, solve), argnums=(0, 1, 2)))(similarity, targets, weights)

    want = of(dense_solves.of_similarity)
    for solver in ("lu", "cholesky", "cg"):
        got = of(lambda *arrays, solver=solver: gcrf.solve_similarity(*arrays, solver=solver).value)
        for name, a, b in zip(("similarity", "targets", "weights"), got, want, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11, err_msg=f"{solver} {name}")


@pytest.mark.parametrize("solver", ["auto", pytest.param("cg_matrix_free", marks=pytest.mark.slow)])
def test_leading_axes_grad_of_vmap_and_vmap_of_grad_agree(arguments, solver):
    embeddings, targets, weights, temperature = arguments
    batch = tuple(jnp.stack([a, a[::-1], 0.5 * a]) for a in (embeddings, targets, weights))
    solve = partial(ours, exclude_diagonal=True, solver=solver)
    every = (0, 1, 2, 3)

    def batched(axes):
        return lambda *a: jnp.sum(jax.vmap(partial(loss, solve), axes)(*a))

    vmapped = jax.jit(jax.vmap(jax.grad(partial(loss, solve), every), (0, 0, 0, None)))(*batch, temperature)
    summed = jax.jit(jax.grad(batched((0, 0, 0, None)), every))(*batch, temperature)
    leading = jax.jit(partial(leading_axes_gradients, solve))(*batch, temperature)
    for name, a, b, c in zip(NAMES, vmapped, summed, leading, strict=True):
        a = jnp.sum(a) if name == "temperature" else a
        np.testing.assert_allclose(b, a, rtol=1e-10, atol=1e-12, err_msg=name)
        np.testing.assert_allclose(c, a, rtol=1e-10, atol=1e-12, err_msg=name)


def leading_axes_gradients(solve, *arguments):
    """`loss` is one image's, so the batched solve is pulled back by the gradient of each image's loss."""
    field, pull = jax.vjp(solve, *arguments)
    return pull(jax.vmap(jax.grad(lambda x: loss(lambda y: y, x)))(field))


@pytest.mark.parametrize("solver", gcrf.SOLVERS)
def test_float32_gradients_beyond_one_block(solver, monkeypatch):
    """P = 160 > cholesky.BLOCK, and three tiles of S, the last one filled up; against float64 autodiff."""
    monkeypatch.setattr(operators, "block_size", lambda: 64)
    rng = np.random.default_rng(3)
    arrays = (rng.normal(size=(160, 8)), rng.uniform(-1, 1, (160, 2)), rng.uniform(size=160) + 0.1, 3.0)
    single = gradients(partial(ours, solver=solver), True, tuple(jnp.asarray(a, jnp.float32) for a in arrays))
    with jax.enable_x64(True):
        double = gradients(autodiff, True, tuple(jnp.asarray(a, jnp.float64) for a in arrays))
    for name, got, want in zip(NAMES, single, double, strict=True):
        error = np.linalg.norm(np.asarray(got) - np.asarray(want)) / np.linalg.norm(want)
        assert error < 1e-4, (name, error)


def test_gradients_return_to_half_precision_inputs():
    rng = np.random.default_rng(4)
    embeddings = jnp.asarray(rng.normal(size=(6, 3)), jnp.bfloat16)
    bar = jax.grad(lambda e: jnp.sum(gcrf.solve(e, jnp.eye(6, 2), jnp.ones(6), temperature=2.0).value ** 2))(
        embeddings
    )
    assert bar.dtype == jnp.bfloat16 and np.isfinite(bar.astype(jnp.float32)).all()


@pytest.mark.parametrize("transform", [jax.jacfwd, lambda f: lambda x: jax.jvp(f, (x,), (x,))])
def test_forward_mode_says_that_a_custom_vjp_has_none(transform):
    def function(embeddings):
        return jnp.sum(gcrf.solve(embeddings, jnp.eye(6, 2), jnp.ones(6), temperature=2.0).value)

    with pytest.raises(TypeError, match=r"forward-mode.*custom_vjp"):
        transform(function)(jnp.ones((6, 3)))


@pytest.mark.parametrize("solver", ["cholesky", pytest.param("cg_matrix_free", marks=pytest.mark.slow)])
def test_second_derivatives_go_through_the_rule(arguments, solver):
    """`jax.hessian` is forward over reverse: jax differentiates the rule's own operations."""
    targets = arguments[1]
    got, want = (
        jax.jit(
            jax.hessian(lambda w, solve=solve: loss(solve, arguments[0], targets, w, arguments[3], True))
        )(arguments[2])
        for solve in (partial(ours, solver=solver), autodiff)
    )
    np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-9)
