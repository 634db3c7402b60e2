"""Data parallelism: the batch is split over the devices of all processes, the state is the same on all of them.

Batch statistics and gradients are those of the whole batch: under `jit` with shardings, XLA inserts the
reductions.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from colorize_jax.methods.base import Batch, Stage, TrainState
from colorize_jax.shapes import Array


class Programs(NamedTuple):
    """A stage's functions, compiled for a mesh; arguments as in `Stage`.

    Attributes:
      init: `(rng, batch, variables | None) -> TrainState`, replicated.
      update: `(state, batch, rng) -> (state, metrics)`; the state is donated, `rng` is the stage's key.
      evaluate: `(variables, batch, rng) -> metrics`, each (B,).
      pictures: `(variables, batch, rng) -> columns`, each (B, H, W, 3).
      calibrate: `(variables, batch, rng) -> statistics of the batch`, or None.
    """

    init: Any
    update: Any
    evaluate: Any
    pictures: Any
    calibrate: Any


def data_mesh(devices: list[jax.Device] | None = None) -> Mesh:
    """A mesh with the one axis 'data' over `devices`, by default all, process by process.

    In this order the rows of process i are the i-th part of a batch, as `data.pipeline.host_rows` hands them out.
    """
    if devices is None:
        devices = sorted(jax.devices(), key=lambda device: (device.process_index, device.id))
    return Mesh(np.asarray(devices), ("data",), axis_types=(AxisType.Auto,))


def replicated(mesh: Mesh) -> NamedSharding:
    """The whole array on each device."""
    return NamedSharding(mesh, PartitionSpec())


def over_data(mesh: Mesh) -> NamedSharding:
    """The first axis split over 'data'."""
    return NamedSharding(mesh, PartitionSpec("data"))


def check_batch_size(batch_size: int, mesh: Mesh, stage: str) -> None:
    """Raises ValueError unless the batch can be split evenly over the devices."""
    if batch_size % mesh.size:
        raise ValueError(
            f"config.stages.{stage}.batch_size is {batch_size}; "
            f"it must be a multiple of the {mesh.size} devices"
        )


def put_batch(batch: dict[str, np.ndarray], mesh: Mesh) -> Batch:
    """The batch on the devices, split along its first axis; returns before the copy is done.

    Args:
      batch: this process's rows; together the processes' rows are the whole batch.
      mesh: as `data_mesh` makes it.
    """
    return jax.make_array_from_process_local_data(over_data(mesh), batch)


def replicate(tree: Any, mesh: Mesh) -> Any:
    """Values that are the same on every process (which is not checked), whole on each device."""
    same = replicated(mesh)
    return jax.tree.map(
        lambda leaf: jax.make_array_from_process_local_data(same, np.asarray(leaf), np.shape(leaf)), tree
    )


def everywhere(compute: Callable[[], Any], mesh: Mesh) -> Any:
    """What `compute` gives, computed on each device; typed keys cannot be sent otherwise."""
    return jax.jit(compute, out_shardings=replicated(mesh))()


def whole(array: Array, mesh: Mesh) -> np.ndarray:
    """An array that is split over the devices of several processes, on the host of each of them."""
    return jax.device_get(_copy(array, replicated(mesh)) if jax.process_count() > 1 else array)


@functools.partial(jax.jit, static_argnums=1)
def _copy(array: Array, sharding: NamedSharding) -> Array:
    return jax.lax.with_sharding_constraint(array, sharding)


def compile_stage(stage: Stage, mesh: Mesh) -> Programs:
    """The stage's functions under `jit`; each compiles at its first call and never again."""
    same, split = replicated(mesh), over_data(mesh)

    def update(state: TrainState, batch: Batch, rng: Array) -> tuple[TrainState, dict[str, Array]]:
        return stage.update(state, batch, jax.random.fold_in(rng, state.step))

    def init(rng: Array, batch: Batch, variables: Any) -> TrainState:
        return jax.tree.map(_strongly_typed, stage.init(rng, batch, variables))

    return Programs(
        init=jax.jit(init, out_shardings=same),
        update=jax.jit(
            update, donate_argnums=0, in_shardings=(same, split, same), out_shardings=(same, same)
        ),
        evaluate=jax.jit(stage.evaluate, out_shardings=same),
        pictures=jax.jit(stage.pictures, out_shardings=same),
        calibrate=jax.jit(stage.calibrate, in_shardings=(same, split, same), out_shardings=same)
        if stage.calibrate
        else None,
    )


def _strongly_typed(leaf: Array) -> Array:
    # A weakly typed leaf (once a Python scalar) comes back strong from `update`, which then compiles twice.
    return jnp.asarray(leaf, dtype=leaf.dtype)


@jax.jit
def all_finite(tree: Any) -> Array:
    """Whether every floating-point leaf is free of NaN and infinity; a scalar bool on the device."""
    leaves = [x for x in jax.tree.leaves(tree) if jnp.issubdtype(x.dtype, jnp.inexact)]
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(x)) for x in leaves] or [jnp.asarray(True)]))
