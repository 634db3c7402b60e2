"""Welsh, Ashikhmin and Mueller 2002, *Transferring Color to Greyscale Images*: colours of a reference photo."""

import numpy as np
from scipy.ndimage import uniform_filter
from scipy.spatial import cKDTree

from colorize_jax.shapes import Float, Int

SAMPLES = 200
NEIGHBORHOOD = 5


def transfer(
    lightness: Float[np.ndarray, "H W"],
    reference_lightness: Float[np.ndarray, "G V"],
    reference_ab: Float[np.ndarray, "G V 2"],
    *,
    samples: int = SAMPLES,
    seed: int = 0,
) -> Float[np.ndarray, "H W 2"]:
    """Every pixel takes the colour of the reference sample that its luminance and its neighbourhood resemble most.

    The reference's luminance is first shifted and scaled to the mean and the standard deviation of the photo's. The
    best match is the sample with the least ½ |ΔL| + ½ |Δσ|, σ the standard deviation of the 5×5 pixels around.

    Args:
      lightness: of the photo to colour, CIE L* in [0, 100].
      reference_lightness: of the photo in colour, any size.
      reference_ab: its colours, ab / 128.
      samples: of the reference, one at a random place in each cell of a grid; the paper takes about 200.
      seed: of their places.

    Returns:
      ab / 128: colours of the reference, no others.

    Raises:
      ValueError: fewer than one sample, or a reference with fewer pixels than samples.
    """
    if not 1 <= samples <= reference_lightness.size:
        raise ValueError(
            f"samples is {samples}; give 1 to {reference_lightness.size}, the pixels of the reference"
        )
    remapped = remap(reference_lightness, lightness)
    y, x = jittered(reference_lightness.shape, samples, np.random.default_rng(seed))
    tree = cKDTree(_statistics(remapped)[y, x])
    _, best = tree.query(_statistics(lightness).reshape(-1, 2), p=1)
    return reference_ab[y, x][best].reshape(*lightness.shape, 2).astype(np.float32)


def remap(reference: Float[np.ndarray, "G V"], photo: Float[np.ndarray, "H W"]) -> Float[np.ndarray, "G V"]:
    """The reference's luminance with the mean and the standard deviation of the photo's (Hertzmann 2001)."""
    spread = reference.std()
    scale = photo.std() / spread if spread > 0 else 1.0
    return (reference - reference.mean()) * scale + photo.mean()


def jittered(
    size: tuple[int, ...], samples: int, rng: np.random.Generator
) -> tuple[Int[np.ndarray, "K"], Int[np.ndarray, "K"]]:
    """(y, x) of about `samples` pixels, one at a random place in each cell of a grid that covers the photo."""
    height, width = size
    rows = int(np.clip(round((samples * height / width) ** 0.5), 1, min(height, samples)))
    columns = min(max(samples // rows, 1), width)
    row, column = np.indices((rows, columns)).reshape(2, -1)
    y = (row + rng.random(row.size)) * height / rows
    x = (column + rng.random(column.size)) * width / columns
    return y.astype(np.int64), x.astype(np.int64)


def _statistics(lightness: Float[np.ndarray, "H W"]) -> Float[np.ndarray, "H W 2"]:
    """Luminance and its standard deviation over the neighbourhood; the halves of both weights cancel in the match."""
    plane = lightness.astype(np.float64)
    mean = uniform_filter(plane, NEIGHBORHOOD, mode="reflect")
    square = uniform_filter(plane * plane, NEIGHBORHOOD, mode="reflect")
    return np.stack([plane, np.sqrt(np.maximum(square - mean * mean, 0))], axis=-1)
