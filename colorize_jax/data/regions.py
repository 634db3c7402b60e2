"""How people have divided a photo: as a record keeps it, and as a batch has it.

Workers import this module: it must never import jax.
"""

import io
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int16, UInt16

NOBODY = -1
"""The label of all pixels of a photo that nobody has divided."""


def packed(people: Sequence[np.ndarray]) -> bytes:
    """The persons' labels (H, W), integers from 0 to 65535, as a compressed NumPy archive."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, people=np.stack(people).astype(np.uint16))
    return buffer.getvalue()


def of_one(content: bytes, rng: np.random.Generator | None) -> UInt16[np.ndarray, "H W"]:
    """One person's labels of what was `packed`: those of a random one, or without `rng` of the first."""
    people = np.load(io.BytesIO(content))["people"]
    labels: np.ndarray = people[0 if rng is None else rng.integers(len(people))]
    return labels


def by_size(labels: UInt16[np.ndarray, "R R"]) -> Int16[np.ndarray, "R R"]:
    """Other labels for the same regions: 0 for the largest, 1 for the next, and so on."""
    _, region, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    place = np.empty(len(sizes), np.int16)
    place[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return place[region].reshape(labels.shape)
