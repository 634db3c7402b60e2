"""Royer et al. 2017: the paper's PIC, Probabilistic Image Colorization.

    colorize-train --config=pic:data=church --workdir=runs/pic_church

| argument | values |
|---|---|
| `data` | `lfw`, `church`, `tiny_imagenet` (stands in for ILSVRC-2015), `imagenet_val`, `imagenet_2012`, `zappos50k` |
| `size` | `64`, that of all tables, or `128`, as published: side of the photos; colours have a quarter |

Made for GPUs; on CPUs shrink it: `--config.width=0.125`. Versions are drawn with an average of the weights over about a
thousand steps; a run that is not much longer needs a shorter one: `--config.pic.average=0.99`. Not trained yet but in
tests.
"""

from ml_collections import ConfigDict

from colorize_jax.config import parse_arguments
from colorize_jax.configs import base

SIZES = ("64", "128")
"""Sides of the photos, in pixels."""


def get_config(arguments: str = "") -> ConfigDict:
    chosen = parse_arguments(arguments, data=base.DATA, size=SIZES)
    config = base.with_data("pic", chosen["data"])
    config.data.image_size = int(chosen["size"])
    return config.lock()
