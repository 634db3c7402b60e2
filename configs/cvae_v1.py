"""Deshpande et al. 2017, CVAE of the paper's first version (its Sec. 5 and 6.3).

    colorize-train --config=cvae_v1:data=church --workdir=runs/cvae_v1_church

| argument | values |
|---|---|
| `data` | `lfw`, `church`, `tiny_imagenet` (stands in for ILSVRC-2015), `imagenet_val`, `imagenet_2012`, `zappos50k` |

A code has 32 numbers on LFW and 64 elsewhere, as in that version. Not trained yet but in tests.
"""

from ml_collections import ConfigDict

from colorize_jax.config import parse_arguments
from colorize_jax.configs import base


def get_config(arguments: str = "") -> ConfigDict:
    chosen = parse_arguments(arguments, data=base.DATA)
    config = base.with_data("cvae_v1", chosen["data"])
    if chosen["data"] == "lfw":
        config.model.latent = 32
    return config.lock()
