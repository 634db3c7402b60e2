"""Equal budgets: the stages of any method made longer or shorter, so that all methods cost the same."""

from collections.abc import Sequence
from typing import Any

from ml_collections import ConfigDict, FrozenConfigDict

from colorize_jax.config import for_stage
from colorize_jax.methods.base import Stage


def epoch_steps(epoch_images: int, batch_size: int) -> int:
    """Steps of an epoch: whole batches only, at least one."""
    return max(1, epoch_images // batch_size)


def stage_steps(epochs: float, epoch_images: int, batch_size: int) -> int:
    """Steps of a stage."""
    return round(epochs * epoch_steps(epoch_images, batch_size))


def spend(config: Any, stages: Sequence[Stage]) -> FrozenConfigDict:
    """The config with the epochs of `stages` scaled by one factor, so that together they spend `config.budget`.

    The factor is the largest with which neither the optimiser steps of all stages exceed `budget.steps` nor their
    images `budget.images`, 0 meaning any number; it can be above 1. Every stage is rounded down to whole
    steps. First epochs in a stage's `schedule` move with it.

    Args:
      config: resolved.
      stages: those that are trained, by their labels; a stage of no epochs stays one.

    Raises:
      ValueError: the budget has less than one step for each stage.
    """
    images = {stage.name: for_stage(config, stage.name).data.epoch_images for stage in stages}
    steps = {stage.name: stage_steps(stage.epochs, images[stage.name], stage.batch_size) for stage in stages}
    totals = {
        "steps": sum(steps.values()),
        "images": sum(steps[stage.name] * stage.batch_size for stage in stages),
    }
    factor = min(config.budget[unit] / total for unit, total in totals.items() if config.budget[unit])
    scaled = ConfigDict(config.to_dict())
    for stage in stages:
        if steps[stage.name] == 0:
            continue
        own = scaled.stages[stage.name]
        kept = int(
            factor * steps[stage.name] * (1 + 1e-9)
        )  # the quotient of equal numbers may fall short of 1
        if kept < 1:
            raise ValueError(
                f"config.budget {dict(config.budget)} leaves stage {stage.name!r} less than one step; "
                f"the stages take {totals} without it: give more"
            )
        own.epochs = kept / epoch_steps(images[stage.name], stage.batch_size)
        if "schedule" in own:
            own.schedule = tuple((epoch * factor, share) for epoch, share in own.schedule)
    return FrozenConfigDict(scaled)
