"""Load a config, check it as a whole and freeze it; every error names the field, its value and what is allowed."""

import importlib
import importlib.util
import json
import pkgutil
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from ml_collections import ConfigDict, FrozenConfigDict

FIELD_SIDE = 32
"""Side of the field of `scc`; f1-f4 of the supplement fix it for 64x64 images."""

FIELD_WEIGHTS = ("l2", "hist", "mah", "grad", "kl")
"""Weights of `config.field_loss`."""

_POSITIVE: Callable[[Any], bool] = lambda x: x > 0  # noqa: E731
_NOT_NEGATIVE: Callable[[Any], bool] = lambda x: x >= 0  # noqa: E731
_ONE_OR_MORE: Callable[[Any], bool] = lambda x: x >= 1  # noqa: E731
_SHARE: Callable[[Any], bool] = lambda x: 0 <= x < 1  # noqa: E731

_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "width": (_POSITIVE, "a positive number; 1 is the paper's size"),
    "compute_dtype": (lambda x: x in ("float32", "bfloat16"), "'float32' or 'bfloat16'"),
    "data.mixture": (
        lambda x: len(x) > 0 and all(len(row) == 3 and row[2] > 0 for row in x),
        "rows (prepared name, split, positive share)",
    ),
    "data.test": (lambda x: len(x) == 2, "(prepared name, split)"),
    "data.image_size": (lambda x: x == 2 * FIELD_SIDE, f"{2 * FIELD_SIDE}, the supplement's"),
    "data.crop": (lambda x: 0 < x <= 1, "a share in (0, 1]"),
    "data.crop_largest": (_ONE_OR_MORE, "a multiple of the short side, at least 1"),
    "data.stretch": (_ONE_OR_MORE, "a ratio, at least 1"),
    "data.epoch_images": (_NOT_NEGATIVE, "a number of images, or 0 for the size of the first data set"),
    "data.threads": (_POSITIVE, "a positive number"),
    "model.latent": (_POSITIVE, "a positive number; the paper's is 64"),
    "model.field": (lambda x: x in (FIELD_SIDE, 2 * FIELD_SIDE), f"{FIELD_SIDE} or {2 * FIELD_SIDE}"),
    "model.dropout": (_SHARE, "a share in [0, 1)"),
    "features.network": (lambda x: x in ("small", "vgg16"), "'small' or 'vgg16'"),
    "features.width": (_NOT_NEGATIVE, "a positive number, or 0 for config.width"),
    "gcrf.temperature": (
        _NOT_NEGATIVE,
        "a positive number, or 0 for the square root of the embedding's size",
    ),
    "gcrf.beta_train": (_POSITIVE, "a positive number"),
    "gcrf.beta_test": (_POSITIVE, "a positive number"),
    "gcrf.floor": (_POSITIVE, "a positive number: without it the solution overshoots and can be singular"),
    "mdn.components": (_POSITIVE, "a positive number; the paper's is 8"),
    "mdn.sigma": (_POSITIVE, "a positive number; the paper's is 0.1"),
    "mdn.width": (_NOT_NEGATIVE, "a positive number, or 0 for config.width"),
    "mdn.relaxation": (_SHARE, "a share in [0, 1)"),
    "mdn.code": (lambda x: x in ("mean", "sample"), "'mean' or 'sample'"),
    "mdn.chroma": (_POSITIVE, "a positive number; 1 leaves sampled colours as they are decoded"),
    "mdn.choice": (lambda x: x in ("weight", "cover"), "'weight' or 'cover'"),
    "modes.scale": (_POSITIVE, "a positive number, network units"),
    "modes.chroma_power": (_NOT_NEGATIVE, "a number, at least 0"),
    "loss.reconstruction": (lambda x: x in ("absolute", "squared"), "'absolute' or 'squared'"),
    "loss.likelihood_noise": (
        _NOT_NEGATIVE,
        "a variance in network units², or 0 for the reconstruction error",
    ),
    "loss.unary_weight": (_NOT_NEGATIVE, "a number, at least 0"),
    "loss.kl_weight": (_NOT_NEGATIVE, "a number, at least 0"),
    **{f"field_loss.{name}": (_NOT_NEGATIVE, "a weight, at least 0") for name in FIELD_WEIGHTS},
    "field_loss.components": (_POSITIVE, "a positive number; the papers' is 20"),
    "field_loss.bins": (lambda x: x in ("gamut", "grid"), "'gamut' or 'grid'"),
    "field_loss.bin_uniform": (lambda x: 0 < x <= 1, "a share in (0, 1]"),
    "field_loss.bin_cap": (lambda x: x > 1, "a number above 1, the mean weight"),
    "field_loss.images": (_POSITIVE, "a positive number of images"),
    "spread.width": (_POSITIVE, "a positive number of channels"),
    "spread.hidden": (_POSITIVE, "a positive number of channels"),
    "spread.fine": (lambda x: x in (True, False), "True or False"),
    "spread.fine_width": (_POSITIVE, "a positive number of channels"),
    "spread.fine_hidden": (_POSITIVE, "a positive number of channels"),
    "spread.correct": (lambda x: x >= 0 and x % 4 == 0, "a multiple of 4 channels, or 0 for no correction"),
    "spread.correct_side": (lambda x: x > 0 and x % 8 == 0, "a multiple of 8 cells"),
    "spread.draws": (_POSITIVE, "a positive number of times"),
    "spread.together": (lambda x: x in (True, False), "True or False"),
    "spread.turn": (lambda x: 0 <= x <= 1, "a share in [0, 1]"),
    "cvae.draws": (_POSITIVE, "a positive number; the paper's is 256"),
    "cvae.iterations": (_POSITIVE, "a positive number"),
    "budget.steps": (_NOT_NEGATIVE, "a number of optimiser steps, or 0 for the stages' own epochs"),
    "budget.images": (_NOT_NEGATIVE, "a number of images, or 0 for the stages' own epochs"),
    "optim.calibration_batches": (_NOT_NEGATIVE, "a number of batches, or 0 to keep the running averages"),
    "optim.clip_norm": (_POSITIVE, "a positive number"),
    "optim.accumulate": (_POSITIVE, "a positive number of parts of a batch"),
    "optim.remat": (lambda x: x in (True, False), "True or False"),
    "mesh.data": (_NOT_NEGATIVE, "a number of devices, or 0 for those that fsdp and pixel leave"),
    "mesh.fsdp": (_POSITIVE, "a positive number of devices"),
    "mesh.pixel": (_POSITIVE, "a positive number of devices"),
    "checkpoint.every_steps": (_POSITIVE, "a positive number of steps"),
    "checkpoint.keep": (_POSITIVE, "a positive number of checkpoints"),
    "checkpoint.best": (
        lambda x: isinstance(x, tuple) and all(isinstance(name, str) for name in x),
        "a tuple of names of evaluated metrics, the first of which that a stage has tells its best",
    ),
    "log.every_steps": (_POSITIVE, "a positive number of steps"),
    "log.eval_images": (_POSITIVE, "a positive number of images"),
    "log.eval_every_epochs": (_POSITIVE, "a positive number of epochs"),
}
_STAGE_FIELDS = ("batch_size", "lr")
_PACKAGE = "colorize_jax.configs"
_NAMED = re.compile(r"(?P<file>.+?\.py|\w+)(?P<colon>:(?P<arguments>.*))?")


