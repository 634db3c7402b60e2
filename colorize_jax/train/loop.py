"""The one training loop, for all stages of all methods.

A step is a pure function of the state, of the batch that `(seed, stage, step)` determine, and of a key folded
from the same three. So the state, which counts its steps, is all that a checkpoint holds, and a run that was
killed and resumed ends with the same bits as one that was not.

Several processes run the same loop side by side, each with its rows of every batch. They never part ways: what the
loop depends on is computed from the whole batch, or decided by the first process (see `hosts`). The first process alone
writes files and prints. All write the checkpoints together.
"""

import contextlib
import functools
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from colorize_jax.config import for_stage, to_json
from colorize_jax.files import read_arrays
from colorize_jax.methods.base import STATISTICS, Batch, Method, Stage, TrainState, Variables
from colorize_jax.methods.parts.budget import epoch_steps, stage_steps
from colorize_jax.shapes import Array
from colorize_jax.train import checkpoints, hosts, parallel, performance, sheet, telemetry
from colorize_jax.train import workdir as files
from colorize_jax.train.stop import Interrupted, StopRequest, stop_requests

SHEET_ROWS = 8


HostBatch = dict[str, np.ndarray]


class Stream(Protocol):
    """Training batches, each a pure function of its step; `data.pipeline.Training` is one.

    With several processes each has its own stream, of its rows of the same batches.
    """

    def batch_at(self, step: int) -> HostBatch:
        """The batch of a step, counted from 0."""

    def iterate(self, start_step: int) -> Iterator[HostBatch]:
        """The batches of `start_step` and all later steps."""

    def names_at(self, step: int) -> list[str]:
        """The images of a step's batch, for messages."""


class Data(NamedTuple):
    """What the loop asks of the data.

    Attributes:
      training: `(stage index, batch_size) -> Stream`; each stage has its own order. `batch_size` counts the rows
        of all processes, here and below.
      evaluation: `(stage index, batch_size, images) -> batches of the first test images`, all of full size, with
        `mask` (B,) besides, False for padding; this process's rows of them.
      provenance: what the data are, as JSON: sets, splits with their hashes, licences.
      survey: `images -> training batches` of at least so many, the same in every call and on every host, for
        `Method.statistics`; None where no method asks for them.
    """

    training: Callable[[int, int], Stream]
    evaluation: Callable[[int, int, int], Iterator[HostBatch]]
    provenance: Any
    survey: Callable[[int], Iterator[HostBatch]] | None = None


class Initial(NamedTuple):
    """Networks that a run begins with.

    Attributes:
      variables: of these networks alone.
      record: what `began_with.json` keeps: where they are from, the hash of all arrays, and how they came to be.
    """

    variables: Variables
    record: dict[str, Any]


class NonFinite(ArithmeticError):
    """Training diverged; the message says where, and which checkpoint is the last good one."""


class _Keys(NamedTuple):
    init: Array
    update: Array
    evaluate: Array


def stage_keys(seed: int, index: int) -> _Keys:
    """The keys of stage `index`; the update's is folded with the step."""
    return _Keys(*jax.random.split(jax.random.fold_in(jax.random.key(seed), index), 3))


class _StageRun(NamedTuple):
    """What is constant during one stage."""

    workdir: Path
    order: int
    stage: Stage
    data: Data
    stream: Stream
    mesh: Mesh
    layout: parallel.Layout
    programs: parallel.Programs
    keys: _Keys
    span: telemetry.Span
    save_every: int
    keep: int
    best: tuple[str, ...]
    log_every: int
    evaluate_every: int
    evaluation_images: int
    stop: StopRequest
    out: telemetry.Output
    dtype: str
    trace: performance.Trace


