"""Cao et al. 2017: the paper's MLN-GAN.

    colorize-train --config=mln_gan:data=church --workdir=runs/mln_gan_church

| argument | values |
|---|---|
| `data` | `lfw`, `church`, `tiny_imagenet` (stands in for ILSVRC-2015), `imagenet_val`, `imagenet_2012`, `zappos50k` |

Made for one GPU; on CPUs shrink it: `--config.width=0.25`. Not trained yet but in tests.
"""

from ml_collections import ConfigDict

from colorize_jax.config import parse_arguments
from colorize_jax.configs import base


def get_config(arguments: str = "") -> ConfigDict:
    chosen = parse_arguments(arguments, data=base.DATA)
    return base.with_data("mln_gan", chosen["data"]).lock()
