"""Deshpande et al. 2017, 'Ours+skip', on LSUN's outdoor churches.

    colorize-train --config=configs/vae_mdn_skip_church.py --workdir=runs/vae_mdn_skip_church

Trained at an eighth of the width so far, at a CPU's budget: README.md, *Methods side by side*.
"""

from ml_collections import ConfigDict

from colorize_jax.config import beside


def get_config() -> ConfigDict:
    config = beside(__file__, "vae_mdn_church")
    config.method = "vae_mdn_skip"
    return config.lock()
