"""`vae_mdn_imagenet_val.py` with the squared error alone: first column of Deshpande et al. 2017, Tables 1 and 2.

    colorize-train --config=configs/vae_mdn_l2_imagenet_val.py --workdir=runs/vae_mdn_l2_imagenet_val

On ILSVRC-2015's validation images.
"""

from ml_collections import ConfigDict

from colorize_jax.config import beside


def get_config() -> ConfigDict:
    config = beside(__file__, "vae_mdn_imagenet_val")
    config.field_loss.update({"l2": 1.0, "hist": 0.0, "mah": 0.0, "grad": 0.0})
    return config.lock()
