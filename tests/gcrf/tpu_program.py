"""Run by test_gcrf_tpu.py in its own process: compiles one solver's gradient for a TPU topology; prints JSON."""

import json
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import topologies
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as Spec

from colorize_jax import gcrf

COLLECTIVES = ("all-gather", "all-to-all", "all-reduce", "collective-permute", "reduce-scatter")


def loss(solver, embeddings, targets, weights, temperature):
    solution = gcrf.solve(
        embeddings, targets, weights, temperature=temperature, exclude_diagonal=True, solver=solver
    )
    return jax.lax.pmean(jnp.mean(solution.value**2), "data")


def main(solver: str, images: int = 16, pixels: int = 256) -> None:
    topology = topologies.get_topology_desc(platform="tpu", topology_name="v5e:4x4")
    mesh = Mesh(np.asarray(topology.devices).reshape(-1), ("data",))
    specs = (Spec("data"), Spec("data"), Spec("data"), Spec())
    shapes = ((images, pixels, 32), (images, pixels, 2), (images, pixels), ())
    arguments = [
        jax.ShapeDtypeStruct(shape, jnp.float32, sharding=NamedSharding(mesh, spec))
        for shape, spec in zip(shapes, specs, strict=True)
    ]
    mapped = jax.shard_map(partial(loss, solver), mesh=mesh, in_specs=specs, out_specs=Spec())
    text = jax.jit(jax.grad(mapped, argnums=(0, 1, 2, 3))).lower(*arguments).compile().as_text()
    print(json.dumps({"chips": mesh.size, "collectives": [word for word in COLLECTIVES if word in text]}))


if __name__ == "__main__":
    main(sys.argv[1])
