"""A toy classifier: every cell of the field gets a histogram over nine colours, whose mean is its one answer."""

from itertools import product
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from colorize_jax.config import stage_defaults
from colorize_jax.methods.base import (
    Batch,
    Colors,
    Distribution,
    LossResult,
    Method,
    Samples,
    Stages,
    Variables,
)
from colorize_jax.methods.parts.networks import ExampleInputs, abstract, apply, example_batch
from colorize_jax.methods.parts.pictures import gray_and_truth, picture
from colorize_jax.methods.parts.stages import build_stage
from colorize_jax.models.layers import resize_field
from colorize_jax.shapes import Array, Float, Int

BINS = np.array(list(product((-0.5, 0.0, 0.5), repeat=2)), np.float32)


class Classifier(nn.Module):
    """Log-probabilities of the bins at half the resolution."""

    @nn.compact
    def __call__(self, lightness: Float[Array, "B H W 1"], train: bool) -> Float[Array, "B h w Q"]:
        x = nn.relu(nn.Conv(8, (3, 3), strides=(2, 2))(lightness))
        return nn.log_softmax(nn.Conv(len(BINS), (1, 1))(x))


NETWORKS = {"classifier": Classifier()}


def defaults() -> ConfigDict:
    return ConfigDict({"stages": {"classifier": stage_defaults(epochs=2.0, batch_size=4, lr=0.01)}})


def check(config: ConfigDict) -> None:
    """There is nothing that could be wrong."""


def build(config: Any) -> Method:
    return Method(
        Stages(lambda: [_stage(config)]),
        lambda: abstract(NETWORKS, _inputs(example_batch(config)), ("classifier",)),
        colors=Colors(sample, rules=("mean",), most={"mean": 1}, deterministic=("mean",)),
        distribution=Distribution(histograms, BINS),
    )


def histograms(variables: Variables, batch: Batch) -> Float[Array, "B h w Q"]:
    return jnp.exp(apply(NETWORKS, variables, "classifier", batch["lightness"])[0])


def sample(variables: Variables, batch: Batch, rng: Array, *, samples: int, rule: str) -> Samples:
    field = (histograms(variables, batch) @ BINS)[:, None]
    return Samples(field, field, jnp.ones(field.shape[:2]))


def nearest(ab: Float[Array, "B H W 2"], side: int) -> Int[Array, "B h w"]:
    """The bin of each cell's colour."""
    cells = resize_field(ab, side)[..., None, :]
    return jnp.square(cells - BINS.reshape(1, 1, 1, -1, 2)).sum(-1).argmin(-1)


def cross_entropy(logs: Float[Array, "B h w Q"], batch: Batch) -> Float[Array, " B"]:
    labels = nearest(batch["ab"], logs.shape[1])
    return -jnp.take_along_axis(logs, labels[..., None], axis=-1).mean((1, 2, 3))


def loss(variables: Variables, batch: Batch, rng: Array, step: Array) -> LossResult:
    logs, stats = apply(NETWORKS, variables, "classifier", batch["lightness"], train=True)
    return cross_entropy(logs, batch).mean(), (stats, {})


def _stage(config: Any) -> Any:
    return build_stage(
        config,
        "classifier",
        NETWORKS,
        _inputs,
        trained=("classifier",),
        loss=loss,
        evaluate=_evaluate,
        pictures=_pictures,
    )


def _inputs(batch: Batch) -> ExampleInputs:
    return {"classifier": (batch["lightness"][:1],)}


def _evaluate(variables: Variables, batch: Batch, rng: Array) -> dict[str, Array]:
    logs, _ = apply(NETWORKS, variables, "classifier", batch["lightness"])
    return {"cross_entropy_nats": cross_entropy(logs, batch)}


def _pictures(variables: Variables, batch: Batch, rng: Array) -> dict[str, Array]:
    answer = sample(variables, batch, rng, samples=1, rule="mean").field[:, 0]
    return gray_and_truth(batch) | {"mean": picture(batch["lightness"], answer)}
