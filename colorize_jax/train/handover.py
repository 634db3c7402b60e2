"""Beginning a run with the networks of another one, or of a released model."""

import hashlib
from pathlib import Path

import jax
import numpy as np

from colorize_jax import bundle
from colorize_jax.methods.base import Method, Variables
from colorize_jax.train import checkpoints, hosts, provenance
from colorize_jax.train.loop import Data, Initial

RELEASED = "released:"
"""What stands before the name of a model of the package in `config.init_from`."""


def begin(source: str, method: Method, data: Data) -> Initial:
    """The networks of `source` that `method` has, too; prints which, and which it lacks.

    Of a run these are the float32 arrays of its newest finished stage. A released model lacks what only training needs,
    and its matrices are rounded.

    Args:
      source: folder of a training run or of a model, or `released:NAME` for one of the package.
      method: its networks may be more or fewer, but those of the same name must have the same arrays.
      data: gives the batches whose shapes the networks are built for.

    Raises:
      ValueError: there is no such folder, it has no finished stage, or an array is missing, extra or misshapen in a
        shared network.
    """
    folder = find(source)
    there, here = _variables(folder), _expected(method, data)
    names = {kind: set(tree["params"]) for kind, tree in (("there", there), ("here", here))}
    shared = names["there"] & names["here"]
    # A released model's file has no entry for a network without statistics.
    there, here = (
        {kind: {n: tree[kind].get(n, {}) for n in sorted(shared)} for kind in tree} for tree in (there, here)
    )
    bundle.check(bundle.flatten(there), here, name=f"config.init_from {source}")
    found = sha256(there)
    if hosts.is_first():
        print(
            f"begins with {_listed(shared)} of {source} ({found[:12]}); drawn anew: {_listed(names['here'] - shared)}; "
            f"left there: {_listed(names['there'] - shared)}"
        )
    return Initial(there, {"init_from": source, "sha256": found, "provenance": provenance.of(folder)})


def find(source: str) -> Path:
    """The folder that `config.init_from` names; that of a model of the package only where `released:` says so.

    Raises:
      ValueError: there is no such folder or model.
    """
    if source.startswith(RELEASED):
        name = source.removeprefix(RELEASED)
        if name not in bundle.available():
            raise ValueError(
                f"config.init_from is {source!r}; the models of the package are {', '.join(bundle.available())}"
            )
        return bundle.WEIGHTS / name
    if not Path(source).is_dir():
        hint = f"; {RELEASED}{source} is the model of the package" if source in bundle.available() else ""
        raise ValueError(f"config.init_from is {source!r}, and there is no such folder{hint}")
    return Path(source).absolute()


def sha256(variables: Variables) -> str:
    """A hash of all arrays and their names."""
    found = hashlib.sha256()
    for name, array in sorted(bundle.flatten(variables).items()):
        found.update(f"{name} {array.shape} {array.dtype}".encode() + np.asarray(array).tobytes())
    return found.hexdigest()


def _variables(folder: Path) -> Variables:
    if provenance.is_model(folder):
        return bundle.load_bundle(folder).variables
    return checkpoints.restore_variables(folder)


def _expected(method: Method, data: Data) -> Variables:
    """The shapes of every network, stage by stage."""
    variables = None
    for index, stage in enumerate(method.stages):
        batch = data.training(index, stage.batch_size).batch_at(0)
        fresh = jax.eval_shape(stage.init, jax.random.key(0), batch, variables)
        variables = fresh.variables
    if variables is None:
        raise ValueError("the method has no stages: nothing to begin with")
    return variables


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"
