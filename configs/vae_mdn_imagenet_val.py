"""Deshpande et al. 2017 (VAE-MDN) on ILSVRC-2015's validation images.

    colorize-train --config=configs/vae_mdn_imagenet_val.py --workdir=runs/vae_mdn_imagenet_val

Not trained yet.
"""

from ml_collections import ConfigDict

from colorize_jax.config import beside


def get_config() -> ConfigDict:
    config = beside(__file__, "vae_mdn_lfw")
    config.data.mixture = (("imagenet_val", "train", 1.0),)
    config.data.test = ("imagenet_val", "test")
    config.data.crop = 0.8
    return config.lock()
