"""Checkpoints within and between stages; the only module that imports orbax.

| folder of the working directory | holds | kept |
|---|---|---|
| `checkpoints/<stage>/<step>` | the whole `TrainState` | the last `keep` |
| `stages/<stage>` and `….json` | the variables that a finished stage hands on; its step | for ever |

Orbax writes into a temporary folder and renames it when all is there, so a save cut short by `kill -9` is
never taken for a checkpoint. A stage is finished once its `.json` exists, which is written after its folder.

Orbax's `CheckpointManager`, not its v1 interface: v1 renamed its functions and the folders inside a
checkpoint between 0.11 and 0.12, and a checkpoint must outlive an upgrade.
"""

import functools
import json
import logging
from collections.abc import Callable
from pathlib import Path

import jax
import orbax.checkpoint as ocp

from colorize_jax.methods.base import TrainState, Variables
from colorize_jax.train import hosts
from colorize_jax.train import workdir as files


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
    about = {"stage": stage, "index": index, "step": step}
    hosts.first_decides(functools.partial(files.write_json, marker, about))


def finished_step(workdir: Path, stage: str) -> int | None:
    """The number of steps that the stage was finished with, None where it is not finished."""
    marker = _marker(workdir, stage)
    return json.loads(marker.read_text())["step"] if marker.exists() else None


def begun(workdir: Path, stage: str) -> bool:
    """Whether anything of the stage has been saved."""
    folder = workdir / "checkpoints" / stage
    complete = folder.is_dir() and any(path.name.isdigit() for path in folder.iterdir())
    return complete or _marker(workdir, stage).exists()


def load_stage(
    workdir: Path, stage: str, place: Callable[[tuple[int, ...]], jax.sharding.Sharding] | None = None
) -> Variables:
    """The variables that a finished stage handed over.

    Args:
      workdir: of the training run.
      stage: its name.
      place: gives the sharding of an array of a shape; by default all are on the first device of this process.
    """
    here = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    place = place or (lambda shape: here)
    folder = _stage_folder(workdir, stage)
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
    stages = [json.loads(path.read_text()) for path in Path(workdir).glob("stages/*.json")]
    if not stages:
        raise ValueError(
            f"{workdir} holds no finished stage; train with colorize-train --workdir={workdir} first"
        )
    return load_stage(Path(workdir), max(stages, key=lambda stage: stage["index"])["stage"])


def _stage_folder(workdir: Path, stage: str) -> Path:
    return (workdir / "stages" / stage).absolute()


def _marker(workdir: Path, stage: str) -> Path:
    return workdir / "stages" / f"{stage}.json"
