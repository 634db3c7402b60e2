"""A photo and colour edits to versions, in one call: `edit(photo, edits, samples=5)`."""

import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from colorize_jax.control.document import EditDocument
from colorize_jax.inference.colorizer import Colorizer, Versions
from colorize_jax.photos.photo import Photo


def edit(
    photo: str | os.PathLike[str] | Image.Image | np.ndarray | Photo,
    edits: EditDocument | Mapping[str, Any] | Sequence[Mapping[str, Any]] | str | os.PathLike[str],
    samples: int | None = None,
    mode: str = "over",
    *,
    model: str | os.PathLike[str] = "default",
    **options: Any,
) -> Versions:
    """`Colorizer.edit` of a model by name, which stays loaded until another is named.

        edit("photo.jpg", [{"kind": "point", "at": [120, 80], "color": "#b03a2e"}]).rgb[0]

    Args:
      photo: a path, a PIL image, an array or a Photo.
      edits: a JSON file, its content, or a list of edits.
      samples: N, of mode 'over'; the others have one answer.
      mode: 'over' edits each version, 'alone' leaves gray what the edits do not reach, and 'guided' colours it as the
        model most expects.
      model: a model of the package, or its folder.
      options: `seed`, `rule`, `confidence`, as `Colorizer.edit` takes them.

    Raises:
      PhotoError: an image that cannot be read.
      EditError: edits that cannot be used, by index and kind.
      ValueError: what else `Colorizer.edit` and `Colorizer.load` refuse.
    """
    return _loaded(os.fspath(model)).edit(photo, edits, samples, mode, **options)


@functools.lru_cache(maxsize=1)
def _loaded(model: str) -> Colorizer:
    return Colorizer.load(model)
