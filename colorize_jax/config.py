"""What the configs of all methods have and how it is checked; configs by name, by their arguments, and as text.

Every error names the field, its value and what is allowed. A method's own fields are in its module, see `methods`.
"""

import importlib
import importlib.util
import json
import pkgutil
import re
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from ml_collections import ConfigDict, FrozenConfigDict

Allowed = tuple[Callable[[Any], bool], str]
"""Whether a value may be, and in words what may be."""


def positive(told: str = "a positive number") -> Allowed:
    """More than 0."""
    return lambda x: x > 0, told


def not_negative(told: str = "a number, at least 0") -> Allowed:
    """0 or more."""
    return lambda x: x >= 0, told


def share() -> Allowed:
    """0 or more, and less than 1."""
    return lambda x: 0 <= x < 1, "a share in [0, 1)"


def one_of(*values: Any) -> Allowed:
    """One of `values`."""
    return lambda x: x in values, " or ".join(map(repr, values))


def stage_defaults(epochs: float, batch_size: int, lr: float, **own: Any) -> ConfigDict:
    """A stage's part of a config: its length, its batch and its rate, and what only it has."""
    return ConfigDict({"epochs": epochs, "batch_size": batch_size, "lr": lr, **own})


def merged(*parts: ConfigDict) -> ConfigDict:
    """The fields of all parts, unlocked; a field that several have is that of the last."""
    config = ConfigDict()
    for part in parts:
        config.update(part)
    return config


def common() -> ConfigDict:
    """The fields that every method's config has, unlocked; `methods.defaults` adds the method's own."""
    config = ConfigDict()
    config.method = ""  # a file of colorize_jax/methods, or a dotted module path
    config.seed = 0
    # Folder of a run or a model, whose networks this one begins with; `released:NAME` is one of the package.
    config.init_from = ""
    config.plan = ()  # labels of `stages` in the order of training; (): the method's own stages in its own order
    config.compute_dtype = "float32"  # or 'bfloat16'; the G-CRF, the code and the losses stay float32

    config.data = ConfigDict()
    config.data.dir = "data"  # where colorize-data prepared the data sets
    config.data.mixture = (("lfw_deepfunneled", "train", 1.0),)  # (name, split, share of the images)
    config.data.test = ("lfw_deepfunneled", "test")
    config.data.image_size = 64
    config.data.lightness_large = 0  # side of a second, larger gray image; VGG-16 needs 224
    config.data.ab_large = False  # whether it keeps its colours, as stage 'correct' needs
    config.data.regions = 0  # side of people's regions, which painted strokes are drawn in; 0: none
    config.data.crop = 1.0  # smallest random square crop, as a share of the short side; 1 is centred
    config.data.crop_largest = 1.0  # largest one; above 1 the photo is mirrored at its borders
    config.data.stretch = 1.0  # largest ratio of a crop's sides; every crop is squashed to a square
    config.data.flip = True
    config.data.epoch_images = 0  # images of one epoch; 0 is the size of the mixture's first data set
    config.data.threads = 2

    config.optim = ConfigDict()
    config.optim.b1 = 0.9
    config.optim.b2 = 0.99
    config.optim.weight_decay = 1e-4
    config.optim.clip_norm = 1.0  # of all gradients of a step together; 0 clips nothing
    config.optim.warmup_steps = 200
    config.optim.calibration_batches = (
        64  # over which a stage measures BatchNorm's statistics at its end; 0: none
    )
    config.optim.accumulate = 1  # parts of a batch taken one after another; BatchNorm sees a part at a time
    config.optim.remat = False  # keep products and solves for the backward pass and compute the rest again

    # Devices along each axis of the mesh, see train/parallel.py; data 0 takes those that the others leave.
    config.mesh = ConfigDict({"data": 0, "fsdp": 1, "pixel": 1})

    # Scales the epochs of all stages of a method by one factor, up or down, so that together they take no more than
    # these and every method costs the same; 0 leaves the stages' own epochs as they are. See parts/budget.py.
    config.budget = ConfigDict({"steps": 0, "images": 0})  # optimiser steps, images seen

    # A stage of 0 epochs keeps its networks as they are in `init_from`.
    # A stage may have calibration_batches of its own. Those of optim measure the networks of all stages anew, also of
    # stages of 0 epochs. A run that goes on with one stage of another run sets optim's to 0 and the stage's own.
    # A stage of the plan may have a label of its own. Its `kind` then names the method's stage, and its `overrides` are
    # what it has of the rest of the config for itself, such as data and seed.
    config.stages = ConfigDict()

    config.checkpoint = ConfigDict({"every_steps": 200, "keep": 2})
    # A stage keeps its best variables, too: where the first of these metrics that it evaluates was lowest; (): none.
    config.checkpoint.best = ("best_absolute_error", "absolute_error", "absolute_error_kept_1")
    config.log = ConfigDict({"every_steps": 20, "eval_images": 256, "eval_every_epochs": 1.0})
    return config


