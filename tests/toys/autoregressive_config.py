"""The toy `autoregressive` on 16x16 photos, a few steps."""

from ml_collections import ConfigDict
from toys.small import small


def get_config() -> ConfigDict:
    return small("toys.autoregressive").lock()
