"""Deshpande et al. 2017 (VAE-MDN), both versions of the paper.

    colorize-train --config=vae_mdn:data=church,loss=l2 --workdir=runs/vae_mdn_l2_church

| argument | values |
|---|---|
| `data` | `lfw`, `church`, `tiny_imagenet` (stands in for ILSVRC-2015), `imagenet_val`, `imagenet_2012`, `zappos50k` |
| `loss` | `default`; `l2`: the squared error alone, first column of Tables 1 and 2; `mah`: L_mah alone, the second; |
| | `v1`: the paper's first version, a KL weight of 1e-4 and colours in 64x64 bins |

Made for one GPU; on CPUs shrink it: `--config.width=0.25`. Trained at an eighth of the width so far, at a CPU's
budget, and not on ILSVRC: docs/results.md, *Methods side by side*. `loss=v1` is not trained yet.
"""

from ml_collections import ConfigDict

from colorize_jax.config import parse_arguments
from colorize_jax.configs import base

LOSSES = {
    "default": {},
    "l2": {"l2": 1.0, "hist": 0.0, "mah": 0.0, "grad": 0.0},
    "mah": {"l2": 0.0, "hist": 0.0, "mah": 1.0, "grad": 0.0},
    "v1": {"kl": 1e-4, "bins": "grid"},
}
"""Changes of `config.field_loss`."""


def get_config(arguments: str = "") -> ConfigDict:
    chosen = parse_arguments(arguments, data=base.DATA, loss=LOSSES)
    config = base.with_data("vae_mdn", chosen["data"])
    config.field_loss.update(LOSSES[chosen["loss"]])
    if chosen["loss"] == "v1" and chosen["data"] == "lfw":
        config.model.latent = 32  # 64 on the other data
    return config.lock()
