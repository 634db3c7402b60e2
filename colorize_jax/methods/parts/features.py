"""The stage `features`: the gray feature network learns to predict colours; shared by the methods with a mixture."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax.numpy as jnp
from ml_collections import ConfigDict

from colorize_jax import losses
from colorize_jax.config import check_fields, not_negative, one_of, stage_defaults
from colorize_jax.methods.base import Batch, LossResult, Stage, Variables
from colorize_jax.methods.parts.networks import ExampleInputs, Networks, apply
from colorize_jax.methods.parts.pictures import gray_and_truth, picture
from colorize_jax.methods.parts.stages import build_stage
from colorize_jax.models.layers import resize_field
from colorize_jax.models.vgg import load_vgg16
from colorize_jax.shapes import Array, Float


def defaults() -> ConfigDict:
    """What the gray feature network and its stage read of a config."""
    config = ConfigDict()
    config.features = ConfigDict()
    config.features.network = "small"  # or 'vgg16'
    config.features.width = 0.0  # 0 is config.width
    config.stages = ConfigDict({"features": stage_defaults(15.0, 32, 1e-3)})
    return config


def check(config: ConfigDict) -> None:
    """Raises a ValueError where a field of `defaults` is not allowed, or VGG-16 lacks the image that it reads."""
    allowed = {
        "features.network": one_of("small", "vgg16"),
        "features.width": not_negative("a positive number, or 0 for config.width"),
    }
    check_fields(config, allowed)
    if config.features.network == "vgg16" and config.data.lightness_large != 224:
        raise ValueError(
            f"config.data.lightness_large is {config.data.lightness_large}, but config.features.network 'vgg16' "
            "reads 224x224 gray images; set it to 224"
        )


def regress(networks: Networks, variables: Variables, batch: Batch) -> Float[Array, "B 28 28 2"]:
    """The feature network's own single answer, network units: the deterministic regressor of the tables."""
    return apply(networks, variables, "features", batch["lightness"])[0][1]


def regressor(config: Any, networks: Networks) -> Callable[..., Array] | None:
    """`Colors.regress`: VGG-16 predicts no colours."""
    return partial(regress, networks) if config.features.network == "small" else None


def public(config: Any) -> dict[str, Callable[[], Any]]:
    """`Method.public`: VGG-16's weights."""
    return {} if config.features.network == "small" else {"features": load_vgg16}


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
