"""Conjugate gradients with S never stored: `cg` over `operators.Blockwise`, in O(P D + P block) memory.

The same iteration and the same preconditioner as `cg`. An iteration costs two visits of the tiles of Z, 2 P² D
multiplications and additions in all, where the stored S costs two reads of P² numbers: slower, for fields whose
P × P array does not fit. The time grows as P² and not faster while the number of iterations stays.
"""

from colorize_jax.gcrf.solvers import cg

SOLVER = cg.iterative(stored=False)
