"""A fully connected Gaussian CRF over the pixels of a field: plain JAX arrays, no network library.

    import jax
    from colorize_jax import gcrf

    solution = gcrf.solve(embeddings, targets, weights, temperature=8.0)  # (P, D), (P, C), (P,)
    field = solution.value  # (P, C): each pixel near the mean of the pixels like it, and near its own target
    print(float(solution.residual), int(solution.iterations), gcrf.Status(int(solution.status)).name)
    print(gcrf.choose(pixels=len(field)).reason)

    def loss(embeddings, temperature):
        solved = gcrf.solve(embeddings, targets, weights, temperature=temperature, exclude_diagonal=True)
        return ((solved.value - truth) ** 2).mean()

    gradients = jax.jit(jax.grad(loss, argnums=(0, 1)))(embeddings, 8.0)

Its files: `energy` says what is minimised. `operators` holds S, stored or made tile by tile, and `windowed` an S that
sees near cells only. `solvers` solve the linear system behind one interface; `solvers.choice` lists them and chooses.
`solution` measures what they return. `rule` differentiates it, any number of times; the derivation stands there.
`layer` holds the public calls, and `mesh` the one for many devices. `gaussian` has what a Gaussian gives besides its
mean: variance, samples, likelihood, and diagnostics to log. `interactive` is for a person who waits: it solves again
for one S under other weights, on the host, and suggests where an edit helps most.
"""

from colorize_jax.gcrf.energy import energy, similarity
from colorize_jax.gcrf.gaussian.diagnostics import diagnostics
from colorize_jax.gcrf.gaussian.likelihood import log_likelihood
from colorize_jax.gcrf.gaussian.posterior import Precision, condition, posterior_sample, posterior_variance
from colorize_jax.gcrf.gaussian.precision import matrix_free_precision
from colorize_jax.gcrf.interactive.suggest import suggest
from colorize_jax.gcrf.layer import check_solvable, solve, solve_similarity, solve_windowed
from colorize_jax.gcrf.mesh import solve_on_mesh, solve_windowed_on_mesh
from colorize_jax.gcrf.solution import MESSAGES, Solution, Status
from colorize_jax.gcrf.solvers.choice import SOLVERS, Choice, choose
from colorize_jax.gcrf.windowed import offsets, shifted

__all__ = [
    "MESSAGES",
    "SOLVERS",
    "Choice",
    "Precision",
    "Solution",
    "Status",
    "check_solvable",
    "choose",
    "condition",
    "diagnostics",
    "energy",
    "log_likelihood",
    "matrix_free_precision",
    "offsets",
    "posterior_sample",
    "posterior_variance",
    "shifted",
    "similarity",
    "solve",
    "solve_on_mesh",
    "solve_similarity",
    "solve_windowed",
    "solve_windowed_on_mesh",
    "suggest",
]
