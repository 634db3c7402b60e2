"""The paper's model at full width on LFW, its main data set.

    colorize-data --dataset=lfw_deepfunneled --source=lfw-deepfunneled.tgz
    colorize-train --config=configs/scc_lfw.py --workdir=runs/scc_lfw

Made for one GPU; the paper reports about 4 hours. On CPUs shrink it: `--config.width=0.25`.
Not trained at full width yet; `scc_photos.py` is the model with measured scores.
"""

from ml_collections import ConfigDict

from colorize_jax.config import beside


def get_config() -> ConfigDict:
    config = beside(__file__, "base")
    config.data.mixture = (("lfw_deepfunneled", "train", 1.0),)
    config.data.test = ("lfw_deepfunneled", "test")
    return config.lock()
