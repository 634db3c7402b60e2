"""The paper's model on the maps of the photo prior, which are trained first: one plan from nothing.

    pip install 'colorize_jax[train,lite0]'
    launch/released --config=scc_prior:data=photos --root=runs/scc_prior --sources=FOLDER

Its one argument is `data`: a data set as of the other configs, or `photos`, the sets of `photo_prior`. There the
networks have the released model's sizes, and each stage after the prior's sees about as many images as it had there.
Not yet trained at length.
"""

from ml_collections import ConfigDict

from colorize_jax.config import parse_arguments
from colorize_jax.configs import photo_prior

EPOCHS = {
    "unary": 1.6,
    "structure": 0.36,
    "mdn": 1.7,
    "modes": 2.0,
    "spread_coarse": 0.6,
    "spread": 0.08,
    "spread_fine": 0.06,
}
"""Lengths of the stages after the prior's on `photos`, of 60,000 images each."""

DIVIDED = 0.2
"""Share of the photos whose things people have told apart, in the stages that spread edits."""

SCHEDULE = ((0.0, 1.0), (0.06, 0.75), (0.12, 0.5), (0.18, 0.25), (0.24, 0.1))
"""Of the mask in the stage `structure` there."""


def get_config(arguments: str = "") -> ConfigDict:
    chosen = parse_arguments(arguments, data=photo_prior.DATA)
    config = photo_prior.with_data("scc_prior", chosen["data"])
    if chosen["data"] == "photos":
        _small(config)
    return config.lock()


def _small(config: ConfigDict) -> None:
    """Sizes and lengths for two CPU cores."""
    config.width = 0.25
    config.mdn.update({"width": 0.09375, "choice": "cover", "sigma": 0.1})  # σ as `released` has it
    config.modes.update({"learned": True, "chroma_power": 1.0})
    config.spread.update({"learned": True, "fine": True, "painted": 0.5})
    config.loss.update({"kl_weight": 4e-4, "unary_weight": 1.0})
    for stage, epochs in EPOCHS.items():
        config.stages[stage].epochs = epochs
    divided = {"regions": 64, "mixture": photo_prior.mixture(("bsds_people", DIVIDED))}
    for stage in ("spread_coarse", "spread", "spread_fine"):
        config.stages[stage].overrides = ConfigDict({"data": divided})
    for stage in ("unary", "mdn", "modes"):  # the longest; what reads single cells sees them as they will be
        config.stages[stage].overrides = ConfigDict(photo_prior.with_small())
    config.stages.structure.update({"batch_size": 16, "schedule": SCHEDULE})
