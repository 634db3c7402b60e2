"""The toy `gan` on 16x16 photos, a few steps."""

from ml_collections import ConfigDict
from toys.small import small


def get_config() -> ConfigDict:
    config = small("toys.gan")
    config.optim.calibration_batches = 2
    return config.lock()
