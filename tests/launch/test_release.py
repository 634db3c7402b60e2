"""`launch/released`: what it runs; and at a tiny budget the whole way from archives to a model that colours a photo."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import mini_archives
import pytest
from PIL import Image

from colorize_jax import Colorizer
from colorize_jax.data import synthetic

SCRIPT = Path(__file__).parents[2] / "launch" / "released"
PROGRAMS = Path(sys.executable).parent


def environment(folder: Path) -> dict[str, str]:
    return os.environ | {
        "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "JAX_PLATFORMS": "cpu",
    }


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--root=made", "--sources=archives", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
    )


def test_a_dry_run_prints_the_way_from_archives_to_scores(tmp_path):
    done = run(
        tmp_path, "--dry_run", "--images=900", "--config.width=0.1", "--eval.images=9", "--licence=a=b"
    )
    lines = [shlex.split(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and not list(tmp_path.iterdir())
    assert [line[0] for line in lines] == ["colorize-data"] * 5 + [
        f"colorize-{step}" for step in ("train", "export", "eval")
    ]
    assert lines[0] == shlex.split(
        "colorize-data --dataset=lfw_deepfunneled --source=archives/lfw-deepfunneled.tgz --dir=made/data"
    )
    assert "--name=imagenette" in lines[2] and "--source=archives" in lines[4]
    assert {"--config=released", "--config.budget.images=900", "--config.width=0.1"} <= set(lines[5])
    assert "--licence=a=b" in lines[6] and {"--model=made/model", "--images=9"} <= set(lines[7])


SCENES = """
from colorize_jax import methods

def get_config():
    config = methods.defaults("scc")
    config.data.mixture = (("sysu_scene", "train", 0.5), ("lfw_deepfunneled", "train", 0.5))
    return config.lock()
"""


def test_clones_are_found_by_their_repository_and_compared_with_the_tests(tmp_path):
    (tmp_path / "archives" / "SYSU-Scene").mkdir(parents=True)
    (tmp_path / "scenes.py").write_text(SCENES)
    done = run(tmp_path, "--config=scenes.py", "--dry_run", "--only=data", "--unlike=held.zip")
    faces, scenes = map(shlex.split, done.stdout.splitlines())
    assert "--dataset=lfw_deepfunneled" in faces and not any(a.startswith("--unlike") for a in faces)
    assert {"--dataset=sysu_scene", "--source=archives/SYSU-Scene"} < set(scenes)
    assert scenes[-1] == "--unlike=held.zip,lfw_deepfunneled:test"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--width=1"], "unknown --width=1"),
        (["--only=data,sell"], "steps are data,train,export,eval"),
        (["--config=cvae:data=imagenet_val", "--only=data"], "give --source=imagenet_val=PATH"),
    ],
)
def test_mistakes_are_one_line(tmp_path, arguments, told):
    done = run(tmp_path, *arguments)
    assert done.returncode == 1 and told in done.stderr and done.stderr.count("\n") == 1


def archives(folder: Path) -> None:
    """A few drawn pictures in the publishers' layouts."""
    folder.mkdir()
    mini_archives.write_tar(folder / "lfw-deepfunneled.tgz", mini_archives.lfw(8))
    mini_archives.write_lsun(folder)
    mini_archives.write_zip(folder / "tiny-imagenet-200.zip", mini_archives.tiny_imagenet())
    for seed, name in enumerate(("imagenette-224.zip", "imagenet-train-256.zip")):
        photos = synthetic.write_images(folder / f"{name}.photos", 8, seed, size=224)
        mini_archives.write_zip(folder / name, {photo.name: photo.read_bytes() for photo in photos})


PLAN = (
    "features",
    "unary",
    "structure",
    "mdn",
    "unary_longer",
    "spread_coarse",
    "spread_fine",
    "correct_together",
)
PLAN += ("modes_seen",)
"""Every kind of the released model's plan but `spread`, which trains what `spread_coarse` does, and one kind again."""


def small() -> list[str]:
    """Tiny networks, batches and epochs."""
    flags = ["width=0.015625", "features.width=0.015625", "mdn.width=0.015625", "optim.calibration_batches=1"]
    flags += ["spread.width=4", "spread.hidden=4", "spread.fine_width=4", "spread.fine_hidden=4"]
    flags += ["spread.correct=4", "spread.draws=1", "log.every_steps=1", "log.eval_images=2"]
    flags += ["data.epoch_images=4", "checkpoint.every_steps=1", f"plan={PLAN}"]
    flags += [f"stages.{label}.batch_size=2" for label in PLAN]
    flags += ["stages.modes_seen.calibration_batches=1"]
    flags += [f"stages.{label}.epochs=1.0" for label in PLAN]
    return [f"--config.{flag}" for flag in flags]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_from_archives_to_a_model_that_colors_a_photo(tmp_path):
    """Killed in its fifth stage and begun again by the same command."""
    archives(tmp_path / "archives")
    arguments = ["--test_images=2", "--restarts=0", *small(), "--eval.images=2", "--eval.batch_size=2",
                 "--eval.fit_images=5", "--eval.diagnosed=1"]  # fmt: skip
    command = [sys.executable, str(SCRIPT), "--root=made", "--sources=archives", *arguments]
    metrics = tmp_path / "made" / "run" / "metrics.jsonl"
    with (tmp_path / "first.log").open("w") as log:
        first = subprocess.Popen(
            command, cwd=tmp_path, env=environment(tmp_path), stdout=log, stderr=log, start_new_session=True
        )
    while '"unary_longer"' not in (metrics.read_text() if metrics.exists() else ""):
        assert first.poll() is None, (tmp_path / "first.log").read_text()
        time.sleep(0.1)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    done = run(tmp_path, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr

    model = tmp_path / "made" / "model"
    told = json.loads((model / "provenance.json").read_text())
    assert len(told["starts"]) == 2 and told["began_with"] is None
    assert [stage["stage"] for stage in told["stages"] if stage["steps"] == 2] == list(PLAN)
    faces = next(row for row in told["data"] if row["dataset"] == "lfw_deepfunneled")
    assert faces["weight"]["features"] == 0.6 and faces["weight"]["modes_seen"] == 0.36
    assert json.loads((model / "scores.json").read_text())["protocol"]["images"] == 2
    Image.fromarray(synthetic.draw(5)).convert("L").save(tmp_path / "gray.png")
    versions = Colorizer.load(model).colorize(tmp_path / "gray.png", samples=5)
    assert [picture.shape for picture in versions.rgb] == [(96, 96, 3)] * 5
