"""Pictures of colour fields for contact sheets, as JAX arrays."""

import jax.numpy as jnp

from colorize_jax import color
from colorize_jax.methods.base import Batch
from colorize_jax.models.layers import resize_field
from colorize_jax.shapes import Array, Float


def picture(lightness: Float[Array, "B H W 1"], ab: Float[Array, "B h w 2"]) -> Float[Array, "B H W 3"]:
    """sRGB in [0, 1] of a lightness and a colour field of any size, both in network units."""
    lab = color.network_to_lab(lightness, resize_field(ab, lightness.shape[1]))
    return jnp.clip(color.lab_to_srgb(color.gamut_map(lab)), 0, 1)


def gray_and_truth(batch: Batch) -> dict[str, Float[Array, "B H W 3"]]:
    """The two columns that every sheet begins with."""
    gray = picture(batch["lightness"], jnp.zeros_like(batch["ab"]))
    return {"gray": gray, "truth": picture(batch["lightness"], batch["ab"])}
