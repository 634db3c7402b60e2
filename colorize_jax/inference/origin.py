"""Where the colours of a picture are from, by the names that its XMP gives them (`photos.xmp`)."""

import functools
import importlib.metadata
from collections.abc import Mapping

from colorize_jax.photos.metadata import Metadata


@functools.cache
def software() -> str:
    """This package and its version."""
    try:
        return f"colorize_jax {importlib.metadata.version('colorize_jax')}"
    except importlib.metadata.PackageNotFoundError:
        return "colorize_jax"


def told(about: Metadata, source: Mapping[str, str], **how: object) -> Metadata:
    """A photo's metadata with the origin of its colours.

    Args:
      about: the photo's.
      source: what colored it, such as `Colorizer.identity`.
      how: what was asked of it, such as Rule and Seed; None is left out.
    """
    asked = {name: str(value) for name, value in how.items() if value is not None}
    return about._replace(provenance={"Colorized": "True", "Software": software(), **source, **asked})


def numbered(about: Metadata, number: int) -> Metadata:
    """Of one version among several, from 1."""
    return about._replace(provenance={**about.provenance, "Version": str(number)})
