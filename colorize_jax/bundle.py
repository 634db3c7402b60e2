"""A released model as a folder: weights, config, provenance and scores; loading is strict.

| file | holds |
|---|---|
| `weights.npz` | arrays by path, `params/trunk/...`; matrices float16 with 8 bits of mantissa, vectors float32 |
| `config.json` | the resolved config |
| `provenance.json` | how it was trained: data, commit, steps, versions |
| `scores.json` | what `colorize-eval` measured |

The models that come with the package lie in `colorize_jax/weights/<name>/`.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict, FrozenConfigDict

from colorize_jax import config as configs
from colorize_jax import files, methods
from colorize_jax.methods.base import Method

WEIGHTS = Path(__file__).parent / "weights"
FILES = ("weights.npz", "config.json", "provenance.json", "scores.json")

Tree = dict[str, Any]


class Bundle(NamedTuple):
    """A released model.

    Attributes:
      config: as it was trained, resolved.
      variables: `{'params': ..., 'batch_stats': ...}` of the networks that sampling needs, float32 NumPy arrays.
      provenance: what `provenance.json` holds.
      scores: what `scores.json` holds; empty where it was never evaluated.
    """

    config: FrozenConfigDict
    variables: Tree
    provenance: dict[str, Any]
    scores: dict[str, Any]


class Model(NamedTuple):
    """A released model, ready to be used.

    Attributes:
      config: as of today, see `methods.read_config`.
      method: built of it.
      variables: that its capabilities need.
      provenance: what `provenance.json` holds.
    """

    config: FrozenConfigDict
    method: Method
    variables: Tree
    provenance: dict[str, Any]


def available() -> list[str]:
    """Names of the models that come with the package."""
    return sorted(folder.parent.name for folder in WEIGHTS.glob("*/weights.npz"))


def save_bundle(
    folder: str | os.PathLike,
    config: ConfigDict | FrozenConfigDict,
    variables: Tree,
    provenance: Mapping[str, Any],
    scores: Mapping[str, Any] | None = None,
) -> None:
    """Writes a model; files of the same names are replaced.

    Args:
      folder: made where it is missing.
      config: resolved.
      variables: nested dicts of arrays: only the networks that sampling needs (`Method.abstract_variables`).
      provenance: anything that JSON can hold.
      scores: likewise, or None.

    Raises:
      ValueError: values that are not finite in float16; the message lists their keys.
    """
    arrays = {key: _compact(value) for key, value in flatten(variables).items()}
    bad = [key for key, value in arrays.items() if not np.isfinite(value).all()]
    if bad:
        raise ValueError(
            f"variables are not finite, or beyond 65504, in {_listed(bad)}; such a model is not saved."
        )
    target = Path(folder)
    files.write_arrays(target / "weights.npz", arrays, compressed=True, overwrite=True)
    files.write_text(target / "config.json", configs.to_json(config) + "\n", overwrite=True)
    files.write_json(target / "provenance.json", dict(provenance), overwrite=True)
    files.write_json(target / "scores.json", dict(scores or {}), overwrite=True)


def load_bundle(name_or_folder: str | os.PathLike, expected: Tree | None = None) -> Bundle:
    """Reads a model by its name in `available()`, or from a folder.

    Args:
      name_or_folder: a bundled name wins over a folder of the same name; write `./name` for the folder.
      expected: a tree of arrays or ShapeDtypeStructs, such as `Method.abstract_variables()`; see `check`.

    Raises:
      ValueError: no such model, a missing or damaged file, or variables that are not as expected.
    """
    config = load_config(name_or_folder)
    folder = find(name_or_folder)
    arrays = _read_arrays(folder / "weights.npz")
    if expected is not None:
        check(arrays, expected, name=str(folder / "weights.npz"))
    scores = folder / "scores.json"
    return Bundle(
        config=config,
        # The file has no entry for what is empty, as the statistics of networks without BatchNorm.
        variables={"params": {}, "batch_stats": {}} | unflatten(arrays),
        provenance=json.loads(_json_text(folder / "provenance.json")),
        scores=json.loads(_json_text(scores)) if scores.is_file() else {},
    )


def load_model(name_or_folder: str | os.PathLike) -> Model:
    """Reads a model and builds its method, with the networks whose weights are public and not in the folder.

    Raises:
      ValueError: no such model, or one that is damaged or does not fit its config.
    """
    config = load_config(name_or_folder)
    method = methods.build(config)
    loaded = load_bundle(name_or_folder, method.abstract_variables())
    params = loaded.variables["params"] | {name: load() for name, load in method.public.items()}
    return Model(config, method, {**loaded.variables, "params": params}, loaded.provenance)


def load_config(name_or_folder: str | os.PathLike) -> FrozenConfigDict:
    """The config of a model alone, as of today: what `methods.build` needs before the variables can be checked."""
    folder = find(name_or_folder)
    missing = [name for name in FILES[:3] if not (folder / name).is_file()]
    if missing:
        raise ValueError(f"{folder}: no {', '.join(missing)}; a model's folder holds {', '.join(FILES)}.")
    return methods.read_config(_json_text(folder / "config.json"))


def find(name_or_folder: str | os.PathLike) -> Path:
    """The folder of a bundled model, or the folder itself."""
    name = os.fspath(name_or_folder)
    if name in available():
        return WEIGHTS / name
    if os.path.isdir(name):
        return Path(name)
    raise ValueError(
        f"model is {name!r}; allowed are {', '.join(available()) or '(none bundled)'} and a folder."
    )


def weights_sha256(name_or_folder: str | os.PathLike) -> str:
    """The hash of a model's file of weights: which model it is."""
    return hashlib.sha256((find(name_or_folder) / "weights.npz").read_bytes()).hexdigest()


