"""A model as one of the methods that `evaluation.edits` compares: called as those of `classical.METHODS` are."""

from typing import NamedTuple

import numpy as np

from colorize_jax import color
from colorize_jax.classical import Propagate
from colorize_jax.control.answer import answer
from colorize_jax.control.prior import Prior
from colorize_jax.control.raster import CellEdits
from colorize_jax.inference.colorizer import Colorizer
from colorize_jax.photos import upsample
from colorize_jax.photos.photo import Photo
from colorize_jax.shapes import Bool, Float


def learned(colorizer: Colorizer, mode: str = "guided") -> Propagate:
    """Reveals as edits of a model, whose field is lifted to the photo, which may be of any size.

    The prior of the last photo is kept: many reveals are asked of one.

    Args:
      colorizer: with a similarity, or with a network that takes edits.
      mode: 'guided' or 'alone', of `Colorizer.edit`.

    Raises:
      ValueError: another mode.
    """
    if mode not in ("guided", "alone"):
        raise ValueError(f"mode is {mode!r}; reveals have one answer in modes 'guided' and 'alone'")
    kept = _Kept(colorizer)

    def spread(lightness: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
        told, photo = Reveals(targets, weights), Photo(lightness.astype(np.float32), None)
        if colorizer.responds:
            (field,) = colorizer.respond(photo, told, mode)
        else:
            (field,) = answer(kept.prior(photo), told, mode, None, colorizer.solver)
        lifted = color.ab_to_network(upsample.lift(color.network_to_ab(field), lightness))
        return np.where(weights[..., None] > 0, targets, lifted).astype(np.float32)

    return spread


class _Kept:
    """The prior of the last photo."""

    def __init__(self, colorizer: Colorizer):
        self._colorizer = colorizer
        self._of: bytes = b""
        self._prior: Prior | None = None

    def prior(self, photo: Photo) -> Prior:
        key = photo.lightness.tobytes()
        if self._prior is None or key != self._of:
            self._of, self._prior = key, self._colorizer.prior(photo)
        return self._prior


class Reveals(NamedTuple):
    """Revealed colours of a photo's pixels, as edits.

    Attributes:
      targets: network units.
      weights: bool, or confidences ≥ 0, 1 for an ordinary reveal.
    """

    targets: Float[np.ndarray, "H W 2"]
    weights: Bool[np.ndarray, "H W"] | Float[np.ndarray, "H W"]

    def cells(self, side: int) -> CellEdits:
        """Each cell's mean revealed colour, and the share of it that is revealed."""
        known = self.weights.astype(np.float32)
        share = upsample.cell_means(known, side)
        sums = [upsample.cell_means(known * self.targets[..., channel], side) for channel in (0, 1)]
        ab = np.stack(sums, axis=-1) / np.maximum(share, 1e-9)[..., None]
        return CellEdits(share, color.network_to_ab(ab), ())