def train(
    config: Any,
    method: Method,
    data: Data,
    workdir: str | Path,
    *,
    initial: Initial | None = None,
    mesh: Mesh | None = None,
    out: telemetry.Output | None = None,
    profile: Path | None = None,
    changed: Sequence[str] = (),
) -> Variables:
    """Trains all stages of `method`, going on where an earlier run in `workdir` stopped.

    Args:
      config: resolved; the fields `seed`, `compute_dtype`, `data.epoch_images`, `checkpoint` and `log` are read here,
        of each stage its own.
      method: its stages are trained in their order, each handing its variables to the next.
      data: see `Data`.
      workdir: made where it does not exist; see `workdir` for what lies in it.
      initial: networks to begin with, see `handover.begin`; those that are not among them are drawn.
      mesh: as `parallel.make_mesh` makes it; by default the batch is split over all devices of all processes.
      out: where the progress goes; by default standard output.
      profile: folder for a trace of a few steps, see `performance.Trace`.
      changed: fields of the config that differ on purpose from those of the run in `workdir`, see
        `workdir.check_config`.

    Returns:
      The variables after the last stage.

    Raises:
      ValueError: another run holds `workdir`, or it was begun with another config or other data.
      NonFinite: the loss or the state is no longer finite.
      Interrupted: SIGTERM or Ctrl-C came; the state is saved.
    """
    folder, mesh, out = Path(workdir), mesh or parallel.make_mesh(), out or sys.stdout
    trace = performance.Trace(profile if hosts.is_first() else None, functools.partial(print, file=out))
    began = initial.record if initial else None
    with _claimed(folder, config, data, began, changed), stop_requests() as stop, trace:
        variables = parallel.replicate(
            _begin(method, data, folder, initial.variables if initial else None), mesh
        )
        for index, stage in enumerate(method.stages):
            run = _plan(config, folder, index, stage, data, variables, mesh, stop, out, trace)
            later = [stage.name for stage in method.stages[index + 1 :]]
            if not hosts.first_decides(functools.partial(_finished, run, later)):
                _train_stage(run, [earlier.name for earlier in method.stages[:index]], variables)
            place = functools.partial(parallel.over_fsdp, mesh)
            variables = checkpoints.load_stage(folder, stage.name, place)
    if variables is None:
        raise ValueError("the method has no stages: nothing to train")
    return variables


@contextlib.contextmanager
def _claimed(
    folder: Path, config: Any, data: Data, began: dict[str, Any] | None, changed: Sequence[str]
) -> Iterator[None]:
    """The working directory is this run's while the context lasts; its files fit the run and tell of its start."""
    with contextlib.ExitStack() as stack:

        def claim() -> None:
            stack.enter_context(files.locked(folder))
            told = json.loads(to_json(config))
            meant = files.check_config(folder, told, changed)
            files.check_data(folder, data.provenance, changed=any("data." in name for name in meant))
            files.check_beginning(folder, began)
            files.record_start(folder, told, data.provenance, meant)

        hosts.check_same("config", to_json(config))
        hosts.check_same("initial networks", began["sha256"] if began else "")
        hosts.check_same("data", json.dumps(data.provenance, sort_keys=True))
        hosts.first_decides(claim)
        yield


def _begin(method: Method, data: Data, folder: Path, initial: Variables | None) -> Variables | None:
    """The variables before the first stage: `initial`, and the training set's statistics where the method asks.

    The statistics are kept in `statistics.npz`: a run that goes on has those that it began with, and all processes
    have those of the first.
    """
    if method.statistics is None:
        return initial
    if data.survey is None:
        raise ValueError(
            "data.survey is None, but the method needs statistics of the training set; give batches"
        )
    survey, asked, path = data.survey, method.statistics, folder / "statistics.npz"
    hosts.first_decides(lambda: files.keep_arrays(path, lambda: asked.collect(survey(asked.images))))
    before = initial or {"params": {}, "batch_stats": {}}
    return {**before, "batch_stats": {**before["batch_stats"], STATISTICS: read_arrays(path)}}


def _plan(
    config: Any,
    workdir: Path,
    index: int,
    stage: Stage,
    data: Data,
    variables: Variables | None,
    mesh: Mesh,
    stop: StopRequest,
    out: telemetry.Output,
    trace: performance.Trace,
) -> _StageRun:
    config = for_stage(config, stage.name)
    parallel.check_batch_size(stage.batch_size, mesh, stage.name, stage.accumulate)
    per_epoch = epoch_steps(config.data.epoch_images, stage.batch_size)
    total = stage_steps(stage.epochs, config.data.epoch_images, stage.batch_size)
    stream = data.training(index, stage.batch_size)
    keys = parallel.everywhere(functools.partial(stage_keys, config.seed, index), mesh)
    layout = parallel.layout(stage, mesh, keys.init, stream.batch_at(0), variables)
    return _StageRun(
        workdir=workdir,
        order=index,
        stage=stage,
        data=data,
        stream=stream,
        mesh=mesh,
        layout=layout,
        programs=parallel.compile_stage(stage, mesh, layout),
        keys=keys,
        span=telemetry.Span(stage.name, stage.batch_size, per_epoch, total),
        save_every=config.checkpoint.every_steps,
        keep=config.checkpoint.keep,
        best=tuple(config.checkpoint.best),
        log_every=config.log.every_steps,
        evaluate_every=max(1, round(config.log.eval_every_epochs * per_epoch)),
        evaluation_images=config.log.eval_images,
        stop=stop,
        out=out,
        dtype=config.compute_dtype,
        trace=trace,
    )


def _finished(run: _StageRun, later: list[str]) -> bool:
    done, total = checkpoints.finished_step(run.workdir, run.stage.name), run.span.total_steps
    if done == total:
        return True
    if done is None:
        return False
    followed = [name for name in later if checkpoints.begun(run.workdir, name)]
    if done > total or followed:
        raise ValueError(
            f"stage {run.stage.name!r} in {run.workdir} was finished with {done} steps, "
            f"and the config now asks for {total}"
            + (f"; stage {followed[0]!r} was already built on it" if followed else "")
            + "; give the old config.stages epochs or another --workdir"
        )
    return False


