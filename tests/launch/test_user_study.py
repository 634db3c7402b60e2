"""`launch/study`: the commands that make a study of trained runs, and the folders that raters are asked on."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import mini_archives
import pytest
import random_model
from PIL import Image

from colorize_jax.data.prepare import prepare
from colorize_jax.study.study import read_study

SCRIPT = Path(__file__).parents[2] / "launch" / "study"
ENVIRONMENT = os.environ | {
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "PYTHONPATH": os.pathsep.join(sys.path),
    "JAX_PLATFORMS": "cpu",
}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--root=made", *arguments]
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def test_a_dry_run_prints_exports_and_versions_of_one_seed(tmp_path):
    for method in ("scc", "vae_mdn"):
        (tmp_path / "runs" / method).mkdir(parents=True)
        (tmp_path / "runs" / method / "config.json").write_text("{}")
    done = run(tmp_path, "--runs=lfw=runs", "--runs=church=runs", "--seed=7", "--dry_run")
    assert done.returncode == 0 and not (tmp_path / "made").exists()
    assert "lfw: no run pic in runs; its pairs are left out" in done.stderr
    lines = [shlex.split(line) for line in done.stdout.splitlines()]
    assert [line[0] for line in lines] == ["colorize-export", "colorize"] * 4
    assert lines[0][1:] == ["--workdir=runs/scc", "--out=made/models/lfw/scc"]
    wanted = {
        "made/photos/church",
        "--model=made/models/church/vae_mdn",
        "--samples=1",
        "--seed=7",
        "--rule=random",
    }
    assert wanted < set(lines[-1]) and "--out=made/pictures/vae_mdn/church" in lines[-1]


@pytest.mark.slow
def test_models_become_a_study_of_one_version_each(tmp_path):
    source = mini_archives.write_tar(tmp_path / "lfw.tgz", mini_archives.lfw())
    prepare("lfw_deepfunneled", directory=tmp_path / "data", source=source, test_images=3)
    for method in ("scc", "vae_mdn"):  # two names of one model: nothing is compiled twice
        random_model.save(tmp_path / "runs" / method)
    done = run(tmp_path, "--runs=lfw=runs", "--photos=2")
    assert done.returncode == 0, done.stderr
    assert "No study was run here" in done.stdout and "61.12%" in done.stdout
    study = read_study(tmp_path / "made" / "pictures")
    assert study.methods == ["scc", "vae_mdn"] and len(study.pairs) == 2
    assert all(picture.startswith("lfw/") for picture in study.pictures)
    assert Image.open(study.files["scc", study.pictures[0]]).size == (96, 96)
    told = json.loads((tmp_path / "made" / "study.json").read_text())
    assert told["seed"] == 0 and told["rule"] == "random" and len(told["commands"]) == 2


def test_mistakes_are_one_line(tmp_path):
    for runs, told in (("moon=runs", "it must be DATA=FOLDER"), ("lfw=runs", "a pair needs two")):
        done = run(tmp_path, f"--runs={runs}", "--methods=scc")
        assert done.returncode == 1 and told in done.stderr.splitlines()[-1]