_COMMON: dict[str, Allowed] = {
    "compute_dtype": one_of("float32", "bfloat16"),
    "data.mixture": (
        lambda x: len(x) > 0 and all(len(row) == 3 and row[2] > 0 for row in x),
        "rows (prepared name, split, positive share)",
    ),
    "data.test": (lambda x: len(x) == 2, "(prepared name, split)"),
    "data.image_size": positive("a positive number of pixels"),
    "data.regions": not_negative("a number of cells, or 0 for none"),
    "data.lightness_large": not_negative("a number of pixels, or 0 for none"),
    "data.crop": (lambda x: 0 < x <= 1, "a share in (0, 1]"),
    "data.crop_largest": (lambda x: x >= 1, "a multiple of the short side, at least 1"),
    "data.stretch": (lambda x: x >= 1, "a ratio, at least 1"),
    "data.epoch_images": not_negative("a number of images, or 0 for the size of the first data set"),
    "data.threads": positive(),
    "budget.steps": not_negative("a number of optimiser steps, or 0 for the stages' own epochs"),
    "budget.images": not_negative("a number of images, or 0 for the stages' own epochs"),
    "optim.calibration_batches": not_negative("a number of batches, or 0 to keep the running averages"),
    "optim.clip_norm": not_negative("a norm of the gradients, or 0 to clip nothing"),
    "optim.accumulate": positive("a positive number of parts of a batch"),
    "optim.remat": one_of(True, False),
    "mesh.data": not_negative("a number of devices, or 0 for those that fsdp and pixel leave"),
    "mesh.fsdp": positive("a positive number of devices"),
    "mesh.pixel": positive("a positive number of devices"),
    "checkpoint.every_steps": positive("a positive number of steps"),
    "checkpoint.keep": positive("a positive number of checkpoints"),
    "checkpoint.best": (
        lambda x: isinstance(x, tuple) and all(isinstance(name, str) for name in x),
        "a tuple of names of evaluated metrics, the first of which that a stage has tells its best",
    ),
    "log.every_steps": positive("a positive number of steps"),
    "log.eval_images": positive("a positive number of images"),
    "log.eval_every_epochs": positive("a positive number of epochs"),
}
_PACKAGE = "colorize_jax.configs"
_NAMED = re.compile(r"(?P<file>.+?\.py|\w+)(?P<colon>:(?P<arguments>.*))?")


def load(named: str) -> ConfigDict:
    """The config that `--config` names, locked: `scc`, `scc:data=church`, `path/to/own.py`, `path/to/own.py:...`.

    Args:
      named: a name of `colorize_jax.configs` or the path of a Python file with a function `get_config`; what follows a
        colon is handed to it.

    Raises:
      ValueError: there is no such config, it does not take these arguments, or a file that is no config, with its line.
    """
    match = _NAMED.fullmatch(named)
    if match is None:
        raise ValueError(f"config is {named!r}; it must be NAME, or a file NAME.py, and maybe :ARGUMENTS")
    arguments = [match["arguments"]] if match["colon"] else []
    if not match["file"].endswith(".py"):
        return _packaged(match["file"]).get_config(*arguments)
    try:
        return _file(match["file"]).get_config(*arguments)
    except ValueError:
        raise
    except Exception as error:  # whatever the Python of somebody's file raises
        told = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ValueError(f"config {match['file']}, line {_line(error, match['file'])}: {told}") from error


def _line(error: Exception, path: str) -> int:
    """The line of a file where an error comes from; 1 where it has no own, as where a function is missing."""
    if isinstance(error, SyntaxError):
        return error.lineno or 1
    frames = traceback.walk_tb(error.__traceback__)
    return [1, *(line for frame, line in frames if frame.f_code.co_filename == path)][-1]


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


