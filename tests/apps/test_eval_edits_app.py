"""colorize-eval --task=edits: a model and the classics on photos of a zip; mistakes in one line."""

import io
import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from colorize_jax.data.prepare import prepare
from colorize_jax.data.prepared import PhotoSource

ENVIRONMENT = os.environ | {"OPENBLAS_NUM_THREADS": "1"}


def _run(*arguments, cwd):
    command = [sys.executable, "-m", "colorize_jax.apps.eval", "--task=edits", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=ENVIRONMENT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("edits")
    with zipfile.ZipFile(folder / "photos.zip", "w") as archive:
        for seed in range(4):
            channels = 3 if seed < 3 else 1  # the last one is gray
            blocks = np.random.default_rng(seed).integers(40, 215, (6, 6, channels), dtype=np.uint8)
            blocks = np.broadcast_to(blocks, (6, 6, 3))
            content = io.BytesIO()
            Image.fromarray(blocks).resize((260, 256), Image.Resampling.NEAREST).save(content, "PNG")
            archive.writestr(f"{seed}.png", content.getvalue())
    prepare("folder", directory=folder / "data", source=folder / "photos.zip", name="blocks", test_images=2)
    return folder


@pytest.mark.slow
def test_a_model_stands_beside_the_classics(folder):
    done = _run(
        "--photos=photos.zip", "--photos_limit=2", "--draws=1", "--reveals=1,20", "--classics=gray,constant",
        "--out=out", cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "left out: 3.png is gray" in done.stdout
    found = json.loads((folder / "out" / "edits.json").read_text())
    assert found["photos"] == ["0.png", "2.png"] and found["counts"] == [1, 20] and found["draws"] == 1
    means = {name: method["psnr"]["mean"] for name, method in found["methods"].items()}
    assert list(means) == ["model", "model, alone", "gray", "constant"]
    assert means["model"][1] > means["gray"][1] + 0.5  # twenty true colours of 36 blocks
    for written in ("edits.md", "edits.png", "edits_sheet.png"):
        assert (folder / "out" / written).stat().st_size > 500
    again = _run("--photos=photos.zip", "--out=out", cwd=folder)
    assert again.returncode == 1 and "out holds an evaluation already" in again.stderr


@pytest.mark.slow
def test_a_prepared_set_has_the_photos_of_its_test_split(folder):
    done = _run(
        "--dataset=blocks", "--photos_limit=1", "--draws=1", "--reveals=5", "--classics=gray", "--out=prepared",
        cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads((folder / "prepared" / "edits.json").read_text())
    tested = PhotoSource(folder / "data", "blocks", "test")
    assert len(tested) == 2 and found["photos"] == [tested[0].name]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--task=edits needs --photos"),
        (("--photos=photos.zip", "--dataset=blocks"), "--dataset, a prepared one; not both"),
        (("--dataset=missing",), "'missing' is not prepared in data"),
        (("--photos=photos.zip", "--classics=zhang"), "--classics has 'zhang'; allowed are gray"),
        (("--photos=photos.zip", "--reveals=1,many"), "--reveals is '1,many'"),
        (("--photos=photos.zip", "--workdir=run"), "--workdir=run holds no config.json"),
        (("--photos=photos.zip", "--workdir=run", "--model=default"), "give one of them"),
    ],
)
def test_mistakes_are_told(folder, arguments, message):
    done = _run("--out=never", *arguments, cwd=folder)
    assert done.returncode == 1 and message in done.stderr and "Traceback" not in done.stderr
    assert not (folder / "never").exists()
