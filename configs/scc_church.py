"""The paper's model on LSUN's outdoor churches, its second data set.

    colorize-data --dataset=lsun_church --source=FOLDER   # with church_outdoor_{train,val}_lmdb.zip
    colorize-train --config=configs/scc_church.py --workdir=runs/scc_church

Made for one GPU; the paper reports about 39 hours on 126,227 churches.
Trained at an eighth of the width so far, at a CPU's budget: README.md, *Methods side by side*.
"""

from ml_collections import ConfigDict

from colorize_jax.config import beside


def get_config() -> ConfigDict:
    config = beside(__file__, "base")
    config.data.mixture = (("lsun_church", "train", 1.0),)
    config.data.test = ("lsun_church", "test")
    config.data.crop = 0.8
    return config.lock()