def check_fields(config: ConfigDict, allowed: Mapping[str, Allowed]) -> None:
    """Checks each field on its own.

    Args:
      config: whole.
      allowed: by the field's path, such as 'data.crop'.

    Raises:
      ValueError: a value that is not allowed; the message names the field, the value and what is allowed.
    """
    for path, rule in allowed.items():
        _check(path, _value(config, path), *rule)


def check_common(config: ConfigDict) -> None:
    """Checks the fields of `common`, and the stages.

    Raises:
      ValueError: a field is not allowed, or two contradict each other.
    """
    check_fields(config, _COMMON)
    for name, own in config.stages.items():
        _check_stage(name, own, kept=bool(config.init_from or config.plan))
    if config.data.ab_large and not config.data.lightness_large:
        raise ValueError(
            "config.data.ab_large is True, but config.data.lightness_large is 0; set it to their side"
        )


def _check_stage(name: str, own: ConfigDict, *, kept: bool) -> None:
    """`kept`: the networks of a stage without epochs come from another run."""
    for field in ("batch_size", "lr"):
        _check(f"stages.{name}.{field}", own[field], *positive())
    allowed = not_negative if kept else positive
    _check(f"stages.{name}.epochs", own.epochs, *allowed("positive, or 0 with config.init_from"))


def check_plan(config: ConfigDict) -> None:
    """Checks `config.plan`.

    Raises:
      ValueError: a label is unknown or there twice, or a stage without epochs has no networks yet.
    """
    trained: set[str] = set()
    for label in config.plan:
        if label not in config.stages or config.plan.count(label) > 1:
            raise ValueError(
                f"config.plan has {label!r}; it must be labels of config.stages, each once: {', '.join(config.stages)}"
            )
        kind = kind_of(config, label)
        if config.stages[label].epochs == 0 and kind not in trained and not config.init_from:
            raise ValueError(
                f"config.stages.{label}.epochs is 0, but no stage of kind {kind!r} comes before it in config.plan; "
                "train one, or begin with another run by config.init_from"
            )
        trained.add(kind)


def kind_of(config: Any, label: str) -> str:
    """The method's stage that the label of a stage of `config.stages` stands for."""
    own = config.stages[label]
    return own.kind if "kind" in own else label


_RUN_WIDE = ("method", "plan", "stages", "init_from", "budget", "mesh", "compute_dtype")


def for_stage(config: Any, label: str) -> FrozenConfigDict:
    """The config as the stage `label` reads it: with its overrides, and its settings under the name of its kind.

    Raises:
      ValueError: an override of what the config does not have, or of what all stages share.
    """
    whole = ConfigDict(config.to_dict())
    own = whole.stages[label].to_dict()
    overrides = own.pop("overrides", {})
    own.pop("kind", None)
    whole.stages[kind_of(config, label)] = ConfigDict(own)
    if shared := [name for name in overrides if name in _RUN_WIDE]:
        raise ValueError(f"config.stages.{label}.overrides has {shared[0]}, which all stages of a run share")
    try:
        whole.lock().update(overrides)
    except (AttributeError, KeyError, TypeError) as error:
        told = " ".join(str(error).split())
        raise ValueError(f"config.stages.{label}.overrides does not fit the config: {told}") from error
    return FrozenConfigDict(whole)


def check_path(config: ConfigDict, path: str) -> None:
    """Checks that a config has a field, or a section, of this path, such as 'data.crop'.

    Raises:
      ValueError: it has none; the message names those that are there.
    """
    above, there = "config", config
    for name in path.split("."):
        if not isinstance(there, ConfigDict):
            raise ValueError(f"config.{path}: {above} is {there!r} and has no fields; set {above} itself")
        if name not in there:
            raise ValueError(f"config.{path}: {above} has no field {name!r}; use one of {', '.join(there)}")
        above, there = f"{above}.{name}", there[name]


def paths(config: ConfigDict, above: str = "") -> list[str]:
    """Every field's path, such as 'data.crop'."""
    return [
        path
        for name, value in config.items()
        for path in (paths(value, f"{above}{name}.") if isinstance(value, ConfigDict) else [above + name])
    ]


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
