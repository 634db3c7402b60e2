"""Deshpande et al. 2017, CVAE, on ILSVRC-2015's validation images: trained with the squared error (Sec. 5, 6.3).

    colorize-train --config=configs/cvae_imagenet_val.py --workdir=runs/cvae_imagenet_val

Not trained yet.
"""

from ml_collections import ConfigDict

from colorize_jax.config import beside


def get_config() -> ConfigDict:
    config = beside(__file__, "vae_mdn_imagenet_val")
    config.method = "cvae"
    config.field_loss.update({"l2": 1.0, "hist": 0.0, "mah": 0.0, "grad": 0.0})
    return config.lock()
