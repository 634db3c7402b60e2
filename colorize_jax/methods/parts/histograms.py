"""Colours from a classifier's histograms, for methods that have a distribution and no colour versions of their own."""

import jax
import jax.numpy as jnp

from colorize_jax import color
from colorize_jax.methods.base import Batch, Colors, Distribution, Method, Samples, Variables, colors_of
from colorize_jax.shapes import Array, Float, Int

TEMPERATURE = 0.38
"""Of the annealed mean, in Zhang et al. 2016, Sec. 2.3."""

NEIGHBORS = 5
"""Bins that a colour is encoded in (Zhang et al. 2016, Sec. 2.1)."""

SPREAD = 5.0
"""Deviation of the Gaussian that weighs them by distance, CIE units; likewise."""

RULES = ("annealed", "expected", "likeliest")
"""How a histogram becomes one colour; the first is the default."""


def answers(distribution: Distribution) -> Colors:
    """One version of each image, from what a classifier says of every cell.

    Rule 'annealed' is the mean of the histogram sharpened by `TEMPERATURE`, 'expected' its mean, 'likeliest' its
    largest bin.
    """

    def sample(variables: Variables, batch: Batch, rng: Array, *, samples: int, rule: str) -> Samples:
        field = color_of(distribution.histograms(variables, batch), distribution.bins, rule)[:, None]
        return Samples(field, field, jnp.ones(field.shape[:2]))

    return Colors(sample, RULES, most=dict.fromkeys(RULES, 1), deterministic=RULES)


def color_of(
    histograms: Float[Array, "B h w Q"], bins: Float[Array, "Q 2"], rule: str
) -> Float[Array, "B h w 2"]:
    """The colour of each cell, network units.

    Args:
      histograms: probabilities.
      bins: the bins' centres, network units.
      rule: of `RULES`.

    Raises:
      ValueError: an unknown rule.
    """
    if rule == "likeliest":
        return bins[histograms.argmax(axis=-1)]
    if rule not in RULES:
        raise ValueError(f"rule is {rule!r}; allowed are {', '.join(RULES)}")
    # The smallest float: an empty bin stays empty, and its logarithm finite.
    logits = jnp.log(jnp.maximum(histograms, jnp.finfo(histograms.dtype).tiny))
    return annealed(logits, bins, TEMPERATURE if rule == "annealed" else 1.0)


def annealed(
    logits: Float[Array, "B h w Q"], bins: Float[Array, "Q 2"], temperature: float
) -> Float[Array, "B h w 2"]:
    """The mean of each histogram, sharpened: Zhang et al. 2016, Eq. (5).

    Args:
      logits: of the bins, up to a constant.
      bins: the bins' centres, network units.
      temperature: T > 0. 1 is the mean of the histogram as it is; near 0 it is its largest bin.
    """
    return jnp.matmul(jax.nn.softmax(logits / temperature), bins, precision="highest")


def colors_or_answers(method: Method) -> Colors:
    """How a method colours gray images: its own versions, or its classifier's answer.

    Raises:
      ValueError: it has neither.
    """
    if method.colors is None and method.distribution is not None:
        return answers(method.distribution)
    return colors_of(method)


def soft_encoded(
    ab: Float[Array, "*batch 2"], bins: Float[Array, "Q 2"]
) -> tuple[Int[Array, "*batch k"], Float[Array, "*batch k"]]:
    """The nearest bins of each colour, the nearest first, and how much of it is in each; they sum to 1.

    Zhang et al. 2016, Sec. 2.1: a Gaussian of the distance over the `NEIGHBORS` nearest bins, or all where there are
    fewer.

    Args:
      ab: network units.
      bins: the bins' centres, network units.
    """
    # |x − c|² less |x|², which no choice depends on.
    products = jnp.matmul(ab, bins.T, precision="highest")
    lengths = jnp.square(bins).sum(axis=-1).reshape((1,) * (ab.ndim - 1) + (-1,))
    closeness, nearest = jax.lax.top_k(2 * products - lengths, min(NEIGHBORS, len(bins)))
    return nearest, jax.nn.softmax(closeness * (color.AB_SCALE / SPREAD) ** 2 / 2)
