"""A stage from a loss: its networks are drawn where they are not there yet, and trained by Adam."""

from collections.abc import Callable
from typing import Any

from colorize_jax.methods.base import Batch, Stage, TrainState, Variables
from colorize_jax.methods.parts.networks import Inputs, Networks, init_networks
from colorize_jax.methods.parts.updates import Loss, adam, init_state, loss_to_calibrate, loss_to_update
from colorize_jax.models.vgg import load_vgg16
from colorize_jax.shapes import Array


def build_stage(
    config: Any,
    name: str,
    networks: Networks,
    inputs: Callable[[Batch], Inputs],
    *,
    trained: tuple[str, ...],
    loss: Loss,
    evaluate: Callable[..., dict[str, Array]],
    pictures: Callable[..., dict[str, Array]],
) -> Stage:
    """The stage `name`, with the epochs, batch size and rate of `config.stages[name]`.

    Args:
      config: whole; its `optim` is read, too.
      name: of the stage. The weights of VGG-16, where it is the feature network, are loaded from 'mdn' on.
      networks: all of the method.
      inputs: what each network takes for a batch.
      trained: names of the networks that the stage changes.
      loss, evaluate, pictures: see `updates.Loss` and `Stage`.
    """
    settings = config.stages[name]
    total_steps = max(1, round(settings.epochs * config.data.epoch_images / settings.batch_size))
    optimizer = adam(config.optim, settings.lr, total_steps)
    pretrained = name in ("mdn", "spread_coarse", "spread") and config.features.network == "vgg16"

    def init(rng: Array, batch: Batch, variables: Variables | None) -> TrainState:
        before = variables or {"params": {}, "batch_stats": {}}
        fresh = tuple(network for network in trained if network not in before["params"])
        new = init_networks(rng, networks, inputs(batch), fresh)
        if pretrained:
            new["params"]["features"] = load_vgg16()
        params = {**before["params"], **new["params"]}
        return init_state(params, {**before["batch_stats"], **new["batch_stats"]}, trained, optimizer)

    return Stage(
        name=name,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        init=init,
        update=loss_to_update(
            loss, trained, optimizer, accumulate=config.optim.accumulate, remat=config.optim.remat
        ),
        evaluate=evaluate,
        pictures=pictures,
        calibrate=loss_to_calibrate(loss, trained),
        calibration_batches=settings.get("calibration_batches", config.optim.calibration_batches),
        accumulate=config.optim.accumulate,
    )
