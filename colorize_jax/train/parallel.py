"""The devices of all processes as one mesh, and a stage's functions compiled for it.

| axis | split over it |
|---|---|
| `data` | the batch |
| `fsdp` | the batch, too; and parameters and optimiser state, which a step gathers where it needs them |
| `pixel` | the work of a large G-CRF's products (`gcrf.mesh`); the batch is the same along it |

Batch statistics and gradients are those of the whole batch: under `jit` with shardings, XLA inserts the
reductions.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from colorize_jax.gcrf.mesh import PIXEL, ROWS
from colorize_jax.methods.base import Batch, Stage, TrainState, Variables
from colorize_jax.methods.parts.updates import gathered
from colorize_jax.shapes import Array

T = TypeVar("T")

AXES = (*ROWS, PIXEL)

SMALL = 2**14
"""Arrays of fewer numbers are whole on each device: gathering one costs more than keeping it."""

Layout = Any
"""A sharding for every leaf of a `TrainState`, or one for all of them."""


class Programs(NamedTuple):
    """A stage's functions, compiled for a mesh; arguments as in `Stage`.

    Attributes:
      init: `(rng, batch, variables | None) -> TrainState`, laid out as `layout` says.
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


def make_mesh(
    data: int = 0, fsdp: int = 1, pixel: int = 1, *, devices: Sequence[jax.Device] | None = None
) -> Mesh:
    """A mesh with the axes 'data', 'fsdp' and 'pixel', all of them automatic.

    In the order of processes, so that the rows of process i are the i-th part of a batch, as
    `data.pipeline.host_rows` hands them out.

    Args:
      data: its devices along 'data'; 0 takes all that the others leave.
      fsdp: along 'fsdp'.
      pixel: along 'pixel', all of one process.
      devices: those to use; by default all, of all processes.

    Raises:
      ValueError: the devices cannot be divided so.
    """
    devices = sorted(devices or jax.devices(), key=lambda device: (device.process_index, device.id))
    rest = fsdp * pixel
    data = data or max(1, len(devices) // rest)
    if data * rest != len(devices):
        raise ValueError(
            f"config.mesh asks for data x fsdp x pixel = {data} x {fsdp} x {pixel} devices, but there are "
            f"{len(devices)}; give sizes whose product is {len(devices)}, or data = 0 for what the others leave"
        )
    grid = np.asarray(devices).reshape(data, fsdp, pixel)
    if any(len({device.process_index for device in row}) > 1 for row in grid.reshape(-1, pixel)):
        raise ValueError(
            f"config.mesh.pixel is {pixel}; it must divide the devices of each process, which read the same images"
        )
    return Mesh(grid, AXES, axis_types=(AxisType.Auto,) * len(AXES))


def replicated(mesh: Mesh) -> NamedSharding:
    """The whole array on each device."""
    return NamedSharding(mesh, PartitionSpec())


def over_rows(mesh: Mesh) -> NamedSharding:
    """The first axis split over 'data' and 'fsdp'."""
    return NamedSharding(mesh, PartitionSpec(ROWS))


def row_shards(mesh: Mesh) -> int:
    """The number of parts that a batch is split into."""
    return mesh.shape["data"] * mesh.shape["fsdp"]


def over_fsdp(mesh: Mesh, shape: tuple[int, ...]) -> NamedSharding:
    """How an array of the state lies: its largest axis that 'fsdp' divides is split, small arrays are whole."""
    parts = mesh.shape["fsdp"]
    divisible = [axis for axis, size in enumerate(shape) if size % parts == 0]
    if parts == 1 or math.prod(shape) < SMALL or not divisible:
        return replicated(mesh)
    largest = max(divisible, key=lambda axis: shape[axis])
    return NamedSharding(mesh, PartitionSpec(*[None] * largest, "fsdp"))


def layout(stage: Stage, mesh: Mesh, *arguments: Any) -> Layout:
    """How the stage's state lies on the mesh.

    Args:
      stage: whose state it is.
      mesh: as `make_mesh` makes it.
      arguments: of `stage.init`, or their shapes.
    """
    if mesh.shape["fsdp"] == 1:
        return replicated(mesh)
    state = jax.eval_shape(stage.init, *arguments)
    return jax.tree.map(lambda leaf: over_fsdp(mesh, leaf.shape), state)


def placed(shapes: Any, layout: Layout) -> Any:
    """`shapes` as `jax.ShapeDtypeStruct` with the shardings of `layout`."""
    if isinstance(layout, NamedSharding):
        layout = jax.tree.map(lambda _: layout, shapes)
    return jax.tree.map(
        lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), shapes, layout
    )


