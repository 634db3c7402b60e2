"""Embeddings of S for edits: what the frozen networks see of a gray image, where a pixel lies and how light it is."""

from statistics import NormalDist
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from colorize_jax.models.heads import edit_head, unit
from colorize_jax.models.layers import ConvBlock
from colorize_jax.shapes import Array, Float

FREQUENCIES = 8
"""Cosines of a kernel; each is two numbers of an embedding."""

POSITION_SCALES = (0.15, 0.6)
"""Of the side: widths of the Gaussians that the position's two kernels look like."""

LIGHTNESS_SCALE = 0.5
"""Network units, 25 L*."""

# Gains of the kernels in the exponent of S, before training: colours spread to near pixels of like lightness.
_GAINS = {"near": 6.0, "far": 2.0, "lightness": 6.0, "learned": 2.0}
_LOG_CONFIDENCE = -5.0  # of the unary, before training; an edit's weight is β


class SpreadNetwork(nn.Module):
    """A head on frozen feature maps. Z = E Eᵀ is a sum of kernels of constant diagonal: no pixel draws all others.

        Z_ij = Σ_k g_k κ_k(i, j),   κ: cosine of learned vectors, and Gaussians of row, column and lightness

    the Gaussians by a few cosines each (Rahimi & Recht 2007, with quantiles for random frequencies).

    Attributes:
      width: of the learned vectors.
      hidden: channels of the layer before.
    """

    width: int = 64
    hidden: int = 192
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self,
        lightness: Float[Array, "B H W 1"],
        shrunk: Float[Array, "B F F 1"],
        maps: tuple[Array, ...],
        *,
        train: bool,
    ) -> tuple[Float[Array, "B P D"], Float[Array, "B P"]]:
        """(Embeddings, confidence κ > 0 in the unary) of a field of P = F² pixels; S = softmax(E Eᵀ), temperature 1.

        Args:
          lightness: network units.
          shrunk: the same at the field's size.
          maps: feature maps (B, h, w, K) of any sizes, which get no gradient.
          train: BatchNorm's mode.
        """
        side = shrunk.shape[1]
        x = ConvBlock(32, 5, 2, self.dtype)(lightness, train)
        local = ConvBlock(64, 3, 1, self.dtype)(x, train)
        head = edit_head(
            self,
            local,
            maps,
            side=side,
            sizes=(self.hidden, self.width),
            gains=_GAINS,
            log_confidence=_LOG_CONFIDENCE,
        )
        embeddings = self._embeddings(head.learned, shrunk, head.gains)
        confidence = jnp.exp(head.log_confidence)
        return embeddings.reshape(len(x), side**2, -1), confidence.reshape(len(x), -1)

    def _embeddings(self, learned: Array, lightness: Array, gains: dict[str, Array]) -> Array:
        side = learned.shape[1]
        at = (jnp.arange(side) + 0.5) / side
        rows, columns = jnp.meshgrid(at, at, indexing="ij")
        near, far = (
            jnp.concatenate([waves(rows, scale), waves(columns, scale)], axis=-1) for scale in POSITION_SCALES
        )
        parts = {
            "learned": unit(learned),
            "near": jnp.broadcast_to(near, (len(learned), *near.shape)),
            "far": jnp.broadcast_to(far, (len(learned), *far.shape)),
            "lightness": waves(lightness[..., 0], LIGHTNESS_SCALE),
        }
        return jnp.concatenate([jnp.sqrt(gains[name]) * part for name, part in parts.items()], axis=-1)


def embedding_size(width: int) -> int:
    """Numbers of an embedding: the learned ones, and the waves of near and far rows and columns and of lightness."""
    return width + 5 * 2 * FREQUENCIES


def waves(values: Float[Array, "*shape"], scale: float) -> Float[Array, "*shape 16"]:
    """φ with φ(a)·φ(b) ≈ exp(−(a − b)² / 2 scale²) and φ(a)·φ(a) = 1."""
    quantiles = [NormalDist().inv_cdf((k + 0.5) / FREQUENCIES / 2 + 0.5) for k in range(FREQUENCIES)]
    angles = jnp.einsum("...,k->...k", values, jnp.asarray(quantiles, jnp.float32) / scale)
    return jnp.concatenate([jnp.cos(angles), jnp.sin(angles)], axis=-1) / jnp.sqrt(float(FREQUENCIES))
