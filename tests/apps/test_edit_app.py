"""`colorize --edits --explain` through the console script, on an example photo and the edits that come with it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import random_model
from PIL import Image

EXAMPLES = Path(__file__).parents[2] / "examples"
PROGRAM = Path(sys.executable).with_name("colorize")


def _run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess:
    return subprocess.run([PROGRAM, "--model=./model", *arguments], cwd=cwd, capture_output=True, text=True)


def _pictures(folder: Path) -> list[str]:
    """Without the hidden file by which the program remembers what it made."""
    return sorted(name for name in os.listdir(folder) if not name.startswith("."))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("edit_app")
    random_model.save(folder / "model")
    shutil.copy(EXAMPLES / "portrait_gray.jpg", folder / "portrait.jpg")
    Image.linear_gradient("L").resize((60, 45)).save(folder / "small.png")
    red = {"kind": "point", "at": [100, 30], "color": "#ff0000"}
    (folder / "outside.json").write_text(json.dumps({"version": 1, "edits": [red]}))
    (folder / "bad.json").write_text(json.dumps({"version": 1, "edits": [red, {"kind": "dot"}]}))
    return folder


def test_edits_alone_and_pictures_of_the_structure(folder):
    edits = EXAMPLES / "edits" / "portrait.json"
    done = _run(
        "portrait.jpg",
        f"--edits={edits}",
        "--edits_mode=alone",
        "--explain_at=150,120",
        "--out=alone",
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    names = ("1", "attention", "sheet", "suggested", "unary", "variance")
    assert _pictures(folder / "alone") == [f"portrait_{name}.png" for name in names]
    assert "edit next at (" in done.stdout
    picture = np.asarray(Image.open(folder / "alone" / "portrait_1.png")).astype(int)
    assert picture.shape == (308, 308, 3)
    orange = picture[265:275, 25:35].mean((0, 1))  # the suit, "#e2562f" in the file
    assert orange[0] > orange[1] + 20 and orange[1] > orange[2]


def test_one_file_for_many_photos_and_what_does_not_fit_one_of_them(folder):
    done = _run("portrait.jpg", "small.png", "--edits=outside.json", "--samples=2", "--out=many", cwd=folder)
    assert done.returncode == 3
    assert done.stderr.count("error:") == 1
    assert "small.png: edits[0] (point): its point 0, [100, 30], lies outside the photo" in done.stderr
    assert _pictures(folder / "many") == [f"portrait_{name}.png" for name in ("1", "2", "sheet")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--edits=bad.json",), "bad.json: edits[1]: its kind is 'dot'"),
        (
            ("--edits=outside.json", "--edits_mode=alone", "--samples=3"),
            "--samples is 3, but --edits_mode=alone",
        ),
    ],
)
def test_mistakes_are_told_before_anything_is_written(folder, arguments, message):
    done = _run("portrait.jpg", "--out=never", *arguments, cwd=folder)
    assert done.returncode == 1
    assert message in done.stderr and "Traceback" not in done.stderr
    assert not (folder / "never").exists()
