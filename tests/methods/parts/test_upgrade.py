"""A config of the first released model, which knew of no edits, budgets or meshes, is read as of today."""

import json
from pathlib import Path

import pytest

from colorize_jax import bundle, methods

FIRST = json.loads((Path(__file__).parents[2] / "golden" / "first_release.json").read_text())
"""`config.json` of the first model in the package."""


def read(config):
    return methods.read_config(json.dumps(config))


def test_fields_that_came_later_are_what_was_done_before_them():
    config = read(FIRST)
    assert (config.mdn.choice, config.mdn.chroma, config.data.stretch, config.budget.steps) == (
        "weight",
        1.0,
        1.0,
        0,
    )
    assert not config.spread.learned and not config.modes.learned and not config.optim.calibration_batches
    assert config.checkpoint.best == () and config.init_from == ""
    assert methods.resolve(config.copy_and_resolve_references()) == config


def test_fields_that_were_there_keep_their_values():
    config = read(FIRST)
    assert config.width == FIRST["width"] == 0.25
    assert config.stages.structure.schedule == tuple(map(tuple, FIRST["stages"]["structure"]["schedule"]))
    assert config.stages.mdn.epochs == FIRST["stages"]["mdn"]["epochs"]


def test_the_method_is_that_of_then():
    method = methods.build(read(FIRST))
    assert [stage.name for stage in method.stages] == ["features", "unary", "structure", "mdn"]
    assert set(method.abstract_variables()["params"]) == {
        "gray",
        "trunk",
        "top",
        "structure",
        "features",
        "mdn",
    }
    assert method.edits.spread is None


def test_what_the_method_does_not_own_is_dropped():
    config = read(FIRST | {"cvae": {"draws": 256}, "stages": FIRST["stages"] | {"vae": {"epochs": 1.0}}})
    assert "cvae" not in config and "vae" not in config.stages


def test_a_field_that_every_model_has_must_be_there():
    damaged = FIRST | {"gcrf": {"floor": 1e-3}}
    with pytest.raises(ValueError, match=r"lacks gcrf\.beta_test"):
        read(damaged)


def test_a_config_of_today_stays_as_it_is():
    released = bundle.load_config("default")
    assert methods.read_config(json.dumps(released.to_dict())) == released