def check_batch_size(batch_size: int, mesh: Mesh, stage: str, accumulate: int = 1) -> None:
    """Raises ValueError unless the batch can be split evenly over the devices, `accumulate` times in turn."""
    shards = row_shards(mesh)
    if batch_size % (shards * accumulate):
        parts = f"{shards} devices" + (f" x config.optim.accumulate {accumulate}" if accumulate > 1 else "")
        raise ValueError(
            f"config.stages.{stage}.batch_size is {batch_size}; it must be a multiple of the {parts}"
        )


def put_batch(batch: dict[str, np.ndarray], mesh: Mesh) -> Batch:
    """The batch on the devices, split along its first axis; returns before the copy is done.

    Args:
      batch: this process's rows; together the processes' rows are the whole batch.
      mesh: as `make_mesh` makes it.
    """
    return jax.make_array_from_process_local_data(over_rows(mesh), batch)


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


def compile_stage(stage: Stage, mesh: Mesh, layout: Layout) -> Programs:
    """The stage's functions under `jit`; each compiles at its first call and never again.

    Args:
      stage: of a method.
      mesh: as `make_mesh` makes it.
      layout: of the stage's state, as the function `layout` says.
    """
    same, split = replicated(mesh), over_rows(mesh)

    def update(state: TrainState, batch: Batch, rng: Array) -> tuple[TrainState, dict[str, Array]]:
        state = state._replace(**gathered(state.variables))
        return stage.update(state, batch, jax.random.fold_in(rng, state.step))

    def init(rng: Array, batch: Batch, variables: Variables | None) -> TrainState:
        return jax.tree.map(_strongly_typed, stage.init(rng, batch, variables))

    return Programs(
        init=jax.jit(init, out_shardings=layout),
        update=jax.jit(
            _knowing(mesh, update),
            donate_argnums=0,
            in_shardings=(layout, split, same),
            out_shardings=(layout, same),
        ),
        evaluate=jax.jit(_knowing(mesh, stage.evaluate), out_shardings=same),
        # Of a few images, as many as the contact sheet has: whole on each device.
        pictures=jax.jit(stage.pictures, out_shardings=same),
        calibrate=jax.jit(_knowing(mesh, stage.calibrate), out_shardings=same) if stage.calibrate else None,
    )


def _knowing(mesh: Mesh, function: Callable[..., T]) -> Callable[..., T]:
    """`function`, traced where it can ask JAX for the mesh, as `gcrf.mesh` does."""

    @functools.wraps(function)
    def traced(*arguments: Any) -> T:
        with jax.sharding.use_abstract_mesh(mesh.abstract_mesh):
            return function(*arguments)

    return traced


def _strongly_typed(leaf: Array) -> Array:
    # A weakly typed leaf (once a Python scalar) comes back strong from `update`, which then compiles twice.
    return jnp.asarray(leaf, dtype=leaf.dtype)


def all_finite(tree: Any) -> bool:
    """Whether every floating-point leaf is free of NaN and infinity."""
    leaves = [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
    return all(jax.device_get(list(map(_finite, leaves))))


# A program for each shape of an array: one for a whole tree would be compiled anew for each kind of state.
@jax.jit
def _finite(array: Array) -> Array:
    return jnp.isfinite(array).all()
