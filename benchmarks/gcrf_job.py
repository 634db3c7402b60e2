"""One measurement of `gcrf.py` in a process of its own: `python benchmarks/gcrf_job.py '{"job": "machine"}'`.

The argument names a function below and its arguments; what it returns is printed as one JSON line.
"""

import os

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # a GPU's memory is what is measured

import ctypes
import json
import re
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from colorize_jax import gcrf
from colorize_jax.gcrf import operators, solution
from colorize_jax.gcrf.energy import system_matrix
from colorize_jax.gcrf.solvers import base

ROUNDS = (2, 25)  # at least and at most, of functions that take turns
Function = Callable[[], Any]  # of one measured call, which waits for its result


def problem(pixels: int, batch: int, dim: int, weights: str) -> tuple[np.ndarray, ...]:
    """E, α, w and τ of fields that look alike at every P: smooth features of positions and three smooth waves.

    Rows of E have norm² near D, as a normalised network's would, so that τ = √D gives logits up to √D.
    """
    rng = np.random.default_rng(0)
    side = round(pixels**0.5)
    places = np.mgrid[:side, :side].reshape(2, -1).T / side
    embeddings = []
    for _ in range(batch):
        waves = np.sin(places @ rng.uniform(1, 9, (2, 3)) + rng.uniform(0, 6, 3))
        features = np.concatenate([6 * places, waves], axis=1)
        angles = features @ rng.normal(size=(5, dim)) + rng.uniform(0, 2 * np.pi, dim)
        embeddings.append(np.sqrt(2) * np.cos(angles))
    revealed = rng.uniform(size=(batch, pixels)) < rng.uniform(0.01, 0.1, (batch, 1))
    confidence = {"diverse": np.full((batch, pixels), 5.0), "edits": np.where(revealed, 1.0, 1e-3)}[weights]
    targets = rng.uniform(-0.5, 0.5, (batch, pixels, 2))
    return tuple(np.asarray(a, np.float32) for a in (embeddings, targets, confidence, dim**0.5))


def ours(name: str, embeddings, targets, weights, temperature):
    """The package's layer: a Solution."""
    options = {"temperature": temperature, "exclude_diagonal": True, "solver": name}
    return gcrf.solve(embeddings, targets, weights, **options)


@partial(jax.vmap, in_axes=(0, 0, 0, None))
def jax_lu(embeddings, targets, weights, temperature):
    """(a) The paper's formulation: S stored, LU; `jax.grad` goes through jnp.linalg.solve, which keeps the factor."""
    similarity = gcrf.similarity(embeddings, temperature, exclude_diagonal=True)
    return jnp.linalg.solve(system_matrix(similarity, weights), weights[..., None] * targets)


def torch_lu(embeddings, targets, weights, temperature):
    """(b) The same in PyTorch, whose autograd keeps the factor too."""
    import torch

    logits = embeddings @ embeddings.mT / temperature
    same = torch.eye(logits.shape[-1], dtype=torch.bool, device=logits.device)
    similarity = torch.softmax(logits.masked_fill(same, -torch.inf), dim=-1)
    off = same.to(logits.dtype) - similarity
    return torch.linalg.solve(off.mT @ off + torch.diag_embed(weights), weights[..., None] * targets)


def calls(method: str, arrays: tuple[np.ndarray, ...]) -> dict[str, Function]:
    """{'forward': x, 'gradient': (Σx²)'s gradient for E, α, w, τ}, compiled; a call waits for its result."""
    return torch_calls(arrays) if method == "torch_lu" else jax_calls(method, arrays)


def jax_calls(method: str, arrays: tuple[np.ndarray, ...]) -> dict[str, Function]:
    solve = jax_lu if method == "jax_lu" else partial(ours, method)
    inputs = tuple(map(jnp.asarray, arrays))
    gradient = jax.grad(lambda *a: jnp.sum(field_of(solve(*a)) ** 2), argnums=(0, 1, 2, 3))
    programs = {"forward": solve, "gradient": gradient}
    return {name: compiled_call(program, *inputs) for name, program in programs.items()}


def torch_calls(arrays: tuple[np.ndarray, ...]) -> dict[str, Function]:
    import torch

    device = "cuda" if jax.default_backend() == "gpu" else "cpu"
    inputs = tuple(torch.tensor(a, device=device, requires_grad=True) for a in arrays)
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None

    def forward():
        with torch.no_grad():
            value = torch_lu(*inputs)
        wait()
        return value

    def gradient():
        bars = torch.autograd.grad((torch_lu(*inputs) ** 2).sum(), inputs)
        wait()
        return bars

    return {"forward": forward, "gradient": gradient}


