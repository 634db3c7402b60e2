"""Pickles of arrays to safetensors: the only module that reads a pickle, and none of the code in it can run."""

import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from flax import traverse_util

from colorize_jax.files import replaced


class _Storage(NamedTuple):
    """The numbers of one or more tensors of PyTorch, which follow the pickle under this key."""

    key: str
    dtype: np.dtype


class _Tensor(NamedTuple):
    """Arguments of PyTorch's `_rebuild_tensor_v2`: a view of a storage, offset and strides in numbers."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    requires_grad: bool
    hooks: Any


class _ArraysOnly(pickle.Unpickler):
    """Reads a pickle of NumPy arrays; anything else in it is refused."""

    _ALLOWED: Mapping[tuple[str, str], Any] = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    }

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"the weights name {module}.{name}, which is no array") from None


class _TensorsOnly(_ArraysOnly):
    """Reads a pickle of PyTorch tensors, as `_Tensor`; anything else in it is refused."""

    _ALLOWED: Mapping[tuple[str, str], Any] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
        ("torch", "FloatStorage"): np.dtype("<f4"),
        ("torch", "LongStorage"): np.dtype("<i8"),
    }

    def persistent_load(self, saved: Any) -> _Storage:
        _, dtype, key, _, _, part = saved
        if part is not None:
            raise pickle.UnpicklingError(f"storage {key} is a part of another, which is not read here")
        return _Storage(key, dtype)


def read_pickle(source: Path) -> dict[str, np.ndarray]:
    """The arrays of a pickled nested dict, keys joined by '/'.

    Raises:
      pickle.UnpicklingError: it holds anything but arrays.
    """
    with source.open("rb") as file:
        return traverse_util.flatten_dict(_ArraysOnly(file).load(), sep="/")


_TORCH_BEGINS = [0x1950A86A20F9469CFC6C, 1001]
"""Magic number and version of PyTorch's files before its 1.6: pickles one after another, then the storages."""


def read_torch(source: Path) -> dict[str, np.ndarray]:
    """The tensors of a state dict that PyTorch saved in its first format, by their names.

    Raises:
      pickle.UnpicklingError: it holds anything but float32 and int64 tensors, or is a file of another kind.
    """
    with source.open("rb") as file:
        if (begins := [_TensorsOnly(file).load() for _ in _TORCH_BEGINS]) != _TORCH_BEGINS:
            raise pickle.UnpicklingError(f"{source} begins with {begins}: no file of PyTorch's first format")
        _, tensors, keys = (_TensorsOnly(file).load() for _ in range(3))
        dtypes = {tensor.storage.key: tensor.storage.dtype for tensor in tensors.values()}
        storages = {key: _read_storage(file, dtypes[key]) for key in keys}
    return {name: _view(tensor, storages[tensor.storage.key]) for name, tensor in tensors.items()}


def _read_storage(file: BinaryIO, dtype: np.dtype) -> bytes:
    count = int.from_bytes(file.read(8), "little")
    return file.read(count * dtype.itemsize)


def _view(tensor: _Tensor, content: bytes) -> np.ndarray:
    dtype = tensor.storage.dtype
    strides = [step * dtype.itemsize for step in tensor.strides]
    return np.ndarray(tensor.shape, dtype, content, tensor.offset * dtype.itemsize, strides)


READERS: Mapping[str, Callable[[Path], dict[str, np.ndarray]]] = {"pickle": read_pickle, "torch": read_torch}
"""By the name of the format."""


def convert(source: Path, target: Path, *, format: str = "pickle") -> None:
    """Writes the arrays of a file as safetensors.

    Args:
      source: a pickle.
      target: replaced where it is there: another process may convert the same file.
      format: of `READERS`.

    Raises:
      pickle.UnpicklingError: it holds anything but arrays.
    """
    from safetensors.numpy import save

    content = save({key: np.ascontiguousarray(value) for key, value in READERS[format](source).items()})
    with replaced(
        target, overwrite=True
    ) as temporary:  # their own `save_file` would make it unreadable to others
        temporary.write_bytes(content)
