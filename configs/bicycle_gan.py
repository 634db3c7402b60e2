"""Zhu et al. 2017: the paper's BicycleGAN.

    colorize-train --config=bicycle_gan:data=church --workdir=runs/bicycle_gan_church

| argument | values |
|---|---|
| `data` | `lfw`, `church`, `tiny_imagenet` (stands in for ILSVRC-2015), `imagenet_val`, `imagenet_2012`, `zappos50k` |
| `size` | `64`, that of all methods in the tables; `128`, `256`: side of the photos, 256 as published |

Made for one GPU; on CPUs shrink it: `--config.width=0.25`. Not trained yet but in tests.
"""

from ml_collections import ConfigDict

from colorize_jax.config import parse_arguments
from colorize_jax.configs import base

SIZES = ("64", "128", "256")
"""Sides of the photos, in pixels."""


def get_config(arguments: str = "") -> ConfigDict:
    chosen = parse_arguments(arguments, data=base.DATA, size=SIZES)
    config = base.with_data("bicycle_gan", chosen["data"])
    config.data.image_size = int(chosen["size"])
    return config.lock()