def field_of(result: Any) -> Any:
    return result.value if isinstance(result, gcrf.Solution) else result


def as_numpy(array: Any) -> np.ndarray:
    return array.cpu().numpy() if hasattr(array, "cpu") else np.asarray(array)


def seconds(function: Function) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def turns(pixels: int, batch: int, dim: int, weights: str, methods: list[str], budget: float) -> dict:
    """Seconds of each call and the machine's rates, taking turns, so that a busy machine slows all alike.

    A first call that takes more than `budget` seconds is the only one of its function.
    """
    arrays = problem(pixels, batch, dim, weights)
    measured = yardsticks()
    functions = {(m, kind): call for m in methods for kind, call in calls(m, arrays).items()}
    results, first = {}, {}
    for key, call in functions.items():
        start = time.perf_counter()
        results[key] = call()
        first[key] = time.perf_counter() - start
    repeated = {key: call for key, call in functions.items() if first[key] <= budget}
    taken = take_turns(repeated | {name: each.call for name, each in measured.items()}, budget)
    times = {key: taken.get(key, [first[key]]) for key in functions}
    reference = {kind: results[methods[0], kind] for kind in ("forward", "gradient")}
    found: dict = {"rates": rates_of(measured, taken)}
    for method in methods:
        field, bar = results[method, "forward"], results[method, "gradient"][0]
        found[method] = {
            "forward_s": times[method, "forward"],
            "gradient_s": times[method, "gradient"],
            "field_off": difference(field_of(field), field_of(reference["forward"])),
            "gradient_off": difference(bar, reference["gradient"][0]),
            **accuracy(arrays, field),
        }
    return found


def take_turns(functions: dict, budget: float) -> dict[Any, list[float]]:
    """Seconds of each call, round after round until `budget` seconds are spent."""
    times: dict = {key: [] for key in functions}
    start = time.perf_counter()
    for done in range(ROUNDS[1]):
        if done >= ROUNDS[0] and time.perf_counter() - start > budget:
            break
        for key, call in functions.items():
            time.sleep(0.02)  # idle threads of the one before stop spinning
            times[key].append(seconds(call))
    return times


def difference(values: Any, reference: Any) -> float:
    """‖a − b‖ / ‖b‖."""
    a, b = as_numpy(values), as_numpy(reference)
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def accuracy(arrays: tuple[np.ndarray, ...], result: Any) -> dict[str, float]:
    """The relative residual of the worst column of the worst image; and the iterations that a solver of ours took."""
    if isinstance(result, gcrf.Solution):
        return {"residual": float(result.residual.max()), "iterations": int(result.iterations.max())}
    inputs = map(jnp.asarray, (*arrays, as_numpy(result)))
    return {"residual": float(jnp.max(residual(*inputs)))}


@jax.jit
def residual(embeddings, targets, weights, temperature, field):
    """‖b − A x‖ / ‖b‖ of each column of each image."""

    def one(arrays):
        e, right, w, x = arrays[0], arrays[2][:, None] * arrays[1], arrays[2], arrays[3]
        operator = operators.blockwise(operators.Attention(e, temperature), exclude_diagonal=True)
        missing = right - base.apply(operator, w, x)
        return jnp.linalg.norm(missing, axis=0) / jnp.linalg.norm(right, axis=0)

    return jax.lax.map(one, (embeddings, targets, weights, field))


def alone(pixels: int, batch: int, dim: int, weights: str, method: str) -> dict:
    """Peak memory of one method beyond its inputs, and the seconds of its first calls, compiled beforehand."""
    arrays = problem(pixels, batch, dim, weights)
    found: dict[str, float] = {}
    for kind, call in calls(method, arrays).items():
        reset, resident, peak = memory_meter(method)
        reset()
        before = resident()
        start = time.perf_counter()
        result = call()
        found[f"{kind}_s"] = time.perf_counter() - start
        found[f"{kind}_bytes"] = peak() - before
        if kind == "forward":
            found |= accuracy(arrays, result)
    return found


def memory_meter(method: str) -> tuple[Callable[[], None], Callable[[], int], Callable[[], int]]:
    """Reset the peak; bytes in use; the peak's bytes. On a CPU those of the process, as Linux counts them."""
    if jax.default_backend() == "cpu":
        return reset_resident_peak, lambda: resident_bytes("VmRSS"), lambda: resident_bytes("VmHWM")
    if method == "torch_lu":
        import torch

        return (
            torch.cuda.reset_peak_memory_stats,
            torch.cuda.memory_allocated,
            torch.cuda.max_memory_allocated,
        )
    # JAX cannot reset its peak; the gradient's is the larger one.
    stats = jax.local_devices()[0].memory_stats
    return lambda: None, lambda: stats()["bytes_in_use"], lambda: stats()["peak_bytes_in_use"]


