"""Deshpande et al. 2017, CVAE: trained with the squared error (their Sec. 5 and 6.3).

    colorize-train --config=cvae:data=church --workdir=runs/cvae_church

Its one argument is `data`: `lfw`, `church`, `tiny_imagenet` (stands in for ILSVRC-2015), `imagenet_val`,
`imagenet_2012`, `zappos50k`. Trained at an eighth of the width so far, at a CPU's budget, with an encoder that did not
see the gray image (`--config.cvae.encoder_sees_gray=False`, the authors' program), and not on ILSVRC: docs/results.md,
*Methods side by side*.
"""

from ml_collections import ConfigDict

from colorize_jax.config import parse_arguments
from colorize_jax.configs import base


def get_config(arguments: str = "") -> ConfigDict:
    chosen = parse_arguments(arguments, data=base.DATA)
    return base.with_data("cvae", chosen["data"]).lock()
