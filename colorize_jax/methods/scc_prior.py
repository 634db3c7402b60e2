"""`scc_prior`: `scc` whose networks read the maps of the photo prior in place of networks of their own.

The paper's mixture reads the features of a colorization network (Sec. 3.1), which must tell things apart to know their
colours. Here the photo prior is that network (`parts/prior.py`), and everything else reads it as well:

| network of `scc` | reads |
|---|---|
| decoder, f1-f4 | the encoder's maps, the finest joined with the prior's features, each through one layer of its own |
| structure encoder | the lightness beside the prior's features |
| mixture density network | the prior's features |
| S for edits | f1-f4 and the prior's features, and the regressed colours |

A code tells what differs from the regressed colours: what is decoded is added to them. Version 1 is the prior's guess.

Stages are those of the prior, `prior` and `prior_tuned`, and then those of `scc`, to which the prior is a constant.
"""

from typing import Any

import jax.numpy as jnp
from ml_collections import ConfigDict

from colorize_jax.methods import scc
from colorize_jax.methods.base import Method
from colorize_jax.methods.parts import prior
from colorize_jax.methods.parts.networks import Networks
from colorize_jax.models.vae import GrayAdapter

LARGE = 2 * 2 * scc.FIELD_SIDE
"""Least side of the gray image that the prior reads: its second map, of a quarter of that, is as large as f4."""


def defaults() -> ConfigDict:
    """The values of `scc` and of the prior."""
    return scc.defaults_with(prior)


def check(config: ConfigDict) -> None:
    """Raises a ValueError where a field is not allowed, or the prior's maps are smaller than f1-f4."""
    if config.data.lightness_large < LARGE:
        raise ValueError(
            f"config.data.lightness_large is {config.data.lightness_large}, but f1-f4 are the photo prior's maps of "
            f"gray images of {LARGE}x{LARGE} and more; set it to {LARGE}"
        )
    scc.check_with(prior, config)


def build(config: Any) -> Method:
    """`scc` on the prior, with the prior's histograms, whose annealed mean is version 1 under rule 'modes'."""
    networks = build_networks(config)
    guess = prior.guesser(config, networks)
    method = scc.build_with(
        config, networks, first=prior.stages, carried=prior.NAMES, guess=guess, residual=True
    )
    return method._replace(
        abstract_variables=lambda: prior.with_weights(config, method.abstract_variables()),
        statistics=prior.survey(config),
        distribution=prior.distribution(networks),
    )


def build_networks(config: Any) -> Networks:
    """Every network of the method, by the name under which its parameters are kept."""
    gray = GrayAdapter(width=config.width, dtype=jnp.dtype(config.compute_dtype))
    return {"gray": gray, **prior.networks(config), **scc.shared_networks(config)}
