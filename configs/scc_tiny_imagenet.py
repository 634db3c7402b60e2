"""The paper's model on Tiny ImageNet, which stands in for ILSVRC-2015 where that cannot be had.

    colorize-data --dataset=tiny_imagenet --source=tiny-imagenet-200.zip
    colorize-train --config=configs/scc_tiny_imagenet.py --workdir=runs/scc_tiny_imagenet

Trained at an eighth of the width so far, at a CPU's budget: README.md, *Methods side by side*.
"""

from ml_collections import ConfigDict

from colorize_jax.config import beside


def get_config() -> ConfigDict:
    config = beside(__file__, "base")
    config.data.mixture = (("tiny_imagenet", "train", 1.0),)
    config.data.test = ("tiny_imagenet", "test")
    return config.lock()
