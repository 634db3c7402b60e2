"""A unary that is no more colourful than the edits of a photo tell."""

import jax.numpy as jnp

from colorize_jax.shapes import Array, Float

CHROMA_PRIOR = 0.002
"""λ, cells · network units²: how strongly the chroma is held to the unary's own."""


def calibrated(
    unary: Float[Array, "P 2"], colors: Float[Array, "P 2"], known: Float[Array, " P"]
) -> Float[Array, "P 2"]:
    """s u with the share s of the unary's chroma that fits the edits' best: one ridge regression.

        min over s in [0, 1]:  Σ_i r_i (‖c_i‖ − s ‖u_i‖)² + λ (s − 1)²

    Without edits it is the unary itself; a photo whose edits are all gray loses its unary's colours. Chroma is compared
    and not hue: an edit that contradicts the unary where it is says nothing of the rest.

    Args:
      unary: u, network units.
      colors: c, of the edits.
      known: r, the share of each cell that edits cover, or 0.
    """
    own, wanted = (jnp.sqrt(jnp.sum(x * x, axis=1)) for x in (unary, colors))
    products, squares = jnp.sum(known * own * wanted), jnp.sum(known * own * own)
    return unary * jnp.minimum((products + CHROMA_PRIOR) / (squares + CHROMA_PRIOR), 1)
