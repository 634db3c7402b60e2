"""The first version of Deshpande et al. 2017 on LSUN's outdoor churches: KL weight 1e-4, colours in 64x64 bins.

    colorize-train --config=configs/vae_mdn_v1_church.py --workdir=runs/vae_mdn_v1_church

Not trained yet.
"""

from ml_collections import ConfigDict

from colorize_jax.config import beside


def get_config() -> ConfigDict:
    config = beside(__file__, "vae_mdn_church")
    config.field_loss.kl = 1e-4
    config.field_loss.bins = "grid"
    return config.lock()
