"""Several networks as one set of variables, kept by name: applying one of them, drawing some of them."""

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from colorize_jax.config import check_fields, positive, share
from colorize_jax.methods.base import Batch, Variables
from colorize_jax.shapes import Array

Networks = dict[str, nn.Module]
"""By the name under which the parameters are kept."""

ExampleInputs = dict[str, tuple[Any, ...]]
"""Zeros of the shape that each network takes, for one image."""

VARIANCE_FLOOR = 0.01
"""Of BatchNorm at inference, as a share of a layer's mean variance; see `with_floor`."""


def defaults() -> ConfigDict:
    """What the networks of the papers read of a config: their sizes."""
    config = ConfigDict()
    config.width = 1.0  # of every network; 1 is the paper's size
    config.model = ConfigDict()
    config.model.latent = 64
    config.model.dropout = (
        0.0  # of what the encoder's fully connected layers read; Deshpande's program drops 0.3
    )
    return config


def check(config: ConfigDict) -> None:
    """Raises a ValueError where a field of `defaults` is not allowed."""
    allowed = {
        "width": positive("a positive number; 1 is the paper's size"),
        "model.latent": positive("a positive number; the paper's is 64"),
        "model.dropout": share(),
    }
    check_fields(config, allowed)


def apply(
    networks: Networks,
    variables: Variables,
    name: str,
    *inputs: Any,
    train: bool = False,
    rng: Array | None = None,
    batch_statistics: bool = False,
) -> tuple[Any, dict[str, Any]]:
    """Network `name` applied to `inputs`: (its output, {name: new batch statistics}; empty unless `train`).

    Dropout and the batch's own statistics can be had at test time, too, where they are a method's noise (Isola et al.
    2017, Sec. 3.2). For that a network gives its Dropout and BatchNorm layers their switch in the call, not at
    construction: `nn.Dropout(0.5)(x, deterministic=not train)`.

    Args:
      networks, variables: of the method.
      name: of the network.
      inputs: as it takes them.
      train: with Dropout, and BatchNorm by the batch, whose statistics the running ones follow.
      rng: of Dropout; without `train`, dropout is active where a key is given.
      batch_statistics: without `train`, BatchNorm goes by the batch, and the running statistics stay.
    """
    network = networks[name]
    own = {"params": variables["params"][name], "batch_stats": variables["batch_stats"].get(name, {})}
    rngs = None if rng is None else {"dropout": rng}
    if train:
        output, new = network.apply(own, *inputs, train=True, mutable=["batch_stats"], rngs=rngs)
        return output, {name: new["batch_stats"]}
    own["batch_stats"] = with_floor(own["batch_stats"])
    with nn.intercept_methods(partial(_switched, dropout=rng is not None, batch_statistics=batch_statistics)):
        mutable = ["batch_stats"] if batch_statistics else False
        output = network.apply(own, *inputs, train=False, mutable=mutable, rngs=rngs)
    return output[0] if batch_statistics else output, {}


def _switched(
    call: Callable[..., Any],
    arguments: tuple[Any, ...],
    options: dict[str, Any],
    context: nn.module.InterceptorContext,
    *,
    dropout: bool,
    batch_statistics: bool,
) -> Any:
    """A layer's call with the switch of Dropout or BatchNorm as in training."""
    if dropout and isinstance(context.module, nn.Dropout):
        options = {**options, "deterministic": False}
    if batch_statistics and isinstance(context.module, nn.BatchNorm):
        options = {**options, "use_running_average": False}
    return call(*arguments, **options)


def with_floor(statistics: Any) -> Any:
    """BatchNorm's statistics for inference: no variance is below `VARIANCE_FLOOR` times its layer's mean one.

    A channel that no photo of training fired has the variance 0. On the photo that does fire it, its answer would be
    multiplied by 300, in layer after layer, and the colours by a thousand.
    """

    def floored(path: Any, value: Array) -> Array:
        return jnp.maximum(value, VARIANCE_FLOOR * value.mean()) if path[-1].key == "var" else value

    return jax.tree_util.tree_map_with_path(floored, statistics)


def init_networks(rng: Array, networks: Networks, inputs: ExampleInputs, names: tuple[str, ...]) -> Variables:
    """Fresh variables of the networks in `names`."""
    variables: Variables = {"params": {}, "batch_stats": {}}
    for name, key in zip(names, jax.random.split(rng, len(names)), strict=True):
        drawn = jax.jit(partial(networks[name].init, train=False))(key, *inputs[name])
        variables["params"][name] = drawn["params"]
        variables["batch_stats"][name] = drawn.get("batch_stats", {})
    return variables


def example_batch(config: Any) -> Batch:
    """Zeros in the shape of one image of the config's batches."""
    side, large = config.data.image_size, config.data.lightness_large
    batch = {"lightness": jnp.zeros((1, side, side, 1)), "ab": jnp.zeros((1, side, side, 2))}
    if large:
        batch["lightness_large"] = jnp.zeros((1, large, large, 1))
    if config.data.ab_large:
        batch["ab_large"] = jnp.zeros((1, large, large, 2))
    if config.data.regions:
        batch["regions"] = jnp.zeros((1, config.data.regions, config.data.regions), jnp.int16)
    return batch


def abstract(networks: Networks, inputs: ExampleInputs, names: tuple[str, ...]) -> Variables:
    """Shapes and types of the variables of the networks in `names`."""
    return jax.eval_shape(lambda rng: init_networks(rng, networks, inputs, names), jax.random.key(0))
