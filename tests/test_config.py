"""Every forbidden value is an error that names the field; configs and their arguments are found or named."""

import re

import pytest

from colorize_jax.config import check_path, load, parse_arguments
from colorize_jax.methods import resolve

pytestmark = pytest.mark.quick

OWN = """
from ml_collections import ConfigDict

def get_config(arguments="none"):
    return ConfigDict({"arguments": arguments}).lock()
"""


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
        ("gcrf.floor", -1.0),
        ("gcrf.floor_on", "kept"),
        ("gcrf.solver", "cg"),
        ("gcrf.learn_temperature", "no"),
        ("gcrf.beta_test", -5.0),
        ("mdn.dropout", 1.0),
        ("mdn.relaxation", 1.0),
        ("mdn.chroma", 0.0),
        ("mdn.choice", "best"),
        ("modes.scale", 0.0),
        ("modes.chroma_power", -1.0),
        ("loss.reconstruction", "huber"),
        ("checkpoint.every_steps", 0),
        ("budget.steps", -1),
        ("stages.unary.lr", 0.0),
        ("stages.unary.epochs", 0.0),
        ("stages.mdn.batch_size", 0),
    ],
)
def test_a_forbidden_value_is_named(path, value):
    check_named("scc", path, value)


def check_named(config, path, value):
    config = load(config)
    with config.unlocked(), config.ignore_type():
        config.update_from_flattened_dict({path: value})
    with pytest.raises(ValueError, match=f"config.{path} is ") as error:
        resolve(config)
    assert repr(value)[:10] in str(error.value)


@pytest.mark.parametrize("config", ["vae_mdn", "vae_mdn_skip", "cvae", "cvae_v1"])
@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("field_loss.bins", "zhang"),
        ("field_loss.kl", -1e-2),
        ("field_loss.bin_cap", 1.0),
        ("data.image_size", 32),
        ("model.field", 32),
        ("model.dropout", 1.0),
    ],
)
def test_a_forbidden_value_of_the_other_methods_is_named(config, path, value):
    check_named(config, path, value)


def test_a_forbidden_value_of_one_method_is_named():
    check_named("cvae", "cvae.draws", 0)
    check_named("cvae", "cvae.encoder_sees_gray", "no")
    check_named("cvae_v1", "cvae.iterations", 0)
    check_named("vae_mdn", "mdn.sigma", 0.0)
    check_named("vae_mdn", "field_loss.kl_ramp_epochs", -1.0)
    check_named("vae_mdn_skip", "skip.join", "sum")


def test_fields_of_another_method_are_named_with_the_way_out():
    config = load("scc").unlock()
    config.method = "cvae"
    with pytest.raises(
        ValueError, match=r"has features\.network.* and lacks cvae\.draws.*methods\.defaults\('cvae'\)"
    ):
        resolve(config)


@pytest.mark.parametrize("schedule", [(), ((1.0, 0.5),), ((0.0, 1.0), (0.0, 0.5)), ((0.0, 0.0),)])
def test_a_schedule_must_start_at_once_rise_and_keep_something(schedule):
    config = load("base")
    with config.unlocked(), config.ignore_type():
        config.stages.structure.schedule = schedule
    with pytest.raises(ValueError, match="schedule"):
        resolve(config)


def test_a_stage_may_have_no_epochs_where_its_networks_are_handed_over():
    config = load("base")
    config.init_from = "runs/other"
    config.stages.unary.epochs = 0.0
    assert resolve(config).stages.unary.epochs == 0
    config.stages.unary.epochs = -1.0
    with pytest.raises(ValueError, match=r"config\.stages\.unary\.epochs is -1\.0"):
        resolve(config)


def test_a_decoder_without_any_loss_is_refused():
    config = load("vae_mdn")
    config.field_loss.update({"hist": 0.0, "mah": 0.0, "grad": 0.0})
    with pytest.raises(ValueError, match="only weights of 0"):
        resolve(config)


@pytest.mark.parametrize("network", ["vgg16", "cic"])
def test_vgg_and_cic_need_the_large_gray_image(network):
    config = load("base")
    config.features.network = network
    with pytest.raises(ValueError, match=f"lightness_large is 0.*{network!r} reads 224x224"):
        resolve(config)


def test_no_floor_needs_an_h_that_keeps_every_pixel():
    config = load("base")
    config.gcrf.floor = 0.0
    with pytest.raises(ValueError, match=r"gcrf\.floor is 0.*keeps a share of 0\.75.*singular"):
        resolve(config)
    config.stages.structure.schedule = ((0.0, 1.0),)
    assert resolve(config).gcrf.floor == 0
    config.spread.learned = True
    with pytest.raises(ValueError, match=r"gcrf\.floor is 0.*spread\.learned.*singular"):
        resolve(config)


def test_a_correction_needs_the_fine_field_and_large_images_in_color():
    config = load("base")
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
    with pytest.raises(AttributeError, match="learning_rate"):
        load("base").optim.learning_rate = 1.0


def test_a_file_of_ones_own_is_handed_what_follows_the_colon(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(OWN)
    assert [load(f"{path}{rest}").arguments for rest in ("", ":", ":a=b:c")] == ["none", "", "a=b:c"]


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("moon", "config is 'moon'; those of the package are base, bicycle_gan, cgan, cvae, "),
        ("moon.py", "config is 'moon.py', and there is no such file"),
        ("configs/scc", "config is 'configs/scc'; it must be NAME"),
        ("scc:data=moon", "data is 'moon'; it must be one of lfw, church, tiny_imagenet, imagenet_val"),
        ("scc:moon", "argument is 'moon'; this config takes data, paper, features, as in NAME=VALUE"),
        ("scc:data=lfw,data=church", "data is given twice, as 'lfw' and 'church'"),
    ],
)
def test_what_is_not_there_is_named(named, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        load(named)


def test_arguments_have_their_first_value_by_default():
    allowed = {"data": {"lfw": 1, "church": 2}, "loss": ("l1", "l2")}
    assert parse_arguments("", **allowed) == {"data": "lfw", "loss": "l1"}
    assert parse_arguments("loss=l2", **allowed) == {"data": "lfw", "loss": "l2"}


def test_a_path_is_a_field_or_a_section_and_else_the_fields_are_named():
    config = load("scc")
    for path in ("width", "data", "data.mixture"):
        check_path(config, path)
    with pytest.raises(ValueError, match=r"config\.data\.side: config\.data has no field 'side'; .* crop, "):
        check_path(config, "data.side")
    with pytest.raises(ValueError, match=r"config\.width is 1\.0 and has no fields; set config\.width"):
        check_path(config, "width.small")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import nothere\n", "line 1: ModuleNotFoundError: No module named 'nothere'"),
        ("x = 1\ndef get_config(:\n", "line 2: SyntaxError: invalid syntax"),
        ("x = 1\n", "line 1: AttributeError: .* has no attribute 'get_config'"),
        ("def get_config():\n    y = 1\n    return y / 0\n", "line 3: ZeroDivisionError: division by zero"),
    ],
)
def test_a_file_that_is_no_config_is_told_with_its_line(tmp_path, text, told):
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(ValueError, match=f"config .*own.py, {told}"):
        load(f"{tmp_path / 'own.py'}")
