"""Deshpande et al. 2017 (VAE-MDN) on LSUN's outdoor churches.

    colorize-train --config=configs/vae_mdn_church.py --workdir=runs/vae_mdn_church

Trained at an eighth of the width so far, at a CPU's budget: README.md, *Methods side by side*.
"""

from ml_collections import ConfigDict

from colorize_jax.config import beside


def get_config() -> ConfigDict:
    config = beside(__file__, "vae_mdn_lfw")
    config.data.mixture = (("lsun_church", "train", 1.0),)
    config.data.test = ("lsun_church", "test")
    config.data.crop = 0.8  # as scc_church.py, so that all methods see the same images
    return config.lock()
