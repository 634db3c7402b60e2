"""Deshpande et al. 2017, CVAE, on Tiny ImageNet: trained with the squared error (their Sec. 5 and 6.3).

    colorize-train --config=configs/cvae_tiny_imagenet.py --workdir=runs/cvae_tiny_imagenet

Trained at an eighth of the width so far, at a CPU's budget: README.md, *Methods side by side*.
"""

from ml_collections import ConfigDict

from colorize_jax.config import beside


def get_config() -> ConfigDict:
    config = beside(__file__, "vae_mdn_tiny_imagenet")
    config.method = "cvae"
    config.field_loss.update({"l2": 1.0, "hist": 0.0, "mah": 0.0, "grad": 0.0})
    return config.lock()
