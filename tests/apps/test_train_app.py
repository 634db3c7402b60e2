"""`colorize-train` and `colorize-export` as programs: mistakes give one line and exit code 1."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("program", "arguments", "told"),
    [
        ("train", ["--workdir=run"], "usage: colorize-train --config"),
        (
            "train",
            ["--config=scc", "--workdir=run", "--config.data.dir=nowhere"],
            "is not prepared in nowhere",
        ),
        ("export", ["--out=model"], "usage: colorize-export --workdir"),
        ("export", ["--workdir=run", "--out=model"], "run holds no config.json"),
        (
            "export",
            ["--workdir=run", "--out=model", "--licence=free"],
            "--licence is 'free'; it must be NAME=TEXT",
        ),
    ],
)
def test_a_mistake_is_told_in_one_line(tmp_path, program, arguments, told):
    command = [sys.executable, "-m", f"colorize_jax.apps.{program}", *arguments]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 1 and told in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1 and not run.stdout
    assert not list(tmp_path.iterdir())


def test_an_unknown_field_of_the_config_is_told_with_those_that_are_there(tmp_path):
    command = [sys.executable, "-m", "colorize_jax.apps.train", "--config=scc", "--config.data.side=64"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 1 and "Traceback" not in run.stderr
    assert "config.data has no field 'side'; use one of ab_large, crop" in run.stderr
