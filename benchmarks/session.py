"""Latency of an edit in a `gcrf.Session`: from the operation to the new field.

    OPENBLAS_NUM_THREADS=1 python benchmarks/session.py --sides=32,64

After `--strokes` strokes of `--pixels` neighbouring pixels, a third of them exact, `--edits` random operations are
timed: add, move, recolour or remove a stroke, then read the field; adding and removing balance. Wall time, and CPU
time of the process, which a busy machine does not inflate as much. Beside them: what the session replaces, a
Cholesky factorisation with the edits in the matrix; and what it would pay if it kept a factor instead of the
inverse, the back-solves of one stroke. Embeddings are random but smooth over the field; C = 2N columns.
"""

import time
from collections.abc import Callable

import numpy as np
from absl import app, flags
from scipy.linalg import cho_factor, cho_solve

from colorize_jax.gcrf.interactive import host
from colorize_jax.gcrf.interactive.session import Session
from colorize_jax.shapes import Float

_SIDES = flags.DEFINE_list("sides", ["32", "64"], "sides of the field")
_STROKES = flags.DEFINE_integer("strokes", 20, "strokes before the timed operations")
_PIXELS = flags.DEFINE_integer("pixels", 10, "pixels a stroke")
_EDITS = flags.DEFINE_integer("edits", 300, "timed operations")
_SAMPLES = flags.DEFINE_integer("samples", 1, "N: colour versions edited at once")


def problem(side: int, columns: int) -> tuple:
    """S of positions and three smooth random features, without its diagonal; a weak unary on every pixel."""
    rng = np.random.default_rng(0)
    rows, across = np.mgrid[:side, :side].reshape(2, -1) / side
    waves = [np.sin(rng.uniform(1, 9) * rows + rng.uniform(1, 9) * across) for _ in range(3)]
    features = np.stack([6 * rows, 6 * across, *waves], axis=1)
    squares = (features**2).sum(1)
    distance = squares[:, None] + squares - 2 * features @ features.T
    np.fill_diagonal(distance, np.inf)
    similarity = np.exp(-4 * distance)
    similarity /= similarity.sum(1, keepdims=True)
    targets = rng.uniform(-0.3, 0.3, (side * side, columns))
    return similarity.astype(np.float32), targets, np.full(side * side, 1e-2)


def stroke(rng: np.random.Generator, side: int) -> list[int]:
    """A horizontal run of pixels."""
    length = min(_PIXELS.value, side)
    start = rng.integers(side) * side + rng.integers(side - length + 1)
    return list(range(start, start + length))


def add(session: Session, rng: np.random.Generator, side: int) -> None:
    how: dict = {"exact": True} if rng.uniform() < 1 / 3 else {"weight": 5.0}
    session.add(stroke(rng, side), rng.uniform(-0.5, 0.5, 2), **how)


def operate(session: Session, rng: np.random.Generator, side: int) -> None:
    name = rng.choice(["add", "move", "recolor", "remove"])
    if name == "add" or not session.edits:
        return add(session, rng, side)
    edit = rng.choice(list(session.edits))
    arguments = {"move": [stroke(rng, side)], "recolor": [rng.uniform(-0.5, 0.5, 2)], "remove": []}
    getattr(session, name)(edit, *arguments[name])


def timed(function: Callable, *arguments) -> tuple[float, float]:
    """Milliseconds of wall and of CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    function(*arguments)
    return 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu)


def edit(session: Session, rng: np.random.Generator, side: int) -> Float[np.ndarray, "P C"]:
    operate(session, rng, side)
    return session.field


def row(name: str, times: list[tuple[float, float]]) -> str:
    wall, cpu = np.array(times).T
    cells = [np.percentile(wall, 50), np.percentile(wall, 95), wall.max(), *np.percentile(cpu, [50, 95])]
    return f"{name:44s}" + "".join(f"{cell:10.2f}" for cell in cells)


def report(side: int) -> None:
    rng = np.random.default_rng(1)
    similarity, targets, weights = problem(side, 2 * _SAMPLES.value)
    made: list[Session] = []
    start = timed(lambda: made.append(Session(similarity, targets, weights)))
    session = made[0]
    for _ in range(_STROKES.value):
        add(session, rng, side)
    session.field  # noqa: B018
    edits = [timed(edit, session, rng, side) for _ in range(_EDITS.value)]
    print(
        f"{side}x{side}, P = {side * side}, C = {targets.shape[1]}: {'p50':>15}{'p95':>10}{'max':>10}", end=""
    )
    print(f"{'CPU p50':>10}{'CPU p95':>10}   milliseconds")
    print(row("session: an edit and the new field", edits))
    print(row("session: remaining variance", [timed(session.variance) for _ in range(5)]))
    print(row("session: 5 suggestions", [timed(session.suggest, 5) for _ in range(3)]))
    print(row("session: measuring drift", [timed(session.drift) for _ in range(5)]))
    print(row("session: start, once", [start]))
    print(row("instead: factor the edited matrix, solve", fresh(similarity, targets, weights)))
    print(row(f"a kept factor: back-solves for {_PIXELS.value} pixels", back_solves(similarity, weights)))
    print(
        f"at the end {len(session.edits)} strokes, drift {session.drift():.1e}, refactored {session.refactored} times",
        flush=True,
    )


def fresh(similarity, targets, weights) -> list[tuple[float, float]]:
    matrix = host.system_matrix(similarity, weights)

    def solve():
        return cho_solve(cho_factor(matrix, check_finite=False), weights[:, None] * targets)

    return [timed(solve) for _ in range(3)]


def back_solves(similarity, weights) -> list[tuple[float, float]]:
    factor = cho_factor(host.system_matrix(similarity, weights))
    right = np.eye(len(weights))[:, : _PIXELS.value]
    return [timed(cho_solve, factor, right) for _ in range(5)]


def main(_: list[str]) -> None:
    print(f"{_STROKES.value} strokes of {_PIXELS.value} pixels, then {_EDITS.value} random operations")
    for side in map(int, _SIDES.value):
        report(side)


if __name__ == "__main__":
    app.run(main)
