"""`vae_mdn_skip`: 'Ours+skip' of Deshpande et al. 2017, Sec. 7: `vae_mdn` whose decoder sees the gray image.

A gray encoder, that of `cvae`, is trained with the auto-encoder. Its maps of 8x8, 16x16 and 32x32 join the decoder's
of the same size, and its 4x4 map the code; the paper draws the skips and says no more.
"""

from typing import Any

import jax.numpy as jnp

from colorize_jax.methods.base import Method
from colorize_jax.methods.parts.field_vae import FieldVae, GrayMaps, replicate, vae_networks
from colorize_jax.methods.vae_mdn import check, defaults, mixture_networks, with_mixture
from colorize_jax.shapes import Array

__all__ = ["build", "check", "defaults"]


def build(config: Any) -> Method:
    """The method of the paper's tables called 'Ours+skip'."""
    return with_mixture(config, FieldVae(vae_networks(config, gray=True) | mixture_networks(config), start))


def start(code: Array, maps: GrayMaps) -> tuple[Array, tuple[Array, ...]]:
    """The decoder starts from the code beside the 4x4 gray map."""
    assert maps is not None
    return jnp.concatenate([replicate(code), maps[0]], axis=-1), maps[1]