def reset_resident_peak() -> None:
    """Forget the peak of compiling, and give back what it left free, lest the solve seem to need less."""
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def resident_bytes(name: str) -> int:
    return 1024 * int(re.search(rf"{name}:\s+(\d+)", Path("/proc/self/status").read_text())[1])


def stages(method: str, pixels: int, dim: int, weights: str, budget: float) -> dict:
    """Median seconds of the steps of a solver of a stored S, forward and backward, each a program; iterations."""
    arrays = tuple(jnp.asarray(a) for a in problem(pixels, 1, dim, weights))
    e, targets, w = (array[0] for array in arrays[:3])
    attention = operators.Attention(e, arrays[3])
    chosen, stopping = gcrf.SOLVERS[method], base.StoppingRule(1e-6, 1000)
    source = jax.jit(partial(operators.store, exclude_diagonal=True))(attention)
    operator = source.operator()
    state = jax.jit(chosen.prepare)(operator, w)
    right = w[:, None] * targets
    field, iterations = chosen.solve(operator, w, state, right, stopping)
    thin = jnp.concatenate([field, chosen.solve(operator, w, state, 2 * field, stopping)[0]], axis=1)
    product = operator.times(thin)
    left = jnp.roll(thin - product, field.shape[1], axis=1)
    steps = {
        "similarity": (lambda a: operators.store(a, exclude_diagonal=True).operator(), attention),
        "prepare": (chosen.prepare, operator, w),
        "solve and residual": (
            lambda *a: solution.solve_system(chosen, *a, stopping),
            operator,
            w,
            state,
            right,
        ),
        "backward solve": (lambda *a: chosen.solve(*a, stopping)[0], operator, w, state, field),
        "backward S [x, b]": (lambda o, v: o.times(v), operator, thin),
        "backward embeddings": (lambda s, *a: s.pull(*a), source, left, thin, product),
    }
    measured = yardsticks()
    functions = {name: compiled_call(f, *inputs) for name, (f, *inputs) in steps.items()}
    taken = take_turns(functions | {name: each.call for name, each in measured.items()}, budget)
    return {
        "rates": rates_of(measured, taken),
        "seconds": {name: statistics.median(taken[name]) for name in steps},
        "iterations": int(np.max(iterations)),
    }


def compiled_call(function: Callable, *inputs: Any) -> Function:
    compiled = jax.jit(function).lower(*inputs).compile()
    return lambda: jax.block_until_ready(compiled(*inputs))


class Yardstick(NamedTuple):
    work: float  # of a call
    call: Function


def yardsticks() -> dict[str, Yardstick]:
    """A large product, a copy and an exp of more than a cache holds, which tell the machine's rates."""
    side, size = 2048, 2**25
    square = jnp.ones((side, side))
    product = jax.jit(partial(jnp.matmul, precision="highest"))
    return {
        "flops": Yardstick(2 * side**3, lambda: product(square, square).block_until_ready()),
        "bytes": Yardstick(2 * 4 * size, in_place(lambda x: x + 1, size)),
        "exps": Yardstick(size, in_place(lambda x: jnp.exp(-x), size)),
    }


def in_place(function: Callable, size: int) -> Function:
    """Over and over on the same memory: fetching it from the system is not what is measured."""
    held = [jnp.ones(size)]
    compiled = jax.jit(function, donate_argnums=0)

    def call() -> None:
        held[0] = compiled(held[0]).block_until_ready()

    return call


def rates_of(measured: dict[str, Yardstick], times: dict[str, list[float]]) -> dict[str, float]:
    """A second, by the median."""
    return {name: work / statistics.median(times[name]) for name, (work, _) in measured.items()}


def machine(sizes: list[list[int]]) -> dict:
    """The rates now, and what solver='auto' takes."""
    measured = yardsticks()
    times = {name: [seconds(call) for _ in range(9)] for name, (_, call) in measured.items()}
    chosen = [gcrf.choose(pixels, batch=batch) for pixels, batch in sizes]
    device = jax.local_devices()[0]
    told = device.memory_stats() or {}
    return {
        "rates": rates_of(measured, times),
        "auto": {f"{p},{b}": choice._asdict() for (p, b), choice in zip(sizes, chosen, strict=True)},
        "backend": jax.default_backend(),
        "device": device.device_kind,
        "jax": jax.__version__,
        "memory": told.get("bytes_limit") or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    }


if __name__ == "__main__":
    arguments = json.loads(sys.argv[1])
    job = {"turns": turns, "alone": alone, "stages": stages, "machine": machine}[arguments.pop("job")]
    print(json.dumps(job(**arguments)))
