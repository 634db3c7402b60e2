"""What a training run tells: a progress bar or plain lines, `metrics.jsonl`, and TensorBoard.

One JSON object a line in `metrics.jsonl`:

| key | unit |
|---|---|
| `kind` | 'train': one step's metrics; 'evaluation': means over the test images |
| `stage`, `step`, `epoch` | step counts the updates done in the stage, from 1 |
| `images` | train: seen in the stage so far; evaluation: tested |
| `images_per_s` | since the line before, evaluations not counted; null on the first line after a start |
| `input_ms`, `transfer_ms`, `compute_ms` | train: of a step, since the line before; see `performance.Waits` |
| `model_tflop_per_s`, `utilisation` | train: the step's operations a second; their share of a matrix product's |
| `stage_s` | seconds spent in the stage, over all starts |
| `time_unix_s` | wall time |
| others | the method's metrics, as it names them; null where one is not finite |
"""

import contextlib
import json
import math
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
from tensorboardX import SummaryWriter
from tqdm import tqdm

from colorize_jax import files
from colorize_jax.train import performance


@runtime_checkable
class Output(Protocol):
    """Where the progress goes: standard output, a file, an `io.StringIO`."""

    def write(self, text: str, /) -> object:
        """Takes the text."""

    def flush(self) -> object:
        """Shows what was taken."""

    def isatty(self) -> bool:
        """Whether somebody looks at it, so that a bar may move."""


class Span(NamedTuple):
    """A stage as telemetry sees it."""

    stage: str
    batch_size: int
    epoch_steps: int
    total_steps: int


class Metrics(NamedTuple):
    """The lines of `metrics.jsonl` that belong to a run resumed at some step."""

    lines: list[dict[str, Any]]

    def seconds(self, stage: str) -> float:
        """Seconds spent in the stage up to its last line."""
        return max((line["stage_s"] for line in self.lines if line["stage"] == stage), default=0.0)

    def evaluated(self, stage: str, step: int) -> bool:
        """Whether the evaluation of this step is there."""
        return any(
            line["kind"] == "evaluation" and line["stage"] == stage and line["step"] == step
            for line in self.lines
        )


def read_metrics(path: Path) -> Metrics:
    """All complete lines; one cut short by a kill is left out."""
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return Metrics([json.loads(line) for line in lines])


class Silence:
    """What a process other than the first tells: nothing."""

    def __enter__(self) -> "Silence":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def weigh(self, program: Any, *arguments: Any, dtype: str) -> None:
        """See `Telemetry.weigh`."""

    def waiting(self, what: str) -> contextlib.AbstractContextManager[None]:
        """See `Telemetry.waiting`."""
        return contextlib.nullcontext()

    def advance(self) -> None:
        """See `Telemetry.advance`."""

    def step(self, step: int, metrics: dict[str, float]) -> None:
        """See `Telemetry.step`."""

    def evaluation(self, step: int, images: int, metrics: dict[str, float], seconds: float) -> None:
        """See `Telemetry.evaluation`."""


def rewind(path: Path, stages: list[str], step: int) -> Metrics:
    """Drops the lines of work that was lost, so that no step is ever there twice.

    Args:
      path: of `metrics.jsonl`; need not exist.
      stages: the stages up to the one that goes on, which is the last.
      step: the steps done in that stage; its later lines go, and all lines of other stages.
    """

    def valid(line: dict[str, Any]) -> bool:
        return line["stage"] in stages[:-1] or (line["stage"] == stages[-1] and line["step"] <= step)

    kept = Metrics([line for line in read_metrics(path).lines if valid(line)])
    files.write_text(path, "".join(json.dumps(line) + "\n" for line in kept.lines), overwrite=True)
    return kept


