"""GANs and `pic` through the loop, tiny: the same bits after a resume, a step compiled ahead, a model that colours."""

import functools
import io
import itertools
import math

import jax
import numpy as np
import pytest
import toy

from colorize_jax import bundle, methods
from colorize_jax.config import load
from colorize_jax.inference.colorizer import Colorizer
from colorize_jax.methods import resolve
from colorize_jax.models.pixel_cnn import LAYOUTS, Layout, LayoutLevel
from colorize_jax.train import ahead, export, loop, parallel, telemetry

SIDE, STEPS = 16, 3


SMALL = {
    "cgan": {"gan": {"draws": 6, "critic_layers": 1}},
    "mln_gan": {"mln": {"noise": 4, "critic_steps": 2}},
    "bicycle_gan": {"bicycle": {"latent": 3, "critic_layers": 1}},
    "pic": {"pic": {"blocks": 1, "mixture": 2, "average": 0.5}},
}
"""Fields that make a method small, beside its width."""

TOLD = {
    "cgan": {"critic_true_nats", "generator_own_absolute_error"},
    "mln_gan": {"critic_on_true", "critic_on_painted", "generator_loss"},
    "bicycle_gan": {"generator_kl_nats", "generator_code_absolute_error", "critic_drawn_true_squared_error"},
    "pic": {"bits", "gray_bits", "loss"},
}
"""Some of what each tells of a step."""

KEPT = {"cgan": "generator", "mln_gan": "generator", "bicycle_gan": "generator", "pic": "pixels"}
"""The network that a model has."""

FIELD = {"cgan": SIDE, "mln_gan": SIDE, "bicycle_gan": SIDE, "pic": SIDE // 4}
"""Side of the colours."""


def config(method):
    made = load(method).unlock()
    made.width, made.data.image_size, made.data.epoch_images = 1 / 16, SIDE, 4 * STEPS
    for group, fields in SMALL[method].items():
        made[group].update(fields)
    for stage in made.stages.values():
        stage.update({"epochs": 1.0, "batch_size": 4})
    made.optim.calibration_batches = min(made.optim.calibration_batches, 2)
    made.checkpoint.every_steps = 1
    made.log.update({"every_steps": 1, "eval_images": 3})
    return resolve(made)


def photos(key, count):
    values = np.random.default_rng(key).uniform(-0.5, 0.5, (count, SIDE, SIDE, 3)).astype(np.float32)
    return {"lightness": values[..., :1], "ab": values[..., 1:]}


class Photos(toy.Stream):
    """Noise at the method's size."""

    def batch_at(self, step):
        return photos([self.order, step], self.batch_size)


class CutOff(Photos):
    """The stream of a run that dies after its second step, of which the first is saved."""

    def iterate(self, start_step):
        for step in itertools.count(start_step):
            if step == 2:
                raise RuntimeError("power")
            yield self.batch_at(step)


def data(stream):
    def evaluation(order, batch_size, images):
        yield {**photos([99], batch_size), "mask": np.arange(batch_size) < images}

    def training(order, size):
        return stream(order, size, 0.0, None, False)

    return loop.Data(training, evaluation, [{"dataset": "noise"}])


@pytest.fixture(scope="module", params=SMALL)
def name(request):
    """Of a method, which all tests of this file are about in turn."""
    return request.param


@pytest.fixture(scope="module", autouse=True)
def few_layers():
    """Of the gray photo's network of `pic`, whose published ones take long to compile."""
    layout = Layout((LayoutLevel(8, 2, 1), LayoutLevel(8, 2, 1)), 8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(LAYOUTS, 4, layout)
        yield


@pytest.fixture(scope="module")
def runs(tmp_path_factory, name):
    """(Workdir, variables) of a run that was cut off and went on, and of one that was not."""
    method = methods.build(config(name))
    train = functools.partial(loop.train, config(name), method, out=io.StringIO())
    cut, straight = tmp_path_factory.mktemp("cut"), tmp_path_factory.mktemp("straight")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parallel, "compile_stage", functools.cache(parallel.compile_stage))
        with pytest.raises(RuntimeError, match="power"):
            train(data(CutOff), cut)
        return (cut, train(data(Photos), cut)), (straight, train(data(Photos), straight))


def test_it_resumes_with_the_same_bits(runs, name):
    (cut, resumed), (straight, whole) = runs
    assert jax.tree.structure(resumed) == jax.tree.structure(whole)
    assert all(map(np.array_equal, jax.tree.leaves(resumed), jax.tree.leaves(whole)))
    lines = telemetry.read_metrics(cut / "metrics.jsonl").lines
    trained = [line for line in lines if line["kind"] == "train"]
    assert [line["step"] for line in trained] == [1, 2, 3]
    assert all(math.isfinite(value) for line in lines for value in line.values() if isinstance(value, float))
    assert TOLD[name] <= trained[0].keys()
    assert len(list((straight / "sheets").iterdir())) == 1


def test_its_best_state_is_kept_and_exported_without_what_only_trains(runs, name, tmp_path):
    export.export(runs[0][0], tmp_path / "model", {"noise": "none"}, best=True)
    needed = methods.build(config(name)).abstract_variables()
    model = bundle.load_bundle(tmp_path / "model", needed)
    assert set(model.variables["params"]) == {KEPT[name]}
    assert model.provenance["best"]["metric"] == "best_absolute_error"


def test_a_model_gives_a_photo_versions_by_the_seed(runs, name, tmp_path):
    export.export(runs[0][0], tmp_path / "model", {"noise": "none"})
    colorizer = Colorizer.load(tmp_path / "model")
    gray = np.tile(np.linspace(0, 255, 40).astype(np.uint8), (24, 1))
    first, again, other = (colorizer.colorize(gray, 2, seed=seed, rule="random").field for seed in (1, 1, 2))
    assert first.shape == (2, FIELD[name], FIELD[name], 2) and np.array_equal(first, again)
    assert len(np.unique(np.concatenate([first, other]), axis=0)) == 4
    for rule in methods.build(config(name)).colors.deterministic:
        plain = [colorizer.colorize(gray, seed=seed, rule=rule) for seed in (1, 2)]
        assert len(plain[0].rgb) == 1 and np.array_equal(plain[0].rgb, plain[1].rgb)


def test_its_step_is_compiled_ahead_of_time(name):
    (step,) = ahead.compiled_steps(config(name), methods.build(config(name)), parallel.make_mesh())
    assert step.memory > 0 and not step.forbidden
