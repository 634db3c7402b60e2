"""S as an operator: what the solvers multiply with, and what their gradient goes back through.

Two operators, with the same methods: `Stored` holds S, P × P. `Blockwise` holds E and the logsumexp l of each row
of Z = E Eᵀ / τ, and makes each tile of S = exp(Z − l 1ᵀ) when it is needed: O(P D + block²) memory.

Z is symmetric, so a tile of Z serves two tiles of S, Sᵢⱼ = exp(Zᵢⱼ − lᵢ) and Sⱼᵢ = exp(Zᵢⱼ − lⱼ), and the
transposed product is the same sum with the other normaliser. A product therefore visits the tiles on and above
the diagonal only, half of the work. A v = Λᵀ(Λ v) + w ∘ v needs S v before Sᵀ(Λ v), so it is two such visits.

Along an axis of a mesh, inside `jax.shard_map`, the devices take the tiles of a `Blockwise` in turn, and what its
products sum over them is summed over the devices: P × C numbers a product, and P × D once for the gradient.

A source is what the backward pass keeps: `operator()` gives S back, `pull` takes S̄ = U Vᵀ to its parameters.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from colorize_jax.gcrf.energy import logits as logits_of
from colorize_jax.gcrf.products import transposed_times
from colorize_jax.shapes import Array, Float, Int

# (i, j, the tile of Z) to what it gives for block i and for block j
Visit = Callable[[Array, Array, Array], tuple[Array, Array]]


class Attention(NamedTuple):
    """The parameters of S = softmax_rows(E Eᵀ / τ)."""

    embeddings: Float[Array, "P D"]  # E
    temperature: Float[Array, ""]  # τ


class Stored(NamedTuple):
    """S itself, given or made: an operator, and the source of a given S."""

    similarity: Float[Array, "P P"]

    def times(self, v: Float[Array, "P C"]) -> Float[Array, "P C"]:
        """S v."""
        with jax.default_matmul_precision("highest"):
            return self.similarity @ v

    def times_transposed(self, u: Float[Array, "P C"]) -> Float[Array, "P C"]:
        """Sᵀ u."""
        return transposed_times(self.similarity, u)

    def diagonal(self) -> Float[Array, " P"]:
        return jnp.diag(self.similarity)

    def column_squares(self) -> Float[Array, " P"]:
        """Σᵢ Sᵢⱼ² of each column j."""
        return jnp.sum(self.similarity**2, axis=0)

    def columns(self, chosen: Int[np.ndarray, " K"]) -> Float[Array, "P K"]:
        return self.similarity[:, chosen]

    def operator(self) -> "Stored":
        return self

    def pull(self, left: Array, right: Array, product: Array) -> "Stored":
        """S̄ = U Vᵀ, for an S that is itself the parameter."""
        del product
        with jax.default_matmul_precision("highest"):
            return Stored(left @ right.T)


class StoredAttention(NamedTuple):
    """The source of a stored S = softmax(Z): Z is kept, from which both S and Sᵀ are elementwise."""

    attention: Attention
    logits: Float[Array, "P P"]  # Z
    normalizer: Float[Array, " P"]  # l

    def operator(self) -> Stored:
        return Stored(jnp.exp(self.logits - self.normalizer[:, None]))

    def pull(self, left: Array, right: Array, product: Array) -> Attention:
        """Ē = (Z̄ + Z̄ᵀ) E / τ and τ̄, from S̄ = U Vᵀ and S V (see `rule`, "The softmax")."""
        left, right = _centered(left, right, product)
        transposed = jnp.exp(self.logits - self.normalizer[None, :])
        with jax.default_matmul_precision("highest"):
            logits_bar = self.operator().similarity * (left @ right.T) + transposed * (right @ left.T)
            return _attention_bar(self.attention, logits_bar @ self.attention.embeddings)


def store(attention: Attention, *, exclude_diagonal: bool) -> StoredAttention:
    logits = logits_of(*attention, exclude_diagonal=exclude_diagonal)
    return StoredAttention(attention, logits, jax.nn.logsumexp(logits, axis=1))


def _centered(left: Array, right: Array, product: Array) -> tuple[Array, Array]:
    """S̄ − r 1ᵀ = [U, −r] [V, 1]ᵀ with r = rowsum(U ∘ S V): the softmax's pull-back is Z̄ = S ∘ (S̄ − r 1ᵀ)."""
    row_mean = jnp.sum(left * product, axis=1, keepdims=True)
    ones = jnp.ones_like(row_mean)
    return jnp.concatenate([left, -row_mean], axis=1), jnp.concatenate([right, ones], axis=1)


