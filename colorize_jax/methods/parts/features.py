"""The stage `features`: the gray feature network learns to predict colours; shared by the methods with a mixture."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax.numpy as jnp

from colorize_jax import losses
from colorize_jax.methods.base import Batch, LossResult, Stage, Variables
from colorize_jax.methods.parts.networks import ExampleInputs, Networks, apply
from colorize_jax.methods.parts.pictures import gray_and_truth, picture
from colorize_jax.methods.parts.stages import build_stage
from colorize_jax.models.layers import resize_field
from colorize_jax.shapes import Array, Float


def regress(networks: Networks, variables: Variables, batch: Batch) -> Float[Array, "B 28 28 2"]:
    """The feature network's own single answer, network units: the deterministic regressor of the tables."""
    return apply(networks, variables, "features", batch["lightness"])[0][1]


def regressor(config: Any, networks: Networks) -> Callable[..., Array] | None:
    """`Colors.regress`: VGG-16 predicts no colours."""
    return partial(regress, networks) if config.features.network == "small" else None


def features_loss(
    networks: Networks, variables: Variables, batch: Batch, rng: Array, step: Array
) -> LossResult:
    """Colour regression from the gray image, absolute error at 28x28."""
    (_, colors), stats = apply(networks, variables, "features", batch["lightness"], train=True)
    error = losses.absolute_error(colors, resize_field(batch["ab"], colors.shape[-2])).mean()
    return error, (stats, {"absolute_error": error})


def evaluate_features(networks: Networks, variables: Variables, batch: Batch, rng: Array) -> dict[str, Array]:
    """Absolute error of the regressed colours at 28x28."""
    colors = regress(networks, variables, batch)
    error = jnp.abs(colors - resize_field(batch["ab"], colors.shape[-2])).mean(axis=(1, 2, 3))
    return {"absolute_error": error}


def picture_features(networks: Networks, variables: Variables, batch: Batch, rng: Array) -> dict[str, Array]:
    """Gray, truth and the regressed colours."""
    answer = picture(batch["lightness"], regress(networks, variables, batch))
    return {**gray_and_truth(batch), "regressed": answer}


def stages(config: Any, networks: Networks, inputs: Callable[[Batch], ExampleInputs]) -> list[Stage]:
    """The stage `features`; none with VGG-16, which is trained already."""
    if config.features.network != "small":
        return []
    stage = build_stage(
        config,
        "features",
        networks,
        inputs,
        trained=("features",),
        loss=partial(features_loss, networks),
        evaluate=partial(evaluate_features, networks),
        pictures=partial(picture_features, networks),
    )
    return [stage]
