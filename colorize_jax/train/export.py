"""From a training run to a released model, with the record of how it came to be."""

from pathlib import Path
from typing import Any

from ml_collections import ConfigDict, FrozenConfigDict

from colorize_jax import bundle, methods
from colorize_jax.train import checkpoints, provenance


def export(workdir: Path, out: Path, licenses: dict[str, str], *, best: bool = False) -> None:
    """Writes the newest finished stage of `workdir` as a model.

    Args:
      workdir: of the training run.
      out: folder of the model.
      licenses: of data sets by name, beside those in `provenance.LICENSES`.
      best: the variables that `config.checkpoint.best` chose in that stage, not those that it ended with.

    Raises:
      ValueError: `workdir` is no training run, not all networks that sampling needs are trained yet, or no best
        variables were kept.
    """
    if not (workdir / "config.json").is_file():
        raise ValueError(f"{workdir} holds no config.json; give the folder of a training run")
    config = methods.read_config((workdir / "config.json").read_text())
    needed = methods.build(config).abstract_variables()
    stage = checkpoints.newest_stage(workdir)
    load = checkpoints.load_best if best else checkpoints.load_stage
    variables = selected(load(workdir, stage), needed)
    bundle.check(bundle.flatten(variables), needed, name=f"the newest finished stage in {workdir}")
    record = provenance.of_run(workdir, licenses) | (_chosen(workdir, stage) if best else {})
    bundle.save_bundle(out, _portable(config), variables, record)


def _chosen(workdir: Path, stage: str) -> dict[str, Any]:
    """What the best variables of a stage were chosen by, for the provenance."""
    kept = checkpoints.best(workdir, stage)
    assert kept is not None  # they have just been read
    return {"best": {"stage": stage} | {name: kept[name] for name in ("step", "metric", "value")}}


def _portable(config: FrozenConfigDict) -> FrozenConfigDict:
    """The config without the trainer's own paths."""
    released = ConfigDict(config.to_dict())
    released.data.dir = "data"
    released.init_from = Path(config.init_from).name
    return FrozenConfigDict(released)


def selected(variables: dict[str, Any], needed: dict[str, Any]) -> dict[str, Any]:
    """Of `{'params': {network: ...}, 'batch_stats': {network: ...}}` the networks that `needed` has."""
    return {
        collection: {name: tree for name, tree in variables[collection].items() if name in networks}
        for collection, networks in needed.items()
    }
