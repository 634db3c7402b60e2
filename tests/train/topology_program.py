"""Run by test_topologies.py in its own process, which sees 8 devices; prints one JSON object.

The structure stage of `scc`, tiny, takes one step on meshes of 1, 2 and 8 devices; its state is saved on one mesh and
restored on another.
"""

import collections
import json
import sys
from pathlib import Path

import jax
import numpy as np

from colorize_jax import methods
from colorize_jax.config import load
from colorize_jax.methods import resolve
from colorize_jax.methods.base import TrainState
from colorize_jax.train import ahead, checkpoints, parallel

BATCH = 8
MESHES = ("1 1", "2 1", "8 1", "2 4")
parallel.SMALL = 64  # the networks are tiny


def main(folder: Path) -> None:
    config = load("base")
    config.width = 1 / 64
    config.stages.structure.batch_size = BATCH
    config.optim.warmup_steps = 0  # or the first step would have a rate of 0
    _, unary, stage, *_ = methods.build(resolve(config, images=BATCH)).stages
    drawn = np.random.default_rng(0)
    batch = {
        "lightness": drawn.uniform(-1, 1, (BATCH, 64, 64, 1)).astype(np.float32),
        "ab": drawn.uniform(-0.3, 0.3, (BATCH, 64, 64, 2)).astype(np.float32),
    }
    key = jax.random.key(0)
    variables = jax.jit(unary.init)(key, batch, None).variables
    start = jax.device_get(jax.jit(stage.init)(key, batch, variables))
    report: dict[str, object] = {"gradient_bytes": sum(x.nbytes for x in jax.tree.leaves(trained(start)))}
    ends = {}
    for sizes in MESHES:
        mesh = mesh_of(sizes)
        compiled, shapes = ahead.compiled_update(stage, mesh, key, batch, variables)
        state = jax.tree.map(lambda x, like: jax.device_put(x, like.sharding), start, shapes)
        rows = jax.device_put(batch, parallel.over_rows(mesh))
        end, metrics = compiled(state, rows, jax.device_put(key, parallel.replicated(mesh)))
        ends[sizes] = jax.device_get(end)
        step = ahead.step_of(stage, compiled, shapes)
        report[sizes] = {
            "loss": float(metrics["loss"]),
            "gradients_apart": apart(ends[sizes].opt_state, ends["1 1"].opt_state),
            "steps_apart": apart(change(start, ends[sizes]), change(start, ends["1 1"])),
            "sent": sent(step),
            "forbidden": [each.kind for each in step.forbidden],
            "whole": sum(x.sharding.is_fully_replicated for x in jax.tree.leaves(shapes)),
        }
    report["restored"] = restored(folder, stage, (key, batch, variables), ends["2 4"])
    print(json.dumps(report))


def mesh_of(sizes: str):
    data, fsdp = map(int, sizes.split())
    return parallel.make_mesh(data, fsdp, devices=jax.devices()[: data * fsdp])


def trained(state: TrainState):
    return {name: state.params[name] for name in ("structure", "top")}


def change(start: TrainState, end: TrainState):
    return jax.tree.map(np.subtract, trained(end), trained(start))


def apart(one, other) -> float:
    """‖one − other‖ / ‖other‖ of all that is no whole number."""
    flat = [
        np.concatenate([np.ravel(x) for x in jax.tree.leaves(tree) if np.issubdtype(x.dtype, np.floating)])
        for tree in (one, other)
    ]
    return float(np.linalg.norm(flat[0] - flat[1]) / np.linalg.norm(flat[1]))


def sent(step: ahead.Step) -> dict[str, list[int]]:
    found: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0])
    for each in step.collectives:
        found[each.kind][0] += 1
        found[each.kind][1] += each.bytes
    return dict(found)


def restored(folder: Path, stage, arguments, state) -> dict[str, bool]:
    """Whether the state comes back with the same bits as it goes from mesh to mesh through checkpoints."""
    same = {}
    for number, sizes in enumerate(("1 8", "1 1", "2 2")):
        mesh = mesh_of(sizes)
        layout = parallel.layout(stage, mesh, *arguments)
        shapes = parallel.placed(jax.eval_shape(stage.init, *arguments), layout)
        with checkpoints.StageCheckpoints(folder, "structure", keep=1) as saved:
            if number:
                placed = saved.restore(shapes)
                pairs = zip(jax.tree.leaves(state), jax.tree.leaves(placed), strict=True)
                same[sizes] = all(np.array_equal(a, b) for a, b in pairs) and all(
                    x.sharding == like.sharding
                    for x, like in zip(jax.tree.leaves(placed), jax.tree.leaves(shapes), strict=True)
                )
            else:
                placed = jax.tree.map(lambda x, like: jax.device_put(x, like.sharding), state, shapes)
            saved.save(number, placed, wait=True)
    return same


if __name__ == "__main__":
    main(Path(sys.argv[1]))
