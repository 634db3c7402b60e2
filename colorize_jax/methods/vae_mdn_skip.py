"""`vae_mdn_skip`: 'Ours+skip' of Deshpande et al. 2017, Sec. 7: `vae_mdn` whose decoder sees the gray image.

A gray encoder, that of `cvae`, is trained with the auto-encoder. Its maps of 8x8, 16x16 and 32x32 join the decoder's
of the same size. Its 4x4 map is multiplied with the code, as in `cvae`, or stands beside it.
"""

from typing import Any

import jax.numpy as jnp
from ml_collections import ConfigDict

from colorize_jax.config import check_fields, one_of
from colorize_jax.methods import cvae, vae_mdn
from colorize_jax.methods.base import Method
from colorize_jax.methods.parts.field_vae import FieldVae, GrayMaps, replicate, vae_networks
from colorize_jax.shapes import Array


def defaults() -> ConfigDict:
    """The paper's values."""
    config = vae_mdn.defaults()
    # How code and 4x4 map become the decoder's start: their 'product', as "the same as CVAE" means; or the 'pair'.
    config.skip = ConfigDict({"join": "product"})
    return config


def check(config: ConfigDict) -> None:
    """Raises a ValueError where a field is not allowed, or two contradict each other."""
    vae_mdn.check(config)
    check_fields(config, {"skip.join": one_of(*STARTS)})


def build(config: Any) -> Method:
    """The method of the paper's tables called 'Ours+skip'."""
    networks = vae_networks(config, gray=True) | vae_mdn.mixture_networks(config)
    return vae_mdn.with_mixture(config, FieldVae(networks, STARTS[config.skip.join]))


def pair(code: Array, maps: GrayMaps) -> tuple[Array, tuple[Array, ...]]:
    """The decoder starts from the code beside the 4x4 gray map."""
    return jnp.concatenate([replicate(code), maps[0]], axis=-1), maps[1]


STARTS = {"product": cvae.start, "pair": pair}
"""By `config.skip.join`."""
