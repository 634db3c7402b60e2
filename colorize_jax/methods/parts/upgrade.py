"""A config that was written when fields of today were not there yet: they get what stood for them then."""

from typing import Any

from ml_collections import ConfigDict, FrozenConfigDict

THEN = {
    "init_from": "",
    "plan": (),
    "budget.steps": 0,
    "budget.images": 0,
    "checkpoint.best": (),
    "cvae.encoder_sees_gray": False,
    "data.ab_large": False,
    "data.crop_largest": 1.0,
    "data.regions": 0,
    "data.stretch": 1.0,
    "field_loss.kl_ramp_epochs": 0.0,
    "field_loss.prior": "own",
    "gcrf.floor_on": "all",
    "gcrf.learn_temperature": True,
    "gcrf.solver": "cholesky",
    "loss.likelihood_noise": 0.0,
    "loss.unary_weight": 0.0,
    "mdn.choice": "weight",
    "mdn.chroma": 1.0,
    "mdn.dropout": 0.0,
    "mdn.tint": 1.0,
    "mesh.data": 0,
    "mesh.fsdp": 1,
    "mesh.pixel": 1,
    "modes.learned": False,
    "modes.chroma_power": 0.0,
    "optim.accumulate": 1,
    "optim.calibration_batches": 0,
    "optim.remat": False,
    "prior.even_levels": False,
    "skip.join": "pair",
    "spread.learned": False,
    "spread.fine": False,
    "spread.correct": 0,
    "spread.together": False,
    "spread.turn": 0.0,
}
"""Fields that came later, and the value that does what was done before there was one."""

IDLE = ("modes.", "spread.")
"""Beginnings of other fields that came later: nothing reads them where those of `THEN` switch them off."""


def upgraded(old: FrozenConfigDict, today: ConfigDict) -> FrozenConfigDict:
    """The fields of `today` with the values of `old`; what the method does not own is dropped.

    Args:
      old: of a model or a run.
      today: `methods.defaults` of its method.

    Raises:
      ValueError: `old` lacks a field that every model has had.
    """
    given, wanted = old.to_dict(), today.to_dict()
    if "stages" not in given:
        raise _lacking("stages")
    stages, known = given.pop("stages"), wanted.pop("stages")
    kept = {label: own for label, own in stages.items() if label in known or "kind" in own}
    return FrozenConfigDict({**_filled(wanted, given), "stages": {**known, **kept}})


def _filled(wanted: dict[str, Any], given: dict[str, Any], above: str = "") -> dict[str, Any]:
    """`given`, as far as `wanted` has the fields, and what stood for those that it lacks."""
    found: dict[str, Any] = {}
    for name, today in wanted.items():
        path = above + name
        if isinstance(today, dict):
            found[name] = _filled(today, given.get(name, {}), f"{path}.")
        elif name in given:
            found[name] = given[name]
        elif path in THEN or path.startswith(IDLE):
            found[name] = THEN.get(path, today)
        else:
            raise _lacking(path)
    return found


def _lacking(path: str) -> ValueError:
    return ValueError(f"config lacks {path}, which every model has; its config.json is damaged")
