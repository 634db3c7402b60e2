"""How a run's model came to be: data, stages, starts, and the run or the model that it began with, and so on."""

import json
from pathlib import Path
from typing import Any

from colorize_jax import bundle
from colorize_jax.data.recipes import RECIPES
from colorize_jax.train import workdir as files
from colorize_jax.train.telemetry import read_metrics

IMAGENET_TERMS = "ImageNet's terms of access: research and education, not commercial"
LICENSES = {
    "lfw_deepfunneled": "none stated by the publisher; photographs from the news, rights with their owners",
    "lsun_church": "none stated by the publisher; photographs from the web, rights with their owners",
    "imagenet_val": IMAGENET_TERMS,
    "tiny_imagenet": IMAGENET_TERMS,
    "imagenette": IMAGENET_TERMS,
    "imagenet_photos": IMAGENET_TERMS,
    **{name: recipe.license for name, recipe in RECIPES.items()},
}

_LINE_KEYS = ("kind", "stage", "step", "epoch", "time_unix_s", "stage_s", "evaluation_s")


def is_model(folder: Path) -> bool:
    """Whether the folder holds a released model and no training run."""
    return (folder / "weights.npz").is_file()


def of(folder: Path) -> dict[str, Any]:
    """The record of a run, or of a released model its own."""
    if is_model(folder):
        return {"model": folder.name, **bundle.load_bundle(folder).provenance}
    return of_run(folder, {})


def of_run(workdir: Path, licenses: dict[str, str]) -> dict[str, Any]:
    """How the model in `workdir` came to be, as JSON.

    Args:
      workdir: of the run.
      licenses: of data sets by name, beside those in `LICENSES`.
    """
    config = json.loads((workdir / "config.json").read_text())
    known = LICENSES | licenses
    data = json.loads((workdir / "data.json").read_text())
    return {
        "run": workdir.name,
        "seed": config["seed"],
        "data": [{**row, "licence": known.get(row["dataset"], "not recorded")} for row in data],
        "stages": stages_told(workdir / "metrics.jsonl"),
        "starts": json.loads((workdir / "versions.json").read_text()),
        "exported_at_commit": files.commit(),
        "began_with": _began_with(workdir, config.get("init_from", "")),
    }


def _began_with(workdir: Path, init_from: str) -> dict[str, Any] | None:
    """Kept since the run was begun: what it began with may have been moved or replaced since."""
    kept = files.beginning(workdir)
    if kept is not None:
        return {**kept["provenance"], "sha256": kept["sha256"]}
    # A run of before this was kept.
    return of(Path(init_from).absolute()) if init_from else None


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
