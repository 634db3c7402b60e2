"""Photos that nobody took: drawn from a seed, with smooth colours, shapes and edges, for tests and `doctor`."""

import os
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image


def draw(seed: int, size: int = 96) -> UInt8[np.ndarray, "size size 3"]:
    """A colourful sRGB picture: a gradient between two colours under a few shaded ellipses, with a little noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size] / size
    angle = rng.uniform(0, 2 * np.pi)
    ramp = ((x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle) + 0.75)[..., None] / 1.5
    picture = rng.uniform(0, 255, 3) * ramp + rng.uniform(0, 255, 3) * (1 - ramp)
    for _ in range(rng.integers(3, 7)):
        center, radii = rng.uniform(0, 1, 2), rng.uniform(0.08, 0.35, 2)
        distance = (((x - center[0]) / radii[0]) ** 2 + ((y - center[1]) / radii[1]) ** 2)[..., None]
        shaded = rng.uniform(0, 255, 3) * (1.1 - 0.5 * distance)
        picture = np.where(distance < 1, shaded, picture)
    return np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)


def write_images(folder: str | os.PathLike[str], count: int, seed: int, *, size: int = 96) -> list[Path]:
    """Writes `count` drawn pictures as JPEG files 0000.jpg, 0001.jpg, ...; the same seed draws the same ones.

    Args:
      folder: made where it does not exist.
      count: number of files.
      seed: any integer from 0.
      size: side in pixels.

    Returns:
      Their paths.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:04d}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        Image.fromarray(draw(seed * 100_003 + number, size)).save(path, quality=92)
    return paths
