"""The paper's method through all its stages, tiny: the loop fits it, and it resumes with the same bits."""

import functools
import io
import itertools
import json
import math
import shutil

import jax
import numpy as np
import pytest
import toy
from PIL import Image

from colorize_jax import methods
from colorize_jax.bundle import load_bundle
from colorize_jax.config import load
from colorize_jax.methods import resolve
from colorize_jax.train import checkpoints, export, loop, parallel, telemetry

pytestmark = pytest.mark.slow

STAGES = ("features", "unary", "structure", "mdn")


def tiny():
    config = load("base")
    config.width = 1 / 64
    config.data.epoch_images = 12
    for stage in STAGES:
        config.stages[stage].update({"epochs": 1.0, "batch_size": 4})
    config.checkpoint.every_steps = 1
    config.optim.calibration_batches = 2
    config.log.update({"every_steps": 1, "eval_images": 3})
    return resolve(config)


class Photos(toy.Stream):
    """Smooth synthetic photos at the method's size."""

    def batch_at(self, step):
        return photos([self.order, step], self.batch_size)


class CutOff(Photos):
    """Ends with an error after the second step of `structure`, of which the first is saved."""

    def iterate(self, start_step):
        for step in itertools.count(start_step):
            if (self.order, step) == (2, 2):
                raise RuntimeError("power")
            yield self.batch_at(step)


def photos(key, count):
    draw = np.random.default_rng(key)
    side = np.linspace(-1, 1, 64, dtype=np.float32)
    waves = draw.uniform(1, 4, (count, 3, 1, 1)).astype(np.float32)
    planes = np.sin(waves * side[:, None] + waves[:, ::-1] * side)
    return {"lightness": planes[:, 0, ..., None], "ab": 0.3 * planes[:, 1:].transpose(0, 2, 3, 1)}


def evaluation(order, batch_size, images):
    yield {**photos([99], batch_size), "mask": np.arange(batch_size) < images}


def data(stream):
    source = [{"dataset": "waves", "split_hash": "0"}]
    return loop.Data(lambda order, size: stream(order, size, 0.0, None, False), evaluation, source)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """(folder, config, variables) of a run that was cut off once, and the variables of one that was not."""
    config, cut, straight = tiny(), tmp_path_factory.mktemp("cut"), tmp_path_factory.mktemp("straight")
    method = methods.build(config)
    train = functools.partial(loop.train, config, method, out=io.StringIO())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parallel, "compile_stage", functools.cache(parallel.compile_stage))
        with pytest.raises(RuntimeError, match="power"):
            train(data(CutOff), cut)
        told = io.StringIO()
        resumed = train(data(Photos), cut, out=told)
        assert "structure: resumed at step 1 of 3" in told.getvalue()
        yield cut, config, resumed, train(data(Photos), straight)


@pytest.fixture
def trained(runs):
    return runs[:3]


def test_it_resumes_with_the_same_bits(runs):
    *_, resumed, straight = runs
    assert jax.tree.structure(resumed) == jax.tree.structure(straight)
    assert all(map(np.array_equal, jax.tree.leaves(resumed), jax.tree.leaves(straight)))


def test_all_stages_train_evaluate_and_draw(trained):
    workdir, _, variables = trained
    assert {"encoder", "gray", "trunk", "top", "structure", "features", "mdn"} <= set(variables["params"])
    lines = telemetry.read_metrics(workdir / "metrics.jsonl").lines
    steps = [(line["stage"], line["step"]) for line in lines if line["kind"] == "train"]
    assert steps == [(stage, step) for stage in STAGES for step in (1, 2, 3)]
    values = [value for line in lines for value in line.values() if isinstance(value, float)]
    assert all(map(math.isfinite, values))
    sheets = sorted((workdir / "sheets").iterdir())
    assert [path.name.split("_")[1] for path in sheets] == list(STAGES)
    with Image.open(sheets[-1]) as sheet:
        assert sheet.width == 4 + 7 * 66  # gray, truth, five versions


def test_a_trained_run_becomes_a_model(trained, tmp_path):
    workdir, config, variables = trained
    export.export(workdir, tmp_path / "model", {"waves": "CC0"})
    method = methods.build(config)
    bundle = load_bundle(tmp_path / "model", method.abstract_variables())
    told = json.loads((tmp_path / "model" / "provenance.json").read_text())
    assert [(s["stage"], s["steps"], s["images"]) for s in told["stages"]] == [(s, 3, 12) for s in STAGES]
    assert told["data"] == [{"dataset": "waves", "split_hash": "0", "licence": "CC0"}]
    assert len(told["starts"]) == 2 and told["seed"] == 0
    top = jax.tree.leaves(variables["params"]["top"])[0]
    np.testing.assert_allclose(jax.tree.leaves(bundle.variables["params"]["top"])[0], top, rtol=1e-3)


def test_the_best_variables_of_a_run_become_a_model_where_asked_for(trained, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained[0], run)
    better = jax.tree.map(lambda x: x + 1, trained[2])
    checkpoints.keep_best(run, "mdn", 2, "best_absolute_error", -1.0, better)
    export.export(run, tmp_path / "model", {}, best=True)
    bundle = load_bundle(tmp_path / "model", methods.build(trained[1]).abstract_variables())
    told = json.loads((tmp_path / "model" / "provenance.json").read_text())
    assert told["best"] == {"stage": "mdn", "step": 2, "metric": "best_absolute_error", "value": -1.0}
    top = [jax.tree.leaves(params["top"])[0] for params in (bundle.variables["params"], better["params"])]
    np.testing.assert_allclose(*top, rtol=1e-3)


def test_a_run_whose_last_stage_is_not_finished_is_no_model(trained, tmp_path):
    workdir, _, _ = trained
    for name in ("config.json", "data.json", "metrics.jsonl", "versions.json"):
        (tmp_path / name).write_text((workdir / name).read_text())
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages" / "unary.json").write_text((workdir / "stages" / "unary.json").read_text())
    (tmp_path / "stages" / "unary").symlink_to(workdir / "stages" / "unary")
    with pytest.raises(ValueError, match=r"missing: .*mdn"):
        export.export(tmp_path, tmp_path / "model", {})
