"""The paper's model on ILSVRC-2015's validation images, its third data set.

    colorize-data --dataset=imagenet_val --source=ILSVRC2012_img_val.tar
    colorize-train --config=configs/scc_imagenet_val.py --workdir=runs/scc_imagenet_val

Made for one GPU; the paper reports about 18 hours on 49,000 images. Not trained yet.
"""

from ml_collections import ConfigDict

from colorize_jax.config import beside


def get_config() -> ConfigDict:
    config = beside(__file__, "base")
    config.data.mixture = (("imagenet_val", "train", 1.0),)
    config.data.test = ("imagenet_val", "test")
    config.data.crop = 0.8
    return config.lock()