def load(named: str) -> ConfigDict:
    """The config that `--config` names, locked: `scc`, `scc:data=church`, `path/to/own.py`, `path/to/own.py:...`.

    Args:
      named: a name of `colorize_jax.configs` or the path of a Python file with a function `get_config`; what follows a
        colon is handed to it.

    Raises:
      ValueError: there is no such config, or it does not take these arguments.
    """
    match = _NAMED.fullmatch(named)
    if match is None:
        raise ValueError(f"config is {named!r}; it must be NAME, or a file NAME.py, and maybe :ARGUMENTS")
    module = _file(match["file"]) if match["file"].endswith(".py") else _packaged(match["file"])
    return module.get_config(*([match["arguments"]] if match["colon"] else []))


def packaged() -> list[str]:
    """Names of the configs that come with the package."""
    return sorted(m.name for m in pkgutil.iter_modules(importlib.import_module(_PACKAGE).__path__))


def _packaged(name: str) -> ModuleType:
    if name not in packaged():
        raise ValueError(
            f"config is {name!r}; those of the package are {', '.join(packaged())}; a file is named with its .py"
        )
    return importlib.import_module(f"{_PACKAGE}.{name}")


def _file(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    if not Path(path).is_file() or spec is None or spec.loader is None:
        raise ValueError(f"config is {path!r}, and there is no such file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def parse_arguments(text: str, **allowed: Iterable[str]) -> dict[str, str]:
    """The arguments of a config, `name=value,name=value`, checked.

    Args:
      text: what follows the colon of `--config`.
      allowed: the values that each argument may have, the first of which is its default.

    Raises:
      ValueError: an argument or a value that is not allowed, or an argument given twice.
    """
    values = {name: tuple(choices) for name, choices in allowed.items()}
    given: dict[str, str] = {}
    for item in filter(None, text.split(",")):
        name, _, value = item.partition("=")
        if name not in values:
            raise ValueError(
                f"config argument is {item!r}; this config takes {', '.join(values)}, as in NAME=VALUE"
            )
        if name in given:
            raise ValueError(
                f"config argument {name} is given twice, as {given[name]!r} and {value!r}; give one"
            )
        if value not in values[name]:
            raise ValueError(
                f"config argument {name} is {value!r}; it must be one of {', '.join(values[name])}"
            )
        given[name] = value
    return {name: choices[0] for name, choices in values.items()} | given


def resolve(config: ConfigDict, *, images: int | None = None) -> FrozenConfigDict:
    """The config, checked field by field and across fields, frozen.

    Args:
      config: as of `load`.
      images: training images of the mixture's first data set; replaces `data.epoch_images` where that is 0.

    Raises:
      ValueError: a field is not allowed, or two contradict each other.
    """
    config = ConfigDict(config.to_dict())
    for path, (allowed, description) in _RULES.items():
        _check(path, _value(config, path), allowed, description)
    for name, stage in config.stages.items():
        for field in _STAGE_FIELDS:
            _check(f"stages.{name}.{field}", stage[field], _POSITIVE, "a positive number")
        kept = bool(config.init_from) and stage.epochs == 0
        _check(
            f"stages.{name}.epochs", kept or stage.epochs, _POSITIVE, "positive, or 0 with config.init_from"
        )
    _check_schedule(config.stages.structure.schedule)
    if config.method == "scc":
        _check(
            "model.field", config.model.field, lambda x: x == FIELD_SIDE, f"{FIELD_SIDE}, the supplement's"
        )
    if not any(config.field_loss[name] for name in FIELD_WEIGHTS if name != "kl"):
        raise ValueError("config.field_loss has only weights of 0; give one of l2, hist, mah and grad")
    needs_large = config.features.network == "vgg16"
    if needs_large and config.data.lightness_large != 224:
        raise ValueError(
            f"config.data.lightness_large is {config.data.lightness_large}, but config.features.network 'vgg16' "
            "reads 224x224 gray images; set it to 224"
        )
    if config.spread.correct and not (config.spread.fine and config.data.ab_large):
        raise ValueError(
            f"config.spread.correct is {config.spread.correct}, but config.spread.fine is {config.spread.fine} and "
            f"config.data.ab_large {config.data.ab_large}; the correction is of the fine field and learned from large "
            "images in colour; set both to True"
        )
    if config.data.ab_large and not config.data.lightness_large:
        raise ValueError(
            "config.data.ab_large is True, but config.data.lightness_large is 0; set it to their side"
        )
    if images is not None and config.data.epoch_images == 0:
        config.data.epoch_images = images
    return FrozenConfigDict(config)


def to_json(config: ConfigDict | FrozenConfigDict) -> str:
    """The config as indented JSON; `from_json` reads it back equal."""
    return json.dumps(config.to_dict(), indent=1, default=_plain)


def from_json(text: str) -> FrozenConfigDict:
    """A config written by `to_json`; JSON's lists become the tuples that they were."""
    return FrozenConfigDict(_tuples(json.loads(text)))


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(
        f"a config holds {value!r} of type {type(value).__name__}; use plain numbers, strings, tuples"
    )


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _tuples(inner) for key, inner in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _value(config: ConfigDict, path: str) -> Any:
    for key in path.split("."):
        config = config[key]
    return config


def _check(path: str, value: Any, allowed: Callable[[Any], bool], description: str) -> None:
    try:
        ok = allowed(value)
    except TypeError:
        ok = False
    if not ok:
        raise ValueError(f"config.{path} is {value!r}; it must be {description}")


def _check_schedule(schedule: Any) -> None:
    epochs = [row[0] for row in schedule]
    if (
        not epochs
        or epochs[0] != 0
        or sorted(set(epochs)) != epochs
        or not all(0 < r[1] <= 1 for r in schedule)
    ):
        raise ValueError(
            f"config.stages.structure.schedule is {schedule!r}; it must be rows (first epoch, kept share) that start "
            "at epoch 0 and rise, with shares in (0, 1]"
        )
