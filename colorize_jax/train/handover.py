"""Beginning a run with the networks of another one, or of a released model."""

from pathlib import Path

import jax

from colorize_jax import bundle
from colorize_jax.methods.base import Method, Variables
from colorize_jax.train import checkpoints, hosts
from colorize_jax.train.loop import Data


def networks(run: str, method: Method, data: Data) -> Variables:
    """The networks of the newest finished stage of `run` that `method` has, too; prints which, and which it lacks.

    Args:
      run: folder of a training run; or a released model, by its name or its folder, which lacks what only training
        needs.
      method: its networks may be more or fewer, but those of the same name must have the same arrays.
      data: gives the batch whose shapes the networks are built for.

    Raises:
      ValueError: `run` has no finished stage, or an array is missing, extra or misshapen in a shared network.
    """
    there = bundle.load_bundle(run).variables if is_released(run) else checkpoints.restore_variables(run)
    here = _expected(method, data)
    names = {kind: set(tree["params"]) for kind, tree in (("there", there), ("here", here))}
    shared = names["there"] & names["here"]
    # A released model's file has no entry for a network without statistics.
    there, here = (
        {kind: {n: tree[kind].get(n, {}) for n in sorted(shared)} for kind in tree} for tree in (there, here)
    )
    bundle.check(bundle.flatten(there), here, name=f"config.init_from {run}")
    if hosts.is_first():
        print(
            f"begins with {_listed(shared)} of {run}; drawn anew: {_listed(names['here'] - shared)}; "
            f"left there: {_listed(names['there'] - shared)}"
        )
    return there


def is_released(run: str) -> bool:
    """Whether `run` names a released model and no training run."""
    return run in bundle.available() or (Path(run) / "weights.npz").is_file()


def _expected(method: Method, data: Data) -> Variables:
    """The shapes of every network, stage by stage."""
    variables = None
    for stage in method.stages:
        batch = data.training(0, stage.batch_size).batch_at(0)
        fresh = jax.eval_shape(stage.init, jax.random.key(0), batch, variables)
        variables = fresh.variables
    if variables is None:
        raise ValueError("the method has no stages: nothing to begin with")
    return variables


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"
