"""The `update` of a stage: players take their turns, each with a loss, the networks that it trains and an optimiser."""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from colorize_jax.methods.base import Batch, Optimizer, Player, TrainState, Variables
from colorize_jax.models.layers import MOMENTUM
from colorize_jax.shapes import Array

if TYPE_CHECKING:
    import optax

Update = Callable[[TrainState, Batch, Array], tuple[TrainState, dict[str, Array]]]
"""`(state, batch, rng) -> (state, metrics)`."""

Gradients = Callable[[TrainState, Batch, Array], tuple[Any, dict[str, Any]]]
"""`(state, batch, rng) -> ((loss, (batch statistics, metrics)), gradients of the trained weights)`."""


Rates = Callable[[Any], Any]
"""`weights by network -> a tree like them`: what the rate of each is multiplied by; 0 leaves a weight as it is."""


def adam(
    optim: Any,
    learning_rate: float,
    total_steps: int,
    rates: Rates | None = None,
    *,
    left: float = 0.01,
    falling: float | None = None,
) -> Optimizer:
    """Adam with decoupled weight decay, global-norm clipping, and a rate that rises linearly at first and then falls.

    Args:
      optim: `config.optim`; a `clip_norm` of 0 clips nothing.
      learning_rate: the highest.
      total_steps: to the end of the decay.
      rates: what the rate of each weight is multiplied by; None: by 1.
      left: share of the rate that is left at the end; at 1 it stays what it is.
      falling: share of the steps, at the end, over which the rate falls linearly; None: along a cosine, over all steps
        after the rise.
    """

    @functools.cache
    def build() -> "optax.GradientTransformation":
        import optax

        warmup = min(optim.warmup_steps, total_steps // 10)
        rate = _schedule(learning_rate, warmup, total_steps, left, falling)
        parts = [
            optax.clip_by_global_norm(optim.clip_norm) if optim.clip_norm else optax.identity(),
            optax.adamw(rate, b1=optim.b1, b2=optim.b2, weight_decay=optim.weight_decay),
        ]
        if rates is not None:
            # After the weight decay: a rate of 0 keeps a weight whole.
            parts.append(optax.stateless(lambda changes, params: _scaled(changes, rates(params))))
        return optax.chain(*parts)

    return build


def _schedule(
    highest: float, warmup: int, total: int, left: float, falling: float | None
) -> "optax.Schedule":
    """The rate by the step; see `adam`."""
    import optax

    if falling is None:
        return optax.warmup_cosine_decay_schedule(0.0, highest, warmup, total, left * highest)
    last = round(falling * total)
    fall = optax.linear_schedule(highest, left * highest, last, total - last - warmup)
    return optax.join_schedules([optax.linear_schedule(0.0, highest, warmup), fall], [warmup])


def _scaled(changes: Any, rates: Any) -> Any:
    return jax.tree.map(lambda change, rate: rate * change, changes, rates)


def init_state(params: dict[str, Any], batch_stats: dict[str, Any], players: Sequence[Player]) -> TrainState:
    """State at step 0 of a stage of these players."""
    opt_state = {player.name: player.optimizer().init(_own(player, params)) for player in players}
    averages = {name: params[name] for player in players if player.ema is not None for name in player.trained}
    opt_state["extra"] = {"averages": averages}
    return TrainState(jnp.zeros((), jnp.int32), params, batch_stats, opt_state)


def play(players: Sequence[Player], *, accumulate: int = 1, remat: bool = False) -> Update:
    """A stage's `update`: the players take their turns, each on the state that the one before left.

    Metrics are those of each player's last turn, with its name and '_' before them where there are several; `loss` is
    then the sum of their losses, which is finite only if all are.

    Args:
      players: in the order of their turns. A single turn a step gets the step's key itself. Where there are several,
        each gets a key split from it.
      accumulate: a gradient is the mean over as many equal parts of the batch, taken one after another, each with a key
        of its own; BatchNorm sees a part at a time.
      remat: keep only what is dear (`_dear`) for the backward pass, and compute the rest again.

    Raises:
      ValueError: no players, two of one name or one named 'extra', or a number out of its range.
    """
    _check(players)
    turns = [_turn(player, _gradients(player, accumulate, remat)) for player in players]

    def update(state: TrainState, batch: Batch, rng: Array) -> tuple[TrainState, dict[str, Array]]:
        told = {}
        for player, turn, keys in zip(players, turns, _keys(players, rng), strict=True):
            state, told[player.name] = _repeated(turn, state, batch, keys)
        return state._replace(step=state.step + 1), _metrics(told)

    return update


def _check(players: Sequence[Player]) -> None:
    """Raises ValueError unless the players can play together."""
    names = [player.name for player in players]
    if not names or len(set(names)) < len(names) or "extra" in names:
        raise ValueError(
            f"players are named {names}; give at least one, each a name of its own, none 'extra'"
        )
    averaged = [network for player in players if player.ema is not None for network in player.trained]
    if len(set(averaged)) < len(averaged):
        raise ValueError(f"players average the networks {averaged}; a network can have one average, not two")
    for player in players:
        _check_player(player)


def _check_player(player: Player) -> None:
    if player.repeats < 1:
        raise ValueError(f"player {player.name!r} has repeats {player.repeats}; give 1 or more")
    if player.clip is not None and not player.clip > 0:
        raise ValueError(f"player {player.name!r} has clip {player.clip}; give a bound above 0, or None")
    if player.ema is not None and not 0 <= player.ema < 1:
        raise ValueError(f"player {player.name!r} has ema {player.ema}; give a decay in [0, 1), or None")


def _own(player: Player, params: dict[str, Any]) -> dict[str, Any]:
    """The weights that the player changes."""
    return {name: params[name] for name in player.trained}


def _keys(players: Sequence[Player], rng: Array) -> list[Array]:
    """A key for each turn of each player, (repeats,) each."""
    ends = list(itertools.accumulate(player.repeats for player in players))
    keys = rng[None] if ends[-1] == 1 else jax.random.split(rng, ends[-1])
    return [keys[end - player.repeats : end] for player, end in zip(players, ends, strict=True)]


def _repeated(
    turn: Update, state: TrainState, batch: Batch, keys: Array
) -> tuple[TrainState, dict[str, Array]]:
    """One turn after another, a key each; the metrics of the last."""
    if len(keys) == 1:
        return turn(state, batch, keys[0])
    state, metrics = jax.lax.scan(lambda state, key: turn(state, batch, key), state, keys)
    return state, jax.tree.map(lambda x: x[-1], metrics)


def _metrics(told: dict[str, dict[str, Array]]) -> dict[str, Array]:
    """Of a step, from {player: metrics of its last turn}."""
    if len(told) == 1:
        return next(iter(told.values()))
    named = {f"{player}_{name}": value for player, own in told.items() for name, value in own.items()}
    return {"loss": sum((own["loss"] for own in told.values()), jnp.zeros(())), **named}


def _turn(player: Player, gradients: Gradients) -> Update:
    """One turn of the player; the step is not counted."""

    def turn(state: TrainState, batch: Batch, rng: Array) -> tuple[TrainState, dict[str, Array]]:
        import optax

        state = state._replace(**gathered(state.variables))
        (value, (stats, metrics)), mean = gradients(state, batch, rng)
        before = _own(player, state.params)
        changes, own = player.optimizer().update(mean, state.opt_state[player.name], before)
        after = optax.apply_updates(before, changes)
        if (bound := player.clip) is not None:
            after = jax.tree.map(lambda x: jnp.clip(x, -bound, bound), after)
        opt_state = {
            **state.opt_state,
            player.name: own,
            "extra": _averaged(player, state.opt_state["extra"], after),
        }
        told = {"loss": value, "gradient_norm": optax.tree.norm(mean), **metrics}
        params, batch_stats = {**state.params, **after}, {**state.batch_stats, **stats}
        return TrainState(state.step, params, batch_stats, opt_state), told

    return turn


def gathered(variables: Variables) -> Variables:
    """The variables whole on each device of the mesh that this is traced for.

    Left to itself XLA may move the batch instead of gathering what lies in parts along 'fsdp', as a turn leaves it.
    """
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty or mesh.shape["fsdp"] == 1:
        return variables
    return jax.lax.with_sharding_constraint(variables, PartitionSpec())


def _averaged(player: Player, extra: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
    """`opt_state['extra']` after a turn that left the player's networks with the weights `params`."""
    if (decay := player.ema) is None:
        return extra
    averages = extra["averages"]
    moved = jax.tree.map(lambda mean, x: mean + (1 - decay) * (x - mean), _own(player, averages), params)
    return {**extra, "averages": {**averages, **moved}}


def _gradients(player: Player, accumulate: int, remat: bool) -> Gradients:
    """The player's loss and its gradients on a batch."""

    def gradients(state: TrainState, batch: Batch, rng: Array) -> Any:
        def trained_loss(part: dict[str, Any]) -> Any:
            variables = {"params": {**state.params, **part}, "batch_stats": state.batch_stats}
            return player.loss(variables, batch, rng, state.step)

        kept = jax.checkpoint(trained_loss, policy=_dear) if remat else trained_loss
        return jax.value_and_grad(kept, has_aux=True)(_own(player, state.params))

    return gradients if accumulate == 1 else functools.partial(_accumulated, gradients, accumulate)


def _dear(primitive: Any, *_: Any, **__: Any) -> bool:
    """What is not worth computing again: products, convolutions and solves."""
    return primitive.name in ("dot_general", "conv_general_dilated", "cholesky", "triangular_solve")


def _accumulated(gradients: Gradients, parts: int, state: TrainState, batch: Batch, rng: Array) -> Any:
    """What `gradients` gives for the whole batch, as means over its parts; the statistics run on through them.

    Part j has the rows j, j + parts, ...: every device has as many of them in each part, and none moves.
    """

    def of_part(stats: dict[str, Any], numbered: tuple[Array, Batch]) -> tuple[dict[str, Any], Any]:
        number, rows = numbered
        current = state._replace(batch_stats={**state.batch_stats, **stats})
        (value, (new, metrics)), part = gradients(current, rows, jax.random.fold_in(rng, number))
        return {name: new[name] for name in stats}, ((value, metrics), part)

    rows = jax.tree.map(lambda x: jnp.moveaxis(x.reshape(-1, parts, *x.shape[1:]), 1, 0), batch)
    first = jax.tree.map(lambda x: x[0], rows)
    (_, (changed, _)), _ = jax.eval_shape(gradients, state, first, rng)
    stats = {name: state.batch_stats[name] for name in changed}
    stats, found = jax.lax.scan(of_part, stats, (jnp.arange(parts), rows))
    (value, metrics), mean = jax.tree.map(lambda x: x.mean(axis=0), found)
    return (value, (stats, metrics)), mean


def calibration(players: Sequence[Player]) -> Callable[[Variables, Batch, Array], dict[str, Any]]:
    """A stage's `calibrate`: what BatchNorm measures on one batch, of the networks that each player trains."""

    def calibrate(variables: Variables, batch: Batch, rng: Array) -> dict[str, Any]:
        keys = [rng] if len(players) == 1 else jax.random.split(rng, len(players))
        found = [_measured(player, variables, batch, key) for player, key in zip(players, keys, strict=True)]
        return {name: stats for own in found for name, stats in own.items()}

    return calibrate


def _measured(player: Player, variables: Variables, batch: Batch, rng: Array) -> dict[str, Any]:
    """BatchNorm's statistics of the batch, by network."""
    # From running statistics of zero, a step leaves (1 - MOMENTUM) times the batch's own.
    blank = {name: jax.tree.map(jnp.zeros_like, variables["batch_stats"][name]) for name in player.trained}
    blanked = {**variables, "batch_stats": {**variables["batch_stats"], **blank}}
    _, (stats, _) = player.loss(blanked, batch, rng, jnp.zeros((), jnp.int32))
    return {name: jax.tree.map(lambda x: x / (1 - MOMENTUM), stats[name]) for name in blank if name in stats}
