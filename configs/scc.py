"""Messaoud et al. 2018 at full width, on one of the paper's data sets.

    colorize-data --dataset=lfw_deepfunneled --source=lfw-deepfunneled.tgz
    colorize-train --config=scc --workdir=runs/scc_lfw
    colorize-train --config=scc:paper=1 --workdir=runs/paper_lfw

| argument | values |
|---|---|
| `data` | `lfw`, `church`, `tiny_imagenet` (stands in for ILSVRC-2015 where that cannot be had), `imagenet_val`, |
| | `imagenet_2012`, `zappos50k` |
| `paper` | `0`: with what was found to help; `1`: as printed, see `as_printed` |
| `features` | `small`, the default of `paper=0`; `cic`, that of `paper=1`: conv7 of a colorization network, which is |
| | trained first; `vgg16`: its conv4_3 |

Made for one GPU: the paper reports about 4 hours on LFW, 39 on 126,227 churches and 18 on 49,000 images of ILSVRC. On
CPUs shrink it: `--config.width=0.25`. With VGG-16 (`pip install 'colorize_jax[train,vgg]'`) and `cic` each step decodes
224x224 gray images. Trained at an eighth of the width so far, at a CPU's budget, on LFW, churches and tiny ImageNet:
docs/results.md, *Methods side by side*. `paper=1` is not trained yet.
"""

from ml_collections import ConfigDict

from colorize_jax.config import parse_arguments
from colorize_jax.configs import base

FEATURES = {"0": ("small", "vgg16", "cic"), "1": ("cic", "vgg16", "small")}
"""By `paper`; the first is the default."""

PRINTED = {
    "model.dropout": 0.3,
    "mdn.dropout": 0.25,
    "mdn.code": "sample",
    "mdn.relaxation": 0.0,
    "gcrf.exclude_diagonal": False,
    "gcrf.temperature": 1.0,
    "gcrf.learn_temperature": False,
    "gcrf.floor_on": "hidden",
    "gcrf.solver": "lu",
    "loss.reconstruction": "squared",
    "loss.kl_weight": 2 / (32 * 32 * 2),
    "stages.mdn.epochs": 10.0,
}
"""What `paper=1` sets; see `as_printed`."""


def get_config(arguments: str = "") -> ConfigDict:
    paper = "1" if "paper=1" in arguments.split(",") else "0"
    chosen = parse_arguments(arguments, data=base.DATA, paper=FEATURES, features=FEATURES[paper])
    config = base.with_data("scc", chosen["data"])
    if chosen["features"] != "small":
        config.features.network = chosen["features"]
        config.data.lightness_large = 224
    if paper == "1":
        as_printed(config)
    return config.lock()


def as_printed(config: ConfigDict) -> None:
    """Sets what differs from the paper's text to what stands there.

    | of the paper | here |
    |---|---|
    | supplement, Sec. 3: "dropout for fully connected layers", no value | 0.3 and 0.25 of Deshpande's public program |
    | Eq. (9): z ~ q, and only the closest component moves | `mdn.code`, `mdn.relaxation` |
    | Sec. 3.2: S = softmax(E Eᵀ) | the diagonal stays, τ = 1 is fixed |
    | Eq. (6) | no floor where H keeps a pixel; where it hides one, gray keeps A regular |
    | Sec. 3.2: LU | `gcrf.solver` |
    | Eq. (7): KL - ln p, unweighted | squared error; -ln p of unit variance is half its sum, so a nat weighs 2/2048 |
    | length of the mixture's stage, not printed | 10 epochs, as Deshpande (Sec. 7.3) |

    The density of Eq. (5) whole, with its determinant, is `loss.likelihood_noise` 1.
    """
    config.update_from_flattened_dict(PRINTED)
