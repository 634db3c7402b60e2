"""Pictures of the learned structure: what a pixel leans on, unary against final, where the field is unsure.

    colorizer = Colorizer.load()
    explained = explain(colorizer, "photo.jpg", edits, at=[(120, 80)])
    explained.attention  # (1, F, F), the row of S of that pixel
    show(explained)["attention"]  # (h, w, 3) uint8

Drawn with Pillow and NumPy alone.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from colorize_jax import color
from colorize_jax.control.answer import system_of
from colorize_jax.control.document import EditDocument, as_edits
from colorize_jax.control.raster import Marks, mark
from colorize_jax.gcrf.gaussian.posterior import posterior_variance
from colorize_jax.gcrf.interactive.suggest import suggest
from colorize_jax.inference.colorizer import Colorizer, Versions, render
from colorize_jax.photos import upsample
from colorize_jax.photos.photo import Photo, as_photo
from colorize_jax.photos.sheet import captioned
from colorize_jax.shapes import Float, UInt8

NAMES = ("attention", "unary", "variance", "suggested")
"""Of the pictures of `show`."""

Picture = UInt8[np.ndarray, "H W 3"]
Position = tuple[float | int, float | int]
"""x and y in pixels of the photo, as in `edits`."""

# Black, violet, orange, pale yellow: even steps of lightness, so that it reads in print and to all eyes.
_STOPS = np.array([[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]], np.float64)
_DIMMED = 0.35  # of the photo's lightness under a map


class Explanation(NamedTuple):
    """The structure that a model sees in a photo, and what edits leave open of it.

    Attributes:
      photo: as read.
      marks: the edits on its pixels.
      positions: of the pixels whose attention is shown.
      attention: the row of S of each; each map sums to 1.
      versions: of `Colorizer.edit`, or of `Colorizer.colorize` without edits: unary, final field and pictures.
      variance: diag(A⁻¹) of the edits alone, network units², for a unit scale of the energy: where it is large the
        edits do not say the colour.
      suggested: where the next exact edits would reduce the sum of `variance` most, best first.
    """

    photo: Photo
    marks: Marks
    positions: tuple[Position, ...]
    attention: Float[np.ndarray, "K F F"]
    versions: Versions
    variance: Float[np.ndarray, "F F"]
    suggested: tuple[Position, ...]


def explain(
    colorizer: Colorizer,
    image: Photo | str | os.PathLike[str] | Image.Image | np.ndarray,
    edits: EditDocument | Mapping[str, Any] | Sequence[Mapping[str, Any]] | str | os.PathLike[str] = (),
    *,
    at: Sequence[Position] | None = None,
    suggestions: int = 3,
    mode: str = "over",
    samples: int | None = 1,
) -> Explanation:
    """What a model sees in a photo.

    Variance and suggestions are those of mode 'alone': the field knows the edits and gray's weak pull. It knows no
    version, since a version holds every cell by its own colour and would leave nothing open.

    Args:
      colorizer: with a similarity.
      image: as `Colorizer.edit` takes it.
      edits: likewise; none by default.
      at: positions whose attention is wanted, in pixels of the photo; by default the suggested ones.
      suggestions: how many.
      mode: of `Colorizer.edit`.
      samples: likewise.

    Raises:
      ValueError: a position outside the photo, too many suggestions, and what `Colorizer.edit` raises.
    """
    photo, parsed = as_photo(image)._replace(bits=8), as_edits(edits)
    marks = mark(parsed, *photo.lightness.shape)
    prior = colorizer.prior(photo)
    side = len(prior.unary)
    system = system_of(prior, marks.cells(side), "alone", colorizer.solver)
    similarity, weights = (jnp.asarray(a, jnp.float32) for a in (system.similarity, system.weights[:, 0]))
    variance = np.asarray(posterior_variance(similarity, weights).value)
    chosen = suggest(system.similarity, system.weights[:, 0], suggestions).pixels
    suggested = tuple(position_of(int(cell), photo, side) for cell in chosen)
    positions = suggested if at is None else tuple((float(x), float(y)) for x, y in at)
    rows = [system.similarity[cell_of(position, photo, side)] for position in positions]
    return Explanation(
        photo=photo,
        marks=marks,
        positions=positions,
        attention=np.reshape(rows, (-1, side, side)),
        versions=colorizer.edit(photo, parsed, samples, mode),
        variance=variance.reshape(side, side),
        suggested=suggested,
    )


def show(explained: Explanation) -> dict[str, UInt8[np.ndarray, "h w 3"]]:
    """One captioned sheet for each of `NAMES`."""
    photo = explained.photo
    edits = show_edits(photo, explained.marks)
    attention = [
        with_rings(show_map(row, photo, low=0), [position])
        for row, position in zip(explained.attention, explained.positions, strict=True)
    ]
    leans = [f"what ({x:.0f}, {y:.0f}) leans on" for x, y in explained.positions]
    unary = render(photo, explained.versions.unary[:1])[0][..., :3]
    suggested = with_rings(edits, explained.suggested, numbered=True)
    return {
        "attention": panels([edits, *attention], ["photo and edits", *leans]),
        "unary": panels([unary, explained.versions.rgb[0][..., :3]], ["unary", "final"]),
        "variance": panels(
            [edits, show_map(explained.variance, photo)], ["photo and edits", "variance: bright is open"]
        ),
        "suggested": panels([suggested], ["edit here next"]),
    }


def cell_of(position: Position, photo: Photo, side: int) -> int:
    """The cell of a field, counted by rows, that holds a position of the photo.

    Raises:
      ValueError: a position outside the photo.
    """
    height, width = photo.lightness.shape
    x, y = position
    if not (0 <= x <= width and 0 <= y <= height):
        raise ValueError(f"position [{x:g}, {y:g}] lies outside the photo of {width}x{height} pixels.")
    row, column = (min(int(v * side / size), side - 1) for v, size in ((y, height), (x, width)))
    return row * side + column


def position_of(cell: int, photo: Photo, side: int) -> Position:
    """The centre of a cell on the photo; the inverse of `cell_of`."""
    height, width = photo.lightness.shape
    row, column = divmod(cell, side)
    return (column + 0.5) * width / side, (row + 0.5) * height / side


def show_map(
    values: Float[np.ndarray, "F F"], photo: Photo, *, low: float | None = None, high: float | None = None
) -> Picture:
    """A map of a field over the dimmed photo: dark at `low`, bright at `high`, by default its smallest and largest."""
    low = float(values.min()) if low is None else low
    high = float(values.max()) if high is None else high
    height, width = photo.lightness.shape
    level = upsample.resize((values - low) / max(high - low, 1e-12), height, width).clip(0, 1)
    heat = _heat(level)
    gray = _gray(photo).astype(np.float64)
    return np.round(heat * (1 - _DIMMED) + gray * _DIMMED).astype(np.uint8)


def _heat(level: Float[np.ndarray, "H W"]) -> np.ndarray:
    places = np.linspace(0, 1, len(_STOPS))
    return np.stack([np.interp(level, places, stop) for stop in _STOPS.T], axis=-1)


def _gray(photo: Photo) -> Picture:
    empty = np.zeros_like(photo.lightness)
    return color.lab_to_srgb_bytes(np.stack([photo.lightness, empty, empty], axis=-1))


def with_rings(picture: Picture, positions: Sequence[Position], *, numbered: bool = False) -> Picture:
    """White rings, edged in black, around positions; numbered from 1 where there are several to tell apart."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    radius = max(4.0, max(image.size) / 60)
    font = ImageFont.load_default(size=round(2 * radius))
    for number, (x, y) in enumerate(positions, start=1):
        for extra, fill, width in ((1, "black", 4), (0, "white", 2)):
            reach = radius + extra
            draw.ellipse((x - reach, y - reach, x + reach, y + reach), outline=fill, width=width)
        if numbered:
            place = (x + 1.3 * radius, y - 1.2 * radius)
            draw.text(place, str(number), fill="white", font=font, stroke_width=2, stroke_fill="black")
    return np.asarray(image)


def show_edits(photo: Photo, marks: Marks) -> Picture:
    """The gray photo with the edits' colours on their pixels, at a lightness where they can be told apart."""
    picture = _gray(photo).copy()
    for plane in (marks.soft, marks.exact):
        for index in np.unique(plane[plane >= 0]):
            lab = np.array([[65.0, *(marks.edits[index].ab or (0, 0))]])
            picture[plane == index] = color.lab_to_srgb_bytes(lab)
    return picture


def panels(
    pictures: Sequence[Picture], captions: Sequence[str], *, columns: int = 3, longest: int = 480
) -> UInt8[np.ndarray, "h w 3"]:
    """Pictures of one size on a sheet, captioned, their longer side at most `longest` pixels."""
    shown = [Image.fromarray(picture) for picture in pictures]
    for image in shown:
        image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return np.asarray(captioned(shown, captions, columns=columns))
