"""From a training run to a released model, with the record of how it came to be."""

import json
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict, FrozenConfigDict

from colorize_jax import bundle, methods
from colorize_jax.train import checkpoints
from colorize_jax.train import workdir as files
from colorize_jax.train.handover import is_released
from colorize_jax.train.telemetry import read_metrics

IMAGENET_TERMS = "ImageNet's terms of access: research and education, not commercial"
LICENSES = {
    "lfw_deepfunneled": "none stated by the publisher; photographs from the news, rights with their owners",
    "lsun_church": "none stated by the publisher; photographs from the web, rights with their owners",
    "imagenet_val": IMAGENET_TERMS,
    "tiny_imagenet": IMAGENET_TERMS,
}

_LINE_KEYS = ("kind", "stage", "step", "epoch", "time_unix_s", "stage_s", "evaluation_s")


def export(workdir: Path, out: Path, licenses: dict[str, str], *, best: bool = False) -> None:
    """Writes the newest finished stage of `workdir` as a model.

    Args:
      workdir: of the training run.
      out: folder of the model.
      licenses: of data sets by name, beside those in `LICENSES`.
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
    record = provenance(workdir, licenses) | (_chosen(workdir, stage) if best else {})
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


def provenance(workdir: Path, licenses: dict[str, str]) -> dict[str, Any]:
    """How the model in `workdir` came to be, as JSON; and the run that it began with, and so on."""
    config = methods.read_config((workdir / "config.json").read_text())
    known = LICENSES | licenses
    data = json.loads((workdir / "data.json").read_text())
    before = config.init_from
    return {
        "run": workdir.name,
        "seed": config.seed,
        "data": [{**row, "licence": known.get(row["dataset"], "not recorded")} for row in data],
        "stages": stages_told(workdir / "metrics.jsonl"),
        "starts": json.loads((workdir / "versions.json").read_text()),
        "exported_at_commit": files.commit(),
        "began_with": _provenance_of(before, licenses) if before else None,
    }


def _provenance_of(run: str, licenses: dict[str, str]) -> dict[str, Any]:
    """Of a released model its own record."""
    if is_released(run):
        return {"model": Path(run).name, **bundle.load_bundle(run).provenance}
    return provenance(Path(run), licenses)


def stages_told(path: Path) -> list[dict[str, Any]]:
    """Of each stage in `metrics.jsonl`: steps, images, seconds over all starts, and its last evaluation."""
    told: dict[str, dict[str, Any]] = {}
    for line in read_metrics(path).lines:
        entry = told.setdefault(line["stage"], {"stage": line["stage"]})
        entry["seconds"] = line["stage_s"]
        if line["kind"] == "train":
            entry |= {"steps": line["step"], "epochs": line["epoch"], "images": line["images"]}
        else:
            entry["evaluation"] = {k: v for k, v in line.items() if k not in _LINE_KEYS}
    return list(told.values())
