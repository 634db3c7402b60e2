"""docs/methods.md holds a whole method: it trains, scores, is exported and colours, as printed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from colorize_jax.data.prepare import prepare
from colorize_jax.data.synthetic import draw, write_images
from colorize_jax.inference.colorizer import Colorizer
from colorize_jax.train import export, telemetry

PAGE = Path(__file__).parents[2] / "docs" / "methods.md"
BLOCKS = dict(re.findall(r'^```\w+ title="(.+?)"\n(.*?)^```', PAGE.read_text(), re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The page's two files, and photos that were drawn."""
    root = tmp_path_factory.mktemp("page")
    write_images(root / "photos", 32, seed=0)
    for name in ("my_methods/normal.py", "normal_config.py"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(BLOCKS[name])
    return root


def test_the_method_has_sixty_lines():
    lines = [line for line in BLOCKS["my_methods/normal.py"].splitlines() if line.strip()]
    assert len(lines) <= 60


def run(command, folder, **environment):
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def train(folder):
    """The page's command for it, with smaller images and few evaluations."""
    command = [sys.executable, "-m", "colorize_jax.apps.train", "--config=normal_config.py", "--workdir=run"]
    smaller = ["--config.data.image_size=16", "--config.log.eval_every_epochs=10.0"]
    below = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    run([*command, *smaller], folder, PYTHONPATH=below)


def test_the_method_of_the_page_learns_is_exported_and_colors(folder, monkeypatch):
    prepare("folder", directory=folder / "data", source=folder / "photos", name="holiday", test_images=0.25)
    train(folder)
    lines = telemetry.read_metrics(folder / "run" / "metrics.jsonl").lines
    errors = [line["absolute_error"] for line in lines if line["kind"] == "evaluation"]
    assert errors[-1] < 0.95 * errors[0]
    monkeypatch.syspath_prepend(folder)
    export.export(folder / "run", folder / "model", {})
    colorizer = Colorizer.load(folder / "model")
    versions = colorizer.colorize(draw(100, size=24), samples=3)
    assert versions.field.shape == (3, 8, 8, 2) and len(np.unique(versions.field, axis=0)) == 3
    with pytest.raises(ValueError, match="rule 'mean' gives at most 1; use rule 'draw'"):
        colorizer.colorize(draw(100, size=24), samples=3, rule="mean")


@pytest.mark.slow
def test_the_commands_of_the_page_run_as_printed(folder):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    below = os.environ.get("PYTHONPATH", "")
    commands = BLOCKS["commands"].replace("=$PWD ", f"=$PWD:{below} ")
    run(["bash", "-euc", commands], folder, PATH=path)
    assert len(list((folder / "colorized").glob("0010*.png"))) >= 3
    assert (folder / "evaluation" / "scores.json").exists()
