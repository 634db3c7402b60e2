"""What is kept of an evaluation: its protocol, its rows, the state of the G-CRF; as NamedTuples and as JSON.

| row | N | what it is |
|---|---|---|
| `truth` | 1 | the image's own colours: what `bleed` of a real photo is |
| `gray`, `mean_colour`, `mean_image`, `own_mean`, `templates` | 1, 5 | the blind ones of `baselines` |
| `perfect_field` | 1 | the true colours, averaged to the field and lifted: the ceiling of a field below full size |
| `regressor` | 1 | the method's deterministic answer, where it has one |
| `reconstruction_unary`, `reconstruction` | 1 | from the true colours' code, where the encoder is at hand |
| `unary`, `field` | N | the method's samples before and after the G-CRF; without one there is no `unary` |
| `likeliest`, `expected` | 1 | a classifier's largest bin, and the mean of its bins, in each cell |
| `distribution` | 0 | what a classifier says of the true colours' bins |
| `generated`, `training_images` | images | whole images from nothing, and as many of the training set |
"""

import json
from collections.abc import Container
from typing import Any, NamedTuple

import numpy as np


class Cost(NamedTuple):
    """What a model cost: optimiser steps, image views and seconds of all its stages, and of the runs it began with."""

    steps: int
    images: int
    seconds: float


class Protocol(NamedTuple):
    """What a number of the table depends on besides the method.

    An evaluation of an older version has the fields up to `versions` alone; the others then have their defaults.

    Attributes:
      model: name in the tables.
      dataset, split, split_hash, images: the test images, and how many of them.
      samples: N that was asked for; a row's own N is `Row.samples`.
      rule: of the method's sampling.
      resolution, field: sides in pixels of the test images and of the method's colour field.
      lift: of `upsample.lift`, from the field to the resolution.
      seed: of samples and blind templates.
      batch_size: changes no number.
      fit_images: training images behind the blind baselines and the weights of colours.
      versions: of Python, packages and devices.
      method: `config.method`.
      losses: weights of the decoder's losses, by name; None for a method that names none.
      training: `Cost` as a dict.
      weights_hash: of all variables.
      seconds: what the evaluation took.
      workdir: the training run, '' for a released model.
      commands: those that made the model, as far as they are known, and the evaluation.
      extras: names of the optional metrics.
    """

    model: str
    dataset: str
    split: str
    split_hash: str
    images: int
    samples: int
    rule: str
    resolution: int
    field: int
    lift: str
    seed: int
    batch_size: int
    fit_images: int
    versions: dict[str, str]
    method: str = ""
    losses: dict[str, float] | None = None
    training: dict[str, float] | None = None
    weights_hash: str = ""
    seconds: float | None = None
    workdir: str = ""
    commands: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()


class Row(NamedTuple):
    """A line of the table.

    Attributes:
      name: see the module's table.
      samples: N.
      scores: {metric: mean over the images where it exists}, NaN where it exists for none.
      undefined: {metric: number of images where it does not exist}, only those above 0.
    """

    name: str
    samples: int
    scores: dict[str, float]
    undefined: dict[str, int]


class Diagnostics(NamedTuple):
    """Is the G-CRF alive: `gcrf.diagnostics` over the first `images` test images.

    Attributes:
      images: how many were looked at.
      mean: of `diagonal_mean`, `movement`, `condition`, `overshoot`.
      worst: the largest of each; for `movement` the smallest, since 0 is a layer that does nothing.
      worst_image: index in the test set of each `worst`.
    """

    images: int
    mean: dict[str, float]
    worst: dict[str, float]
    worst_image: dict[str, int]


class Evaluation(NamedTuple):
    """The table, its protocol and the state of the G-CRF (None for a method without one)."""

    protocol: Protocol
    rows: tuple[Row, ...]
    diagnostics: Diagnostics | None

    def row(self, name: str) -> Row:
        """The row of that name.

        Raises:
          ValueError: there is none.
        """
        for row in self.rows:
            if row.name == name:
                return row
        raise ValueError(
            f"row {name!r} is not in the table; there are {', '.join(row.name for row in self.rows)}"
        )


ANSWERS = ("field", "expected")


def answer(names: Container[str]) -> str:
    """The row that a method is judged by, the first of `ANSWERS` among `names`; '' where it answers no gray image."""
    return next((name for name in ANSWERS if name in names), "")


PerImage = dict[str, dict[str, np.ndarray]]
"""{row: {metric: (images,)}}, in the order of the test set."""


def ratios(evaluation: Evaluation, row: Row) -> dict[str, float]:
    """`eob_mae` of a row over that of gray and of the templates; a ratio has no unit, and the papers state none."""
    own = row.scores.get("eob_mae", float("nan"))
    blind = [other for other in evaluation.rows if other.name in ("gray", "templates")]
    return {other.name: own / other.scores["eob_mae"] for other in blind}


def to_json(evaluation: Evaluation) -> str:
    """The evaluation as JSON, with each row's `ratios`; NaN becomes null."""
    rows = [{**row._asdict(), "ratios": ratios(evaluation, row)} for row in evaluation.rows]
    diagnostics = evaluation.diagnostics._asdict() if evaluation.diagnostics else None
    whole = {"protocol": evaluation.protocol._asdict(), "rows": rows, "diagnostics": diagnostics}
    return json.dumps(_finite(whole), indent=2, allow_nan=False) + "\n"


def from_json(text: str) -> Evaluation:
    """The inverse of `to_json`."""
    whole = json.loads(text)
    rows = tuple(
        Row(row["name"], row["samples"], _with_nan(row["scores"]), row["undefined"]) for row in whole["rows"]
    )
    found = whole["diagnostics"]
    diagnostics = None
    if found:
        diagnostics = Diagnostics(
            found["images"], _with_nan(found["mean"]), _with_nan(found["worst"]), found["worst_image"]
        )
    told = whole["protocol"]
    told |= {name: tuple(told.get(name, ())) for name in ("commands", "extras")}
    return Evaluation(Protocol(**told), rows, diagnostics)


def per_image_to_json(per_image: PerImage) -> str:
    """{row: {metric: [one value an image]}} in the order of the test set, six digits, NaN as null."""
    rounded = {
        row: {metric: [float(f"{value:.6g}") for value in values] for metric, values in scores.items()}
        for row, scores in per_image.items()
    }
    return json.dumps(_finite(rounded), allow_nan=False) + "\n"


def per_image_from_json(text: str) -> PerImage:
    """The inverse of `per_image_to_json`."""
    return {
        row: {metric: np.array(values, float) for metric, values in scores.items()}
        for row, scores in json.loads(text).items()
    }


def _with_nan(scores: dict[str, float | None]) -> dict[str, float]:
    return {name: float("nan") if value is None else value for name, value in scores.items()}


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity."""
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
