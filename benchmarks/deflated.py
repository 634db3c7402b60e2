"""The studio's solver beside a Cholesky factor: `python benchmarks/deflated.py [photo]`.

For 1, 6, 12, 40 and 100 random strokes on a photo (by default the coffee cup of examples/), over the versions of the
released model: milliseconds for the version that is shown and for all five by `gcrf.deflated`, and for one float32
Cholesky factor and its two triangular solves, medians of `REPEATS` in a loop; and how far the five are from the exact
solution, in units of a* and b*. First, how long the eigenvectors take.
"""

import colorize_jax.apps.common  # noqa: F401, first: it sets numpy's threads

# isort: split
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.linalg import lapack

from colorize_jax import color
from colorize_jax.control import propagate
from colorize_jax.control.document import parse_edits
from colorize_jax.gcrf.interactive import host
from colorize_jax.gcrf.interactive.deflated import Deflated
from colorize_jax.inference.colorizer import Colorizer
from colorize_jax.photos.photo import read_photo
from colorize_jax.studio.live import LivePhoto

EXAMPLE = Path(__file__).parents[1] / "examples" / "coffee_gray.jpg"
REPEATS = 21


def milliseconds(run: Callable[[], object]) -> float:
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        run()
        taken.append(1e3 * (time.perf_counter() - began))
    return statistics.median(taken)


def strokes(count: int, rng: np.random.Generator):
    def stroke() -> dict:
        start, along = rng.uniform(0.1, 0.9, 2), rng.normal(0, 0.08, 2)
        path = (start + np.linspace(0, 1, 6)[:, None] * along).clip(0.02, 0.98)
        shade = [60.0, *rng.uniform(-50, 50, 2)]
        return {"kind": "stroke", "path": path.tolist(), "radius": 0.014, "color": {"lab": shade}}

    return parse_edits({"version": 1, "units": "fraction", "edits": [stroke() for _ in range(count)]})


def main(path: Path) -> None:
    colorizer = Colorizer.load()
    live = LivePhoto(colorizer, read_photo(path))
    pixels = len(live.similarity)
    quadratic = host.system_matrix(live.similarity, np.zeros(pixels))
    small = np.float32(quadratic)
    began = time.perf_counter()
    deflated = Deflated(quadratic)
    print(f"{pixels} cells; eigenvectors {1e3 * (time.perf_counter() - began):.0f} ms")
    print(f"{'strokes':>8}{'shown':>8}{'all':>8}{'Cholesky':>10}   ms{'furthest':>10} of a*, b*")
    crf, rng = colorizer.config.gcrf, np.random.default_rng(0)
    for count in (1, 6, 12, 40, 100):
        cells = live.layers(strokes(count, rng)).marks[0].cells(live.side)
        pulls = {"weight": crf.beta_test, "floor": crf.floor, "confidence": crf.beta_test}
        system = propagate.over(live.similarity, cells, **pulls)
        versions = len(live.unary)
        columns = np.moveaxis(live.unary, 0, 2).reshape(pixels, 2 * versions)
        colors = np.tile(color.ab_to_network(cells.ab).reshape(-1, 2), versions)
        right = np.float32(system.known * colors + system.unary * columns)
        weights = system.weights[:, 0]

        def cholesky(weights=weights, right=right) -> np.ndarray:
            matrix = small.copy()
            host.diagonal(matrix)[:] += weights
            factor, _ = lapack.spotrf(matrix.T, lower=True, clean=False, overwrite_a=True)
            return lapack.spotrs(factor, right, lower=True)[0]

        exact = np.linalg.solve(quadratic + np.diag(weights), right)
        furthest = np.abs(deflated.solve(weights, right) - exact).max() * color.network_to_ab(1.0)
        times = [
            milliseconds(lambda w=weights, r=right[:, :2]: deflated.solve(w, r)),
            milliseconds(lambda w=weights, r=right: deflated.solve(w, r)),
            milliseconds(cholesky),
        ]
        print(f"{count:8d}{times[0]:8.2f}{times[1]:8.2f}{times[2]:10.2f}{furthest:15.3f}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else EXAMPLE)
