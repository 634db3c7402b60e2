"""What the other networks read of a gray image: one door to a map of features, whichever network it comes from.

| networks | features | regressed colours | `gray` reads, for f1-f4 | trained in |
|---|---|---|---|---|
| `features`, ours | 28x28 | its own | the lightness | the stage `features`, which is here |
| `features`, VGG-16 | conv4_3, 28x28 | none | the lightness | public weights |
| `features`, Zhang et al. 2016's | conv7, 28x28 | its own | the lightness | as ours |
| `lite0`, `prior` | the decoder's, of 32x32 | the prior's | the maps of both | the stages of `parts/prior.py` |
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax.numpy as jnp
from ml_collections import ConfigDict

from colorize_jax import losses
from colorize_jax.config import check_fields, not_negative, one_of, stage_defaults
from colorize_jax.methods.base import Batch, LossResult, Stage, Variables
from colorize_jax.methods.parts import prior
from colorize_jax.methods.parts.networks import ExampleInputs, Networks, apply
from colorize_jax.methods.parts.pictures import gray_and_truth, picture
from colorize_jax.methods.parts.stages import build_stage
from colorize_jax.models import features as feature_models
from colorize_jax.models.heads import unit
from colorize_jax.models.layers import resize_field
from colorize_jax.models.vgg import SIDE, Vgg16Features, load_vgg16
from colorize_jax.shapes import Array, Float


def defaults() -> ConfigDict:
    """What the gray feature network and its stage read of a config."""
    config = ConfigDict()
    config.features = ConfigDict()
    config.features.network = "small"  # or 'vgg16', or 'cic'
    config.features.width = 0.0  # 0 is config.width
    config.stages = ConfigDict({"features": stage_defaults(15.0, 32, 1e-3)})
    return config


def check(config: ConfigDict) -> None:
    """Raises a ValueError where a field of `defaults` is not allowed, or a network lacks the image that it reads."""
    allowed = {
        "features.network": one_of("small", "vgg16", "cic"),
        "features.width": not_negative("a positive number, or 0 for config.width"),
    }
    check_fields(config, allowed)
    if config.features.network != "small" and config.data.lightness_large != SIDE:
        raise ValueError(
            f"config.data.lightness_large is {config.data.lightness_large}, but config.features.network "
            f"{config.features.network!r} reads {SIDE}x{SIDE} gray images; set it to {SIDE}"
        )


def networks(config: Any) -> Networks:
    """The gray feature network at the config's size."""
    width, dtype = config.features.width or config.width, jnp.dtype(config.compute_dtype)
    return {"features": feature_models.build(config.features.network, width, dtype)}


def inputs(networks: Networks, batch: Batch) -> ExampleInputs:
    """What the networks behind `read` take."""
    if prior.DECODER in networks:
        return prior.inputs(batch)
    return {"features": (jnp.zeros_like(feature_models.source(networks["features"], batch)[:1]),)}


def carried(config: Any) -> tuple[str, ...]:
    """Those of `networks` that a model carries: whoever samples with VGG-16 loads its public weights."""
    return () if config.features.network == "vgg16" else ("features",)


def read(
    networks: Networks, variables: Variables, batch: Batch
) -> tuple[Float[Array, "B h w K"], Float[Array, "B h w 2"] | None]:
    """Features of the gray images, and the colours regressed from them, network units; None of VGG-16."""
    if prior.DECODER in networks:
        return prior.read(networks, variables, batch)[1:]
    source = feature_models.source(networks["features"], batch)
    return apply(networks, variables, "features", source)[0]


def blank(networks: Networks, batch: Batch) -> Float[Array, "1 h w K"]:
    """Zeros in the shape of one image's features."""
    if prior.DECODER in networks:
        return prior.blank(networks, batch)[1]
    return jnp.zeros((1, 28, 28, feature_models.channels(networks["features"])))


def read_gray(
    networks: Networks, variables: Variables, batch: Batch, *, train: bool = False
) -> tuple[tuple[Array, ...], dict[str, Any]]:
    """f1-f4 of the gray images, of the network `gray`; and its new batch statistics."""
    seen: tuple[Any, ...] = (batch["lightness"],)
    if prior.DECODER in networks:
        seen = prior.read(networks, variables, batch)[:2]
    return apply(networks, variables, "gray", *seen, train=train)


def gray_inputs(networks: Networks, batch: Batch) -> tuple[Any, ...]:
    """What the network `gray` takes."""
    if prior.DECODER in networks:
        return prior.blank(networks, batch)
    return (jnp.zeros_like(batch["lightness"][:1]),)


def read_cells(networks: Networks, variables: Variables, batch: Batch, side: int) -> Float[Array, "B F F K"]:
    """What a similarity S compares the cells of a field of `side`² by: the lightness, network units.

    With the prior also its features, each cell's vector at length 1, so that they weigh no more than the lightness.
    """
    lightness = resize_field(batch["lightness"], side)
    if prior.DECODER not in networks:
        return lightness
    seen = unit(resize_field(read(networks, variables, batch)[0], side))
    return jnp.concatenate([lightness, seen], axis=-1)


def blank_cells(networks: Networks, batch: Batch, side: int) -> Float[Array, "1 F F K"]:
    """Zeros in the shape of `read_cells` of one image."""
    more = blank(networks, batch).shape[-1] if prior.DECODER in networks else 0
    return jnp.zeros((1, side, side, 1 + more))


def regress(networks: Networks, variables: Variables, batch: Batch) -> Float[Array, "B h w 2"]:
    """The feature network's own single answer, network units: the deterministic regressor of the tables."""
    colors = read(networks, variables, batch)[1]
    assert colors is not None  # see `regressor`
    return colors


def regressor(networks: Networks) -> Callable[..., Array] | None:
    """`Colors.regress`: VGG-16 predicts no colours."""
    return None if isinstance(networks.get("features"), Vgg16Features) else partial(regress, networks)


def public(config: Any) -> dict[str, Callable[[], Any]]:
    """`Method.public`: VGG-16's weights."""
    return {"features": load_vgg16} if config.features.network == "vgg16" else {}


def features_loss(
    networks: Networks, variables: Variables, batch: Batch, rng: Array, step: Array
) -> LossResult:
    """Colour regression from the gray image, absolute error at the network's size."""
    source = feature_models.source(networks["features"], batch)
    (_, colors), stats = apply(networks, variables, "features", source, train=True)
    error = losses.absolute_error(colors, resize_field(batch["ab"], colors.shape[-2])).mean()
    return error, (stats, {"absolute_error": error})


def evaluate_features(networks: Networks, variables: Variables, batch: Batch, rng: Array) -> dict[str, Array]:
    """Absolute error of the regressed colours at the network's size."""
    colors = regress(networks, variables, batch)
    error = jnp.abs(colors - resize_field(batch["ab"], colors.shape[-2])).mean(axis=(1, 2, 3))
    return {"absolute_error": error}


def picture_features(networks: Networks, variables: Variables, batch: Batch, rng: Array) -> dict[str, Array]:
    """Gray, truth and the regressed colours."""
    answer = picture(batch["lightness"], regress(networks, variables, batch))
    return {**gray_and_truth(batch), "regressed": answer}


def stages(config: Any, networks: Networks, inputs: Callable[[Batch], ExampleInputs]) -> list[Stage]:
    """The stage `features`; none with VGG-16, which is trained already."""
    if config.features.network == "vgg16":
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
