"""One file a method: `build(config) -> Method`. `config.method = 'scc'` finds `methods/scc.py`.

What methods are made of is in `parts`; edits that spread through a learned similarity are in `guided`.

A method outside this package is named by its dotted module path, `config.method = 'my_package.my_method'`.
"""

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

from colorize_jax.methods.base import Batch, Method, Samples, Stage, Stages, TrainState, Variables
from colorize_jax.methods.parts.budget import spend

__all__ = ["Batch", "Method", "Samples", "Stage", "TrainState", "Variables", "available", "build"]


def available() -> list[str]:
    """Names without a dot that `config.method` may have."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name != "base" and not m.ispkg)


def build(config: Any) -> Method:
    """The method that `config.method` names, built from the whole config, its stages as long as the budget asks.

    Stages that have less than a step of the budget are refused when the stages are first asked for, see `Stages`.

    Raises:
      ValueError: there is no such module, or it has no `build`.
    """
    build_method = _builder(config.method)
    method = build_method(config)
    budget = config.get("budget")  # models that were released before there were budgets have none
    if not budget or not (budget.steps or budget.images):
        return method
    return method._replace(stages=Stages(lambda: build_method(spend(config, method.stages)).stages))


def _builder(name: str) -> Callable[[Any], Method]:
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
    if not hasattr(module, "build"):
        raise ValueError(f"config.method is {name!r}, but that module has no function build(config)")
    return module.build
