"""Deshpande et al. 2017 (VAE-MDN) on LFW.

    colorize-data --dataset=lfw_deepfunneled --source=lfw-deepfunneled.tgz
    colorize-train --config=configs/vae_mdn_lfw.py --workdir=runs/vae_mdn_lfw

Made for one GPU; on CPUs shrink it: `--config.width=0.25`.
Trained at an eighth of the width so far, at a CPU's budget: README.md, *Methods side by side*.
"""

from ml_collections import ConfigDict

from colorize_jax.config import beside


def get_config() -> ConfigDict:
    config = beside(__file__, "scc_lfw")
    config.method = "vae_mdn"
    config.model.field = 64
    config.mdn.sigma = 0.1**0.5  # "a fixed spherical variance of .1"
    config.stages.mdn.epochs = 10.0
    return config.lock()
