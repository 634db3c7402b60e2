"""Four methods of other kinds than the package's, each one file and one config: trained, stopped, exported, used.

Two players with a gradient penalty, a classifier of pixels, an autoregressive one, and one that makes whole images.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image
from toys import program

from colorize_jax import bundle, methods
from colorize_jax.data.prepare import prepare
from colorize_jax.inference.colorizer import Colorizer
from colorize_jax.train import checkpoints, export, telemetry

pytestmark = pytest.mark.slow  # `.ci/run` asks for them

TESTS = Path(program.__file__).parents[1]
STEPS = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """16 prepared photos: shades from left to right, of other colours each."""
    root = tmp_path_factory.mktemp("toys")
    (root / "photos").mkdir()
    draw = np.random.default_rng(0)
    ramp = np.linspace(0.2, 1, 64).reshape(1, 64, 1)
    for number in range(16):
        shade = np.tile(ramp * draw.uniform(60, 255, (1, 1, 3)), (64, 1, 1))
        Image.fromarray(shade.astype(np.uint8)).save(root / "photos" / f"{number:02}.png")
    prepare(
        "folder", directory=root / "data", source=root / "photos", name="shades", test_images=0.25, seed=0
    )
    return root


def by_two(folder, *arguments):
    """The program in two processes of two devices: their exit codes, and what the first one printed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path]),
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
    }
    both = [
        subprocess.Popen(
            [sys.executable, program.__file__, str(folder), address, str(number), *arguments],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number in (0, 1)
    ]  # fmt: skip
    outputs = [process.communicate(timeout=300) for process in both]
    return [process.returncode for process in both], outputs[0][0], outputs[0][1] + outputs[1][1]


@pytest.fixture(scope="module")
def trained(folder):
    """(The folder, what was compiled ahead of time by toy) after every toy was trained, twice."""
    codes, printed, errors = by_two(folder)
    assert codes == [0, 0], errors
    return folder, json.loads(printed.splitlines()[-1])  # Gloo prints, too


def lines(workdir, kind):
    return [line for line in telemetry.read_metrics(workdir / "metrics.jsonl").lines if line["kind"] == kind]


def same_bits(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    return all(map(np.array_equal, jax.tree.leaves(one), jax.tree.leaves(other)))


@pytest.mark.parametrize("name", program.TOYS)
def test_it_is_trained_by_two_processes_and_resumes_with_the_same_bits(trained, name):
    straight, cut = (trained[0] / kind / name for kind in ("straight", "cut"))
    assert same_bits(*map(checkpoints.restore_variables, (straight, cut)))
    losses = [{line["step"]: line["loss"] for line in lines(workdir, "train")} for workdir in (straight, cut)]
    assert losses[0] == losses[1] and list(losses[0]) == list(range(1, STEPS + 1))
    assert losses[0][STEPS] < losses[0][1]
    assert len(json.loads((cut / "versions.json").read_text())) == 2
    assert len(list((straight / "sheets").iterdir())) == len(lines(straight, "evaluation")) == 2


@pytest.mark.parametrize("name", program.TOYS)
def test_it_compiles_ahead_of_time(trained, name):
    step = trained[1][name]
    assert step["bytes"] > 0 and step["forbidden"] == 0
    assert (step["split"] > 0) == (name == "gan")


@pytest.mark.parametrize("name", program.TOYS)
def test_killed_it_resumes_with_the_same_bits(trained, name):
    codes, _, _ = by_two(trained[0], name)
    assert -signal.SIGKILL in codes
    codes, _, errors = by_two(trained[0], name)
    assert codes == [0, 0], errors
    assert same_bits(
        *(checkpoints.restore_variables(trained[0] / kind / name) for kind in ("straight", "killed"))
    )


@pytest.fixture(scope="module")
def models(trained):
    """Folders of exported models by toy; the GAN's has its best variables."""
    found = {name: trained[0] / "models" / name for name in program.TOYS}
    for name, out in found.items():
        export.export(trained[0] / "straight" / name, out, {}, best=name == "gan")
    return found


def test_only_what_samples_is_exported(models):
    config = bundle.load_config(models["gan"])
    needed = methods.build(config).abstract_variables()
    assert set(bundle.load_bundle(models["gan"], needed).variables["params"]) == {"generator"}
    assert bundle.load_bundle(models["gan"], needed).provenance["best"]["metric"] == "absolute_error"


@pytest.mark.parametrize(
    ("name", "samples", "side"), [("gan", 5, 16), ("classifier", 1, 8), ("autoregressive", 5, 4)]
)
def test_it_colors_a_photo(models, name, samples, side):
    gray = np.tile(np.linspace(0, 255, 40).astype(np.uint8), (24, 1))
    versions = Colorizer.load(models[name]).colorize(gray)
    assert [picture.shape for picture in versions.rgb] == samples * [(24, 40, 3)]
    assert versions.field.shape == (samples, side, side, 2)
    assert len(np.unique(versions.field, axis=0)) == samples  # dropout and draws differ


def test_a_method_without_colors_says_so_and_makes_images(models):
    with pytest.raises(ValueError, match=r"colours no gray image: .* it has images"):
        Colorizer.load(models["generator"])
    method = methods.build(bundle.load_config(models["generator"]))
    variables = bundle.load_bundle(models["generator"], method.abstract_variables()).variables
    images = method.images.sample(variables, jax.random.key(0), count=3)
    assert images.shape == (3, 16, 16, 3) and np.isfinite(images).all()


def run(folder, app, *arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    command = [sys.executable, "-m", f"colorize_jax.apps.{app}", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_are_evaluated_side_by_side_and_drawn_by_the_report(trained):
    folder = trained[0]
    asked = ["--methods=" + ",".join(program.TOYS), "--runs=straight", "--out=scores"]
    printed = run(folder, "eval", *asked, "--samples=2", "--batch_size=4", "--fit_images=12")
    assert all(name in printed for name in program.TOYS)
    run(folder, "report", "--evaluations=scores", "--out=page")
    page = (folder / "page" / "index.html").read_text()
    assert all(name in page for name in program.TOYS)
