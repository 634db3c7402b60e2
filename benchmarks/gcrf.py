"""Time of the G-CRF layer: our reverse rule against autodiff through jnp.linalg.solve, as ratios in one run.

    OPENBLAS_NUM_THREADS=1 python benchmarks/gcrf.py --pixels=256,1024 --batches=1,16

The two are timed in turn, `--rounds` times, and the fastest round of each counts, so that a busy machine slows
both. Embeddings have D = 512 and a colour field C = 2, as in the paper; the gradient is with respect to all four
inputs. Ratios above 1 mean that ours is faster.
"""

import time
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags

from colorize_jax import gcrf
from colorize_jax.gcrf.energy import system_matrix

_PIXELS = flags.DEFINE_list("pixels", ["256", "1024"], "numbers of pixels of the field")
_BATCHES = flags.DEFINE_list("batches", ["1", "16"], "numbers of images")
_COLUMNS = flags.DEFINE_integer("columns", 2, "right-hand sides: 2 a sample")
_WIDTH = flags.DEFINE_integer("width", 512, "width of an embedding")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "timed rounds; the fastest counts")


def implicit(embeddings, targets, weights, temperature):
    return gcrf.solve(embeddings, targets, weights, temperature=temperature, exclude_diagonal=True).value


@partial(jax.vmap, in_axes=(0, 0, 0, None))
def autodiff(embeddings, targets, weights, temperature):
    """The paper's formulation: LU, differentiated through the factorisation."""
    similarity = gcrf.similarity(embeddings, temperature, exclude_diagonal=True)
    return jnp.linalg.solve(system_matrix(similarity, weights), weights[:, None] * targets)


def backward(solve: Callable, *arguments):
    return jax.grad(lambda *a: jnp.sum(solve(*a) ** 2), argnums=(0, 1, 2, 3))(*arguments)


def problem(batch: int, pixels: int, width: int, columns: int) -> tuple:
    """A quarter of the pixels revealed, a weak weight on the rest."""
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(batch, pixels, width))
    targets = rng.uniform(-1, 1, size=(batch, pixels, columns))
    weights = np.where(rng.uniform(size=(batch, pixels)) < 0.25, 1.0, 1e-3)
    return tuple(jnp.asarray(a, jnp.float32) for a in (embeddings, targets, weights, width**0.5))


def milliseconds(functions: dict[str, Callable], arguments: tuple, rounds: int) -> dict[str, float]:
    """Fastest of the rounds, the functions taking turns; compiling is not timed."""
    compiled = {name: jax.jit(function).lower(*arguments).compile() for name, function in functions.items()}
    fastest = dict.fromkeys(functions, float("inf"))
    for _ in range(rounds + 1):
        for name, function in compiled.items():
            start = time.perf_counter()
            jax.block_until_ready(function(*arguments))
            fastest[name] = min(fastest[name], 1e3 * (time.perf_counter() - start))
    return fastest


def row(batch: int, pixels: int) -> str:
    functions = {
        "implicit": implicit,
        "autodiff": autodiff,
        "implicit_backward": partial(backward, implicit),
        "autodiff_backward": partial(backward, autodiff),
    }
    arguments = problem(batch, pixels, _WIDTH.value, _COLUMNS.value)
    times = milliseconds(functions, arguments, _ROUNDS.value)
    each = {name: value / batch for name, value in times.items()}
    forward, both = each["implicit"], each["implicit_backward"]
    return (
        f"{pixels:6d} {batch:6d} {forward:12.2f} {each['autodiff']:12.2f} {each['autodiff'] / forward:7.2f}"
        f" {both:14.2f} {each['autodiff_backward']:14.2f} {each['autodiff_backward'] / both:7.2f}"
    )


def main(_: list[str]) -> None:
    print(f"{jax.devices()[0].device_kind}, jax {jax.__version__}, D = {_WIDTH.value}, C = {_COLUMNS.value}")
    print("milliseconds an image; LU = autodiff through jnp.linalg.solve")
    print(
        f"{'P':>6} {'batch':>6} {'forward':>12} {'LU':>12} {'ratio':>7} {'fwd+bwd':>14} {'LU':>14} {'ratio':>7}"
    )
    for pixels in map(int, _PIXELS.value):
        for batch in map(int, _BATCHES.value):
            print(row(batch, pixels), flush=True)


if __name__ == "__main__":
    app.run(main)