def _train_stage(run: _StageRun, earlier: list[str], variables: Variables | None) -> None:
    with checkpoints.StageCheckpoints(run.workdir, run.stage.name, keep=run.keep) as saved:
        state, step = _start(run, saved, variables)
        if run.span.total_steps == 0:
            state = _calibrated(run, state)
        evaluated = hosts.first_decides(functools.partial(_evaluated, run, step))
        with _telemetry(run, [*earlier, run.stage.name], step) as tell:
            if _due(run, step) and not evaluated:
                _evaluate(run, tell, state, step)  # the kill came between this step's save and its evaluation
            state = _advance(run, saved, tell, state, step)
            checkpoints.save_stage(
                run.workdir, run.stage.name, run.order, run.span.total_steps, state.averaged
            )


def _evaluated(run: _StageRun, step: int) -> bool:
    """Whether the evaluation of this step is there."""
    return telemetry.read_metrics(run.workdir / "metrics.jsonl").evaluated(run.stage.name, step)


def _telemetry(run: _StageRun, stages: list[str], step: int) -> telemetry.Telemetry | telemetry.Silence:
    """What tells of the stage from `step` on: on the first process only."""
    if not hosts.is_first():
        return telemetry.Silence()
    metrics = telemetry.rewind(run.workdir / "metrics.jsonl", stages, step)
    return telemetry.Telemetry(run.workdir, run.span, metrics, step, run.out)


def _start(
    run: _StageRun, saved: checkpoints.StageCheckpoints, variables: Variables | None
) -> tuple[TrainState, int]:
    """The newest checkpoint of the stage, or its initial state."""
    example = parallel.put_batch(run.stream.batch_at(0), run.mesh)
    arguments = (run.keys.init, example, variables)
    if saved.latest is not None:
        state = saved.restore(parallel.placed(jax.eval_shape(run.programs.init, *arguments), run.layout))
    else:
        state = run.programs.init(*arguments)
    return state, int(state.step)


def _due(run: _StageRun, step: int) -> bool:
    """Whether an evaluation belongs to this step."""
    if run.span.total_steps == 0 and not run.stage.calibration_batches:
        return False  # its networks are what they were
    return step == run.span.total_steps or (step > 0 and step % run.evaluate_every == 0)


def _advance(
    run: _StageRun,
    saved: checkpoints.StageCheckpoints,
    tell: telemetry.Telemetry | telemetry.Silence,
    state: TrainState,
    step: int,
) -> TrainState:
    """Updates to the end of the stage; while one runs, the next batch is read and the last one reported."""
    total = run.span.total_steps
    batches = run.stream.iterate(step)
    batch = parallel.put_batch(next(batches), run.mesh) if step < total else None
    running: dict[str, Array] | None = None
    _stop_if_asked(run, saved, state, step)
    if step < total:
        tell.weigh(run.programs.update, state, batch, run.keys.update, dtype=run.dtype)
    while step < total:
        before = running
        run.trace.before_step()
        with tell.waiting("compute"):
            state, running = run.programs.update(state, batch, run.keys.update)
        step += 1
        if step == total:
            state = _calibrated(run, state)
        if step < total:
            with tell.waiting("input"):
                read = next(batches)
            with tell.waiting("transfer"):
                batch = parallel.put_batch(read, run.mesh)
        if before is not None:
            _report(run, saved, tell, step - 1, before)
        evaluating, stopping = _due(run, step), run.stop.came()
        if evaluating or stopping or step % run.save_every == 0:
            _report(run, saved, tell, step, running)
            running = None
            _save(run, saved, state, step, wait=evaluating or stopping)
        if stopping:
            raise _interrupted(run, step)
        if evaluating:
            _evaluate(run, tell, state, step)
            _stop_if_asked(run, saved, state, step)
    return state


def _calibrated(run: _StageRun, state: TrainState) -> TrainState:
    """The state at the end of a stage with BatchNorm's statistics measured over further batches.

    Its running averages follow the last ten batches or so, and one outlier among them spoils a network for good.

    Source: Wu & Johnson 2021, "Rethinking 'Batch' in BatchNorm", Sec. 3 ("precise BN").
    """
    total, count = run.span.total_steps, run.stage.calibration_batches
    if run.programs.calibrate is None or count == 0:
        return state
    batches, mean = run.stream.iterate(total), None
    for number in range(total, total + count):
        batch = parallel.put_batch(next(batches), run.mesh)
        rng = jax.random.fold_in(run.keys.update, number)
        share = jax.tree.map(lambda s: s / count, run.programs.calibrate(state.averaged, batch, rng))
        mean = share if mean is None else jax.tree.map(jnp.add, mean, share)
    return state._replace(batch_stats={**state.batch_stats, **(mean or {})})


