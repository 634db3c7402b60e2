"""What a method hands over: stages that train it, and functions that sample from it."""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from colorize_jax.shapes import Array

if TYPE_CHECKING:
    import optax

Batch = dict[str, Array]
"""`lightness` (B, H, W, 1) and `ab` (B, H, W, 2) in network units; `lightness_large` where the features ask for it."""

Variables = dict[str, Any]
"""`{'params': {network: ...}, 'batch_stats': {network: ...}}`."""

STATISTICS = "training_set"
"""The name in `batch_stats` of what a method asked to know of its training set; see `Method.statistics`."""


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
    """The stages of a method, built when they are first asked for.

    Sampling never asks. So a model that was released before some field of training existed can still be loaded.
    """

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
      unary: (B, N, F, F, 2), as decoded, before the G-CRF.
      field: (B, N, F, F, 2), after it; the method's output.
      weights: (B, N), the mixture weight of each version.
    """

    unary: Array
    field: Array
    weights: Array


class SpreadPrior(NamedTuple):
    """What edits of a batch of photos spread through, and what they meet.

    Attributes:
      similarity: S (B, P, P).
      unary: (B, F, F, 2), network units: colours of what edits do not reach.
      confidence: κ > 0 (B, F, F) that holds them there.
      fine: S by window (B, K, G, G), see `gcrf.solve_windowed`, of a finer field of G², and the confidence
        (B, G, G) there in the coarse field; None where there is none.
      seen: what `Method.correct` asks of the photos, arrays with a leading axis B; None where there is none.
    """

    similarity: Array
    unary: Array
    confidence: Array
    fine: tuple[Array, ...] | None = None
    seen: Any = None


class Method(NamedTuple):
    """A colorization method; see `methods/scc.py` for the paper's.

    Attributes:
      stages: in the order of training.
      abstract_variables: `() -> tree of ShapeDtypeStruct`: the networks that `sample` needs.
      sample: `(variables, batch, rng, *, samples, rule) -> Samples`; rule is 'modes' or 'random'.
      similarity: `(variables, batch) -> S (B, P, P)`; None without a G-CRF, and then the unary is the field.
      reconstruct: `(variables, batch) -> (unary, field)`, both (B, F, F, 2), from the true colours' code; or None.
      regress: `(variables, batch) -> (B, h, w, 2)`, one deterministic answer, or None where there is none.
      statistics: `training batches -> {name: array}`, called once before the first stage, whose variables then hold
        the arrays under `batch_stats[STATISTICS]`, as those of all later stages do; None where nothing is asked.
      spread: `(variables, batch) -> SpreadPrior`; None: edits spread through `similarity`, and meet gray.
      correct: `(variables, seen, field, reach, colours, revealed) -> (B, m, m, 2)`: the fine field at the resolution
        of photos, corrected; see `spreading.correct`. None where the field is only lifted.
    """

    stages: Sequence[Stage]
    abstract_variables: Callable[[], Variables]
    sample: Callable[..., Samples]
    similarity: Callable[..., Array] | None
    reconstruct: Callable[..., tuple[Array, Array]] | None
    regress: Callable[..., Array] | None
    statistics: Callable[[Iterable[Any]], dict[str, Any]] | None = None
    spread: Callable[..., SpreadPrior] | None = None
    correct: Callable[..., Array] | None = None
