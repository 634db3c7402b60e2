"""Time and memory of the G-CRF layer against LU with autodiff in JAX and in PyTorch, and against a counted floor.

    python benchmarks/gcrf.py --out=gcrf_benchmark

Prints a table and writes gcrf.json and gcrf.png into --out. A row is a solver of this package ('*': the one that
solver='auto' takes), or a baseline: jax_lu, the paper's formulation with S stored and jax.grad through
jnp.linalg.solve, and torch_lu, the same in PyTorch (`pip install "colorize_jax[bench]"`). The gradient is that of
Σx² with respect to E, α, w and τ, the forward pass included.

Times are medians, the rows of one P and batch taking turns in one process with a large product, a copy and an exp, so
that a busy machine slows all alike; ratios are medians over the turns, to the starred row. '/floor': time over what
`gcrf_floor.py` counts, at the rates of those three. Memory is the peak beyond the inputs, each row in a fresh process
(resident memory, Linux; on a GPU what the framework allocated). Where P is too large for turns, the single call that
memory is measured in is timed.
"""

import importlib.util
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from colorize_jax.apps import common

# isort: split
import gcrf_floor
from absl import flags

_PIXELS = flags.DEFINE_list(
    "pixels", ["256", "1024", "4096", "16384"], "numbers of pixels; a GPU has time for 65536 too"
)
_BATCHES = flags.DEFINE_list("batches", ["1", "32"], "numbers of images")
_DIM = flags.DEFINE_integer("dim", 64, "D, width of an embedding")
_WEIGHTS = flags.DEFINE_list(
    "weights",
    ["diverse", "edits"],
    "diverse: 5 on every pixel; edits: 1 on 1-10 % of them and 1e-3 on the rest, batch 1 only",
)
_METHODS = flags.DEFINE_list(
    "methods", ["cholesky", "cg", "cg_matrix_free", "jax_lu", "torch_lu"], "rows of the table"
)
_BUDGET = flags.DEFINE_float("budget", 6, "seconds of turns for each P and batch, at least two turns")
_LIMIT = flags.DEFINE_float("limit", 90, "seconds: a call that would take longer by its floor is left out")
_OUT = flags.DEFINE_string("out", "gcrf_benchmark", "folder for gcrf.json and gcrf.png")

COLUMNS = 2
BASELINES = ("jax_lu", "torch_lu")
STORED = ("cholesky", "cg")  # solvers whose steps are timed
LARGEST_IN_TURNS = 4096
# P × P arrays alive at once, at most: the baselines differentiate through each operation.
ARRAYS = {"cg": 6, "cholesky": 7, "jax_lu": 10, "torch_lu": 10}
# Calls are expected to take this many times their floor, and CG this many iterations.
SLOWER, ITERATIONS = 3.0, {"diverse": 8, "edits": 60}
TIMEOUT = 900