class Telemetry:
    """Tells of one stage from the step it starts or goes on at; a context manager."""

    def __init__(
        self, workdir: Path, span: Span, metrics: Metrics, step: int, out: Output | None = None
    ) -> None:
        self._span = span
        self._out = out or sys.stdout
        self._file = (workdir / "metrics.jsonl").open("a")
        self._board = SummaryWriter(str(workdir / "tensorboard" / span.stage), purge_step=step + 1)
        self._started = time.monotonic() - metrics.seconds(span.stage)
        self._window: tuple[int, float] | None = None  # step and moment of the line before
        self.waiting = performance.Waits()
        self._waited_steps = 0
        self._flops: float | None = None  # of a step
        self._peak = 0.0  # FLOP/s of all devices
        self._bar = tqdm(
            total=span.total_steps * span.batch_size,
            initial=step * span.batch_size,
            desc=span.stage,
            unit=" images",
            file=self._out,
            disable=not self._out.isatty(),
            dynamic_ncols=True,
        )
        if step:
            self.say(f"{span.stage}: resumed at step {step} of {span.total_steps}")

    def __enter__(self) -> "Telemetry":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
        self._board.close()
        self._file.close()

    def say(self, text: str) -> None:
        """One line on standard output, above the bar where there is one."""
        self._bar.write(text, file=self._out)
        self._out.flush()

    def weigh(self, program: Any, *arguments: Any, dtype: str) -> None:
        """Counts the operations of a step, `program(*arguments)`, and measures what the devices could do.

        Their peak is that of a matrix product of `dtype`, times their number; see `performance`.
        """
        self._flops = performance.model_flops(program, *arguments)
        self._peak = performance.matmul_peak(dtype) * jax.device_count()
        told = "unknown" if self._flops is None else f"{self._flops / 1e9:.3g} GFLOP"
        self.say(
            f"{self._span.stage}: {told} a step; a {dtype} matrix product makes {self._peak / 1e9:.3g} GFLOP/s here"
        )

    def advance(self) -> None:
        """One more step is done."""
        self._waited_steps += 1
        self._bar.update(self._span.batch_size)

    def step(self, step: int, metrics: dict[str, float]) -> None:
        """Writes one step's metrics."""
        now, rate = time.monotonic(), None
        if self._window is not None:
            before, moment = self._window
            rate = (step - before) * self._span.batch_size / (now - moment)
        self._window = (step, now)
        waits, self._waited_steps = self.waiting.take(self._waited_steps), 0
        use = self._use(rate)
        speed = {"images": step * self._span.batch_size, "images_per_s": rate} | waits | use
        self._write("train", step, speed | metrics)
        if self._bar.disable:
            self.say(self._line(step, rate, waits, use, metrics))
        else:
            self._bar.set_postfix(loss=f"{metrics['loss']:.4g}", refresh=False)

    def evaluation(self, step: int, images: int, metrics: dict[str, float], seconds: float) -> None:
        """Writes the means over the test images."""
        if self._window is not None:  # the rate is that of training alone
            self._window = (self._window[0], self._window[1] + seconds)
        self._write("evaluation", step, {"images": images, "evaluation_s": round(seconds, 3)} | metrics)
        means = "  ".join(f"{name} {value:.4g}" for name, value in metrics.items())
        self.say(f"{self._span.stage}: step {step}, {images} test images: {means}")

    def _write(self, kind: str, step: int, values: dict[str, Any]) -> None:
        now = time.monotonic()
        head = {
            "kind": kind,
            "stage": self._span.stage,
            "step": step,
            "epoch": round(step / self._span.epoch_steps, 4),
            "time_unix_s": round(time.time(), 3),
            "stage_s": round(now - self._started, 3),
        }
        finite = {
            name: value if value is None or math.isfinite(value) else None for name, value in values.items()
        }
        self._file.write(json.dumps(head | finite) + "\n")
        self._file.flush()  # a line must be there before the checkpoint of its step is
        for name, value in finite.items():
            if value is not None and name != "images":
                self._board.add_scalar(f"{kind}/{name}", value, step)

    def _use(self, rate: float | None) -> dict[str, float | None]:
        """Operations a second at `rate` images a second, and their share of the peak."""
        if rate is None or self._flops is None:
            return {"model_tflop_per_s": None, "utilisation": None}
        speed = self._flops * rate / self._span.batch_size
        return {"model_tflop_per_s": speed / 1e12, "utilisation": speed / self._peak}

    def _line(
        self,
        step: int,
        rate: float | None,
        waits: dict[str, float],
        use: dict[str, float | None],
        metrics: dict[str, float],
    ) -> str:
        span = self._span
        done = f"{span.stage}: step {step}/{span.total_steps}  epoch {step / span.epoch_steps:.2f}"
        text = f"{done}  loss {metrics['loss']:.4g}"
        if rate is None:
            return text
        left = (span.total_steps - step) * span.batch_size / rate
        waited = " + ".join(f"{name.removesuffix('_ms')} {value:.0f}" for name, value in waits.items())
        used = "" if use["utilisation"] is None else f"  {use['utilisation']:.0%} of the matmul peak"
        return f"{text}  {rate:.1f} images/s  ms a step: {waited}{used}  {_clock(left)} left"


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
