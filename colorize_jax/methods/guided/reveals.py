"""Simulated edits for training: patches of a photo's own colours, of the size of the reveal benchmark's.

The paper's masks keep 100 to 10 % of the unary; a user makes one to a hundred edits. Here a photo reveals as many.
"""

import jax
import jax.numpy as jnp

from colorize_jax.shapes import Array, Float

PATCH = 7 / 256
"""Side of a revealed patch, of the photo's: protocol `paper` of `evaluation.reveals`."""

MOST = 100
"""Reveals of a photo, at most; their number is drawn evenly on a logarithmic scale."""


def reveal(
    rng: Array, true: Float[Array, "B F F 2"], counts: Float[Array, " B"]
) -> tuple[Float[Array, "B P 2"], Float[Array, "B P"]]:
    """(Colours, revealed shares) of the first `counts` of `MOST` patches at random places of each field.

    Args:
      rng: draws the places.
      true: colour fields.
      counts: patches of each photo, in [0, MOST].
    """
    batch, side = true.shape[:2]
    patch = PATCH * side
    first = jax.random.uniform(rng, (batch, MOST, 2, 1)) * (side - patch)
    cells = jnp.arange(side, dtype=first.dtype).reshape(1, 1, 1, side)
    covered = jnp.clip(jnp.minimum(first + patch, cells + 1) - jnp.maximum(first, cells), 0, None)
    used = (jnp.arange(MOST)[None, :] < counts[:, None]).astype(true.dtype)
    rows, columns = covered[:, :, 0] * used[:, :, None], covered[:, :, 1]
    share = jnp.einsum("bny,bnx->byx", rows, columns)
    # A patch has one colour, its mean, in all cells that it touches.
    mean = jnp.einsum("bny,bnx,byxc->bnc", rows, columns, true) / patch**2
    summed = jnp.einsum("bny,bnx,bnc->byxc", rows, columns, mean)
    colors = summed / jnp.maximum(share, 1e-9)[..., None]
    return colors.reshape(batch, -1, 2), jnp.minimum(share, 1).reshape(batch, -1)


def revealed_fields(
    places: Array, true: Float[Array, "B F F 2"], counts: Float[Array, " B"]
) -> tuple[Float[Array, "B F F 2"], Float[Array, "B F F"]]:
    """`reveal` as fields. One key `places` may serve fields of several sides: the patches are the same."""
    colors, revealed = reveal(jax.random.clone(places), true, counts)
    return colors.reshape(true.shape), revealed.reshape(true.shape[:3])


def turned(
    rng: Array, share: float, ab: Float[Array, "B H W 2"], unary: Float[Array, "B P 2"]
) -> tuple[Float[Array, "B H W 2"], Float[Array, "B P 2"]]:
    """True and regressed colours of a `share` of the photos, turned about gray by one random angle, and mirrored."""
    which, angles, signs = jax.random.split(rng, 3)
    count = (len(ab),)
    angle = jax.random.uniform(angles, count, maxval=2 * jnp.pi) * jax.random.bernoulli(which, share, count)
    mirror = jnp.where((angle > 0) & jax.random.bernoulli(signs, 0.5, count), -1.0, 1.0)
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    turn = jnp.stack([jnp.stack([cos, -sin * mirror], -1), jnp.stack([sin, cos * mirror], -1)], -2)
    return jnp.einsum("bij,byxj->byxi", turn, ab), jnp.einsum("bij,bpj->bpi", turn, unary)
