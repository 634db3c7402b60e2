"""What a step costs: what the trainer waits for, how much of the machine it uses, and a trace for the profiler."""

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

WAITS = ("input", "transfer", "compute")

TRACE_AFTER, TRACE_STEPS = 10, 5
"""A trace leaves out the first steps, which compile and fill buffers."""


class Waits:
    """Seconds that the main thread spends on each of `WAITS`; one after another, so they add up to the step.

    The devices compute while the main thread reads the next batch and hands it over. The rest of that computation is
    what 'compute' waits for. Where 'compute' is next to nothing, the input is the bottleneck.
    """

    def __init__(self) -> None:
        self._seconds = dict.fromkeys(WAITS, 0.0)

    @contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        """Counts the body's time as `what`, one of `WAITS`."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[what] += time.perf_counter() - began

    def take(self, steps: int) -> dict[str, float]:
        """Milliseconds a step since the last call, as `input_ms`, `transfer_ms` and `compute_ms`."""
        taken, self._seconds = self._seconds, dict.fromkeys(WAITS, 0.0)
        return {f"{what}_ms": 1000 * seconds / max(1, steps) for what, seconds in taken.items()}


def model_flops(program: Any, *arguments: Any) -> float | None:
    """Floating-point operations of one call of a jitted function, over all devices; None where XLA cannot tell.

    Counted by XLA's cost analysis before it optimises: what the mathematics asks for, without what a compiler adds
    or spares; convolutions by tiles (`models.winograd`) count what they multiply. LAPACK's factorisations, which are
    calls into a library, are not counted.
    """
    cost = program.lower(*arguments).cost_analysis()
    return cost.get("flops") if cost else None


@functools.cache
def matmul_peak(dtype: str) -> float:
    """FLOP/s of one device in a square matrix product, the best of a few: what a step is measured against."""
    side = 1024 if jax.default_backend() == "cpu" else 8192
    ones = jnp.ones((side, side), dtype)
    product = jax.jit(jnp.matmul)
    jax.block_until_ready(product(ones, ones))

    def seconds() -> float:
        began = time.perf_counter()
        jax.block_until_ready(product(ones, ones))
        return time.perf_counter() - began

    return 2 * side**3 / min(seconds() for _ in range(5))


class Trace:
    """Traces a few steps of a run with JAX's profiler; a context manager.

    The folder then holds `plugins/profile/…`, for TensorBoard and XProf, with `perfetto_trace.json.gz` for
    ui.perfetto.dev, which needs nothing installed.
    """

    def __init__(self, folder: Path | None, say: Callable[[str], None]) -> None:
        """Args: where the trace goes, None for no trace; and what tells of it."""
        self._folder, self._say = folder, say
        self._steps = 0
        self._running = False

    def __enter__(self) -> "Trace":
        return self

    def __exit__(self, *_: object) -> None:
        if self._running:
            self._stop()
        elif self._folder is not None and self._steps <= TRACE_AFTER:
            self._say(f"no trace: it begins after {TRACE_AFTER} steps, and the run had {self._steps}")

    def before_step(self) -> None:
        """Begins or ends the trace where this step is the one to do so."""
        if self._folder is None:
            return
        if self._steps == TRACE_AFTER:
            jax.profiler.start_trace(self._folder, create_perfetto_trace=True)
            self._running = True
        if self._steps == TRACE_AFTER + TRACE_STEPS:
            self._stop()
        self._steps += 1

    def _stop(self) -> None:
        jax.profiler.stop_trace()
        self._running = False
        self._say(f"traced {min(self._steps - TRACE_AFTER, TRACE_STEPS)} steps into {self._folder}")