def run(job: str, **arguments: Any) -> dict:
    """What `gcrf_job.py` returns, or {'skipped': why}."""
    script = str(Path(__file__).with_name("gcrf_job.py"))
    command = [sys.executable, script, json.dumps({"job": job, **arguments})]
    environment = os.environ | {"JAX_TRACEBACK_FILTERING": "off"}  # the last line of stderr is then the error
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, env=environment)
    except subprocess.TimeoutExpired:
        return {"skipped": f"not done in {TIMEOUT} s"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return {"skipped": f"exit code {done.returncode}: {last[:200]}"}
    return json.loads(done.stdout.splitlines()[-1])


def solver_of(method: str) -> str:
    return "lu" if method in BASELINES else method


def why_not(method: str, pixels: int, batch: int, weights: str, machine: dict) -> str | None:
    """A reason to leave a row out, before it is tried."""
    if method == "torch_lu" and importlib.util.find_spec("torch") is None:
        return 'PyTorch is not installed: pip install "colorize_jax[bench]"'
    needed = ARRAYS.get(method, 0) * batch * gcrf_floor.BYTES * pixels**2
    if needed > 0.5 * machine["memory"]:
        return f"needs about {needed / 2**30:.0f} GiB of {machine['memory'] / 2**30:.0f}"
    iterations = ITERATIONS[weights]
    expected = SLOWER * floor(machine["rates"], method, pixels, batch, gradient=True, iterations=iterations)
    if expected > _LIMIT.value:
        return f"would take about {expected:.0f} s a call; --limit is {_LIMIT.value:.0f}"
    return None


def floor(rates: dict, method: str, pixels: int, batch: int, *, gradient: bool, iterations: int) -> float:
    return gcrf_floor.seconds(
        gcrf_floor.Rates(**rates),
        solver_of(method),
        batch,
        gradient,
        pixels=pixels,
        width=_DIM.value,
        columns=COLUMNS,
        iterations=iterations,
    )


def cases(sizes: list[str]) -> Iterator[tuple[str, int, int]]:
    for weights in _WEIGHTS.value:
        for batch in map(int, _BATCHES.value if weights == "diverse" else ["1"]):
            for pixels in map(int, sizes):
                yield weights, pixels, batch


def measure(weights: str, pixels: int, batch: int, machine: dict) -> list[dict]:
    """The rows of one table entry, the starred one first among what takes turns."""
    auto = machine["auto"][f"{pixels},{batch}"]["solver"]
    about = {"pixels": pixels, "batch": batch, "dim": _DIM.value, "weights": weights}
    reasons = {m: why_not(m, pixels, batch, weights, machine) for m in _METHODS.value}
    able = sorted((m for m, why in reasons.items() if why is None), key=lambda m: m != auto)
    timed: dict = {}
    if pixels <= LARGEST_IN_TURNS and able:
        timed = run("turns", methods=able, budget=_BUDGET.value, **about)
    reasons |= {method: timed["skipped"] for method in able if "skipped" in timed}
    able = [method for method in able if reasons[method] is None]
    # Memory does not depend on the weights. Two at a time, unless they are timed there.
    measured = able if weights == "diverse" or not timed else []
    with ThreadPoolExecutor(2 if timed else 1) as pool:
        memory = dict(
            zip(measured, pool.map(lambda m: run("alone", method=m, **about), measured), strict=True)
        )
    rows = []
    for method, why in reasons.items():
        row = {**about, "method": method, "auto": method == auto, **memory.get(method, {})}
        if why is not None:
            row["skipped"] = why
        if "skipped" not in row:
            row |= in_turns(timed, method, auto)
            row |= against_floor(row, timed.get("rates", machine["rates"]))
        rows.append(row)
    return rows


def against_floor(row: dict, rates: dict) -> dict:
    """Seconds of the floor, and times over it."""
    found = {}
    for kind in ("forward", "gradient"):
        least = floor(
            rates,
            row["method"],
            row["pixels"],
            row["batch"],
            gradient=kind == "gradient",
            iterations=row.get("iterations", 0),
        )
        found |= {f"{kind}_floor_s": least, f"{kind}_over_floor": row[f"{kind}_s"] / least}
    return found | {"rates": rates}


def in_turns(timed: dict, method: str, auto: str) -> dict:
    """Medians of one method, and its ratio to the starred one."""
    if not timed:
        return {}
    row = dict(timed[method])
    for kind in ("forward_s", "gradient_s"):
        each = row[kind]
        row[kind] = statistics.median(each)
        if auto in timed:
            row[kind.replace("_s", "_ratio")] = ratio(each, timed[auto][kind])
    return row


def ratio(times: list[float], to: list[float]) -> float:
    """Median over the turns; of the medians where a call was too slow to take turns."""
    if len(times) != len(to):
        return statistics.median(times) / statistics.median(to)
    return statistics.median(a / b for a, b in zip(times, to, strict=True))


HEADER = (
    f"{'weights':8}{'P':>6}{'batch':>6} {'solver':16}{'forward ms':>11}{'ratio':>7}{'/floor':>7}"
    f"{'+backward ms':>13}{'ratio':>7}{'/floor':>7}{'fwd MB':>8}{'+bwd MB':>8}{'iter':>5}{'residual':>10}"
)


def line(row: dict) -> str:
    name = row["method"] + "*" * row["auto"]
    start = f"{row['weights']:8}{row['pixels']:6d}{row['batch']:6d} {name:16}"
    if "skipped" in row:
        return f"{start} skipped: {row['skipped']}"

    def cell(key: str, width: int, form: str, scale: float = 1) -> str:
        return f"{scale * row[key]:{width}{form}}" if key in row else f"{'-':>{width}}"

    return (
        start
        + cell("forward_s", 11, ".2f", 1e3)
        + cell("forward_ratio", 7, ".2f")
        + cell("forward_over_floor", 7, ".2f")
        + cell("gradient_s", 13, ".2f", 1e3)
        + cell("gradient_ratio", 7, ".2f")
        + cell("gradient_over_floor", 7, ".2f")
        + cell("forward_bytes", 8, ".0f", 1e-6)
        + cell("gradient_bytes", 8, ".0f", 1e-6)
        + cell("iterations", 5, "d")
        + cell("residual", 10, ".1e")
    )


def find(rows: list[dict], **wanted: Any) -> dict | None:
    """The measured row of these values."""
    for row in rows:
        if "skipped" not in row and all(row[key] == value for key, value in wanted.items()):
            return row
    return None


def goals(rows: list[dict]) -> list[str]:
    """PASS, FAIL or 'not measured' for each of the layer's goals on a CPU."""
    small = {"weights": "diverse", "pixels": 1024, "batch": 1}
    large = find(rows, weights="diverse", pixels=16384, batch=1, method="cg_matrix_free") or {}
    auto = find(rows, **small, auto=True) or {}
    told = [
        goal(
            f"P = 1024, forward + backward: times faster than {method}, at least 3",
            (find(rows, **small, method=method) or {}).get("gradient_ratio"),
            lambda value: value >= 3,
        )
        for method in BASELINES
    ]
    told.append(
        goal(
            "P = 1024, forward + backward: time over floor, at most 2",
            auto.get("gradient_over_floor"),
            lambda value: value <= 2,
        )
    )
    for kind in ("forward", "gradient"):
        gigabytes = large[f"{kind}_bytes"] / 1e9 if f"{kind}_bytes" in large else None
        told.append(
            goal(f"P = 16384, matrix-free {kind}: GB beyond the inputs, below 2", gigabytes, lambda v: v < 2)
        )
        told.append(
            goal(
                f"matrix-free {kind}: exponent of P in the time from 1024 on, at most 2",
                exponent(rows, f"{kind}_s"),
                lambda value: value <= 2,
            )
        )
    return told


def goal(text: str, value: float | None, reached: Any) -> str:
    if value is None:
        return f"not measured: {text}"
    return f"{'PASS' if reached(value) else 'FAIL'}: {text}: {value:.2f}"


def exponent(rows: list[dict], key: str) -> float | None:
    """Slope of log time over log P."""
    points = [
        (math.log(row["pixels"]), math.log(row[key]))
        for row in rows
        if "skipped" not in row
        and (row["method"], row["weights"], row["batch"]) == ("cg_matrix_free", "diverse", 1)
        and row["pixels"] >= 1024
    ]
    return statistics.linear_regression(*zip(*points, strict=True)).slope if len(points) > 1 else None


def breakdown(method: str, pixels: int) -> tuple[list[str], dict]:
    """Where a solver's time goes: each step as a program of its own, beside its floor.

    `prepare` is the matrix and its factor, or the preconditioner, which the floor does not count.
    """
    measured = run(
        "stages", method=method, pixels=pixels, dim=_DIM.value, weights="diverse", budget=_BUDGET.value
    )
    if "skipped" in measured:
        return [f"steps of {method} not measured: {measured['skipped']}"], measured
    rates = gcrf_floor.Rates(**measured["rates"])
    counted = gcrf_floor.stages(method, pixels, _DIM.value, COLUMNS, measured["iterations"])
    least = {name: rates.seconds(work) for name, work in counted.items()}
    least["prepare"] = least.pop("matrix", 0) + least.pop("factor", 0)
    least["solve and residual"] = least.pop("solve")
    lines = [f"steps of {method} at P = {pixels}, batch 1, each a program of its own: ms, floor ms"]
    lines += [
        f"  {name:20}{1e3 * value:8.2f}{1e3 * least[name]:8.2f}"
        for name, value in measured["seconds"].items()
    ]
    return lines, measured


def plot(rows: list[dict], path: Path) -> None:
    """Time of forward + backward, and memory, over P; batch 1."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    kinds = list(dict.fromkeys(row["weights"] for row in rows))
    figure, axes = plt.subplots(
        1, len(kinds) + 1, figsize=(4.6 * (len(kinds) + 1), 4.2), layout="constrained"
    )
    for axis, weights in zip(axes, kinds, strict=False):
        draw(axis, [row for row in rows if row["weights"] == weights], "gradient_s", 1.0)
        guide(axis)
        axis.set(title=f"forward + backward, {weights}", ylabel="seconds")
    draw(axes[-1], [row for row in rows if row["weights"] == kinds[0]], "gradient_bytes", 1e-9)
    axes[-1].axhline(2, color="gray", linestyle=":")
    axes[-1].set(title="peak memory beyond the inputs", ylabel="GB")
    axes[0].legend(fontsize=8)
    figure.savefig(path, dpi=120)


def draw(axis: Any, rows: list[dict], key: str, scale: float) -> None:
    for number, method in enumerate(dict.fromkeys(row["method"] for row in rows)):
        points = [
            (row["pixels"], scale * row[key])
            for row in rows
            if row["method"] == method and row["batch"] == 1 and row.get(key, 0) > 0
        ]
        if points:
            axis.plot(*zip(*points, strict=True), "o-", label=method, color=f"C{number}")
    axis.set(xscale="log", yscale="log", xlabel="P")
    axis.grid(alpha=0.3)


def guide(axis: Any) -> None:
    """A line of slope 2 through the lower left of the plot."""
    left, right = axis.get_xlim()
    bottom = axis.get_ylim()[0]
    axis.plot([left, right], [bottom, bottom * (right / left) ** 2], "k:", label="slope 2")
    axis.set_xlim(left, right)


def main(arguments: Sequence[str]) -> None:
    """Measures every row, prints as it goes."""
    del arguments
    started = time.time()
    out = Path(_OUT.value)
    out.mkdir(parents=True, exist_ok=True)
    machine = run("machine", sizes=[[pixels, batch] for _, pixels, batch in cases(_PIXELS.value)])
    if "skipped" in machine:
        raise ValueError(f"this machine could not be measured: {machine['skipped']}")
    rates = machine["rates"]
    print(
        f"{machine['device']}, jax {machine['jax']}, D = {_DIM.value}, C = {COLUMNS}; product "
        f"{rates['flops'] / 1e9:.1f} GFLOP/s, copy {rates['bytes'] / 1e9:.1f} GB/s, exp {rates['exps'] / 1e9:.2f} G/s "
        "before the first row"
    )
    print(HEADER)
    rows = []
    for case in cases(_PIXELS.value):
        for row in measure(*case, machine):
            rows.append(row)
            print(line(row), flush=True)
    broken = {method: breakdown(method, 1024) for method in STORED if method in _METHODS.value}
    lines = [line for lines, _ in broken.values() for line in lines] + goals(rows)
    steps = {method: measured for method, (_, measured) in broken.items()}
    print("\n".join(lines))
    (out / "gcrf.json").write_text(
        json.dumps({"machine": machine, "rows": rows, "steps": steps, "goals": lines}, indent=1)
    )
    plot(rows, out / "gcrf.png")
    print(f"{time.time() - started:.0f} s; wrote {out / 'gcrf.json'} and {out / 'gcrf.png'}")


if __name__ == "__main__":
    common.run(main)
