"""`colorize-doctor`: what is there, what is missing, and an exit code."""

import json
from importlib import metadata

import pytest
import random_model

from colorize_jax import bundle
from colorize_jax.apps import doctor
from colorize_jax.data import prepared


@pytest.fixture
def weights(tmp_path, monkeypatch):
    monkeypatch.setattr(bundle, "WEIGHTS", tmp_path)
    return tmp_path


def test_versions_and_devices():
    assert any(line.startswith("jaxlib ") for line in doctor.version_lines())
    assert doctor.device_lines()[0].startswith("backend ")


def test_models_are_listed_with_their_provenance(weights):
    assert doctor.model_lines() == ["none"]
    random_model.save(weights / "noise")
    assert "trained_on nothing" in doctor.model_lines()[0]
    (weights / "noise" / "provenance.json").write_text("{")
    assert "DAMAGED" in doctor.model_lines()[0]


def test_prepared_data_sets_are_listed(tmp_path):
    assert doctor.data_lines(tmp_path) == ["none"]
    folder = tmp_path / "lfw_deepfunneled" / prepared.VERSION
    folder.mkdir(parents=True)
    (folder / "dataset_info.json").write_text("{}")
    assert "DAMAGED" in doctor.data_lines(tmp_path)[0]
    told = {
        "source": "x.tgz",
        "split": "random, seed 0",
        "images": {"train": 1200},
        "split_hash": {},
        "skipped": 0,
    }
    (folder / "metadata.json").write_text(json.dumps(told))
    assert doctor.data_lines(tmp_path) == ["lfw_deepfunneled: train 1,200 photos"]


def test_missing_extras_come_with_their_command(monkeypatch):
    needed = {
        "colorize_jax": [
            "numpy",
            "there; extra == 'train'",
            "absent>=1; extra == 'train'",
            "big[fast]; extra == 'gpu'",
        ]
    }
    needed["big"] = [
        "deep; extra == 'fast'",
        "other; extra == 'slow'",
        "mac; sys_platform == 'nowhere' and extra == 'fast'",
    ]
    monkeypatch.setattr(metadata, "requires", needed.__getitem__)
    monkeypatch.setattr(doctor, "installed", lambda name: "1" if name in ("there", "big") else None)
    assert list(doctor.missing_of("colorize_jax", "train")) == ["absent"]
    assert list(doctor.missing_of("colorize_jax", "gpu")) == ["deep"]


def test_extras_of_the_package():
    lines = {line.split(":")[0]: line for line in doctor.extra_lines()}
    assert {"train", "test"} <= lines.keys()
