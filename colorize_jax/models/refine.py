"""An S for a fine field that begins with a coarse answer: each cell leans on near cells that look alike."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from colorize_jax import gcrf
from colorize_jax.models.heads import edit_head, unit
from colorize_jax.models.layers import resize_field
from colorize_jax.shapes import Array, Float

REACH = 4
"""Cells from the middle of a window to its side: two of a coarse field half as large."""

# Before training: of the learned cosine, of the squared difference of lightness (network units), and per squared cell.
_GAINS = {"learned": 3.0, "lightness": 60.0, "distance": 0.15}
_LOG_CONFIDENCE = -3.0


class RefineNetwork(nn.Module):
    """Shares of S by window, and the confidence in the coarse field.

        S = softmax over δ of  g_e e_p · e_{p+δ} − g_l (L_p − L_{p+δ})² − g_d |δ|²

    Attributes:
      side: F of the fine field.
      width: of the learned vectors e, which have length 1.
      hidden: channels of the layers before.
    """

    side: int
    width: int = 24
    hidden: int = 64
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, lightness: Float[Array, "B H W 1"], maps: tuple[Array, ...], *, train: bool = False
    ) -> tuple[Float[Array, "B K F F"], Float[Array, "B F F"]]:
        """(`rows` of `gcrf.solve_windowed`, confidence κ > 0 in the coarse field's colours) of F × F cells.

        Args:
          lightness: network units, best twice as large as the field.
          maps: frozen feature maps (B, h, w, K) of any sizes, which get no gradient.
          train: changes nothing; batches are small, so GroupNorm and no BatchNorm.
        """
        side = self.side
        x = nn.Conv(16, (5, 5), strides=2, name="lightness", dtype=self.dtype)(
            resize_field(lightness, 2 * side)
        )
        x = nn.relu(nn.GroupNorm(num_groups=8, dtype=self.dtype)(x))
        x = nn.Conv(32, (3, 3), name="texture", dtype=self.dtype)(x)
        x = nn.relu(nn.GroupNorm(num_groups=8, dtype=self.dtype)(x))
        head = edit_head(
            self,
            x,
            maps,
            side=side,
            sizes=(self.hidden, self.width),
            gains=_GAINS,
            log_confidence=_LOG_CONFIDENCE,
        )
        logits = jax.vmap(_logits, (0, 0, None))(
            unit(head.learned), resize_field(lightness, side), head.gains
        )
        return jax.nn.softmax(logits, axis=1), jnp.exp(head.log_confidence)


def _logits(
    learned: Float[Array, "F F E"], lightness: Float[Array, "F F 1"], gains: dict[str, Array]
) -> Float[Array, "K F F"]:
    there = gcrf.shifted(jnp.ones(learned.shape[:2]), REACH)
    near = zip(
        gcrf.offsets(REACH), there, gcrf.shifted(learned, REACH), gcrf.shifted(lightness, REACH), strict=True
    )
    return jnp.stack(
        [
            jnp.where(
                inside > 0,
                gains["learned"] * jnp.sum(learned * other, axis=-1)
                - gains["lightness"] * jnp.square(lightness - light)[..., 0]
                - gains["distance"] * float(y * y + x * x),
                -jnp.inf,
            )
            for (y, x), inside, other, light in near
        ]
    )
