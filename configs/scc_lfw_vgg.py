"""`scc_lfw.py` with VGG-16's conv4_3 as the mixture density network's input, as close to the paper as can be had.

    pip install 'colorize_jax[train,vgg]'
    colorize-train --config=configs/scc_lfw_vgg.py --workdir=runs/scc_lfw_vgg

Each step decodes 224x224 gray images and runs ten layers of VGG-16: made for a GPU. Not trained yet.
"""

from ml_collections import ConfigDict

from colorize_jax.config import beside


def get_config() -> ConfigDict:
    config = beside(__file__, "scc_lfw")
    config.features.network = "vgg16"
    config.data.lightness_large = 224
    return config.lock()
