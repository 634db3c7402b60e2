"""A method's own values on the papers' data sets, which the other configs begin with; as a config, those of `scc`.

What the fields are: `colorize_jax/config.py` has those of all methods, `colorize_jax/methods/NAME.py` a method's own.
"""

from ml_collections import ConfigDict

from colorize_jax import methods

DATA = {
    "lfw": ("lfw_deepfunneled", 1.0),
    "church": ("lsun_church", 0.8),
    "tiny_imagenet": ("tiny_imagenet", 1.0),
    "imagenet_val": ("imagenet_val", 0.8),
    "imagenet_2012": ("imagenet_2012", 0.8),
    "zappos50k": ("ut_zappos50k", 1.0),
}
"""The papers' data sets as arguments of configs: prepared name, and the smallest crop as a share of the short side."""


def with_data(method: str, name: str) -> ConfigDict:
    """A method's own values on a data set of `DATA`, unlocked, for a config that builds on them."""
    config = methods.defaults(method)
    dataset, crop = DATA[name]
    config.data.mixture = ((dataset, "train", 1.0),)
    config.data.test = (dataset, "test")
    config.data.crop = crop
    return config


def get_config() -> ConfigDict:
    """The paper's model at full width on LFW."""
    return methods.defaults("scc").lock()
