"""Random splits that are a pure function of file names and a seed, whatever the archive's order."""

import hashlib
import math
from collections.abc import Iterable


def size_of_test(images: float, usable: int) -> int:
    """Size of a test split: `images` is a number of photos, or below 1 a share of the usable ones, rounded up.

    Raises:
      ValueError: `images` is negative, or above 1 and no whole number.
    """
    if images < 0 or (images > 1 and images != int(images)):
        raise ValueError(f"test_images must be a number of photos, or a share of them below 1, got {images}")
    return math.ceil(usable * images) if images < 1 else int(images)


def choose_test(names: Iterable[str], count: int, seed: int) -> frozenset[str]:
    """The `count` names that come first when sorted by the hash of seed and name.

    A name's rank depends on itself alone, so adding or removing other files moves few images between splits.

    Raises:
      ValueError: `count` is negative or there are not that many names.
    """
    ranked = sorted(names, key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())
    if not 0 <= count <= len(ranked):
        raise ValueError(f"test_images must lie in 0..{len(ranked)} (the usable images), got {count}")
    return frozenset(ranked[:count])


def split_hash(names: Iterable[str]) -> str:
    """12 hex digits that tell whether two people evaluated on the same images: SHA-256 of the sorted names."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:12]
