"""Messaoud et al. 2018 at full width, on one of the paper's data sets.

    colorize-data --dataset=lfw_deepfunneled --source=lfw-deepfunneled.tgz
    colorize-train --config=scc --workdir=runs/scc_lfw

| argument | values |
|---|---|
| `data` | `lfw`, `church`, `tiny_imagenet` (stands in for ILSVRC-2015 where that cannot be had), `imagenet_val` |
| `features` | `small`; `vgg16`: its conv4_3 feeds the mixture density network, as close to the paper as can be had |

Made for one GPU: the paper reports about 4 hours on LFW, 39 on 126,227 churches and 18 on 49,000 images of ILSVRC. On
CPUs shrink it: `--config.width=0.25`. With VGG-16 (`pip install 'colorize_jax[train,vgg]'`) each step decodes 224x224
gray images and runs ten layers. Trained at an eighth of the width so far, at a CPU's budget, on LFW, churches and
tiny ImageNet: docs/results.md, *Methods side by side*.
"""

from ml_collections import ConfigDict

from colorize_jax.config import parse_arguments
from colorize_jax.configs import base


def get_config(arguments: str = "") -> ConfigDict:
    chosen = parse_arguments(arguments, data=base.DATA, features=("small", "vgg16"))
    config = base.with_data("scc", chosen["data"])
    if chosen["features"] == "vgg16":
        config.features.network = "vgg16"
        config.data.lightness_large = 224
    return config.lock()
