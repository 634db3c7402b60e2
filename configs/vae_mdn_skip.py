"""Deshpande et al. 2017, 'Ours+skip': `vae_mdn` whose decoder sees the gray image, with the same arguments.

colorize-train --config=vae_mdn_skip:data=church --workdir=runs/vae_mdn_skip_church
"""

from ml_collections import ConfigDict

from colorize_jax import methods
from colorize_jax.configs import vae_mdn


def get_config(arguments: str = "") -> ConfigDict:
    config = vae_mdn.get_config(arguments).unlock()
    config.method = "vae_mdn_skip"
    config.skip = methods.defaults("vae_mdn_skip").skip
    return config.lock()
