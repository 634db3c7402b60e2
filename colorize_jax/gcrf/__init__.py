"""A fully connected Gaussian CRF over the pixels of a field: plain JAX arrays, no network library.

    from colorize_jax import gcrf
    field = gcrf.solve(embeddings, targets, weights, temperature=8.0)

Its files: `energy` says what is minimised, `cholesky` how the linear system is solved, `rule` how the solution
is differentiated (the derivation stands there), `layer` holds the public calls, `diagnostics` what to log.
"""

from colorize_jax.gcrf.diagnostics import diagnostics
from colorize_jax.gcrf.energy import energy, similarity
from colorize_jax.gcrf.layer import check_solvable, solve, solve_similarity

__all__ = ["check_solvable", "diagnostics", "energy", "similarity", "solve", "solve_similarity"]
