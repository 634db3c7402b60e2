"""Levels of a gray photo: faded, dark and pale ones as if they were printed with all of black and white."""

import jax.numpy as jnp

from colorize_jax.shapes import Array, Float

SHARE = 0.005
"""Of the pixels, that may become darker than `MOST` is dark; and as many lighter."""

MOST = 0.96
"""Network units: the levels of almost all pixels then reach from -MOST to MOST, 2 to 98 L*."""

_LEAST = 0.2  # network units; a photo of fewer levels, as of fog, is not stretched over all
_ALONG = 40  # pixels along a side that are looked at, about


def evened(lightness: Float[Array, "B H W 1"]) -> Float[Array, "B H W 1"]:
    """Each photo stretched linearly, so that all but `SHARE` at either end lies in ±`MOST`; network units."""
    step = max(1, min(lightness.shape[1:3]) // _ALONG)
    seen = jnp.sort(lightness[:, ::step, ::step].reshape(len(lightness), -1), axis=1)
    count = seen.shape[1]
    rank = int(SHARE * (count - 1))
    low, high = (seen[:, n].reshape(-1, 1, 1, 1) for n in (rank, count - 1 - rank))
    middle, reach = (low + high) / 2, jnp.maximum(high - low, _LEAST) / 2
    return jnp.clip((lightness - middle) * (MOST / reach), -1, 1)
