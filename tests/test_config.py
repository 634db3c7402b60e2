"""Every config resolves; every forbidden value is an error that names the field."""

from pathlib import Path

import pytest
from ml_collections import ConfigDict

from colorize_jax.config import beside, from_json, resolve, to_json

CONFIGS = Path(__file__).parent.parent / "configs"
NAMES = sorted(path.stem for path in CONFIGS.glob("*.py"))


def load(name: str = "base") -> ConfigDict:
    return beside(str(CONFIGS / "this.py"), name)


@pytest.mark.parametrize("name", NAMES)
def test_every_config_resolves_and_survives_json(name):
    config = resolve(load(name), images=1000)
    assert from_json(to_json(config)) == config
    assert config.data.epoch_images > 0
    assert beside(str(CONFIGS / "this.py"), name).keys() == load("base").keys()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("width", 0.0),
        ("compute_dtype", "float16"),
        ("data.mixture", ()),
        ("data.mixture", (("lfw_deepfunneled", "train", -1.0),)),
        ("data.image_size", 100),
        ("data.crop", 0.0),
        ("data.crop_largest", 0.9),
        ("data.stretch", 0.5),
        ("model.field", 64),
        ("model.dropout", 1.0),
        ("features.network", "resnet"),
        ("gcrf.floor", 0.0),
        ("gcrf.beta_test", -5.0),
        ("mdn.relaxation", 1.0),
        ("mdn.chroma", 0.0),
        ("mdn.choice", "best"),
        ("modes.scale", 0.0),
        ("modes.chroma_power", -1.0),
        ("loss.reconstruction", "huber"),
        ("checkpoint.every_steps", 0),
        ("field_loss.bins", "zhang"),
        ("field_loss.kl", -1e-2),
        ("field_loss.bin_cap", 1.0),
        ("budget.steps", -1),
        ("stages.unary.lr", 0.0),
        ("stages.unary.epochs", 0.0),
        ("stages.mdn.batch_size", 0),
    ],
)
def test_a_forbidden_value_is_named(path, value):
    config = load()
    with config.unlocked(), config.ignore_type():
        config.update_from_flattened_dict({path: value})
    with pytest.raises(ValueError, match=f"config.{path} is ") as error:
        resolve(config)
    assert repr(value)[:10] in str(error.value)


@pytest.mark.parametrize("schedule", [(), ((1.0, 0.5),), ((0.0, 1.0), (0.0, 0.5)), ((0.0, 0.0),)])
def test_a_schedule_must_start_at_once_rise_and_keep_something(schedule):
    config = load()
    with config.unlocked(), config.ignore_type():
        config.stages.structure.schedule = schedule
    with pytest.raises(ValueError, match="schedule"):
        resolve(config)


def test_a_stage_may_have_no_epochs_where_its_networks_are_handed_over():
    config = load()
    config.init_from = "runs/other"
    config.stages.unary.epochs = 0.0
    assert resolve(config).stages.unary.epochs == 0
    config.stages.unary.epochs = -1.0
    with pytest.raises(ValueError, match=r"config\.stages\.unary\.epochs is -1\.0"):
        resolve(config)


def test_a_decoder_without_any_loss_is_refused():
    config = load()
    config.field_loss.update({"hist": 0.0, "mah": 0.0, "grad": 0.0})
    with pytest.raises(ValueError, match="only weights of 0"):
        resolve(config)


def test_vgg_needs_the_large_gray_image():
    config = load()
    config.features.network = "vgg16"
    with pytest.raises(ValueError, match="lightness_large"):
        resolve(config)


def test_a_correction_needs_the_fine_field_and_large_images_in_color():
    config = load()
    config.spread.update({"learned": True, "fine": True, "correct": 4})
    with pytest.raises(ValueError, match="ab_large False"):
        resolve(config)
    config.data.ab_large = True
    with pytest.raises(ValueError, match="lightness_large is 0"):
        resolve(config)
    config.data.lightness_large = 64
    resolve(config)
    config.spread.fine = False
    with pytest.raises(ValueError, match=r"spread\.fine is False"):
        resolve(config)


def test_configs_are_locked():
    spec = {}
    exec((CONFIGS / "base.py").read_text(), spec)
    config = spec["get_config"]()
    with pytest.raises(AttributeError, match="learning_rate"):
        config.optim.learning_rate = 1.0
