"""`benchmarks/departures.py`: what it runs, that its fields are of the config, what its table says; and a toy of it."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from colorize_jax.config import check_path, load
from colorize_jax.data import synthetic
from colorize_jax.data.prepare import prepare
from colorize_jax.evaluation import records

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "departures.py"


@pytest.fixture(scope="module")
def departures():
    spec = importlib.util.spec_from_file_location("departures", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def lines(departures, capsys):
    def run(*arguments):
        assert departures.main(["--root=runs", "--dry_run", *arguments]) == 0
        return [shlex.split(line) for line in capsys.readouterr().out.splitlines()]

    return run


def test_each_departure_changes_what_the_printed_config_has(departures):
    config = load("scc:paper=1")
    for one in departures.DEPARTURES.values():
        if one.first != "sampling":
            for path, value in one.fields.items():
                check_path(config, path)
                section, _, field = path.rpartition(".")
                assert config[section][field] != value


def test_a_departure_goes_on_where_it_begins_to_differ(lines):
    trained = (line for line in lines("--seeds=1") if line[0] == "colorize-train")
    commands = {where.rpartition("/")[2]: line for line in trained for where in line if "--workdir=" in where}
    first, codes = commands["no_dropout"], commands["mean_codes"]
    assert "--config.init_from=runs/seed1/printed_features" in first
    assert {"--config.mdn.code=mean", "--config.init_from=runs/seed1/printed_structure"} <= set(codes)
    assert [a for a in codes if a.endswith(".epochs=0.0")] == [
        f"--config.stages.{stage}.epochs=0.0" for stage in ("features", "unary", "structure")
    ]
    assert not [a for a in commands["features_of_our_own_network"] if "init_from" in a]


def test_scores_follow_with_drawn_codes_and_all_seeds_do(lines):
    found = lines("--seeds=0,1", "--config.optim.b1=0.5", "--eval.images=9")
    scores = [line for line in found if line[0] == "colorize-eval"]
    assert [a for line in scores for a in line if "--rule" in a] == ["--rule=random", "--rule=modes"] * 2
    assert all("--images=9" in line for line in scores)
    assert all("--config.optim.b1=0.5" in line for line in found if line[0] == "colorize-train")


def test_the_table_has_paired_differences(departures, tmp_path):
    values = np.random.default_rng(0).uniform(size=(2, 50))
    for seed, own in enumerate(values):
        for name, offset in (("printed", 0.0), ("mean_codes", 0.25 + 0.01 * seed)):
            folder = tmp_path / str(seed) / name
            folder.mkdir(parents=True)
            scores = {"eob_mae": own + offset, "variance": own, "bleed": own}
            told = records.per_image_to_json({"field": scores, "reconstruction": scores})
            (folder / "per_image.json").write_text(told)
    _, _, printed, line = departures.table([tmp_path / "0", tmp_path / "1"]).splitlines()
    assert f"| as printed | {values.mean():.4g} |" in printed
    told = re.match(r"\| mean codes \| ([\d.]+) \(([+-][\d.]+) ± (\S+) ± (\S+)\)", line)
    mean, difference, over_images, over_seeds = map(float, told.groups())
    assert mean == pytest.approx(values.mean() + 0.255, abs=1e-3)
    assert difference == pytest.approx(0.255, abs=6e-3)
    assert over_images < 1e-6 and over_seeds == pytest.approx(0.005, rel=0.1)


def test_mistakes_are_one_line(departures, capsys):
    for flag, told in (
        ("--steps=4", "unknown --steps=4"),
        ("--departures=moon", "--departures is 'moon'; it must be "),
    ):
        assert departures.main([flag]) == 1
        error = capsys.readouterr().err
        assert error.startswith(f"error: {told}") and error.count("\n") == 1


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_toy_of_it_trains_scores_and_goes_on(tmp_path):
    synthetic.write_images(tmp_path / "photos", 12, 0, size=64)
    photos = {"name": "lfw_deepfunneled", "source": tmp_path / "photos", "test_images": 4}
    prepare("folder", directory=tmp_path / "data", **photos)
    flags = ["data.epoch_images=4", "optim.calibration_batches=1", "log.eval_images=2"]
    for stage in ("features", "unary", "structure", "mdn"):
        flags += [f"stages.{stage}.batch_size=2", f"stages.{stage}.epochs=1.0"]
    command = [
        sys.executable, str(SCRIPT), "--seeds=0", "--features=small", "--width=0.015625", f"--root={tmp_path}/runs",
        f"--dir={tmp_path}/data", "--departures=temperature learned,modes shown", "--eval.images=4",
        "--eval.fit_images=5", "--eval.diagnosed=2", "--eval.batch_size=2", *(f"--config.{flag}" for flag in flags),
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, done.stderr[-2000:]
        rows = [line.split("|")[1].strip() for line in done.stdout.splitlines() if line.startswith("| ")]
        assert rows[-3:] == ["as printed", "temperature learned", "modes shown"]
