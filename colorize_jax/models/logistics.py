"""Mixtures of discretised logistic distributions over a* and b*: their likelihood, and draws.

Salimans et al. 2017 (PixelCNN++), Sec. 2.1 and 2.2, over two channels given the lightness, as Royer et al. 2017 have
them. Colours are in [-1, 1], where 256 levels are 2/255 apart. The outermost levels have all that lies beyond them.

| axis | meaning |
|---|---|
| `K` | numbers that a network says of a pixel, eight a component |
| `*P` | pixels, of any shape |
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from colorize_jax.shapes import Array, Float

NUMBERS = 8
"""A component's: its logit, three coefficients, two means and two logarithms of scales."""

LEVELS = 256

_HALF_STEP = 1 / (LEVELS - 1)
_EDGE = 1 - _HALF_STEP  # between the outermost level and the next
_LEAST_LOG_SCALE = -7.0


class Mixture(NamedTuple):
    """The distribution of a pixel's colour.

    Attributes:
      logits: (*P, M), of the components.
      coefficients: (*P, 3, M), in [-1, 1]: of the lightness in the mean of a*, of the lightness in that of b*, of a* in
        that of b*.
      means: (*P, 2, M), less what the coefficients add.
      log_scales: (*P, 2, M).
    """

    logits: Array
    coefficients: Array
    means: Array
    log_scales: Array


class Noise(NamedTuple):
    """All that is random in the draw of a colour.

    Attributes:
      choice: (*P, M), Gumbel: the component is where `logits + choice` is largest.
      value: (*P, 2), logistic: in scales from the mean.
    """

    choice: Array
    value: Array


def noise(rng: Array, pixels: tuple[int, ...], components: int) -> Noise:
    """Of the draws of so many pixels."""
    choice, value = jax.random.split(rng)
    return Noise(jax.random.gumbel(choice, (*pixels, components)), jax.random.logistic(value, (*pixels, 2)))


def quantized(colors: Float[Array, "*P C"]) -> Float[Array, "*P C"]:
    """The nearest of the 256 levels."""
    return jnp.clip(jnp.round((colors + 1) / (2 * _HALF_STEP)), 0, LEVELS - 1) * (2 * _HALF_STEP) - 1


def mixture(numbers: Float[Array, "*P K"]) -> Mixture:
    """What a network says of pixels, as distributions."""
    rows = numbers.reshape(*numbers.shape[:-1], NUMBERS, -1)
    scales = jnp.maximum(rows[..., 6:, :], _LEAST_LOG_SCALE)
    return Mixture(rows[..., 0, :], jnp.tanh(rows[..., 1:4, :]), rows[..., 4:6, :], scales)


def log_likelihood(
    numbers: Float[Array, "*P K"], lightness: Float[Array, "*P 1"], colors: Float[Array, "*P 2"]
) -> Float[Array, "*P"]:
    """Logarithm of the probability of a level of a* and one of b*, nats.

    Args:
      numbers: what a network says.
      lightness: in [-1, 1].
      colors: levels, see `quantized`.
    """
    found = mixture(numbers)
    a = found.means[..., 0, :] + found.coefficients[..., 0, :] * lightness
    b = found.means[..., 1, :] + found.coefficients[..., 1, :] * lightness
    b += found.coefficients[..., 2, :] * colors[..., :1]
    each = _log_level(colors[..., None], jnp.stack([a, b], axis=-2), found.log_scales)
    return jax.nn.logsumexp(jax.nn.log_softmax(found.logits) + each.sum(axis=-2), axis=-1)


def _log_level(level: Array, mean: Array, log_scale: Array) -> Array:
    """Logarithm of what a logistic distribution has within half a step of a level.

    log(σ(u) - σ(l)) = log σ(u) + log σ(-l) + log(1 - exp(l - u)), which no cancellation harms.
    """
    sharpness = jnp.exp(-log_scale)
    upper, lower = (sharpness * (level - mean + side) for side in (_HALF_STEP, -_HALF_STEP))
    below, above = jax.nn.log_sigmoid(upper), jax.nn.log_sigmoid(-lower)
    between = below + above + jnp.log(-jnp.expm1(-2 * _HALF_STEP * sharpness))
    return jnp.where(level < -_EDGE, below, jnp.where(level > _EDGE, above, between))


def draw(
    numbers: Float[Array, "*P K"], lightness: Float[Array, "*P 1"], random: Noise, spread: float = 1.0
) -> Float[Array, "*P 2"]:
    """Levels of a* and b*, drawn: the component, a*, then b* given a*.

    Args:
      numbers: what a network says.
      lightness: in [-1, 1].
      random: see `Noise`.
      spread: multiplies the scales; with 0 it is the mean of the drawn component.
    """
    found = mixture(numbers)
    chosen = jnp.argmax(found.logits + random.choice, axis=-1)[..., None, None]
    coefficients, means, log_scales = (jnp.take_along_axis(x, chosen, axis=-1)[..., 0] for x in found[1:])
    values = means + coefficients[..., :2] * lightness + spread * jnp.exp(log_scales) * random.value
    a = quantized(values[..., :1])
    return jnp.concatenate([a, quantized(values[..., 1:] + coefficients[..., 2:] * a)], axis=-1)