def _report(
    run: _StageRun,
    saved: checkpoints.StageCheckpoints,
    tell: telemetry.Telemetry | telemetry.Silence,
    step: int,
    metrics: dict[str, Array],
) -> None:
    """Waits for the step's loss, checks it, and writes its metrics where they are wanted."""
    if "loss" not in metrics:
        raise ValueError(
            f"update of stage {run.stage.name!r} gives the metrics {sorted(metrics)}; "
            "'loss' must be among them"
        )
    with tell.waiting("compute"):
        loss = float(metrics["loss"])
    if not np.isfinite(loss):
        raise _diverged(run, saved, step, f"the loss is {loss}")
    tell.advance()
    if step % run.log_every == 0 or step == run.span.total_steps:
        tell.step(step, {name: float(value) for name, value in jax.device_get(metrics).items()})


def _save(
    run: _StageRun, saved: checkpoints.StageCheckpoints, state: TrainState, step: int, *, wait: bool
) -> None:
    if not parallel.all_finite(state):
        raise _diverged(
            run, saved, step, "the loss is finite, but the update left NaN or infinity in the state"
        )
    saved.save(step, state, wait=wait)


def _diverged(run: _StageRun, saved: checkpoints.StageCheckpoints, step: int, what: str) -> NonFinite:
    name, kept = run.stage.name, saved.latest
    images = ", ".join(run.stream.names_at(step - 1))
    good = (
        f"the last good checkpoint is step {kept} in {saved.folder}"
        if kept is not None
        else "nothing was saved yet"
    )
    return NonFinite(
        f"stage {name!r}, step {step} (batch {step - 1}): {what}; {good}. "
        f"Lower config.stages.{name}.lr or config.optim.clip_norm and train in another --workdir. "
        f"The batch: {images}"
    )


def _stop_if_asked(run: _StageRun, saved: checkpoints.StageCheckpoints, state: TrainState, step: int) -> None:
    if run.stop.came():
        _save(run, saved, state, step, wait=True)
        raise _interrupted(run, step)


def _interrupted(run: _StageRun, step: int) -> Interrupted:
    number = run.stop.signal or signal.SIGTERM
    name = signal.Signals(number).name
    return Interrupted(
        number,
        f"{name}: saved stage {run.stage.name!r} at step {step} in {run.workdir}; "
        "the same command goes on from there",
    )


def _evaluate(
    run: _StageRun, tell: telemetry.Telemetry | telemetry.Silence, state: TrainState, step: int
) -> None:
    """Means over the test images, padding left out exactly, and a contact sheet of the first of them."""
    began = time.monotonic()
    sums: dict[str, float] = {}
    images = 0
    for i, batch in enumerate(run.data.evaluation(run.order, run.stage.batch_size, run.evaluation_images)):
        put = parallel.put_batch(batch, run.mesh)
        mask = parallel.whole(put.pop("mask"), run.mesh)
        if i == 0:
            _write_sheet(run, state, step, put, int(mask.sum()))
        rng = jax.random.fold_in(run.keys.evaluate, i)
        values = jax.device_get(run.programs.evaluate(state.averaged, put, rng))
        for name, value in values.items():
            sums[name] = sums.get(name, 0.0) + float(np.sum(value, where=mask, dtype=np.float64))
        images += int(mask.sum())
        if run.stop.signal is not None:
            return  # it is begun again when the run goes on
    means = {name: value / images for name, value in sums.items()}
    _keep_best(run, state, step, means)
    tell.evaluation(step, images, means, time.monotonic() - began)


def _keep_best(run: _StageRun, state: TrainState, step: int, means: dict[str, float]) -> None:
    """Keeps the variables if the first metric of `config.checkpoint.best` that the stage has is the lowest so far."""
    metric = next((name for name in run.best if name in means), None)
    if metric is not None:
        checkpoints.keep_best(run.workdir, run.stage.name, step, metric, means[metric], state.averaged)


def _write_sheet(run: _StageRun, state: TrainState, step: int, batch: Batch, images: int) -> None:
    rows = min(SHEET_ROWS, images)
    few = parallel.replicate(
        {name: parallel.whole(x, run.mesh)[:rows] for name, x in batch.items()}, run.mesh
    )
    columns = jax.device_get(
        run.programs.pictures(state.averaged, few, jax.random.fold_in(run.keys.evaluate, 0))
    )
    if not hosts.is_first():
        return
    path = run.workdir / "sheets" / f"{run.order}_{run.stage.name}_{step:07d}.png"
    sheet.write(path, columns)
