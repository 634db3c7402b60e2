"""How often each colour occurs in one data set, counted once and kept: one prior for runs on any data.

Deshpande et al. 2017 weigh the colours of all their data sets by one prior: Zhang et al.'s, of ImageNet, and in their
first version that of their ImageNet validation photos. `colorize-data --color_prior=FILE` writes one.
"""

import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from colorize_jax import files
from colorize_jax.data.color_statistics import BINS, count_colors
from colorize_jax.shapes import Float

_ABOUT = "about"


def write(path: Path, fields: Iterable[Float[np.ndarray, "_ H W 2"]], about: Mapping[str, Any]) -> None:
    """Counts the colours in every grid of `BINS`.

    Args:
      path: of the file; one that is there is replaced.
      fields: blocks of true colour fields, network units.
      about: whose colours they are, as JSON can hold it.

    Raises:
      ValueError: there is no field.
    """
    counts = {name: np.zeros(bins.inside.shape) for name, bins in BINS.items()}
    for block in fields:
        for name, bins in BINS.items():
            counts[name] += count_colors(block, bins)
    if not all(table.any() for table in counts.values()):
        raise ValueError(f"{path}: there is no colour to count; give a data set with training photos")
    told = np.frombuffer(json.dumps(dict(about), sort_keys=True).encode(), np.uint8)
    files.write_arrays(path, {**counts, _ABOUT: told}, overwrite=True)


def read(path: Path, bins: str) -> Float[np.ndarray, "K K"]:
    """Number of colours in each bin of the grid `BINS[bins]`.

    Raises:
      ValueError: there is no such file, or it is not one that `write` wrote.
    """
    try:
        arrays = files.read_arrays(path)
    except (OSError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise _no_prior(path, str(error)) from error
    counts = arrays.get(bins)
    if counts is None or counts.shape != BINS[bins].inside.shape or not counts.sum() > 0:
        raise _no_prior(path, f"it has no counts of the bins {bins!r}")
    return counts


def _no_prior(path: Path, why: str) -> ValueError:
    return ValueError(f"color prior {path}: {why}; write one with `colorize-data --color_prior={path}`")
