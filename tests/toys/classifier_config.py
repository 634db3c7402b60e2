"""The toy `classifier` on 16x16 photos, a few steps."""

from ml_collections import ConfigDict

from colorize_jax import methods


def get_config() -> ConfigDict:
    config = methods.defaults("toys.classifier")
    config.data.image_size = 16
    config.data.mixture = (("shades", "train", 1.0),)
    config.data.test = ("shades", "test")
    config.optim.warmup_steps = 0
    config.optim.calibration_batches = 0
    config.checkpoint.every_steps = 2
    config.log.every_steps = 1
    config.log.eval_images = 4
    return config.lock()
