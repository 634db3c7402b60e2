"""Checkpoints within and between stages; the only module that imports orbax.

| folder of the working directory | holds | kept |
|---|---|---|
| `checkpoints/<stage>/<step>` | the whole `TrainState` | the last `keep` |
| `checkpoints/<stage>.sums/<step>.json` | its checksums, one an array | with it |
| `stages/<stage>` and `….json` | the variables that a finished stage hands on; its step | for ever |
| `best/<stage>/<step>` and `<stage>.json` | the variables of the lowest error so far; step, metric, value | the best |

Orbax writes into a temporary folder and renames it when all is there, so a save cut short by `kill -9` is
never taken for a checkpoint. What it reads it does not check: one flipped byte gives other numbers. Hence the
checksums, which are the same however an array lies on devices. A stage is finished once its `.json` exists, which
is written after its folder.

Orbax's `CheckpointManager`, not its v1 interface: v1 renamed its functions and the folders inside a
checkpoint between 0.11 and 0.12, and a checkpoint must outlive an upgrade.
"""

import functools
import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp

from colorize_jax import files
from colorize_jax.methods.base import TrainState, Variables
from colorize_jax.shapes import Array
from colorize_jax.train import hosts

Place = Callable[[tuple[int, ...]], jax.sharding.Sharding]
"""The sharding of an array of a shape."""


class StageCheckpoints:
    """The last `keep` checkpoints within one stage; a context manager that waits for pending saves."""

    def __init__(self, workdir: Path, stage: str, *, keep: int) -> None:
        self.folder = (workdir / "checkpoints" / stage).absolute()
        self._manager = self._open(keep)
        self._keep = keep

    def _open(self, keep: int) -> ocp.CheckpointManager:
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, cleanup_tmp_directories=True, create=True)
        return ocp.CheckpointManager(self.folder, options=options)

    def __enter__(self) -> "StageCheckpoints":
        return self

    def __exit__(self, *_: object) -> None:
        self._manager.close()

    @property
    def latest(self) -> int | None:
        """The step of the newest complete checkpoint, None where there is none."""
        return self._manager.latest_step()

    def save(self, step: int, state: TrainState, *, wait: bool) -> None:
        """Writes the state as the checkpoint of `step`, in the background unless `wait`.

        `state` may be donated as soon as this returns. A step that is already there is not written again.
        """
        if step != self.latest:
            hosts.first_decides(functools.partial(self._keep_sums, step, checksums(state)))
            self._manager.save(step, args=ocp.args.StandardSave(state), force=True)
        if wait:
            self._manager.wait_until_finished()

    def restore(self, abstract: TrainState) -> TrainState:
        """The newest checkpoint that can be read.

        A newer one that cannot be read is set aside as `<step>.unreadable`, with a warning.

        Args:
          abstract: `jax.ShapeDtypeStruct` leaves with the sharding to restore to.

        Raises:
          ValueError: there is no checkpoint, or none can be read into `abstract`.
        """
        failures: dict[int, Exception] = {}
        for step in sorted(self._manager.all_steps(), reverse=True):
            try:
                state = self._manager.restore(step, args=ocp.args.StandardRestore(abstract))
                _check(self._kept_sums(step), state, f"{self.folder}/{step}")
            except Exception as error:  # orbax raises whatever its storage layers raise
                failures[step] = error
                continue
            self._set_aside(failures)
            return state
        if not failures:
            raise ValueError(f"there is no checkpoint in {self.folder}")
        step, reason = next(iter(failures.items()))
        raise ValueError(
            f"no checkpoint in {self.folder} can be read, step {step} because: {_first_line(reason)}. "
            "If the networks or the optimiser were changed since, start in another --workdir."
        )

    @property
    def _sums_folder(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.sums")

    def _keep_sums(self, step: int, sums: list[int]) -> None:
        files.write_json(self._sums_folder / f"{step}.json", sums, overwrite=True)
        by_age = sorted(files.found(self._sums_folder, "*.json"), key=lambda path: int(path.stem))
        for path in by_age[: -self._keep - 1]:  # one more: the newest checkpoint is still being written
            path.unlink()

    def _kept_sums(self, step: int) -> list[int] | None:
        path = self._sums_folder / f"{step}.json"
        return hosts.first_decides(lambda: json.loads(path.read_text()) if path.exists() else None)

    def _set_aside(self, failures: dict[int, Exception]) -> None:
        if not failures:
            return
        self._manager.close()

        def rename() -> None:
            for step, error in failures.items():
                logging.warning("checkpoint %s/%d is unreadable (%s)", self.folder, step, _first_line(error))
                (self.folder / str(step)).rename(self.folder / f"{step}.unreadable")

        hosts.first_decides(rename)
        self._manager = self._open(self._keep)


def checksums(tree: Any) -> list[int]:
    """A number for each array of the tree, which a change of any of its bits changes."""
    return [int(number) for number in jax.device_get(list(map(_checksum, jax.tree.leaves(tree))))]


# A program for each shape of an array: one for a whole tree would be compiled anew for each kind of state.
@jax.jit
def _checksum(array: Array) -> Array:
    """Σ (2 i + 1) bitsᵢ modulo 2³²: whole numbers, so that the order of the sum does not matter."""
    unsigned = jnp.dtype(f"uint{8 * array.dtype.itemsize}")
    bits = jax.lax.bitcast_convert_type(array.astype(jnp.uint8) if array.dtype == bool else array, unsigned)
    odd, stride = jnp.ones(array.shape, jnp.uint32), 2
    for axis in reversed(range(array.ndim)):
        odd += jax.lax.broadcasted_iota(jnp.uint32, array.shape, axis) * jnp.uint32(stride % 2**32)
        stride *= array.shape[axis]
    return jnp.sum(bits.astype(jnp.uint32) * odd, dtype=jnp.uint32)


def _check(sums: list[int] | None, tree: Any, what: str) -> None:
    """Raises ValueError where the arrays are not those that were saved; warns where `sums` is None."""
    if sums is None:
        logging.warning(
            "%s has no checksums: an older version saved it, and nothing tells if it is whole", what
        )
    elif sums != checksums(tree):
        raise ValueError(f"the arrays of {what} are not those that were saved; a file of it is damaged")


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:300]


