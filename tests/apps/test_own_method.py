"""Adding a method takes one file and one config: here outside the package; train, eval and report then know it."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from colorize_jax.data.prepare import prepare
from colorize_jax.evaluation import records
from colorize_jax.train import telemetry

METHOD = '''
"""Every image gets the training set's mean colour, learned by gradient descent; versions differ in strength."""

from functools import partial

import jax
import jax.numpy as jnp

from ml_collections import ConfigDict

from colorize_jax import losses
from colorize_jax.config import stage_defaults
from colorize_jax.methods.base import Colors, Method, Player, Samples, Stage
from colorize_jax.methods.parts.pictures import gray_and_truth, picture
from colorize_jax.methods.parts.updates import adam, init_state, play

SIDE = 16


def defaults():
    return ConfigDict({"model": {"field": 64}, "stages": {"tint": stage_defaults(8.0, 4, 0.05)}})


def check(config):
    pass


def build(config):
    settings = config.stages.tint
    player = Player("tint", ("tint",), loss, adam(config.optim, settings.lr, 100))
    stage = Stage(
        "tint", settings.epochs, settings.batch_size, partial(init, player),
        play((player,)), measure, pictures,
    )
    abstract = lambda: {"params": {"tint": {"ab": jax.ShapeDtypeStruct((2,), "float32")}}, "batch_stats": {}}
    return Method((stage,), abstract, colors=Colors(sample, rules=("strengths",)))


def init(player, rng, batch, variables):
    return init_state({"tint": {"ab": jnp.zeros(2)}}, {}, (player,))


def field(variables, count, side=SIDE):
    return jnp.broadcast_to(variables["params"]["tint"]["ab"], (count, side, side, 2))


def loss(variables, batch, rng, step):
    error = losses.squared_error(field(variables, *batch["ab"].shape[:2]), batch["ab"]).mean()
    return error, ({}, {})


def measure(variables, batch, rng):
    return {"squared_error": losses.squared_error(field(variables, *batch["ab"].shape[:2]), batch["ab"])}


def pictures(variables, batch, rng):
    return gray_and_truth(batch) | {"tint": picture(batch["lightness"], field(variables, len(batch["ab"])))}


def sample(variables, batch, rng, *, samples, rule):
    strength = jnp.arange(1, samples + 1).reshape(1, samples, 1, 1, 1) / samples
    fields = strength * field(variables, len(batch["lightness"]))[:, None]
    return Samples(fields, fields, jnp.ones(fields.shape[:2]) / samples)
'''

CONFIG = """
from colorize_jax import methods


def get_config():
    config = methods.defaults("own.tint")
    config.data.mixture = (("orange", "train", 1.0),)
    config.data.test = ("orange", "test")
    return config.lock()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A prepared data set of 16 orange images of different lightness, the method and its config."""
    root = tmp_path_factory.mktemp("own")
    (root / "photos").mkdir()
    for number in range(16):
        shade = np.clip(np.array([200, 120, 40]) + 3 * number, 0, 255).astype(np.uint8)
        Image.fromarray(np.tile(shade, (64, 64, 1))).save(root / "photos" / f"{number:02}.png")
    prepare(
        "folder", directory=root / "data", source=root / "photos", name="orange", test_images=0.25, seed=0
    )
    (root / "own").mkdir()
    (root / "own" / "tint.py").write_text(METHOD)
    (root / "tint_config.py").write_text(CONFIG)
    return root


def _environment(folder):
    """With the folder on the path, before what is there already."""
    path = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


def run(folder, program, *arguments):
    command = [sys.executable, "-m", f"colorize_jax.apps.{program}", *arguments]
    environment = _environment(folder)
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_method_of_ones_own_is_trained_scored_and_drawn(folder):
    run(folder, "train", "--config=tint_config.py", "--workdir=run", "--config.data.dir=data")
    lines = telemetry.read_metrics(folder / "run" / "metrics.jsonl").lines
    errors = [line["squared_error"] for line in lines if line["kind"] == "evaluation"]
    assert errors[-1] < 0.2 * errors[0]
    printed = run(folder, "eval", "--workdir=run", "--out=scores", "--samples=2", "--batch_size=4",
                  "--fit_images=12")  # fmt: skip
    evaluation = records.from_json((folder / "scores" / "scores.json").read_text())
    names = [row.name for row in evaluation.rows]
    assert "field" in names and not {"unary", "reconstruction", "regressor"} & set(names)
    assert evaluation.row("field").scores["eob_mae"] < 0.5 * evaluation.row("gray").scores["eob_mae"]
    assert evaluation.diagnostics is None and "field" in printed
    sheets = {path.name for path in (folder / "scores").glob("*.png")}
    assert sheets == {"contact_first.png", "contact_best.png", "contact_worst.png"}
    protocol = evaluation.protocol
    assert protocol.method == "own.tint" and protocol.training["images"] == 8 * 12 and protocol.losses is None
    _compared_and_reported(folder, evaluation.row("field").scores)


def _run_by_two(folder, *arguments):
    """`colorize-eval` in two processes, each with its rows of every batch; what the first one printed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"--coordinator=127.0.0.1:{probe.getsockname()[1]}"
    command = [
        sys.executable,
        "-m",
        "colorize_jax.apps.eval",
        *arguments,
        "--multihost",
        address,
        "--processes=2",
    ]
    environment = _environment(folder) | {"JAX_PLATFORMS": "cpu"}
    both = [
        subprocess.Popen(
            [*command, f"--process_id={number}"],
            cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number in (0, 1)
    ]  # fmt: skip
    outputs = [process.communicate(timeout=500) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs[0][1] + outputs[1][1]
    assert "Protocol and budget" not in outputs[1][0]
    return outputs[0][0]


def _compared_and_reported(folder, alone):
    """The same method twice in a comparison, by two processes with other batches, and in the page."""
    arguments = ("--methods=run,again=run", "--runs=.", "--out=both", "--samples=2", "--fit_images=12")
    printed = _run_by_two(folder, *arguments, "--batch_size=2")
    assert "run: field" in printed and "Protocol and budget" in printed
    told = json.loads((folder / "both" / "comparison.json").read_text())
    assert list(told["methods"]) == ["run", "again"]
    for name in told["methods"]:
        scores = records.from_json((folder / "both" / name / "scores.json").read_text()).row("field").scores
        np.testing.assert_allclose(list(scores.values()), list(alone.values()), rtol=1e-5)
    assert "kept both/run" in run(folder, "eval", *arguments)
    run(folder, "report", "--evaluations=both", "--out=page")
    page = (folder / "page" / "index.html").read_text()
    assert "again: field" in page and "colorize-train --workdir=run" in page and "stage tint" not in page
    assert {"0_fig5.png", "0_fig7.png", "0_training.png", "0_run_best.png", "0_again_worst.png"} <= {
        path.name for path in (folder / "page").iterdir()
    }
