"""The table of solvers, and which one a problem gets."""

import os
from typing import NamedTuple

import jax

from colorize_jax.gcrf.solvers import cg, cg_matrix_free, cholesky, lu
from colorize_jax.gcrf.solvers.base import Solver

SOLVERS: dict[str, Solver] = {
    "lu": lu.SOLVER,
    "cholesky": cholesky.SOLVER,
    "cg": cg.SOLVER,
    "cg_matrix_free": cg_matrix_free.SOLVER,
}
# Pixels up to which a factor is chosen. On a CPU, where it was measured (benchmarks/gcrf.py), CG is ahead from 1024
# pixels on with a colour on every pixel, and level with few edits; at 256 few edits take it twice as long.
DIRECT_UP_TO = {"cpu": 768, "gpu": 4096, "tpu": 4096}
# P × P arrays alive at once in a backward pass that keeps S: S, Sᵀ, Z, the gradient of Z, A and its factor.
ARRAYS = 6


class Choice(NamedTuple):
    solver: str  # a key of SOLVERS
    reason: str


def named(solver: str) -> Solver:
    """The solver of a name: one that users choose from, or 'cg_diagonal', which `solve_windowed` takes."""
    return cg.DIAGONAL if solver == "cg_diagonal" else SOLVERS[solver]


def choose(
    pixels: int,
    *,
    batch: int = 1,
    itemsize: int = 4,
    backend: str | None = None,
    memory: int | None = None,
) -> Choice:
    """The solver that solver='auto' takes, and why.

    Args:
      pixels: P.
      batch: images solved at once; under `vmap` a call cannot see them, so name the solver there.
      itemsize: bytes of a number, 4 or 8.
      backend: 'cpu', 'gpu' or 'tpu'; JAX's default backend by default.
      memory: bytes that may be used; by default half of the device's.
    """
    backend = backend or jax.default_backend()
    memory = memory if memory is not None else _device_memory() // 2
    needed = ARRAYS * batch * itemsize * pixels**2
    size = f"{batch} x {pixels} pixels on {backend}"
    stored = f"{ARRAYS} arrays of P x P take {needed / 2**30:.3g} GiB"
    if needed > memory:
        reason = f"{size}: {stored}, of {memory / 2**30:.3g} GiB allowed, so S is never stored"
        return Choice("cg_matrix_free", reason)
    limit = DIRECT_UP_TO.get(backend, DIRECT_UP_TO["gpu"])
    if pixels <= limit:
        return Choice(
            "cholesky", f"{size}: {stored}; up to {limit} pixels a factor is cheap, and always ends"
        )
    return Choice("cg", f"{size}: {stored}; above {limit} pixels iterations cost less than a factor")


def _device_memory() -> int:
    """Bytes of the default device, or of the host where the device does not tell."""
    told = jax.local_devices()[0].memory_stats() or {}
    return told.get("bytes_limit") or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
