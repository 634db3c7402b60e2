"""Deshpande et al. 2017, 'Ours+skip', on ILSVRC-2015's validation images.

    colorize-train --config=configs/vae_mdn_skip_imagenet_val.py --workdir=runs/vae_mdn_skip_imagenet_val

Not trained yet.
"""

from ml_collections import ConfigDict

from colorize_jax.config import beside


def get_config() -> ConfigDict:
    config = beside(__file__, "vae_mdn_imagenet_val")
    config.method = "vae_mdn_skip"
    return config.lock()
