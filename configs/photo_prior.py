"""A prior of photos: EfficientNet-Lite0 tells things apart, a decoder says which colours they have.

    pip install 'colorize_jax[train,lite0]'
    launch/released --config=photo_prior:data=photos --root=runs/prior --sources=FOLDER

Its one argument is `data`: a data set as of the other configs, or `photos`, 88,000 photos of 17 sets (docs/photos.md).
It learns from gray images of 128 pixels, so photos of at least that many are worth most. Images a second on CPUs:
`python benchmarks/lite0.py`.
"""

from typing import Any

from ml_collections import ConfigDict

from colorize_jax.config import parse_arguments
from colorize_jax.configs import base

DATA = (*base.DATA, "photos")
"""Values of the argument `data`."""

PHOTOS = {
    "lfw_deepfunneled": 0.15,
    "sysu_scene": 0.13,
    "imagenette_full": 0.13,
    "bangladesh": 0.12,
    "sports": 0.11,
    "caltech101": 0.07,
    "cats_dogs": 0.05,
    "intel_scenes": 0.05,
    "imagenet_photos": 0.04,
    "imagenette": 0.04,
    "houses": 0.03,
    "street_fashion": 0.02,
    "pacs_photo": 0.02,
    "lsun_church": 0.015,
    "clothing": 0.01,
    "grocery": 0.01,
    "bsds": 0.005,
}
"""Shares of the views. Sets whose photos are alike (groceries, sports, pets) have less than their part, faces more."""

SMALL = ("tiny_imagenet_full", 0.18)
"""95,000 photos of 64 pixels, of 200 kinds of things, and their share in stages that need many kinds more than
details."""

CLOSE = {"data": {"lightness_large": 128, "crop": 0.6}}
"""What stages override that see closer views than whole photos are, of fewer pixels."""


def mixture(*more: tuple[str, float]) -> tuple[tuple[str, str, float], ...]:
    """Rows of `data.mixture`: `PHOTOS`, and other sets besides, with their shares."""
    left = 1 - sum(share for _, share in more)
    return tuple(
        (name, "train", share) for name, share in (*((n, left * s) for n, s in PHOTOS.items()), *more)
    )


def with_small() -> dict[str, Any]:
    """`CLOSE`, with `SMALL` photos besides."""
    return {"data": {**CLOSE["data"], "mixture": mixture(SMALL)}}


def with_data(method: str, name: str) -> ConfigDict:
    """A method's own values on views of a data set, or of all `photos`, unlocked.

    The prior learns from gray images of 128 pixels, closer views than whole photos are. Whoever reads it later gives it
    whole photos at 160: at the resolution of training their things would be smaller than it has seen them (Touvron et
    al. 2019).
    """
    photos = name == "photos"
    config = base.with_data(method, "lfw" if photos else name)
    config.data.update({"lightness_large": 160, "crop": 0.8, "crop_largest": 1.2, "stretch": 1.35})
    for stage in ("prior", "prior_tuned"):
        config.stages[stage].overrides = ConfigDict(CLOSE)
    if photos:
        config.data.mixture = mixture()
        config.data.test = ("imagenet_photos", "test")
        config.data.epoch_images = 60000
        config.stages.prior.epochs = 4.0
        config.stages.prior_tuned.epochs = 6.0
        config.stages.prior_tuned.overrides = ConfigDict(with_small())
        config.checkpoint.every_steps = 300
        config.log.update({"eval_every_epochs": 0.2, "eval_images": 83})
    return config


def get_config(arguments: str = "") -> ConfigDict:
    chosen = parse_arguments(arguments, data=DATA)
    return with_data("photo_prior", chosen["data"]).lock()
