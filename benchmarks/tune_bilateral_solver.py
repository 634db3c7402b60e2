"""The bilateral solver's parameters, chosen on training photos: `python benchmarks/tune_bilateral_solver.py ARCHIVE`.

ARCHIVE is `imagenet-train-256.zip` or any other photos that no table is made of. Mean PSNR in dB over every n-th photo
at 10, 50 and 100 reveals (`paper` protocol, 256×256); first the grid's two sides together, then λ, then the pull,
each at the best of the others.
"""

import itertools
import sys

import numpy as np

from colorize_jax.classical.bilateral_solver import bilateral_solver
from colorize_jax.evaluation import edits, reveals

COUNTS = (10, 50, 100)
SIDES = (6.0, 8.0, 12.0, 16.0)
HEIGHTS = (1.5, 2.0, 3.0, 5.0)
SMOOTHNESS = (0.1, 0.3, 1.0, 3.0, 10.0)
PULL = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)


def score(photos, **parameters):
    """Mean PSNR over photos and counts."""
    rule = reveals.protocol("paper")
    found = []
    for photo, count in itertools.product(photos, COUNTS):
        given = edits.revealed(photo, rule, count, draw=0, seed=1)
        answer = bilateral_solver(photo.lightness, *given, **parameters)
        found.append(edits.psnr(photo, answer))
    return float(np.mean(found))


def best(photos, choices, **fixed):
    """The choice of highest score, each one printed."""
    scores = []
    for choice in choices:
        scores.append(score(photos, **fixed, **choice))
        print(
            "  ".join(f"{k} {v:g}" for k, v in (fixed | choice).items()), f" {scores[-1]:.3f} dB", flush=True
        )
    return fixed | choices[int(np.argmax(scores))]


def main(archive: str, photos: int = 12) -> None:
    read = edits.load_photos(archive, 256, every=850 // photos, limit=photos)
    grids = [{"sigma_xy": xy, "sigma_l": l} for xy, l in itertools.product(SIDES, HEIGHTS)]
    found = best(read, grids, smoothness=1.0, pull=1e-4)
    for name, values in (("smoothness", SMOOTHNESS), ("pull", PULL)):
        found.pop(name)
        found = best(read, [{name: value} for value in values], **found)
    print("best:", found)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
