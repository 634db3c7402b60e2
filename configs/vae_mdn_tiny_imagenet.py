"""Deshpande et al. 2017 (VAE-MDN) on Tiny ImageNet, which stands in for ILSVRC-2015.

    colorize-train --config=configs/vae_mdn_tiny_imagenet.py --workdir=runs/vae_mdn_tiny_imagenet

Trained at an eighth of the width so far, at a CPU's budget: README.md, *Methods side by side*.
"""

from ml_collections import ConfigDict

from colorize_jax.config import beside


def get_config() -> ConfigDict:
    config = beside(__file__, "vae_mdn_lfw")
    config.data.mixture = (("tiny_imagenet", "train", 1.0),)
    config.data.test = ("tiny_imagenet", "test")
    return config.lock()
