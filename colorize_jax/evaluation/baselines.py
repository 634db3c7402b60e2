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

from typing import NamedTuple

import numpy as np

from colorize_jax.shapes import Float

TEMPLATES = 5
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
    centers = kmeans(rows, templates, seed=seed)
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


def kmeans(
    rows: Float[np.ndarray, "B K"], clusters: int, *, seed: int, restarts: int = 4, iterations: int = 100
) -> Float[np.ndarray, "clusters K"]:
    """Lloyd's k-means from k-means++ starts (Arthur and Vassilvitskii 2007); the best of its restarts.

    Centres come back by falling number of members, so that the order does not depend on the start.

    Args:
      rows: points.
      clusters: number of centres.
      seed: of the starts; the same seed and rows give the same centres.
      restarts: independent starts.
      iterations: most Lloyd steps of one start.

    Raises:
      ValueError: fewer points than clusters.
    """
    if rows.shape[0] < clusters:
        raise ValueError(
            f"kmeans: {rows.shape[0]} points for {clusters} clusters; give at least as many points"
        )
    rng = np.random.default_rng(seed)
    # Once: a pass over 3,000 fields costs more than their products with 5 centres.
    norms = np.square(rows).sum(axis=1)
    runs = [_lloyd(rows, norms, _plus_plus(rows, norms, clusters, rng), iterations) for _ in range(restarts)]
    centers, nearest, _ = min(runs, key=lambda run: run[2])
    return centers[np.argsort(-np.bincount(nearest, minlength=clusters), kind="stable")]


def _squared_distances(rows: np.ndarray, norms: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """(B, clusters); the rounding of the expanded square may leave −1e-6, which a draw must not see."""
    expanded = norms[:, None] - 2 * (rows @ centers.T) + np.square(centers).sum(axis=1)
    return np.maximum(expanded, 0)


def _plus_plus(rows: np.ndarray, norms: np.ndarray, clusters: int, rng: np.random.Generator) -> np.ndarray:
    """Starts, drawn one by one in proportion to the squared distance to the nearest one so far."""
    centers = rows[rng.integers(len(rows))][None]
    while len(centers) < clusters:
        distance = _squared_distances(rows, norms, centers).min(axis=1).astype(np.float64)
        total = distance.sum()
        weights = distance / total if total > 0 else np.full(len(rows), 1 / len(rows))
        centers = np.concatenate([centers, rows[rng.choice(len(rows), p=weights)][None]])
    return centers


def _lloyd(
    rows: np.ndarray, norms: np.ndarray, centers: np.ndarray, iterations: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Assigns and averages until no point moves: (centres, each point's nearest, summed squared distance)."""
    nearest = np.full(len(rows), -1)
    for _ in range(iterations):
        moved = _squared_distances(rows, norms, centers).argmin(axis=1)
        if np.array_equal(moved, nearest):
            break
        nearest = moved
        members = (nearest == np.arange(len(centers))[:, None]).astype(rows.dtype)
        counts = members.sum(axis=1, keepdims=True)
        # A centre that lost all its points keeps its place.
        centers = np.where(counts > 0, members @ rows / np.maximum(counts, 1), centers)
    return centers, nearest, float(_squared_distances(rows, norms, centers).min(axis=1).sum())
