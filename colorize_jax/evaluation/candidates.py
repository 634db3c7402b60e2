"""Models that can be scored: released ones and training runs, found by name, loaded with their record."""

import hashlib
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from colorize_jax import bundle, methods
from colorize_jax.evaluation.records import Cost
from colorize_jax.train import provenance
from colorize_jax.train.checkpoints import restore_variables


class Candidate(NamedTuple):
    """A model to score.

    Attributes:
      name: for the table.
      config: of the model or the run.
      variables: those of `Method.abstract_variables`, and of a run all others, too.
      provenance: how it came to be, see `train.provenance`; None where that is not known.
      workdir: the training run, '' for a released model.
    """

    name: str
    config: Any
    variables: dict[str, Any]
    provenance: dict[str, Any] | None = None
    workdir: str = ""


def find(entries: Sequence[str], runs: str | None) -> dict[str, Path | None]:
    """Where each of several models is: the folder of a run or a model, None for a released one of that name.

    Args:
      entries: NAME or NAME=FOLDER each.
      runs: a folder with a training run NAME in it for each entry without a folder, or None.

    Raises:
      ValueError: a name twice, or one that is neither.
    """
    found: dict[str, Path | None] = {}
    for entry in entries:
        name, _, folder = entry.partition("=")
        if not name or "/" in name or name in found:
            raise ValueError(f"--methods has {entry!r}; each is NAME or NAME=FOLDER, every name once")
        place = Path(folder) if folder else Path(runs) / name if runs else None
        if place is None and name not in bundle.available():
            raise ValueError(
                f"--methods has {name!r}, which is no released model (there are {', '.join(bundle.available())}); "
                f"give {name}=FOLDER, or --runs=FOLDER with the training run {name} in it"
            )
        if place is not None and not (place / "config.json").is_file():
            raise ValueError(f"{place} holds no config.json; give the folder of a training run or a model")
        found[name] = place
    return found


def chosen(model: str | None, workdir: str | None, config: Any) -> Candidate:
    """The model of `--model` or `--workdir`; the package's default one without either.

    Raises:
      ValueError: both are given, or a config without a run.
    """
    if workdir and model:
        raise ValueError("--model and --workdir are both given; give one of them")
    if workdir:
        return load_run(Path(workdir), config)
    if config is not None:
        raise ValueError("--config is for a training run; give its --workdir too")
    return load_released(model or "default")


def load(name: str, place: Path | None) -> Candidate:
    """The model of an entry of `find`, under the name that it was given."""
    if place is None:
        return load_released(name)
    is_run = not (place / "weights.npz").is_file()
    return (load_run(place) if is_run else load_released(str(place)))._replace(name=name)


def load_released(name: str) -> Candidate:
    """A model by its name in `bundle.available()`, or from its folder.

    Raises:
      ValueError: there is no such model, or its variables are not those of its method.
    """
    model = bundle.load_model(name)
    return Candidate(name, model.config, model.variables, model.provenance)


def load_run(workdir: Path, config: Any = None) -> Candidate:
    """A training run as far as it has come.

    Args:
      workdir: of the run.
      config: instead of the run's own.

    Raises:
      ValueError: the folder holds no config, or no stage is finished.
    """
    if config is not None:
        config = methods.resolve(config)
    elif (workdir / "config.json").is_file():
        config = methods.read_config((workdir / "config.json").read_text())
    else:
        raise ValueError(f"--workdir={workdir} holds no config.json; give the folder of a training run")
    variables = restore_variables(workdir)
    return Candidate(str(workdir), config, variables, provenance.of_run(workdir, {}), str(workdir))


def weights_hash(variables: dict[str, Any]) -> str:
    """The first 12 hex digits of a hash of all variables and their names: which model was scored."""
    found = hashlib.sha256()
    for name, array in sorted(bundle.flatten(variables).items()):
        found.update(name.encode() + np.asarray(array).tobytes())
    return found.hexdigest()[:12]


def training_cost(provenance: dict[str, Any]) -> Cost:
    """What a model cost, from the record of `train.provenance`."""
    stages = provenance["stages"]
    steps, images = (sum(stage.get(unit, 0) for stage in stages) for unit in ("steps", "images"))
    own = Cost(steps, images, sum(stage["seconds"] for stage in stages))
    before = provenance.get("began_with")
    if not before:
        return own
    rest = training_cost(before)
    return Cost(own.steps + rest.steps, own.images + rest.images, own.seconds + rest.seconds)


def training_commands(workdir: str) -> tuple[str, ...]:
    """The command that trained a run of `launch/benchmark`; of others only the config is known."""
    told = Path(workdir) / "benchmark.json"
    if not workdir:
        return ()
    if not told.is_file():
        return (f"colorize-train --workdir={workdir}  # with the config in {workdir}/config.json",)
    run = json.loads(told.read_text())
    command = ["colorize-train", f"--config={run['config']}", f"--workdir={workdir}", *run["overrides"]]
    return (shlex.join(command),)
