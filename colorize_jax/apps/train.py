"""Trains a model: `colorize-train --config=scc:data=lfw --workdir=runs/lfw [--config.width=0.25 ...]`.

The same command goes on where a run stopped or was killed. Exit codes: 0 trained to the end; 1 a mistake in the
command, the config or the data; 2 training diverged; 75 stopped by SIGTERM and 130 by Ctrl-C, both with everything
saved, so that a scheduler may start the same command again. `--multihost` trains in several processes, each with the
same command; see `launch/README.md`.
"""

from colorize_jax.apps import common  # first: it sets numpy's threads

# isort: split
import itertools
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from absl import flags

from colorize_jax.apps import config_flag, multihost
from colorize_jax.config import for_stage

DIVERGED = 2
EXIT_CODES = {signal.SIGTERM: 75, signal.SIGINT: 130}

SURVEY, SURVEY_BATCH = 1000, 100
"""The statistics of the training set come from batches of their own: no stage has this number."""

_CONFIG = config_flag.define()
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run: checkpoints, metrics, contact sheets.")
_PROFILE = flags.DEFINE_bool("profile", False, "Write a trace of a few steps into the working directory.")
_CHANGED = flags.DEFINE_list(
    "changed",
    [],
    "Fields of the config, or sections, that differ from those which the run in --workdir was begun with, and that no "
    "stage which has begun reads. What changed is kept in versions.json.",
)
flags.adopt_module_key_flags(multihost)


def main(arguments: Sequence[str]) -> int:
    """Trains, or goes on training, what the flags name."""
    if arguments or _CONFIG.value is None or not _WORKDIR.value:
        raise ValueError("usage: colorize-train --config=NAME --workdir=runs/NAME; --help lists all flags")
    common.keep_memory()
    multihost.join()
    from colorize_jax import methods
    from colorize_jax.data import pipeline
    from colorize_jax.train import handover, hosts, loop, parallel, stop

    methods.resolve(_CONFIG.value)  # what is wrong in it is told before its data are looked for
    config = methods.resolve(_CONFIG.value, images=pipeline.num_images(_CONFIG.value.data))
    method = methods.build(config)
    data = training_data(config, [stage.name for stage in method.stages])
    try:
        initial = handover.begin(config.init_from, method, data) if config.init_from else None
        mesh = parallel.make_mesh(**config.mesh)
        profile = Path(_WORKDIR.value) / "profile" if _PROFILE.value else None
        loop.train(
            config,
            method,
            data,
            _WORKDIR.value,
            initial=initial,
            mesh=mesh,
            profile=profile,
            changed=_CHANGED.value,
        )
    except loop.NonFinite as error:
        print(f"error: {error}", file=sys.stderr)
        return DIVERGED
    except stop.Interrupted as interrupted:
        if hosts.is_first():
            print(interrupted, file=sys.stderr)
        return EXIT_CODES[signal.Signals(interrupted.signal)]
    if hosts.is_first():
        print(
            f"trained to the end; colorize-export --workdir={_WORKDIR.value} --out=... makes a model for colorize "
            "of it"
        )
    return 0


def training_data(config: Any, labels: Sequence[str]) -> Any:
    """The data as the loop reads them; each stage draws its batches with a seed of its own.

    With several processes, each reads its part.

    Args:
      config: resolved.
      labels: of the stages, each of which may have data of its own.
    """
    import jax

    from colorize_jax.data import pipeline
    from colorize_jax.train import loop

    part = {"shard_index": jax.process_index(), "shard_count": jax.process_count()}

    stages = [for_stage(config, label) for label in labels]

    def training(order: int, batch_size: int) -> pipeline.Training:
        seed = int(np.random.SeedSequence((stages[order].seed, order)).generate_state(1)[0])
        return pipeline.training(stages[order].data, batch_size=batch_size, seed=seed, **part)

    def evaluation(order: int, batch_size: int, images: int) -> Any:
        return pipeline.evaluation(stages[order].data, batch_size=batch_size, images=images, **part)

    def survey(images: int) -> Iterator[Any]:
        seed = int(np.random.SeedSequence((config.seed, SURVEY)).generate_state(1)[0])
        stream = pipeline.training(config.data, batch_size=SURVEY_BATCH, seed=seed)
        return itertools.islice(stream.iterate(0), -(-images // SURVEY_BATCH))

    told = pipeline.provenance_by_stage({label: own.data for label, own in zip(labels, stages, strict=True)})
    return loop.Data(training, evaluation, told, survey)


def cli() -> NoReturn:
    """Entry point of the console script `colorize-train`."""
    common.run(main)


if __name__ == "__main__":
    cli()
