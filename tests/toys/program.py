"""Run by test_toys.py in each of two processes of two devices: trains every toy with and without an interruption.

`program.py FOLDER ADDRESS PROCESS_ID`, where FOLDER/data holds the prepared photos, prints one JSON object, of what was
compiled ahead of time. With one more argument, a toy's name, it trains that one until it kills itself between two
steps; and called once more, to the end.
"""

import functools
import importlib
import io
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from colorize_jax import methods
from colorize_jax.data import pipeline
from colorize_jax.methods.base import Method
from colorize_jax.train import ahead, hosts, loop, parallel

TOYS = ("gan", "classifier", "autoregressive", "generator")
CUT = 5  # of six steps; the fourth is the last that is saved


class PowerCut(Exception):
    """The run ends here, and nothing more is saved."""


class CutOff:
    """The batches of another stream, until `end` is called in place of one."""

    def __init__(self, stream: loop.Stream, end: Callable[[], None]) -> None:
        self.stream, self.end = stream, end

    def iterate(self, start_step: int) -> Iterator[Any]:
        for step, batch in enumerate(self.stream.iterate(start_step), start_step):
            if step == CUT:
                self.end()
            yield batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def resolved(name: str, folder: Path) -> Any:
    """The toy's config on the photos in `folder`."""
    config = importlib.import_module(f"toys.{name}_config").get_config().unlock()
    config.data.dir = str(folder / "data")
    return methods.resolve(config.lock(), images=pipeline.num_images(config.data))


def photos_of(config: Any) -> loop.Data:
    """What `colorize-train` trains on."""
    from colorize_jax.apps.train import (
        training_data,
    )  # here: two programs' flags of one name do not go together

    return training_data(config, list(config.stages))


def cut_off(data: loop.Data, end: Callable[[], None]) -> loop.Data:
    return data._replace(training=lambda order, size: CutOff(data.training(order, size), end))


def power_cut() -> None:
    raise PowerCut


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def compiled_ahead(config: Any, method: Method) -> dict[str, int]:
    """The account of the toy's step for all devices, where each has the weights in two parts of the GAN's."""
    mesh = parallel.make_mesh(2, 2) if config.method == "toys.gan" else parallel.make_mesh(4)
    (step,) = ahead.compiled_steps(config, method, mesh)
    return {"bytes": step.memory, "split": len(step.split), "forbidden": len(step.forbidden)}


def whole(name: str, folder: Path) -> dict[str, int] | None:
    """Trains the toy straight through, and once more with a power cut; the first process compiles it ahead of time."""
    config = resolved(name, folder)
    method, data = methods.build(config), photos_of(config)
    train = functools.partial(loop.train, config, method, out=io.StringIO())
    with mock.patch.object(parallel, "compile_stage", functools.cache(parallel.compile_stage)):
        train(data, folder / "straight" / name)
        try:
            train(cut_off(data, power_cut), folder / "cut" / name)
        except PowerCut:
            train(data, folder / "cut" / name)
    return compiled_ahead(config, method) if hosts.is_first() else None


def begin_or_go_on(name: str, folder: Path) -> None:
    """Trains the toy until this process kills itself, or to the end of what such a process began."""
    config, workdir = resolved(name, folder), folder / "killed" / name
    data = photos_of(config)
    if not workdir.exists():
        data = cut_off(data, kill)
    loop.train(config, methods.build(config), data, workdir, out=io.StringIO())


def main() -> None:
    folder, address, number = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    hosts.connect(address, 2, number, leave_s=30)
    parallel.SMALL = 64  # the networks are tiny
    if sys.argv[4:]:
        begin_or_go_on(sys.argv[4], folder)
    else:
        print(json.dumps({name: whole(name, folder) for name in TOYS}))


if __name__ == "__main__":
    main()
