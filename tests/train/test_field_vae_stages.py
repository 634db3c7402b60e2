"""Each method of Deshpande et al. through all its stages, tiny: statistics first, and the same bits after a resume."""

import functools
import io
import itertools
import math

import jax
import numpy as np
import pytest
import toy

from colorize_jax import methods
from colorize_jax.config import load
from colorize_jax.methods import resolve
from colorize_jax.methods.base import STATISTICS
from colorize_jax.train import loop, parallel, telemetry

STEPS = 3


def tiny(name):
    config = load(name)
    config.width = 1 / 64
    config.model.latent = 6
    config.field_loss.components = 4
    if "cvae" in config:
        config.cvae.draws = 8
    config.data.epoch_images = 4 * STEPS
    for stage in config.stages.values():
        stage.update({"epochs": 1.0, "batch_size": 4})
    config.checkpoint.every_steps = 1
    config.optim.calibration_batches = 2
    config.log.update({"every_steps": 1, "eval_images": 3})
    return resolve(config)


def photos(key, count):
    draw = np.random.default_rng(key)
    side = np.linspace(-1, 1, 64, dtype=np.float32)
    waves = draw.uniform(1, 4, (count, 3, 1, 1)).astype(np.float32)
    planes = np.sin(waves * side[:, None] + waves[:, ::-1] * side)
    return {"lightness": planes[:, 0, ..., None], "ab": 0.3 * planes[:, 1:].transpose(0, 2, 3, 1)}


class Photos(toy.Stream):
    """Smooth synthetic photos at the methods' size."""

    def batch_at(self, step):
        return photos([self.order, step], self.batch_size)


def cut_off(order):
    """The stream of a run that dies after the second step of the stage `order`, of which the first is saved."""

    class CutOff(Photos):
        def iterate(self, start_step):
            for step in itertools.count(start_step):
                if (self.order, step) == (order, 2):
                    raise RuntimeError("power")
                yield self.batch_at(step)

    return CutOff


def data(stream, surveyed):
    def evaluation(order, batch_size, images):
        yield {**photos([99], batch_size), "mask": np.arange(batch_size) < images}

    def survey(images):
        surveyed.append(len(surveyed))
        return (photos([7, block], 10) for block in range(3))

    def training(order, size):
        return stream(order, size, 0.0, None, False)

    return loop.Data(training, evaluation, [{"dataset": "waves"}], survey)


@pytest.fixture(
    scope="module",
    params=[
        "cvae",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("vae_mdn", "vae_mdn_skip", "cvae_v1")),
    ],
)
def runs(request, tmp_path_factory):
    """(stages, folder and variables of a run that was cut off in `vae`, those of one that was not, surveys)."""
    config, cut, straight = tiny(request.param), tmp_path_factory.mktemp("cut"), tmp_path_factory.mktemp("s")
    method = methods.build(config)
    names = [stage.name for stage in method.stages]
    train = functools.partial(loop.train, config, method, out=io.StringIO())
    surveyed = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parallel, "compile_stage", functools.cache(parallel.compile_stage))
        with pytest.raises(RuntimeError, match="power"):
            train(data(cut_off(names.index("vae")), surveyed), cut)
        resumed = train(data(Photos, surveyed), cut)
        yield names, (cut, resumed), (straight, train(data(Photos, surveyed), straight)), surveyed


def test_it_resumes_with_the_same_bits(runs):
    _, (_, resumed), (_, straight), _ = runs
    assert jax.tree.structure(resumed) == jax.tree.structure(straight)
    assert all(map(np.array_equal, jax.tree.leaves(resumed), jax.tree.leaves(straight)))


def test_statistics_are_taken_once_a_run_and_go_along(runs):
    _, (workdir, variables), _, surveyed = runs
    told = methods.build(tiny("cvae")).statistics.shapes()
    assert len(surveyed) == 2  # of the run that was cut off and resumed, and of the straight one
    with np.load(workdir / "statistics.npz") as kept:
        assert kept["components"].shape == (4, 64, 64, 2)
        for name, value in variables["batch_stats"][STATISTICS].items():
            np.testing.assert_array_equal(kept[name], value)
        assert {name: (value.shape, value.dtype) for name, value in kept.items()} == {
            name: (value.shape, value.dtype) for name, value in told.items()
        }


def test_all_stages_train_evaluate_and_draw(runs):
    names, (workdir, _), _, _ = runs
    lines = telemetry.read_metrics(workdir / "metrics.jsonl").lines
    trained = [line for line in lines if line["kind"] == "train"]
    assert [(line["stage"], line["step"]) for line in trained] == [
        (name, step + 1) for name in names for step in range(STEPS)
    ]
    values = [value for line in lines for value in line.values() if isinstance(value, float)]
    assert all(map(math.isfinite, values))
    sheets = sorted(path.name.split("_")[1] for path in (workdir / "sheets").iterdir())
    assert sheets == sorted(names)


def test_statistics_need_batches(runs, tmp_path):
    config = tiny("cvae")
    with pytest.raises(ValueError, match=r"data.survey is None"):
        loop.train(config, methods.build(config), data(Photos, [])._replace(survey=None), tmp_path)
