"""The first version of Deshpande et al. 2017 on ILSVRC-2015's validation images: KL weight 1e-4, colours in 64x64 bins.

    colorize-train --config=configs/vae_mdn_v1_imagenet_val.py --workdir=runs/vae_mdn_v1_imagenet_val

Not trained yet.
"""

from ml_collections import ConfigDict

from colorize_jax.config import beside


def get_config() -> ConfigDict:
    config = beside(__file__, "vae_mdn_imagenet_val")
    config.field_loss.kl = 1e-4
    config.field_loss.bins = "grid"
    return config.lock()
