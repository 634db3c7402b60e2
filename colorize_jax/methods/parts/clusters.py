"""k-means: one implementation for what methods sample and for what they are compared with."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from colorize_jax.shapes import Array, Float, Int, PRNGKeyArray


class Clusters(NamedTuple):
    """Centres by falling share of the points.

    Attributes:
      centers: of the clusters.
      shares: of the points, which sum to 1.
      error: sum over the points of the squared distance to the nearest centre.
    """

    centers: Float[Array, "M K"]
    shares: Float[Array, "M"]
    error: Float[Array, ""]


def kmeans(points: Float[Array, "N K"], rng: PRNGKeyArray, *, clusters: int, iterations: int) -> Clusters:
    """Lloyd's k-means from k-means++ starts (Arthur and Vassilvitskii 2007); all shapes are static.

    A cluster that loses all its points keeps its centre.

    Args:
      points: rows.
      rng: of the starts.
      clusters: M, at most N.
      iterations: Lloyd steps at most; it stops where no point moves.

    Raises:
      ValueError: fewer points than clusters.
    """
    if len(points) < clusters:
        raise ValueError(
            f"kmeans: {len(points)} points for {clusters} clusters; give at least as many points"
        )

    def is_moving(state: tuple[Array, Array, Array, Array]) -> Array:
        step, before, nearest, _ = state
        return (step < iterations) & (before != nearest).any()

    def move(state: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        step, _, nearest, centers = state
        members = jax.nn.one_hot(nearest, clusters)
        counts = members.sum(axis=0)[:, None]
        means = jnp.matmul(members.T, points, precision="highest") / jnp.maximum(counts, 1)
        centers = jnp.where(counts > 0, means, centers)
        return step + 1, nearest, _nearest(points, centers), centers

    starts = _plus_plus(points, rng, clusters)
    first = _nearest(points, starts)
    _, _, nearest, centers = jax.lax.while_loop(is_moving, move, (jnp.int32(0), first - 1, first, starts))
    shares, order = jax.lax.top_k(jax.nn.one_hot(nearest, clusters).mean(axis=0), clusters)
    error = jnp.maximum(_squared_distances(points, centers).min(axis=1), 0).sum()
    return Clusters(centers[order], shares, error)


def _nearest(points: Float[Array, "N K"], centers: Float[Array, "M K"]) -> Int[Array, "N"]:
    return _squared_distances(points, centers).argmin(axis=1)


def _squared_distances(points: Float[Array, "N K"], centers: Float[Array, "M K"]) -> Float[Array, "N M"]:
    product = jnp.matmul(points, centers.T, precision="highest")
    return (points**2).sum(axis=1)[:, None] - 2 * product + (centers**2).sum(axis=1)[None, :]


def _plus_plus(points: Float[Array, "N K"], rng: PRNGKeyArray, clusters: int) -> Float[Array, "M K"]:
    """Starts, drawn one by one in proportion to the squared distance to the nearest one so far."""
    keys = jax.random.split(rng, clusters)
    centers = points[jax.random.randint(keys[0], (), 0, len(points))][None]
    for key in keys[1:]:
        distance = jnp.maximum(_squared_distances(points, centers).min(axis=1), 0)
        # The smallest float: where all points coincide any of them will do.
        logits = jnp.log(distance + jnp.finfo(distance.dtype).tiny)
        centers = jnp.concatenate([centers, points[jax.random.categorical(key, logits)][None]])
    return centers