def check(arrays: Mapping[str, np.ndarray | jax.Array], expected: Tree, *, name: str) -> None:
    """Raises a ValueError that lists every missing, extra and misshapen key of flat `arrays`."""
    shapes = {key: tuple(value.shape) for key, value in flatten(expected).items()}
    problems = {
        "missing": [f"{key} {shapes[key]}" for key in shapes if key not in arrays],
        "extra": [f"{key} {value.shape}" for key, value in arrays.items() if key not in shapes],
        "misshapen": [
            f"{key} {arrays[key].shape}, not {shape}"
            for key, shape in shapes.items()
            if key in arrays and arrays[key].shape != shape
        ],
    }
    told = [f"{len(keys)} {kind}: {_listed(keys)}" for kind, keys in problems.items() if keys]
    if told:
        raise ValueError(f"{name} does not fit its config: {'; '.join(told)}.")


def flatten(tree: Tree) -> dict[str, Any]:
    """Nested dicts to one dict with keys joined by '/', in the tree's order."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {"/".join(str(entry.key) for entry in path): leaf for path, leaf in leaves}


def unflatten(flat: Mapping[str, Any]) -> Tree:
    """The inverse of `flatten`."""
    tree: Tree = {}
    for key, value in flat.items():
        *parents, last = key.split("/")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = value
    return tree


_MANTISSA = 8
"""Bits kept of a matrix's numbers: two fewer than float16 has make the file an eighth smaller."""


def _compact(value: Any) -> np.ndarray:
    # Running variances can lie beyond float16; vectors are a thousandth of the size.
    array = np.asarray(value, np.float32)
    if array.ndim < 2:
        return array
    dropped = np.uint32(23 - _MANTISSA)
    bits = array.view(np.uint32) + (np.uint32(1) << (dropped - np.uint32(1)))
    with np.errstate(over="ignore"):
        return (bits >> dropped << dropped).view(np.float32).astype(np.float16)


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        return {key: value.astype(np.float32) for key, value in files.read_arrays(path).items()}
    except (
        Exception
    ) as error:  # a damaged zip raises BadZipFile, EOFError, ValueError, KeyError, zlib.error, ...
        raise ValueError(f"{path}: damaged ({' '.join(str(error).split())}); fetch it again.") from error


def _json_text(path: Path) -> str:
    """The text of a JSON file, after a check that it parses."""
    try:
        text = path.read_text(encoding="utf-8")
        json.loads(text)
        return text
    except ValueError as error:
        raise ValueError(f"{path}: damaged ({error}); fetch it again.") from error


def _listed(keys: Iterable[str]) -> str:
    return ", ".join(keys)
