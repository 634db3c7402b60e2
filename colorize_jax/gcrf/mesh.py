"""The batched solve on a mesh: each device solves its images, or shares large ones with the devices along 'pixel'.

`solve_on_mesh` asks JAX which mesh it is traced for (`jax.sharding.use_abstract_mesh`); without one, or on one device,
it is `solve`.
"""

from functools import partial

import jax
from jax.sharding import PartitionSpec

from colorize_jax.gcrf.layer import solve, solve_windowed
from colorize_jax.gcrf.solution import Solution
from colorize_jax.shapes import Array, Float

ROWS = ("data", "fsdp")
"""The axes of a mesh that split a batch."""

PIXEL = "pixel"
"""The axis whose devices share each image."""


def solve_on_mesh(
    embeddings: Float[Array, "B P D"],
    targets: Float[Array, "B P C"],
    weights: Float[Array, "B P"],
    *,
    temperature: float | Float[Array, ""],
    exclude_diagonal: bool = False,
    solver: str = "auto",
) -> Solution:
    """`solve` inside `jax.shard_map`: no embedding, target or matrix of an image leaves the devices that have it.

    Args:
      embeddings, targets, weights, temperature, exclude_diagonal: as in `solve`, of a batch that the number of
        devices along 'data' and 'fsdp' divides.
      solver: as in `solve`; where 'pixel' has several devices it is 'cg_matrix_free', which alone can share.

    Raises:
      ValueError: as `solve`, or a batch that cannot be split.
    """
    mesh = jax.sharding.get_abstract_mesh()
    sizes = {} if mesh.empty else dict(mesh.shape)
    shared = sizes.get(PIXEL, 1) > 1
    image_solve = partial(
        solve,
        exclude_diagonal=exclude_diagonal,
        solver="cg_matrix_free" if shared else solver,
        axis=PIXEL if shared else None,
    )
    rows = tuple(axis for axis in ROWS if sizes.get(axis, 1) > 1)
    if not rows and not shared:
        return image_solve(embeddings, targets, weights, temperature=temperature)
    split, same = PartitionSpec(rows), PartitionSpec()

    def own(embeddings: Array, targets: Array, weights: Array, temperature: Array) -> Solution:
        return image_solve(embeddings, targets, weights, temperature=temperature)

    mapped = jax.shard_map(own, in_specs=(split, split, split, same), out_specs=split)
    return mapped(embeddings, targets, weights, jax.numpy.asarray(temperature))


def solve_windowed_on_mesh(
    rows: Float[Array, "B K H W"], targets: Float[Array, "B P C"], weights: Float[Array, "B P"]
) -> Solution:
    """`solve_windowed` inside `jax.shard_map`: each device solves its images; those along 'pixel' solve the same.

    Raises:
      ValueError: as `solve_windowed`, or a batch that cannot be split.
    """
    mesh = jax.sharding.get_abstract_mesh()
    sizes = {} if mesh.empty else dict(mesh.shape)
    split = PartitionSpec(tuple(axis for axis in ROWS if sizes.get(axis, 1) > 1))
    if not split[0]:
        return solve_windowed(rows, targets, weights)
    return jax.shard_map(solve_windowed, in_specs=(split, split, split), out_specs=split)(
        rows, targets, weights
    )
