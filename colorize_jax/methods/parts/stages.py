"""A stage from its players: their networks are drawn where they are not there yet."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from colorize_jax.methods.base import Batch, Loss, Optimizer, Player, Stage, TrainState, Variables
from colorize_jax.methods.parts.networks import ExampleInputs, Networks, init_networks
from colorize_jax.methods.parts.updates import Rates, adam, calibration, init_state, play
from colorize_jax.models.vgg import Vgg16Features, load_vgg16
from colorize_jax.shapes import Array


def build_stage(
    config: Any,
    name: str,
    networks: Networks,
    inputs: Callable[[Batch], ExampleInputs],
    *,
    trained: tuple[str, ...],
    loss: Loss,
    evaluate: Callable[..., dict[str, Array]],
    pictures: Callable[..., dict[str, Array]],
) -> Stage:
    """`build_stage_of` one player: Adam minimises `loss` for the networks named in `trained`."""
    player = Player(name, trained, loss, stage_adam(config, name))
    return build_stage_of(
        config, name, networks, inputs, players=(player,), evaluate=evaluate, pictures=pictures
    )


def stage_adam(
    config: Any,
    name: str,
    *,
    lr: float | None = None,
    repeats: int = 1,
    rates: Rates | None = None,
    left: float = 0.01,
    falling: float | None = None,
) -> Optimizer:
    """Adam as `config.optim` has it, over the length of the stage `name`; see `updates.adam`.

    Args:
      config: whole.
      name: of the stage.
      lr: the highest rate; by default the stage's own.
      repeats: the player's, who makes as many updates a step.
      rates: what the rate of each weight is multiplied by; None: by 1.
      left: share of the rate that is left at the end of the stage.
      falling: share of the stage, at its end, over which the rate falls linearly; None: along a cosine, from the start.
    """
    settings = config.stages[name]
    steps = max(1, round(settings.epochs * config.data.epoch_images / settings.batch_size))
    highest = settings.lr if lr is None else lr
    return adam(config.optim, highest, repeats * steps, rates, left=left, falling=falling)


def build_stage_of(
    config: Any,
    name: str,
    networks: Networks,
    inputs: Callable[[Batch], ExampleInputs],
    *,
    players: Sequence[Player],
    evaluate: Callable[..., dict[str, Array]],
    pictures: Callable[..., dict[str, Array]],
    pretrained: Mapping[str, Callable[[], Any]] = MappingProxyType({}),
) -> Stage:
    """The stage `name` of several players, with the epochs and batch size of `config.stages[name]`.

    Args:
      config: whole; its `optim` is read, too.
      name: of the stage. The weights of VGG-16, where it is the feature network, are loaded from 'mdn' on.
      networks: all of the method.
      inputs: what each network takes for a batch.
      players: in the order of their turns. What they train is drawn where no stage before has trained it.
      evaluate, pictures: see `Stage`.
      pretrained: `{network: () -> its parameters}` of networks without statistics, loaded where no stage before has
        the network.
    """
    settings = config.stages[name]
    own = settings if "calibration_batches" in settings else config.optim
    trained = tuple(dict.fromkeys(network for player in players for network in player.trained))
    frozen_vgg = name in ("mdn", "spread_coarse", "spread") and isinstance(
        networks.get("features"), Vgg16Features
    )

    def init(rng: Array, batch: Batch, variables: Variables | None) -> TrainState:
        before = variables or {"params": {}, "batch_stats": {}}
        missing = tuple(network for network in trained if network not in before["params"])
        fresh = tuple(network for network in missing if network not in pretrained)
        new = init_networks(rng, networks, inputs(batch), fresh)
        for network in pretrained.keys() - before["params"].keys():
            new["params"][network], new["batch_stats"][network] = pretrained[network](), {}
        if frozen_vgg:
            new["params"]["features"] = load_vgg16()
        params = {**before["params"], **new["params"]}
        return init_state(params, {**before["batch_stats"], **new["batch_stats"]}, players)

    return Stage(
        name=name,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        init=init,
        update=play(players, accumulate=config.optim.accumulate, remat=config.optim.remat),
        evaluate=evaluate,
        pictures=pictures,
        calibrate=calibration(players),
        calibration_batches=own.calibration_batches,
        accumulate=config.optim.accumulate,
    )
