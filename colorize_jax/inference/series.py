"""Photos that follow each other, as frames of a film or shots of a burst: each version keeps its place and its colours.

A model colours every photo alone. Between two that nearly are the same its versions change places, and where two
colours are about as likely it takes now the one, now the other. So each frame is compared with the one before:

1. Where the two are not alike, as at a cut, the frame begins anew.
2. Version k is the found one whose field is nearest to version k of the frame before, all versions together.
3. Cells whose lightness stayed keep most of their color; those whose lightness changed take that of the new frame.

All of it happens on the model's own low-resolution fields, before they are lifted to the photo's size.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from scipy.optimize import linear_sum_assignment

from colorize_jax import color
from colorize_jax.inference import origin
from colorize_jax.inference.colorizer import Colorizer, Versions, render
from colorize_jax.photos import upsample
from colorize_jax.photos.metadata import Metadata
from colorize_jax.photos.photo import Photo, read_photo, read_rgb
from colorize_jax.shapes import Float, Int

# Likeness of 1,770 pairs of unrelated photos (60 of ImageNet samples) was at most 0.52, of faces in LFW at most 0.70.
# Of the first with themselves, shifted by a twentieth of their width, it was above 0.52 for nine in ten.
SCENE = 0.5
"""Least likeness of two frames of one scene, of photos that are known to follow each other."""

NEARLY_THE_SAME = 0.9
"""Least likeness of two photos that are taken for frames though nobody said so."""

_NOISE = 4.0  # variance of L* that says nothing, such as grain on an even ground
_MOVED = 6.0  # L*; a cell that changed by more shows something else
_GAIN = 0.1  # share of the way to the new colors that a cell goes which shows the same
_MOST = (
    0.6  # ab units, the longest way that such a cell goes in a frame; 8 bits and a codec add as much again
)
_SHRUNK = 8  # times the field: how large pictures are of which it is taken


class Memory(NamedTuple):
    """All that a frame needs of the one before.

    Attributes:
      lightness: L* of the field's cells.
      field: of its versions as they are shown, network units.
    """

    lightness: Float[np.ndarray, "F F"]
    field: Float[np.ndarray, "N F F 2"]


def likeness(before: Float[np.ndarray, "F F"], after: Float[np.ndarray, "F F"]) -> float:
    """How much the lightness of two frames varies together: 1 for the same, about 0 for unrelated ones.

    It is their correlation, with some noise that both have in common, so that two even frames are alike. Neither
    brightness nor contrast of a whole frame matters: old films flicker, and scenes fade.
    """
    one, other = before - before.mean(), after - after.mean()
    spread = np.sqrt((np.mean(one**2) + _NOISE) * (np.mean(other**2) + _NOISE))
    return float((np.mean(one * other) + _NOISE) / spread)


def order(before: Float[np.ndarray, "N F F 2"], found: Float[np.ndarray, "K F F 2"]) -> Int[np.ndarray, " N"]:
    """Which of K >= N found versions each of the N before becomes: with the least squared distance of their fields."""
    cost = [[np.sum((one - other) ** 2) for other in found] for one in before]
    chosen: np.ndarray = linear_sum_assignment(np.array(cost))[1]
    return chosen


def motion(before: Float[np.ndarray, "F F"], after: Float[np.ndarray, "F F"]) -> Float[np.ndarray, "F F"]:
    """How surely each cell shows something else than in the frame before, 0 to 1, by its L*.

    What most cells have in common is a change of brightness, and no motion.
    """
    change = after - before
    moved: np.ndarray = 1 - np.exp(-(((change - np.median(change)) / _MOVED) ** 2))
    return moved


def settled(
    before: Float[np.ndarray, "N F F 2"], found: Float[np.ndarray, "N F F 2"], moved: Float[np.ndarray, "F F"]
) -> Float[np.ndarray, "N F F 2"]:
    """Fields on the way from those of the frame before to those that were found for the new one.

    A cell that moved goes the whole way. One that shows the same goes a tenth of it, and at most 0.6 units of ab: a
    recursive filter of about ten frames, in which no jump of the model's is seen.

    Args:
      before, found: network units, in the same order.
      moved: of each cell, see `motion`.
    """
    way = found - before
    length = color.network_to_ab(np.linalg.norm(way, axis=-1, keepdims=True))
    still = np.minimum(_GAIN, _MOST / np.maximum(length, _MOST))
    share = moved[None, ..., None]
    between: np.ndarray = before + (share + (1 - share) * still) * way
    return between.astype(np.float32)


def follow(
    memory: Memory | None, lightness: Float[np.ndarray, "F F"], found: Versions, count: int, least: float
) -> Versions:
    """The versions of a frame as those of the frame before go on, without pictures; the first found where they do not.

    Args:
      memory: of the frame before; None for the first.
      lightness: L* of the cells.
      found: at least `count` versions of the model.
      count: N.
      least: likeness below which the frame begins anew.
    """
    if memory is None or likeness(memory.lightness, lightness) < least:
        return found._replace(
            weights=found.weights[:count], unary=found.unary[:count], field=found.field[:count]
        )
    chosen = order(memory.field, found.field)
    field = settled(memory.field, found.field[chosen], motion(memory.lightness, lightness))
    return found._replace(weights=found.weights[chosen], unary=found.unary[chosen], field=field)


def cells(plane: Float[np.ndarray, "H W"], side: int) -> Float[np.ndarray, "F F"]:
    """A plane of a photo on the cells of its field, of which `side` are in a row."""
    return upsample.resize(plane, side, side)


class Series:
    """Colours photos that are given to it in turn; of a photo that is not like the one before, as if it were alone.

    Attributes:
      memory: of the last photo, None before the first; with it another `Series` goes on.
    """

    def __init__(
        self,
        colorizer: Colorizer,
        *,
        samples: int | None = None,
        candidates: int | None = None,
        seed: int = 0,
        rule: str | None = None,
        least: float = SCENE,
    ):
        """Photos get `samples` versions.

        Args:
          colorizer: the model.
          samples: N, as `Colorizer.colorize` takes it, and the seed and the rule.
          candidates: how many versions are found, of which the N nearest to those before are taken; N by default.
          least: likeness below which a photo begins anew.

        Raises:
          ValueError: an unknown rule, or more versions than it gives.
        """
        self._samples, self._rule = colorizer.request(samples, rule)
        self._candidates, _ = colorizer.request(max(self._samples, candidates or 0), rule)
        self._colorizer, self._seed, self._least = colorizer, seed, least
        self.memory: Memory | None = None
        self._recall: Callable[[int], Memory] | None = None

    def colorize(self, photo: Photo) -> Versions:
        """The versions of the next photo; see `Colorizer.colorize` for what it raises."""
        how: dict[str, Any] = {"seed": self._seed, "rule": self._rule}
        found = self._colorizer.versions(photo, self._candidates, **how)
        side = found.field.shape[1]
        if self._recall is not None:
            self.memory, self._recall = self._recall(side), None
        lightness = cells(photo.lightness, side)
        followed = follow(self.memory, lightness, found, self._samples, self._least)
        self.memory = Memory(lightness, followed.field)
        about = self._colorizer.origin(photo, self._samples, **how)
        return followed._replace(rgb=render(photo, followed.field), about=about)

    def provenance(self, version: int) -> Mapping[str, str]:
        """Where the colours of a version, from 1, are from, by the names that `origin` gives them."""
        how = {"Rule": self._rule, "Seed": self._seed, "Versions": self._samples}
        about = origin.told(Metadata(), self._colorizer.identity, **how)
        return origin.numbered(about, version).provenance

    def pass_over(self, photo: Path, page: int, versions: Sequence[Path]) -> None:
        """The next photo follows one that was coloured by an earlier run, whose files are read if they are needed.

        Args:
          photo: its file.
          page: of the file, from 0.
          versions: its files of this series, in order.
        """
        self._recall = lambda side: recalled(photo, page, versions, side)


def recalled(photo: Path, page: int, versions: Sequence[Path], side: int) -> Memory:
    """What is to be remembered of a photo whose versions are files, up to what the gamut took from them.

    Args:
      photo: its file.
      page: of the file, from 0.
      versions: files.
      side: F.

    Raises:
      PhotoError: one of them cannot be read.
    """
    lightness = cells(read_photo(photo, page=page).lightness, side)
    return Memory(lightness, np.stack([_field_of(version, side) for version in versions]))


def _field_of(picture: Path, side: int) -> Float[np.ndarray, "F F 2"]:
    small = Image.fromarray(read_rgb(picture)).resize((_SHRUNK * side, _SHRUNK * side), Image.Resampling.BOX)
    lab = color.srgb_to_lab(np.asarray(small, np.float32) / 255)
    ab = [cells(lab[..., channel], side) for channel in (1, 2)]
    field: np.ndarray = color.ab_to_network(np.stack(ab, axis=-1))
    return field.astype(np.float32)
