"""What a saved file shows of an edited photo: the picture, or what programs that go on with it need.

| kind | file |
|---|---|
| `picture` | the coloured photo |
| `both` | the gray photo, and the coloured one to its right |
| `layer` | its colours alone, transparent where it is gray: laid over the gray photo they give the coloured one |
| `masks` | a ZIP of one PNG of 8 bits for each edit: 255 where it lies, 0 elsewhere |

**The layer** is for the mode "normal", which every program has, and for values as the file has them (not linear light).
Of all colours with an opacity that give the picture it has the least opacity, so that the gray photo below may still be
retouched. A program with a mode "color" of CIE LCh needs no layer: the coloured picture itself is one.
"""

import io
import zipfile
from collections.abc import Iterator

import numpy as np
from jaxtyping import Shaped
from PIL import Image

from colorize_jax.control.document import EditDocument, EditError, name_of
from colorize_jax.control.raster import draw_shape
from colorize_jax.inference.colorizer import Picture, render_tiles
from colorize_jax.photos.encode import encode
from colorize_jax.photos.photo import Photo
from colorize_jax.photos.upsample import Tile
from colorize_jax.studio.live import LivePhoto, in_fractions
from colorize_jax.studio.tone import Tones

KINDS = ("picture", "both", "layer", "masks")
_ROWS = 256  # of a picture that are worked on at once


def export(live: LivePhoto, edits: EditDocument, version: int, tones: Tones, kind: str, suffix: str) -> bytes:
    """A file.

    Args:
      live: the photo.
      edits, version, tones: as `LivePhoto.picture` takes them.
      kind: one of `KINDS`.
      suffix: one of the values of `encode.SUFFIXES`; masks are always a ZIP.

    Raises:
      EditError: masks of no edits; see also `raster.mark`.
      PhotoError: opacity in a format that keeps none.
    """
    if kind == "masks":
        return masks(edits, *live.photo.lightness.shape)
    picture, about = live.picture(edits, version, tones), live.about(edits, version, tones)
    if kind == "both":
        picture = np.hstack([gray_of(live.photo), picture])
    elif kind == "layer":
        picture = color_layer(gray_of(live.photo), picture)
    return encode(picture, suffix, about)


def gray_of(photo: Photo) -> Picture:
    """The photo as a picture of no colour, with its opacity and its bits."""
    height, width = photo.lightness.shape

    def tiles() -> Iterator[Tile]:
        for top in range(0, height, _ROWS):
            rows = slice(top, min(top + _ROWS, height))
            yield rows, np.zeros((2, rows.stop - top, width), np.float32)

    return render_tiles(photo, tiles(), 1)[0]


def color_layer(
    gray: Shaped[np.ndarray, "H W C"], picture: Shaped[np.ndarray, "H W C"]
) -> Shaped[np.ndarray, "H W 4"]:
    """The colours and opacities that, laid over `gray`, give `picture`: of all of them those of least opacity.

    Args:
      gray, picture: sRGB of one type, uint8 or uint16; with an opacity or without. That of the picture is kept.

    Returns:
      Of the same type: within one level where `gray` is opaque.
    """
    layer = np.empty((*picture.shape[:2], 4), picture.dtype)
    for top in range(0, len(picture), _ROWS):
        rows = slice(top, top + _ROWS)
        layer[rows] = _least_opaque(gray[rows, :, :3], picture[rows, :, :3])
        if picture.shape[2] == 4:
            layer[rows, :, 3] = np.minimum(layer[rows, :, 3], picture[rows, :, 3])
    return layer


def _least_opaque(gray: np.ndarray, picture: np.ndarray) -> np.ndarray:
    most = float(np.iinfo(picture.dtype).max)
    below, above = gray.astype(np.float32), picture.astype(np.float32)
    difference = above - below
    room = np.where(difference > 0, most - below, below)
    share = np.abs(difference) / np.maximum(room, 1)
    # Rounded up: a lower opacity would need a colour beyond white or black.
    opacity = np.ceil(share.max(axis=2, keepdims=True) * most)
    colors = below + difference * (most / np.maximum(opacity, 1))
    return np.concatenate([np.round(colors).clip(0, most), opacity], axis=2).astype(picture.dtype)


def masks(edits: EditDocument, height: int, width: int) -> bytes:
    """A ZIP of PNGs, in the order of the edits; a link's mask has both of its regions.

    Raises:
      EditError: no edits, or one that the photo of height x width pixels cannot take.
    """
    if not edits.edits:
        raise EditError("there are no edits, so there are no masks; paint something first")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for index, edit in enumerate(in_fractions(edits, height, width).edits):
            mask = np.zeros((height, width), np.uint8)
            for shape in edit.shapes:
                patch = draw_shape(shape, "fraction", height, width, name_of(index, edit))
                mask[patch.box][patch.mask] = 255
            archive.writestr(f"{index + 1:03d}_{edit.kind}.png", _png(mask))
    return file.getvalue()


def _png(mask: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "png")
    return file.getvalue()
