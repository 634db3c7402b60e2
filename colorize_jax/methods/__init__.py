"""One file a method; `config.method = 'scc'` finds `methods/scc.py`, which has three functions:

| function | gives |
|---|---|
| `build(config) -> Method` | its stages, and what it can do |
| `defaults() -> ConfigDict` | the fields of a config that it reads beside those of all methods, with its own values |
| `check(config) -> None` | nothing, or a ValueError that names the field, its value, what is allowed and the fix |

What methods are made of is in `parts`; edits that spread through a learned similarity are in `guided`.

A method outside this package is named by its dotted module path, `config.method = 'my_package.my_method'`.
"""

import importlib
import pkgutil
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from ml_collections import ConfigDict, FrozenConfigDict

from colorize_jax import config as configs
from colorize_jax.methods.base import Batch, Method, Samples, Stage, Stages, TrainState, Variables
from colorize_jax.methods.parts.budget import spend
from colorize_jax.methods.parts.upgrade import upgraded

__all__ = [
    "Batch",
    "Method",
    "Samples",
    "Stage",
    "TrainState",
    "Variables",
    "available",
    "build",
    "defaults",
    "read_config",
    "resolve",
]

_FUNCTIONS = ("build", "defaults", "check")


def available() -> list[str]:
    """Names without a dot that `config.method` may have."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name != "base" and not m.ispkg)


def build(config: Any) -> Method:
    """The method that `config.method` names, built from the whole config, its stages as long as the budget asks.

    Stages that have less than a step of the budget are refused when the stages are first asked for, see `Stages`.

    Raises:
      ValueError: there is no such module, or it is no method's.
    """
    build_method = _module(config.method).build
    method = build_method(config)
    return method._replace(stages=Stages(partial(_planned, config, build_method, method)))


def _planned(config: Any, build_method: Callable[[Any], Method], method: Method) -> list[Stage]:
    """The stages of `config.plan`, or all of the method's, as long as the budget asks."""
    labels = config.plan or [stage.name for stage in method.stages]
    stages = [_labelled(config, build_method, label) for label in labels]
    if not (config.budget.steps or config.budget.images):
        return stages
    spent = spend(config, stages)
    return [_labelled(spent, build_method, label) for label in labels]


def _labelled(config: Any, build_method: Callable[[Any], Method], label: str) -> Stage:
    """The method's stage for a label, built of the config as that stage reads it."""
    kind = configs.kind_of(config, label)
    there = {stage.name: stage for stage in build_method(configs.for_stage(config, label)).stages}
    if kind not in there:
        raise ValueError(
            f"config.stages.{label} is of kind {kind!r}; the method's stages with its overrides are {', '.join(there)}"
        )
    return there[kind]._replace(name=label)


def defaults(name: str) -> ConfigDict:
    """A whole config of the method `name`, unlocked: the fields of all methods, and its own.

    Raises:
      ValueError: there is no such module, or it is no method's.
    """
    config = configs.common()
    config.update(_module(name).defaults())
    config.method = name
    return config


def resolve(config: ConfigDict, *, images: int | None = None) -> FrozenConfigDict:
    """The config, checked field by field and across fields, frozen.

    Args:
      config: whole, such as of `defaults`.
      images: training images of the mixture's first data set; replaces `data.epoch_images` where that is 0.

    Raises:
      ValueError: a field is not allowed or not the method's, one is missing, or two contradict each other.
    """
    config = ConfigDict(config.to_dict())
    _check_whole(config)
    configs.check_plan(config)
    for label in config.plan:
        try:
            _check_whole(ConfigDict(configs.for_stage(config, label).to_dict()))
        except ValueError as error:
            raise ValueError(f"stage {label!r} with its overrides: {error}") from error
    if images is not None and config.data.epoch_images == 0:
        config.data.epoch_images = images
    return FrozenConfigDict(config)


def _check_whole(config: ConfigDict) -> None:
    """Raises a ValueError where a field is not allowed or not the method's, is missing, or contradicts another."""
    _check_names(config)
    configs.check_common(config)
    _module(config.method).check(config)


def read_config(text: str) -> FrozenConfigDict:
    """The config of a model or a run from its `config.json`, which may be older than fields that are read today.

    Raises:
      ValueError: a field is missing that every model has had.
    """
    config = configs.from_json(text)
    if "method" not in config:
        raise ValueError("config lacks method, which every model has; its config.json is damaged")
    return upgraded(config, defaults(config.method))


def _check_names(config: ConfigDict) -> None:
    """Raises a ValueError where the fields outside the stages are not those of the method."""
    own, known = (
        {path for path in configs.paths(each) if not path.startswith("stages.")}
        for each in (config, defaults(config.method))
    )
    told = [f"has {', '.join(sorted(own - known))}"] * bool(own - known)
    told += [f"lacks {', '.join(sorted(known - own))}"] * bool(known - own)
    if told:
        raise ValueError(
            f"config.method is {config.method!r}, whose config has other fields: this one {' and '.join(told)}; "
            f"begin with methods.defaults({config.method!r})"
        )


def _module(name: str) -> ModuleType:
    """The module of the method `name`."""
    if "." not in name and name not in available():
        raise ValueError(
            f"config.method is {name!r}; the methods present are {available()}, "
            "and a dotted module path names one of your own"
        )
    path = name if "." in name else f"{__name__}.{name}"
    try:
        module = importlib.import_module(path)
    except ModuleNotFoundError as error:
        if not path.startswith(str(error.name)):
            raise  # the method is there, and something that it imports is not
        raise ValueError(
            f"config.method is {name!r}, but there is no module {error.name!r}; "
            "run where Python finds it, or put its folder on PYTHONPATH"
        ) from error
    if missing := [function for function in _FUNCTIONS if not hasattr(module, function)]:
        raise ValueError(f"config.method is {name!r}, but that module has no function {', '.join(missing)}")
    return module
