"""What a method hands over: stages that train it, and what it can do once it is trained, by capability."""

import operator
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from colorize_jax.control.prior import Correction, Prior
from colorize_jax.shapes import Array

if TYPE_CHECKING:
    import optax

Batch = dict[str, Array]
"""`lightness` (B, H, W, 1) and `ab` (B, H, W, 2) in network units; `lightness_large` where the features ask for it."""

Variables = dict[str, Any]
"""`{'params': {network: ...}, 'batch_stats': {network: ...}}`."""

STATISTICS = "training_set"
"""The name in `batch_stats` of what a method asked to know of its training set; see `Survey`."""


USUAL = 5
"""Versions of a photo, where nobody says how many."""


LossResult = tuple[Array, tuple[dict[str, Any], dict[str, Array]]]
"""A loss, and (new batch statistics by network, metrics)."""

Loss = Callable[[Variables, Batch, Array, Array], LossResult]
"""`(variables, batch, rng, step) -> LossResult`; `variables` are those of every network."""

Optimizer = Callable[[], "optax.GradientTransformation"]
"""Built when it is first used: colorizing a photo builds the method, too, and has no optax installed."""


class Player(NamedTuple):
    """One optimiser's turn within a step, as of a generator or of its critic.

    Attributes:
      name: its key in `TrainState.opt_state`, and what its metrics begin with where there are several players.
      trained: names of the networks that it changes; all others are constants to it.
      loss: may itself call `jax.grad` through a network, as a gradient penalty does.
      optimizer: of its networks; gradients are clipped in there.
      repeats: turns one after another in each step, on the same batch, each with a key of its own.
      clip: after each turn its weights are clipped to [-clip, clip], as Arjovsky et al. 2017 clip a critic's;
        None leaves them.
      ema: decay in [0, 1) of an average of its weights, taken after each turn; it begins with the first weights.
        Evaluation, the next stage and export take the average for the weights. None: no average.
    """

    name: str
    trained: tuple[str, ...]
    loss: Loss
    optimizer: Optimizer
    repeats: int = 1
    clip: float | None = None
    ema: float | None = None


class TrainState(NamedTuple):
    """Everything that a stage changes, and the networks that it leaves alone.

    Attributes:
      step: updates done in the stage.
      params: weights by network.
      batch_stats: BatchNorm's statistics by network.
      opt_state: `{player: state of its optimiser, 'extra': {'averages': {network: average of its weights}}}`.
    """

    step: Array
    params: dict[str, Any]
    batch_stats: dict[str, Any]
    opt_state: dict[str, Any]

    @property
    def variables(self) -> Variables:
        """What training goes on with."""
        return {"params": self.params, "batch_stats": self.batch_stats}

    @property
    def averaged(self) -> Variables:
        """What is evaluated and handed over: `variables`, with the averages for the weights of which there are any."""
        averages = self.opt_state["extra"]["averages"]
        return {"params": {**self.params, **averages}, "batch_stats": self.batch_stats}


class Stage(NamedTuple):
    """One stage of training; every function is pure and can be jitted.

    Attributes:
      name: as in `config.stages`.
      epochs: how many; may be fractional.
      batch_size: images of a step, over all devices.
      init: `(rng, batch, variables | None) -> TrainState`; `variables` come from the stage before.
      update: `(state, batch, rng) -> (state, metrics)`; metrics are scalars, `loss` always among them; see
        `parts.updates.play`.
      evaluate: `(variables, batch, rng) -> metrics`, each per example, shape (B,).
      pictures: `(variables, batch, rng) -> columns of the contact sheet`, each (B, H, W, 3), sRGB in [0, 1].
      calibrate: `(variables, batch, rng) -> {network: BatchNorm's statistics of this batch}`, or None where there
        are none; at its end a stage takes their mean over `calibration_batches` further batches.
      calibration_batches: 0 keeps the running averages of training.
      accumulate: parts of a batch that `update` takes one after another.
    """

    name: str
    epochs: float
    batch_size: int
    init: Callable[..., TrainState]
    update: Callable[..., tuple[TrainState, dict[str, Array]]]
    evaluate: Callable[..., dict[str, Array]]
    pictures: Callable[..., dict[str, Array]]
    calibrate: Callable[..., dict[str, Any]] | None = None
    calibration_batches: int = 0
    accumulate: int = 1


class Stages(Sequence[Stage]):
    """The stages of a method, built when they are first asked for: sampling never asks."""

    def __init__(self, build: Callable[[], Iterable[Stage]]) -> None:
        self._build = build

    @cached_property
    def _stages(self) -> tuple[Stage, ...]:
        return tuple(self._build())

    def __len__(self) -> int:
        return len(self._stages)

    def __getitem__(self, index: Any) -> Any:
        return self._stages[index]


class Samples(NamedTuple):
    """Colour versions of a batch of images, network units.

    Attributes:
      unary: (B, N, F, F, 2), as decoded, before the G-CRF; `field` itself where there is none.
      field: (B, N, F, F, 2), after the G-CRF; the method's output.
      weights: (B, N), the weight of each version, such as its mixture component's.
    """

    unary: Array
    field: Array
    weights: Array


