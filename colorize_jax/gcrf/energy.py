"""The Gaussian CRF itself: its similarity, its energy and the matrix of its linear system.

One image at a time; `jax.vmap` gives batches. `solvers` solve the system, and `rule` differentiates it.
"""

import jax
import jax.numpy as jnp

from colorize_jax.shapes import Array, Float


def similarity(
    embeddings: Float[Array, "P D"],
    temperature: float | Float[Array, ""],
    *,
    exclude_diagonal: bool = False,
) -> Float[Array, "P P"]:
    """S = softmax over rows of E Eᵀ / τ: how much each pixel's colour leans on every other's.

    Args:
      embeddings: E, one row per pixel of the field, any unit.
      temperature: τ > 0. A small τ drives S to the identity, where the field is its own unary; √D is a start.
      exclude_diagonal: forbid a pixel to explain itself: the diagonal of S is then exactly 0. Needs P ≥ 2.

    Returns:
      S, rows sum to 1, entries in [0, 1].

    Source: Messaoud et al. 2018, Sec. 3.2; temperature and excluded diagonal are additions.
    """
    return jax.nn.softmax(logits(embeddings, temperature, exclude_diagonal=exclude_diagonal), axis=-1)


def logits(
    embeddings: Float[Array, "P D"],
    temperature: float | Float[Array, ""],
    *,
    exclude_diagonal: bool = False,
) -> Float[Array, "P P"]:
    """Z = E Eᵀ / τ, symmetric; -inf on an excluded diagonal."""
    with jax.default_matmul_precision("highest"):
        values = (embeddings @ embeddings.T) / temperature
    if exclude_diagonal:
        values = jnp.where(jnp.eye(values.shape[0], dtype=bool), -jnp.inf, values)
    return values


def energy(
    similarity: Float[Array, "P P"],
    field: Float[Array, "P C"],
    targets: Float[Array, "P C"],
    weights: Float[Array, " P"],
) -> Float[Array, ""]:
    """Eq. (5): E(x) = ½‖(I−S)x‖² + ½ Σᵢ wᵢ‖xᵢ − αᵢ‖², summed over the C columns; `solve` returns its minimiser x.

    Args:
      similarity: S, rows sum to 1.
      field: x, colours in network units.
      targets: α, the unary's or the user's colours, same unit.
      weights: w ≥ 0, the confidence in each target; 0 where nothing is known.

    Source: Messaoud et al. 2018, Eq. (5), with w = β diag(H).
    """
    pairwise = jnp.sum(disagreement(similarity, field) ** 2)
    unary = jnp.sum(weights[:, None] * (field - targets) ** 2)
    return (pairwise + unary) / 2


def disagreement(similarity: Float[Array, "P P"], field: Float[Array, "P C"]) -> Float[Array, "P C"]:
    """Λv = v − Sv: what each pixel's value is off the mean of the pixels that it leans on."""
    with jax.default_matmul_precision("highest"):
        return field - similarity @ field


def system_matrix(similarity: Float[Array, "P P"], weights: Float[Array, " P"]) -> Float[Array, "P P"]:
    """Eq. (6): A = (I−S)ᵀ(I−S) + diag(w), symmetric, positive definite as soon as some w > 0.

    S is `similarity`, w is `weights`. The paper calls A positive definite without that condition; but (I−S)·1 = 0, so
    w = 0 makes it singular.
    """
    identity = jnp.eye(similarity.shape[0], dtype=similarity.dtype)
    difference = identity - similarity
    with jax.default_matmul_precision("highest"):
        return difference.T @ difference + jnp.diag(weights)


def lower_system_matrix(
    similarity: Float[Array, "P P"], weights: Float[Array, " P"], *, block: int
) -> Float[Array, "P P"]:
    """A as `system_matrix`, with zeros above its diagonal for a factorisation that does not look there.

    It is made by four block rows, each up to its diagonal block: five eighths of the whole product's work. Diagonal
    blocks are whole. Their size is a multiple of `block`, that of a factorisation, whose derivative needs whole blocks.
    """
    size = similarity.shape[0]
    rows = block * -(-size // (4 * block))
    difference = jnp.eye(size, dtype=similarity.dtype) - similarity
    with jax.default_matmul_precision("highest"):
        parts = [
            difference[:, start : start + rows].T @ difference[:, : start + rows]
            for start in range(0, size, rows)
        ]
    padded = [jnp.pad(part, ((0, 0), (0, size - part.shape[1]))) for part in parts]
    return jnp.concatenate(padded) + jnp.diag(weights)
