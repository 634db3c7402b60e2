"""`photo_prior`: what each thing's colours usually are, from an encoder that knows things; see `parts/prior.py`.

A classifier of colours after Zhang et al. 2016 with Larsson's regression beside it, on the maps of EfficientNet-Lite0.
It reads `lightness_large`. Each rule gives one version.

| rule | colour of a cell |
|---|---|
| `annealed` | the mean of its sharpened histogram (Zhang et al. 2016, Sec. 2.3) |
| `regressed` | the regression's |
| `expected` | its histogram's mean |
| `likeliest` | its largest bin |
"""

from functools import partial
from typing import Any

import jax.numpy as jnp
from ml_collections import ConfigDict

from colorize_jax.methods.base import Batch, Colors, Method, Samples, Stages, Variables
from colorize_jax.methods.parts import histograms, prior
from colorize_jax.methods.parts.networks import Networks, abstract, example_batch
from colorize_jax.shapes import Array

RULES = ("guess", "regressed", "annealed", "expected", "likeliest")
"""The first is the default."""


def defaults() -> ConfigDict:
    """What the prior reads of a config."""
    return prior.defaults()


def check(config: ConfigDict) -> None:
    """Raises a ValueError where a field is not allowed."""
    prior.check(config)


def build(config: Any) -> Method:
    """The prior as a method of its own."""
    networks = prior.networks(config)
    return Method(
        stages=Stages(lambda: prior.stages(config, networks, prior.inputs)),
        abstract_variables=lambda: prior.with_weights(
            config, abstract(networks, prior.inputs(example_batch(config)), prior.NAMES)
        ),
        statistics=prior.survey(config),
        colors=Colors(
            sample=partial(sample, networks, prior.guesser(config, networks)),
            rules=RULES,
            most=dict.fromkeys(RULES, 1),
            deterministic=RULES,
            regress=partial(prior.regress, networks),
        ),
        distribution=prior.distribution(networks),
    )


def sample(
    networks: Networks,
    answer: prior.Answer,
    variables: Variables,
    batch: Batch,
    rng: Array,
    *,
    samples: int,
    rule: str,
) -> Samples:
    """One version of each gray image.

    Args:
      networks: of `prior.networks`.
      answer: of `prior.guesser`, for the rule 'guess'.
      variables: those of `Method.abstract_variables`.
      batch: its `lightness_large` is read.
      rng: not used.
      samples: 1.
      rule: of `RULES`.

    Raises:
      ValueError: an unknown rule.
    """
    own: dict[str, prior.Answer] = {"guess": answer, "regressed": partial(prior.regress, networks)}
    if rule in own:
        field = own[rule](variables, batch)[:, None]
        return Samples(field, field, jnp.ones(field.shape[:2]))
    answers = histograms.answers(prior.distribution(networks))
    return answers.sample(variables, batch, rng, samples=samples, rule=rule)