def _attention_bar(attention: Attention, scaled: Array) -> Attention:
    """(Ē, τ̄) from (Z̄ + Z̄ᵀ) E."""
    embeddings_bar = scaled / attention.temperature
    temperature_bar = -jnp.sum(embeddings_bar * attention.embeddings) / (2 * attention.temperature)
    return Attention(embeddings_bar, temperature_bar)


@jax.tree_util.register_static
@dataclass(frozen=True)
class TileShare:
    """Which tiles this device visits: all of them, or its turns along an axis of the mesh."""

    axis: str | None = None

    def turns(self, count: int) -> Int[Array, " K"]:
        """Which of `count` things are this device's; numbers from `count` on are none."""
        if self.axis is None:
            return jnp.arange(count)
        devices = jax.lax.axis_size(self.axis)
        return jnp.arange(-(-count // devices)) * devices + jax.lax.axis_index(self.axis)

    def varying(self, array: Array) -> Array:
        """The array, marked as one that the devices will go on with differently."""
        return array if self.axis is None else jax.lax.pcast(array, self.axis, to="varying")

    def summed(self, array: Array) -> Array:
        """The sum of the devices' arrays."""
        return array if self.axis is None else jax.lax.psum(array, self.axis)


class Blockwise(NamedTuple):
    """S = softmax(E Eᵀ / τ), never stored: an operator, and its own source."""

    attention: Attention
    own: Float[Array, ""]  # added to Z's diagonal: 0, or -inf where a pixel may not explain itself
    normalizer: Float[Array, " P"]  # l
    share: TileShare

    def times(self, v: Float[Array, "P C"]) -> Float[Array, "P C"]:
        """S v."""
        return self._product(v, by_row=True)

    def times_transposed(self, u: Float[Array, "P C"]) -> Float[Array, "P C"]:
        """Sᵀ u."""
        return self._product(u, by_row=False)

    def diagonal(self) -> Float[Array, " P"]:
        squares = jnp.sum(self.attention.embeddings**2, axis=1)
        return jnp.exp(squares / self.attention.temperature + self.own - self.normalizer)

    def column_squares(self) -> Float[Array, " P"]:
        """Σᵢ Sᵢⱼ² of each column j: Sᵀ 1 with every logit doubled."""
        ones = jnp.ones_like(self.normalizer)[:, None]
        return self._product(ones, by_row=False, power=2)[:, 0]

    def columns(self, chosen: Int[np.ndarray, " K"]) -> Float[Array, "P K"]:
        embeddings, temperature = self.attention
        with jax.default_matmul_precision("highest"):
            logits = embeddings @ embeddings[chosen].T / temperature
        return jnp.exp(logits.at[chosen, np.arange(len(chosen))].add(self.own) - self.normalizer[:, None])

    def operator(self) -> "Blockwise":
        return self

    def _product(self, vectors: Array, *, by_row: bool, power: int = 1) -> Array:
        """Σⱼ exp(power (Zᵢⱼ − nᵢⱼ)) vⱼ with nᵢⱼ = lᵢ for S (by_row) and lⱼ for Sᵀ."""
        size = len(self.normalizer)
        v, l = _in_blocks(vectors), _in_blocks(self.normalizer, fill=jnp.inf)

        def visit(i: Array, j: Array, z: Array) -> tuple[Array, Array]:
            of_rows, of_columns = jnp.exp(power * (z - l[i][:, None])), jnp.exp(power * (z - l[j][None, :]))
            here, mirrored = (of_rows, of_columns) if by_row else (of_columns, of_rows)
            return here @ v[j], transposed_times(mirrored, v[i])

        return self._sum_over_tiles(visit, 0 * v).reshape(-1, vectors.shape[1])[:size]

    def pull(self, left: Array, right: Array, product: Array) -> Attention:
        """As `StoredAttention.pull`: Z̄ + Z̄ᵀ is symmetric, so a tile of it serves the pixels of both its sides."""
        size = len(self.normalizer)
        left, right = map(_in_blocks, _centered(left, right, product))
        e, l = _in_blocks(self.attention.embeddings), _in_blocks(self.normalizer, fill=jnp.inf)

        def visit(i: Array, j: Array, z: Array) -> tuple[Array, Array]:
            bar = jnp.exp(z - l[i][:, None]) * (left[i] @ right[j].T)
            bar += jnp.exp(z - l[j][None, :]) * (right[i] @ left[j].T)
            return bar @ e[j], bar.T @ e[i]

        scaled = self._sum_over_tiles(visit, 0 * e).reshape(-1, e.shape[-1])[:size]
        return _attention_bar(self.attention, scaled)

    def _sum_over_tiles(self, visit: Visit, sums: Array) -> Array:
        """Add to `sums` what `visit(i, j, Z's tile)` gives for block i and for block j, over the tiles i ≤ j.

        A tile on the diagonal is its own mirror: what it gives for block j does not count. A device that has fewer
        tiles than another visits one with Z = −inf, whose part of S is 0. A derivative makes each tile again.
        """
        embeddings, temperature = self.attention
        e = _in_blocks(embeddings)
        own = jnp.where(np.eye(e.shape[1], dtype=bool), self.own, 0)

        rows, columns = (jnp.asarray(side, jnp.int32) for side in np.triu_indices(e.shape[0]))

        @jax.checkpoint
        def visited(turn: Array, i: Array, j: Array) -> tuple[Array, Array]:
            nothing = jnp.where(turn < len(rows), 0, -jnp.inf).astype(e.dtype)
            with jax.default_matmul_precision("highest"):
                return visit(i, j, e[i] @ e[j].T / temperature + jnp.where(i == j, own, 0) + nothing)

        def step(sums: Array, turn: Array) -> tuple[Array, None]:
            i, j = rows[turn], columns[turn]  # of a turn behind the last: those of the last
            to_rows, to_columns = visited(turn, i, j)
            return sums.at[i].add(to_rows).at[j].add((i != j).astype(sums.dtype) * to_columns), None

        folded, _ = jax.lax.scan(step, self.share.varying(sums), self.share.turns(len(rows)))
        return self.share.summed(folded)


def blockwise(attention: Attention, *, exclude_diagonal: bool, axis: str | None = None) -> Blockwise:
    """The operator with its normalisers, made row block by row block: O(P D + P block) memory.

    Args:
      attention: E and τ; the same on all devices of `axis`.
      exclude_diagonal: Sᵢᵢ = 0.
      axis: of a mesh whose devices share the work; None outside of `jax.shard_map`.
    """
    embeddings, temperature = attention
    own = jnp.asarray(-jnp.inf if exclude_diagonal else 0.0, embeddings.dtype)
    size, share = len(embeddings), TileShare(axis)
    pixels = np.arange(size)
    blocks, numbers = _in_blocks(embeddings), _in_blocks(jnp.asarray(pixels), fill=-1)

    @jax.checkpoint
    def of_rows(turn: Array) -> Array:
        with jax.default_matmul_precision("highest"):
            z = blocks[turn] @ embeddings.T / temperature
        return jax.nn.logsumexp(z + jnp.where(numbers[turn][:, None] == pixels[None, :], own, 0), axis=1)

    turns = share.turns(len(blocks))
    blank = share.varying(0 * blocks[:, :, 0])
    normalizer = share.summed(blank.at[turns].set(jax.lax.map(of_rows, turns), mode="drop"))
    return Blockwise(attention, own, normalizer.reshape(-1)[:size], share)


def _in_blocks(rows: Array, fill: float | int = 0) -> Array:
    """(P, …) -> (blocks, block, …), the last block filled up: with l = inf its entries of S are 0."""
    size = len(rows)
    block = min(size, block_size())
    padding = [(0, -size % block)] + [(0, 0)] * (rows.ndim - 1)
    return jnp.pad(rows, padding, constant_values=fill).reshape(-1, block, *rows.shape[1:])


def block_size() -> int:
    """Side of a tile: two of them fit a CPU core's cache, and an accelerator needs more to do at a time."""
    return 512 if jax.default_backend() == "cpu" else 2048
