"""The files of a run's working directory that say what the run is, and the lock that keeps a second run out.

| file | holds |
|---|---|
| `config.json` | the resolved config |
| `data.json` | the data sets: name, split, number of images, split hash, licence |
| `began_with.json` | where the first networks came from, the hash of their arrays and their provenance |
| `versions.json` | one entry per start: time, Python, packages, devices |
| `statistics.npz` | what the method asked to know of the training set, where it asks |
| `metrics.jsonl`, `tensorboard/`, `sheets/` | see `telemetry` |
| `checkpoints/`, `stages/` | see `checkpoints` |
"""

import contextlib
import json
import platform
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import numpy as np

from colorize_jax import files

_BEGAN = "began_with.json"
_FREE = ("log.", "checkpoint.", "data.dir", "data.threads", "mesh.")
_EPOCHS = re.compile(r"stages\.\w+\.epochs")
_OVERRIDES = re.compile(r"^stages\.\w+\.overrides\.")
_PACKAGES = (
    "colorize_jax",
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax-checkpoint",
    "grain",
    "numpy",
    "scipy",
    "pillow",
    "ml_collections",
)


def keep_arrays(path: Path, make: Callable[[], dict[str, np.ndarray]]) -> None:
    """Writes the arrays of `make` to `path`, whole or not at all, unless there is such a file already."""
    if not path.exists():
        files.write_arrays(path, make())


def locked(workdir: Path) -> contextlib.AbstractContextManager[None]:
    """Keeps a second training run out of the directory; the system frees the lock however this process ends.

    Raises:
      ValueError: another process trains there.
    """
    taken = f"another process is training in {workdir}; wait for it or give another --workdir"
    return files.locked(workdir / ".lock", taken)


def check_config(
    workdir: Path, config: dict[str, Any], changed: Sequence[str] = ()
) -> dict[str, tuple[Any, Any]]:
    """Checks the config of a run that is resumed against the one that `record_start` stored.

    Args:
      workdir: of the run.
      config: resolved.
      changed: fields, or whole sections, that differ on purpose: no stage that has begun reads them.

    Returns:
      {field of `changed`: (value there, value now)}, where they differ; None for a field that one of both lacks.

    Raises:
      ValueError: a field differs that shapes the result; without `changed` only logging, checkpointing, where the data
        lie, the mesh, and longer epochs may change. Or `changed` has a field that `config` lacks.
    """
    path, new = workdir / "config.json", _flat(config)
    for field in changed:
        if not any(_within(name, field) for name in new):
            raise ValueError(
                f"--changed has {field!r}, and config has no such field; give it as in data.crop"
            )
    differing = {}
    if path.exists():
        old = _flat(json.loads(path.read_text()))
        both = {name: (old.get(name), new.get(name)) for name in sorted({*old, *new})}
        differing = {name: values for name, values in both.items() if not _may_change(name, *values)}
    meant = {k: values for k, values in differing.items() if any(_within(k, field) for field in changed)}
    if refused := {k: values for k, values in differing.items() if k not in meant}:
        lines = "; ".join(f"config.{k}: {there!r} there, {now!r} now" for k, (there, now) in refused.items())
        raise ValueError(
            f"{workdir} was begun with another config ({lines}); give the old values or another --workdir, or name in "
            "--changed what no stage that has begun reads"
        )
    return meant


def _within(name: str, section: str) -> bool:
    return name == section or name.startswith(f"{section}.")


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        flat |= _flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return flat


def _may_change(name: str, old: Any, new: Any) -> bool:
    if old == new or _OVERRIDES.sub("", name).startswith(_FREE):
        return True
    return bool(_EPOCHS.fullmatch(name)) and None not in (old, new) and new > old


def check_data(workdir: Path, provenance: Any, *, changed: bool = False) -> None:
    """Checks that the data of a run that is resumed are those that `record_start` stored.

    Args:
      workdir: of the run.
      provenance: see `loop.Data`.
      changed: stages to come read others on purpose: sets may come and go, but one that stays is the same.

    Raises:
      ValueError: the data sets or their splits are not those that the run was begun with.
    """
    path = workdir / "data.json"
    if path.exists():
        old, new = json.loads(path.read_text()), json.loads(json.dumps(provenance))
        if changed:
            there, here = _sets(old), _sets(new)
            old, new = ([rows[key] for key in sorted(there.keys() & here.keys())] for rows in (there, here))
        if not _agree(old, new):
            raise ValueError(
                f"the data differ from those that {workdir} was begun with (compare {path} with: "
                f"{json.dumps(provenance)}); give config.data.dir of the old ones or another --workdir"
            )


def _sets(provenance: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """The rows of `data.json` by data set and split, without their weights in the mixture."""
    return {
        (row["dataset"], row["split"]): {name: told for name, told in row.items() if name != "weight"}
        for row in provenance
    }


def check_beginning(workdir: Path, record: dict[str, Any] | None) -> None:
    """Stores what a run begins with; for one that is resumed, checks that it is the same arrays.

    Args:
      workdir: of the run.
      record: see `loop.Initial`; None for networks that are drawn.

    Raises:
      ValueError: `config.init_from` holds other arrays than when the run was begun.
    """
    if record is None:
        return
    there = beginning(workdir)
    if there is None:
        files.write_json(workdir / _BEGAN, record)
    elif there["sha256"] != record["sha256"]:
        raise ValueError(
            f"{workdir} was begun with the arrays {there['sha256'][:12]} of {there['init_from']}, and "
            f"{record['init_from']} holds {record['sha256'][:12]} now; put the old ones back or give another --workdir"
        )


def beginning(workdir: Path) -> dict[str, Any] | None:
    """What `check_beginning` stored; None for a run whose networks were drawn."""
    path = workdir / _BEGAN
    return json.loads(path.read_text()) if path.exists() else None


def _agree(old: Any, new: Any) -> bool:
    # Only what both tell counts: another version of the program may describe the same data in more words.
    if isinstance(old, dict) and isinstance(new, dict):
        return all(_agree(old[key], new[key]) for key in old.keys() & new.keys())
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_agree, old, new))
    return old == new


def record_start(
    workdir: Path, config: dict[str, Any], provenance: Any, changed: dict[str, tuple[Any, Any]]
) -> None:
    """Stores what was checked: the resolved config and the data, as JSON; and that the run was started.

    `versions.json` gets the time, package versions, devices and what `check_config` found changed.
    """
    files.write_json(workdir / "config.json", config, overwrite=True)
    files.write_json(workdir / "data.json", provenance, overwrite=True)
    path = workdir / "versions.json"
    starts = json.loads(path.read_text()) if path.exists() else []
    start = {"started_unix_s": round(time.time(), 1), **versions()} | (
        {"changed": changed} if changed else {}
    )
    files.write_json(path, [*starts, start], overwrite=True)


def versions() -> dict[str, Any]:
    """The commit of this package, Python, the packages that training rests on, and the devices."""
    found = {}
    for name in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    devices = [f"{device.platform} {device.device_kind}" for device in jax.devices()]
    return {"commit": commit(), "python": platform.python_version(), "packages": found, "devices": devices}


def commit() -> str | None:
    """The git commit that this package is checked out at, with '+' after it where files differ from it.

    None for an installed copy, or without git.
    """
    here = Path(__file__).parent
    try:
        described = subprocess.run(
            ["git", "-C", str(here), "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"],
            capture_output=True,
            text=True,
            check=True,
        )
        tracked = subprocess.run(
            ["git", "-C", str(here), "ls-files", "--error-unmatch", __file__], capture_output=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip() if tracked.returncode == 0 else None
