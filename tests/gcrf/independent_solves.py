"""Run by test_gcrf_deadlock.py with as few threads as a small laptop has: independent solves in one program."""

import jax
import jax.numpy as jnp

from colorize_jax import gcrf


def four_solves(embeddings, targets, weights):
    solve = lambda scale: gcrf.solve(embeddings, targets, scale * weights, temperature=4.0).value  # noqa: E731
    return sum(solve(scale).sum() for scale in (0.1, 1.0, 2.0, 5.0))


if __name__ == "__main__":
    keys = jax.random.split(jax.random.key(0), 2)
    embeddings = jax.random.normal(keys[0], (8, 256, 16))
    targets = jax.random.normal(keys[1], (8, 256, 2))
    weights = jnp.ones((8, 256))
    for program in (jax.jit(four_solves), jax.jit(jax.grad(four_solves))):
        for _ in range(10):
            jax.block_until_ready(program(embeddings, targets, weights))
    print("done")