def save_stage(workdir: Path, stage: str, index: int, step: int, variables: Variables) -> None:
    """Keeps what a finished stage hands over; returns when all is written."""
    marker = _marker(workdir, stage)
    hosts.first_decides(functools.partial(marker.unlink, missing_ok=True))
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(_stage_folder(workdir, stage), variables, force=True)
        checkpointer.wait_until_finished()
    about = {"stage": stage, "index": index, "step": step, "sums": checksums(variables)}
    hosts.first_decides(functools.partial(files.write_json, marker, about, overwrite=True))


def keep_best(workdir: Path, stage: str, step: int, metric: str, value: float, variables: Variables) -> None:
    """Keeps the variables if `value`, the lower the better, is below that of the best so far; NaN never is.

    The ones before are removed when these are there.
    """
    before = best(workdir, stage)
    if not value < (before["value"] if before else float("inf")):
        return
    folder = (workdir / "best" / stage).absolute()
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(folder / str(step), variables, force=True)
        checkpointer.wait_until_finished()

    about = {"step": step, "metric": metric, "value": value, "sums": checksums(variables)}

    def mark() -> None:
        files.write_json(_best_marker(workdir, stage), about, overwrite=True)
        for other in folder.iterdir():
            if other.name != str(step):
                shutil.rmtree(other)

    hosts.first_decides(mark)


def best(workdir: Path, stage: str) -> dict[str, Any] | None:
    """`{'step', 'metric', 'value', 'sums'}` of the best variables of a stage, None where none were kept."""

    def read() -> dict[str, Any] | None:
        marker = _best_marker(workdir, stage)
        return json.loads(marker.read_text()) if marker.exists() else None

    return hosts.first_decides(read)


def load_best(workdir: Path, stage: str) -> Variables:
    """The variables that `keep_best` kept, on the first device.

    Raises:
      ValueError: it kept none, or a file is damaged.
    """
    kept = best(workdir, stage)
    if kept is None:
        raise ValueError(
            f"{workdir} keeps no best variables of stage {stage!r}; name a metric that it evaluates in "
            "config.checkpoint.best"
        )
    variables = _load((workdir / "best" / stage / str(kept["step"])).absolute())
    _check(kept.get("sums"), variables, f"the best of stage {stage!r} in {workdir}")
    return variables


def _best_marker(workdir: Path, stage: str) -> Path:
    return workdir / "best" / f"{stage}.json"


def finished_step(workdir: Path, stage: str) -> int | None:
    """The number of steps that the stage was finished with, None where it is not finished."""
    marker = _marker(workdir, stage)
    return json.loads(marker.read_text())["step"] if marker.exists() else None


def begun(workdir: Path, stage: str) -> bool:
    """Whether anything of the stage has been saved."""
    folder = workdir / "checkpoints" / stage
    complete = folder.is_dir() and any(path.name.isdigit() for path in folder.iterdir())
    return complete or _marker(workdir, stage).exists()


def load_stage(workdir: Path, stage: str, place: Place | None = None) -> Variables:
    """The variables that a finished stage handed over.

    Args:
      workdir: of the training run.
      stage: its name.
      place: gives the sharding of an array of a shape; by default all are on the first device of this process.

    Raises:
      ValueError: a file is damaged.
    """
    variables = _load(_stage_folder(workdir, stage), place)
    marker = _marker(workdir, stage)
    sums = hosts.first_decides(lambda: json.loads(marker.read_text()).get("sums"))
    _check(sums, variables, f"stage {stage!r} in {workdir}")
    return variables


def _load(folder: Path, place: Place | None = None) -> Variables:
    here = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    place = place or (lambda shape: here)
    with ocp.StandardCheckpointer() as checkpointer:
        saved = checkpointer.metadata(folder).item_metadata.tree
        abstract = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place(leaf.shape)), saved
        )
        return checkpointer.restore(folder, abstract)


def restore_variables(workdir: str | Path) -> Variables:
    """`{'params', 'batch_stats'}` of the newest finished stage of a training run, on the first device.

    Raises:
      ValueError: no stage is finished there.
    """
    return load_stage(Path(workdir), newest_stage(Path(workdir)))


def newest_stage(workdir: Path) -> str:
    """The last of a run's stages that is finished.

    Raises:
      ValueError: none is.
    """
    stages = [json.loads(path.read_text()) for path in files.found(workdir / "stages", "*.json")]
    if not stages:
        raise ValueError(
            f"{workdir} holds no finished stage; train with colorize-train --workdir={workdir} first"
        )
    return max(stages, key=lambda stage: stage["index"])["stage"]


def _stage_folder(workdir: Path, stage: str) -> Path:
    return (workdir / "stages" / stage).absolute()


def _marker(workdir: Path, stage: str) -> Path:
    return workdir / "stages" / f"{stage}.json"
