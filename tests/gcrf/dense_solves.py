"""Eq. (6) solved densely, as what the package is tested against, and a loss to differentiate."""

import jax.numpy as jnp
import numpy as np

from colorize_jax import gcrf
from colorize_jax.gcrf.energy import system_matrix


def oracle(embeddings, targets, weights, *, temperature, exclude_diagonal=False):
    """In NumPy and float64, with no line in common with the package."""
    embeddings, targets, weights = (np.asarray(a, np.float64) for a in (embeddings, targets, weights))
    logits = embeddings @ embeddings.T / temperature
    if exclude_diagonal:
        np.fill_diagonal(logits, -np.inf)
    similarity = np.exp(logits - logits.max(1, keepdims=True))
    similarity /= similarity.sum(1, keepdims=True)
    difference = np.eye(len(weights)) - similarity
    return np.linalg.solve(difference.T @ difference + np.diag(weights), weights[:, None] * targets)


def of_similarity(similarity, targets, weights):
    """Through jnp.linalg.solve, which jax differentiates by itself."""
    return jnp.linalg.solve(system_matrix(similarity, weights), weights[:, None] * targets)


def of_embeddings(embeddings, targets, weights, temperature, exclude_diagonal):
    similarity = gcrf.similarity(embeddings, temperature, exclude_diagonal=exclude_diagonal)
    return of_similarity(similarity, targets, weights)


def loss(solve, *arguments):
    """Not symmetric in pixels and columns, and not linear in x, so that every sign and transpose counts."""
    field = solve(*arguments)
    factors = jnp.linspace(-1, 2, field.size, dtype=field.dtype).reshape(field.shape)
    return jnp.sum(factors * field + jnp.sin(3 * field))
