"""Run by test_gcrf_sharded.py in its own process, which sees 8 devices; prints one JSON object."""

import json
import math
import re
from functools import partial
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as Spec

from colorize_jax import gcrf
from colorize_jax.gcrf import operators


def main() -> None:
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    rng = np.random.default_rng(0)
    # 150 pixels: more than one block of the factor.
    batch = (rng.normal(size=(16, 150, 6)), rng.uniform(size=(16, 150, 2)), rng.uniform(size=(16, 150)) + 0.1)
    batch = tuple(jnp.asarray(array, jnp.float32) for array in batch)
    sharded = jax.device_put(batch, NamedSharding(mesh, Spec("data")))
    report = {}
    for solver in gcrf.SOLVERS:
        function = partial(solve, solver)
        alone = jax.jit(partial(gradients, function))(*batch, TEMPERATURE)
        specs = (Spec("data"), Spec("data"), Spec("data"), Spec())
        mapped = jax.shard_map(function, mesh=mesh, in_specs=specs, out_specs=Spec("data"))
        report[f"shard_map {solver}"] = compare(mapped, sharded, alone)
        if solver == "cholesky":
            report["jit cholesky"] = compare(function, sharded, alone)
    report |= {f"mesh {sizes}": on_mesh(sizes, batch) for sizes in ("8 1 1", "2 1 4", "1 2 4")}
    print(json.dumps(report))


TEMPERATURE = jnp.float32(2.0)
COLLECTIVES = ("all-gather", "all-to-all", "collective-permute", "reduce-scatter")


def on_mesh(sizes, batch):
    """`solve_on_mesh` with devices along data, fsdp and pixel."""
    grid = tuple(map(int, sizes.split()))
    mesh = jax.make_mesh(grid, ("data", "fsdp", "pixel"), axis_types=(AxisType.Auto,) * 3)
    sharded = jax.device_put(batch, NamedSharding(mesh, Spec(("data", "fsdp"))))
    solver = "cg_matrix_free" if grid[2] > 1 else "cholesky"

    def function(embeddings, targets, weights, temperature):
        with jax.sharding.use_abstract_mesh(mesh.abstract_mesh):
            return gcrf.solve_on_mesh(
                embeddings,
                targets,
                weights,
                temperature=temperature,
                exclude_diagonal=True,
                solver="cholesky",
            ).value

    # Tiles of 32 pixels: 15 of them, which 4 devices cannot share evenly.
    with mock.patch.object(operators, "block_size", lambda: 32):
        alone = jax.jit(partial(gradients, partial(solve, solver)))(*batch, TEMPERATURE)
        return compare(function, sharded, alone)


def compare(function, sharded, alone):
    """Error against one device, and what the compiled program sends between devices."""
    compiled = jax.jit(partial(gradients, function)).lower(*sharded, TEMPERATURE).compile()
    got = compiled(*sharded, TEMPERATURE)
    errors = jax.tree.map(lambda a, b: np.abs(np.asarray(a) - np.asarray(b)).max(), got, alone)
    text = compiled.as_text()
    sums = [
        line.split(" = ")[1].split(" all-reduce")[0] for line in text.splitlines() if " all-reduce(" in line
    ]
    shapes = [shape for types in sums for shape in re.findall(r"\[([\d,]*)\]", types)]
    return {
        "largest_sum": max([math.prod(map(int, filter(None, shape.split(",")))) for shape in shapes]),
        "error": float(max(jax.tree.leaves(errors))),
        "collectives": [word for word in COLLECTIVES if word in text],
        "embeddings_shard": list(got[1][0].addressable_shards[0].data.shape),
    }


def solve(solver, embeddings, targets, weights, temperature):
    return gcrf.solve(
        embeddings, targets, weights, temperature=temperature, exclude_diagonal=True, solver=solver
    ).value


def gradients(function, *arguments):
    return jax.value_and_grad(lambda *a: jnp.mean(function(*a) ** 2), argnums=(0, 1, 2, 3))(*arguments)


if __name__ == "__main__":
    main()
