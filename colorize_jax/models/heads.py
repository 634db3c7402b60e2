"""The head that the networks for edits share: from feature maps of a gray image to vectors and a confidence."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from colorize_jax.models.layers import resize_field
from colorize_jax.shapes import Array, Float

_LOG_RANGE = (-9.0, 3.0)


class EditHead(NamedTuple):
    """What a similarity for edits is made of.

    Attributes:
      learned: vectors, float32, of any length.
      log_confidence: of the confidence κ > 0 in the colours that the edits begin with.
      gains: > 0, one a kernel of the similarity's exponent.
    """

    learned: Float[Array, "B F F E"]
    log_confidence: Float[Array, "B F F"]
    gains: dict[str, Array]


def edit_head(
    module: nn.Module,
    local: Float[Array, "B h w K"],
    maps: tuple[Array, ...],
    *,
    side: int,
    sizes: tuple[int, int],
    gains: Mapping[str, float],
    log_confidence: float,
) -> EditHead:
    """Adds the head's layers to a module; to be called within its compact method.

    Args:
      module: gets the parameters, and has the `dtype` that they compute in.
      local: features that learn with the head.
      maps: frozen feature maps (B, h, w, K) of any sizes, which get no gradient.
      side: F of the field.
      sizes: channels of the layers before the vectors, and of the vectors.
      gains: before training.
      log_confidence: before training.
    """
    dtype: Any = module.dtype
    hidden, width = sizes
    frozen = jax.lax.stop_gradient(maps)
    seen = [resize_field(unit(each), side) for each in (local, *frozen)]
    x = nn.relu(nn.Conv(hidden, (1, 1), name="mix", dtype=dtype)(jnp.concatenate(seen, axis=-1)))
    x = x + nn.relu(nn.Conv(hidden, (3, 3), name="around", dtype=dtype)(x))
    learned = nn.Conv(width, (1, 1), name="embedding", dtype=dtype)(x)
    zeros = nn.initializers.zeros_init()
    confidence = nn.Conv(1, (1, 1), name="confidence", kernel_init=zeros, dtype=dtype)(x)
    trained = {
        name: jnp.exp(module.param(f"log_gain_{name}", nn.initializers.constant(np.log(start)), ()))
        for name, start in gains.items()
    }
    logarithm = jnp.clip(confidence.astype(jnp.float32)[..., 0] + log_confidence, *_LOG_RANGE)
    return EditHead(learned.astype(jnp.float32), logarithm, trained)


def unit(x: Array) -> Array:
    """Each pixel's vector at length 1."""
    return x * jax.lax.rsqrt(jnp.sum(x * x, axis=-1, keepdims=True) + 1e-6)
