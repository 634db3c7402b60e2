"""Blind baselines: colour fields that ignore the gray image; a method that loses to them has learned nothing.

| name | N | what it answers to every image |
|---|---|---|
| `gray` | 1 | no colour at all |
| `mean_colour` | 1 | one colour, the mean over all pixels of the training images |
| `mean_image` | 1 | the training images' mean colour field |
| `own_mean` | 1 | the image's own mean colour: an oracle, it has seen the truth |
| `templates` | 5 | five k-means centres of the training images' colour fields |

Colour fields are NumPy arrays in network units, ab / 128.
"""

from functools import partial
from typing import NamedTuple

import jax
import numpy as np

from colorize_jax.methods.parts.clusters import kmeans
from colorize_jax.shapes import Float

TEMPLATES = 5
# Starts of k-means, and Lloyd steps of each at most.
RESTARTS, ITERATIONS = 4, 100
# Images that the baselines are fitted on: the first of the training split's order, without flips.
FIT_IMAGES = 3000


class Baselines(NamedTuple):
    """What the blind baselines remember of the training images; network units."""

    mean_color: Float[np.ndarray, "2"]
    mean_image: Float[np.ndarray, "H W 2"]
    templates: Float[np.ndarray, "N H W 2"]


def fit(fields: Float[np.ndarray, "B H W 2"], *, seed: int = 0, templates: int = TEMPLATES) -> Baselines:
    """The baselines of a training set.

    Args:
      fields: colour fields of the training images, network units, not flipped.
      seed: of the k-means start.
      templates: number of k-means centres.

    Raises:
      ValueError: fewer training images than templates.
    """
    rows = fields.reshape(fields.shape[0], -1).astype(np.float32)
    centers = _templates(rows, templates, seed=seed)
    mean_image = fields.mean(axis=0, dtype=np.float64).astype(np.float32)
    return Baselines(
        mean_color=mean_image.mean(axis=(0, 1)),
        mean_image=mean_image,
        templates=centers.reshape(templates, *fields.shape[1:]),
    )


def predict(baselines: Baselines, truth: Float[np.ndarray, "B H W 2"]) -> dict[str, np.ndarray]:
    """Every baseline's samples for a batch, {name: (B, N, H, W, 2)}; most are read-only views of one field.

    Args:
      baselines: from `fit`, of the same image size.
      truth: the images' own colours, network units; only `own_mean` looks at their values.

    Raises:
      ValueError: the baselines were fitted at another image size.
    """
    batch, size = truth.shape[0], truth.shape[1:]
    if baselines.mean_image.shape != size:
        raise ValueError(
            f"baselines: fitted on fields of shape {baselines.mean_image.shape}, the images have {size}; "
            "fit them on training images of the same size"
        )
    own = truth.mean(axis=(1, 2), keepdims=True)
    return {
        "gray": np.zeros((batch, 1, *size), np.float32),
        "mean_colour": np.broadcast_to(baselines.mean_color, (batch, 1, *size)),
        "mean_image": np.broadcast_to(baselines.mean_image, (batch, 1, *size)),
        "own_mean": np.broadcast_to(own, truth.shape)[:, None],
        "templates": np.broadcast_to(baselines.templates, (batch, *baselines.templates.shape)),
    }


def _templates(rows: Float[np.ndarray, "B K"], count: int, *, seed: int) -> Float[np.ndarray, "N K"]:
    """The best of several k-means, by falling number of members."""
    find = jax.jit(partial(kmeans, clusters=count, iterations=ITERATIONS))
    runs = [find(rows, key) for key in jax.random.split(jax.random.key(seed), RESTARTS)]
    return np.asarray(min(runs, key=lambda run: float(run.error)).centers)
