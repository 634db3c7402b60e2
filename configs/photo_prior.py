"""A prior of photos: EfficientNet-Lite0 tells things apart, a decoder says which colours they have.

    pip install 'colorize_jax[train,lite0]'
    colorize-train --config=photo_prior:data=tiny_imagenet --workdir=runs/photo_prior

Its one argument is `data`, as of the other configs; any mixture can be set instead. It reads gray images of 128 pixels,
so photos of at least that many are worth most. Images a second on CPUs: `python benchmarks/lite0.py`.
"""

from ml_collections import ConfigDict

from colorize_jax.config import parse_arguments
from colorize_jax.configs import base


def get_config(arguments: str = "") -> ConfigDict:
    chosen = parse_arguments(arguments, data=base.DATA)
    config = base.with_data("photo_prior", chosen["data"])
    config.data.update({"lightness_large": 128, "crop": 0.6, "crop_largest": 1.2, "stretch": 1.35})
    return config.lock()
