"""Images from nothing against photos: three numbers of two sets of images, without any trained network.

| metric | unit | better |
|---|---|---|
| `color_divergence` | nats, [0, ln 2] | lower |
| `thumbnail_distance` | network units² | lower |
| `pair_ssim_rgb` | [-1, 1] | – (lower = more diverse) |

The same numbers of the training images against the test images stand beside a generator's. They tell how far two sets
of real images differ.
"""

from collections.abc import Iterable
from functools import partial

import jax
import numpy as np

from colorize_jax import color
from colorize_jax.data.color_statistics import BINS, count_colors
from colorize_jax.data.transforms import Example
from colorize_jax.evaluation import metrics
from colorize_jax.evaluation.predict import real_rows, shrunk
from colorize_jax.methods.base import Images, Variables
from colorize_jax.shapes import Float

THUMBNAIL = 4
"""Side of the pictures whose Gaussians are compared: 48 numbers an image, so that some hundred images tell them."""


def generate(
    images: Images, variables: Variables, *, count: int, together: int, seed: int
) -> Float[np.ndarray, "N H W 3"]:
    """`count` images in network units, drawn `together` at once.

    Raises:
      ValueError: the images are not of lightness, a* and b*.
    """
    sample = jax.jit(partial(images.sample, count=together))
    key = jax.random.key(seed)
    batches = range(-(-count // together))
    drawn = [np.asarray(sample(variables, jax.random.fold_in(key, n)), np.float32) for n in batches]
    found = np.concatenate(drawn)[:count]
    if found.ndim != 4 or found.shape[-1] != 3:
        raise ValueError(
            f"the method's images have shape {found.shape[1:]}; allowed is (H, W, 3): lightness, a* and b* in "
            "network units"
        )
    return found


def photos_of(batches: Iterable[Example]) -> Float[np.ndarray, "K H W 3"]:
    """The images of a split, without padding, network units.

    Raises:
      ValueError: there is no image.
    """
    parts = []
    for batch in batches:
        whole = np.concatenate([batch["lightness"], batch["ab"]], axis=-1)
        parts.append(whole[real_rows(batch)])
    if not parts:
        raise ValueError("the split is empty; prepare it with colorize-data, or give another --split")
    return np.concatenate(parts)


def score(images: Float[np.ndarray, "N H W 3"], photos: Float[np.ndarray, "K _ _ 3"]) -> dict[str, float]:
    """Every metric of this file.

    Args:
      images: generated, network units.
      photos: of the test set, network units, of any size.
    """
    return {
        "color_divergence": color_divergence(images[..., 1:], photos[..., 1:]),
        "thumbnail_distance": thumbnail_distance(images, photos),
        "pair_ssim_rgb": neighbor_ssim(images),
    }


def color_divergence(first: Float[np.ndarray, "*n 2"], second: Float[np.ndarray, "*m 2"]) -> float:
    """Jensen-Shannon divergence of the two sets' colours over the 313 bins in gamut, in nats.

    Args:
      first, second: network units.
    """
    p, q = (counts / counts.sum() for counts in (count_colors(ab, BINS["gamut"]) for ab in (first, second)))
    middle = (p + q) / 2

    def divergence(one: np.ndarray) -> float:
        seen = one > 0
        return float((one[seen] * np.log(one[seen] / middle[seen])).sum())

    return (divergence(p) + divergence(q)) / 2


def thumbnail_distance(first: Float[np.ndarray, "N _ _ 3"], second: Float[np.ndarray, "K _ _ 3"]) -> float:
    """`frechet` of thumbnails.

    Args:
      first, second: network units; sides are multiples of `THUMBNAIL`.

    Returns:
      network units², summed over the thumbnail's values; NaN for a set of fewer than two images.
    """
    small = [shrunk(images, (THUMBNAIL, THUMBNAIL)).reshape(len(images), -1) for images in (first, second)]
    return frechet(*small)


def frechet(first: Float[np.ndarray, "N D"], second: Float[np.ndarray, "K D"]) -> float:
    """Fréchet distance of Gaussians fitted to two sets of rows: ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½).

    Returns:
      the rows' unit²; NaN for a set of fewer than two.
    """
    if min(len(first), len(second)) < 2:
        return float("nan")
    means = [rows.mean(axis=0, dtype=np.float64) for rows in (first, second)]
    # Σ = RᵀR. The trace of (Σ₁ Σ₂)^½ is the sum of the singular values of R₁ R₂ᵀ, which few rows leave exact.
    roots = [
        np.asarray(np.linalg.qr((rows - mean) / np.sqrt(len(rows) - 1), mode="r"))
        for rows, mean in zip((first, second), means, strict=True)
    ]
    spread = sum(np.square(root).sum() for root in roots)
    shared = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    return float(np.square(means[0] - means[1]).sum() + spread - 2 * shared)


def neighbor_ssim(images: Float[np.ndarray, "N H W 3"]) -> float:
    """Mean SSIM of each image and the next one, sRGB clipped; 1 where all are one.

    NaN for a single image, and for images smaller than the window of SSIM.
    """
    if len(images) < 2 or min(images.shape[1:3]) < metrics.SSIM_WINDOW:
        return float("nan")
    rgb = np.clip(color.lab_to_srgb(color.network_to_lab(images[..., :1], images[..., 1:])), 0, 1)
    return float(metrics.ssim(rgb[:-1], rgb[1:]).mean())