class Survey(NamedTuple):
    """What a method asks of its training set before the first stage.

    Attributes:
      images: how many training images, at least.
      collect: `batches of them -> {name: array}`; called once, and kept with the run.
      shapes: `() -> {name: ShapeDtypeStruct}` of these arrays, so that stages can be compiled before there are any.
    """

    images: int
    collect: Callable[[Iterable[Any]], dict[str, Any]]
    shapes: Callable[[], dict[str, Any]]


class Colors(NamedTuple):
    """Colour versions of gray images.

    Attributes:
      sample: `(variables, batch, rng, *, samples, rule) -> Samples`.
      rules: ways of choosing versions that `sample` knows; the first is the default.
      most: largest number of versions under a rule; a rule that is not in it gives any number. A method with one
        deterministic answer has `most={rule: 1}`.
      deterministic: rules that use no `rng`, so that photos sampled together have the versions that each has alone.
      regress: `(variables, batch) -> (B, h, w, 2)`, network units: one deterministic answer beside the versions; None
        where there is none.
      reconstruct: `(variables, batch) -> (unary, field)`, both (B, F, F, 2), network units, from the code of the true
        colours; None for a method without a code.
    """

    sample: Callable[..., Samples]
    rules: tuple[str, ...]
    most: Mapping[str, int] = MappingProxyType({})
    deterministic: tuple[str, ...] = ()
    regress: Callable[..., Array] | None = None
    reconstruct: Callable[..., tuple[Array, Array]] | None = None

    def request(self, samples: int | None = None, rule: str | None = None) -> tuple[int, str]:
        """The number of versions and the rule, checked; by default `USUAL`, or as many as there are, and the first.

        Raises:
          ValueError: an unknown rule, fewer than one version, or more than the rule gives.
        """
        rule = self.rules[0] if rule is None else rule
        if rule not in self.rules:
            raise ValueError(f"rule is {rule!r}; allowed are {', '.join(self.rules)}.")
        if samples is None:
            return min(USUAL, self._most(rule)), rule
        if operator.index(samples) < 1:
            raise ValueError(f"samples is {samples}; allowed are whole numbers from 1.")
        if samples > self._most(rule):
            wider = [f"use rule {other!r}" for other in self.rules if samples <= self._most(other)]
            fix = " or ".join(wider) or "take fewer"
            raise ValueError(
                f"samples is {samples}, but rule {rule!r} gives at most {self._most(rule)}; {fix}."
            )
        return samples, rule

    def _most(self, rule: str) -> int:
        return self.most.get(rule, sys.maxsize)


class Distribution(NamedTuple):
    """What a classifier says of every cell.

    Attributes:
      histograms: `(variables, batch) -> (B, h, w, Q)`, probabilities that sum to 1 over the Q bins.
      bins: (Q, 2), the bins' centres, network units.
    """

    histograms: Callable[..., Array]
    bins: Array


class Edits(NamedTuple):
    """How a user's colours spread: through a similarity, or by a network that is given them.

    Attributes:
      similarity: `(variables, batch) -> S (B, P, P)`, row-stochastic, of the G-CRF that made the versions; None
        without one.
      spread: `(variables, batch) -> Prior`, learned for edits; None: they spread through `similarity`, and
        meet gray.
      correct: the fine field at the resolution of photos, corrected. None: the field is lifted along the lightness and
        no more.
      respond: `(variables, batch, ab, revealed) -> (B, h, w, 2)`, network units: the answer of a network that takes
        edits itself, mode 'guided' of `Colorizer.edit`. `ab` (B, H, W, 2) are the edits' colours, network units, and
        `revealed` (B, H, W, 1) the share of each pixel that they cover. None: edits spread through S.
    """

    similarity: Callable[..., Array] | None = None
    spread: Callable[..., Prior] | None = None
    correct: Correction | None = None
    respond: Callable[..., Array] | None = None


class Images(NamedTuple):
    """Whole images from nothing.

    Attributes:
      sample: `(variables, rng, *, count) -> (N, H, W, C)`, network units.
    """

    sample: Callable[..., Array]


class Method(NamedTuple):
    """A method by what it can do; see `methods/scc.py` for the paper's.

    Attributes:
      stages: in the order of training.
      abstract_variables: `() -> tree of ShapeDtypeStruct`: the networks that the capabilities below need, and none that
        only train.
      statistics: what it asks of its training set; the variables of all stages hold the arrays under
        `batch_stats[STATISTICS]`. None where nothing is asked.
      colors: colour versions of gray images, or None.
      distribution: histograms of colours by cell, or None.
      edits: colours that spread from a user's edits, or None.
      images: images from nothing, or None.
      losses: weights of what it was trained with, by the losses' names, for records and tables; None for a method whose
        objective has one form.
      public: networks with public weights, which no model of this method carries: `{name: () -> their parameters}`.
    """

    stages: Sequence[Stage]
    abstract_variables: Callable[[], Variables]
    statistics: Survey | None = None
    colors: Colors | None = None
    distribution: Distribution | None = None
    edits: Edits | None = None
    images: Images | None = None
    losses: Mapping[str, float] | None = None
    public: Mapping[str, Callable[[], Any]] = MappingProxyType({})


def colors_of(method: Method) -> Colors:
    """How a method colours gray images.

    Raises:
      ValueError: it does not.
    """
    if method.colors is None:
        told = [name for name in ("distribution", "edits", "images") if getattr(method, name) is not None]
        raise ValueError(
            f"this method colours no gray image: of the capabilities it has {', '.join(told) or 'none'}, "
            "and no colors; take another model"
        )
    return method.colors
