"""A model as one of the methods that `evaluation.edits` compares: called as those of `classical.METHODS` are."""

from typing import NamedTuple

import numpy as np

from colorize_jax import color
from colorize_jax.classical import Propagate
from colorize_jax.control.answer import MODES, Held, answer
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
      mode: of `Colorizer.edit`; of 'over' the first version.

    Raises:
      ValueError: another mode.
    """
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}; allowed are {', '.join(MODES)}.")
    kept = _Kept(colorizer, mode == "over")

    def spread(lightness: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
        told, photo = Reveals(targets, weights), Photo(lightness.astype(np.float32), None)
        if colorizer.responds:
            (field,) = colorizer.respond(photo, told, mode)
        else:
            prior, first = kept.of(photo)
            (field,) = answer(prior, told, mode, first, colorizer.solver, lightness=photo.lightness)
        lifted = color.ab_to_network(upsample.lift(color.network_to_ab(field), lightness))
        return np.where(weights[..., None] > 0, targets, lifted).astype(np.float32)

    return spread


class _Kept:
    """The prior of the last photo, and where it is asked for what holds its first version."""

    def __init__(self, colorizer: Colorizer, versions: bool):
        self._colorizer, self._versions = colorizer, versions
        self._key: bytes = b""
        self._found: tuple[Prior, Held | None] | None = None

    def of(self, photo: Photo) -> tuple[Prior, Held | None]:
        key = photo.lightness.tobytes()
        if self._found is None or key != self._key:
            self._key, self._found = key, self._asked(photo)
        return self._found

    def _asked(self, photo: Photo) -> tuple[Prior, Held | None]:
        prior = self._colorizer.prior(photo)
        if not self._versions:
            return prior, None
        first = self._colorizer.versions(photo, 1)
        return prior, self._colorizer.held(prior, first.unary, first.field)


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
