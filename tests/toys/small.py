"""What the toys' configs have in common."""

from ml_collections import ConfigDict

from colorize_jax import methods


def small(method: str) -> ConfigDict:
    """A method's own values for a few steps on 16x16 photos, unlocked."""
    config = methods.defaults(method)
    config.data.image_size = 16
    config.data.mixture = (("shades", "train", 1.0),)
    config.data.test = ("shades", "test")
    config.optim.warmup_steps = 0
    config.optim.calibration_batches = 0
    config.checkpoint.every_steps = 2
    config.log.every_steps = 1
    config.log.eval_images = 4
    return config
