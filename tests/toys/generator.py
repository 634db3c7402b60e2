"""A toy that makes whole images from nothing, so that their mean and deviation at each pixel are those of photos."""

from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from colorize_jax.config import stage_defaults
from colorize_jax.methods.base import Batch, Images, LossResult, Method, Stages, Variables
from colorize_jax.methods.parts.networks import ExampleInputs, abstract, apply, example_batch
from colorize_jax.methods.parts.pictures import gray_and_truth, picture
from colorize_jax.methods.parts.stages import build_stage
from colorize_jax.shapes import Array, Float

CODE = 4


class Dream(nn.Module):
    """Lightness and colours of a code."""

    side: int

    @nn.compact
    def __call__(self, code: Float[Array, "B Z"], train: bool) -> Float[Array, "B S S 3"]:
        x = nn.relu(nn.Dense(16)(code))
        return nn.Dense(3 * self.side**2)(x).reshape(-1, self.side, self.side, 3)


def defaults() -> ConfigDict:
    return ConfigDict({"stages": {"dream": stage_defaults(epochs=2.0, batch_size=4, lr=0.01)}})


def check(config: ConfigDict) -> None:
    """There is nothing that could be wrong."""


def build(config: Any) -> Method:
    networks = {"dream": Dream(config.data.image_size)}
    return Method(
        Stages(lambda: [_stage(config, networks)]),
        lambda: abstract(networks, _inputs(example_batch(config)), ("dream",)),
        images=Images(partial(sample, networks)),
    )


def sample(networks: Any, variables: Variables, rng: Array, *, count: int) -> Float[Array, "N S S 3"]:
    return apply(networks, variables, "dream", jax.random.normal(rng, (count, CODE)))[0]


def distances(networks: Any, variables: Variables, batch: Batch, rng: Array) -> Float[Array, " B"]:
    """How far each photo is from the mean of as many images, relative to their deviation; and that is fitted, too."""
    images = sample(networks, variables, rng, count=len(batch["ab"]))
    photos = jnp.concatenate([batch["lightness"], batch["ab"]], axis=-1)
    mean, spread = images.mean(0, keepdims=True), images.std(0, keepdims=True) + 0.05
    return (jnp.square((photos - mean) / spread) / 2 + jnp.log(spread)).mean((1, 2, 3))


def loss(networks: Any, variables: Variables, batch: Batch, rng: Array, step: Array) -> LossResult:
    return distances(networks, variables, batch, rng).mean(), ({}, {})


def _stage(config: Any, networks: Any) -> Any:
    return build_stage(
        config,
        "dream",
        networks,
        _inputs,
        trained=("dream",),
        loss=partial(loss, networks),
        evaluate=lambda variables, batch, rng: {"nats": distances(networks, variables, batch, rng)},
        pictures=partial(_pictures, networks),
    )


def _inputs(batch: Batch) -> ExampleInputs:
    return {"dream": (jnp.zeros((1, CODE)),)}


def _pictures(networks: Any, variables: Variables, batch: Batch, rng: Array) -> dict[str, Array]:
    images = sample(networks, variables, rng, count=len(batch["ab"]))
    return gray_and_truth(batch) | {"dream": picture(images[..., :1], images[..., 1:])}
