"""A pickle of arrays to safetensors: the only module that reads a pickle, and none of the code in it can run."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from flax import traverse_util

from colorize_jax.files import replaced


class _ArraysOnly(pickle.Unpickler):
    """Reads a pickle of NumPy arrays; anything else in it is refused."""

    _ALLOWED = {  # noqa: RUF012
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    }

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"the weights name {module}.{name}, which is no array") from None


def convert(source: Path, target: Path) -> None:
    """Writes the arrays of a pickled nested dict as safetensors, keys joined by '/'.

    Args:
      source: a pickle.
      target: replaced where it is there: another process may convert the same file.

    Raises:
      pickle.UnpicklingError: it holds anything but arrays.
    """
    from safetensors.numpy import save

    with source.open("rb") as file:
        tree = _ArraysOnly(file).load()
    flat = traverse_util.flatten_dict(tree, sep="/")
    content = save({key: np.ascontiguousarray(value) for key, value in flat.items()})
    with replaced(
        target, overwrite=True
    ) as temporary:  # their own `save_file` would make it unreadable to others
        temporary.write_bytes(content)
