"""What a classifier of photos, never trained on any of ours, says of coloured ones beside the true ones.

| metric | unit | better |
|---|---|---|
| `judge_agreement` | 0 or 1, each image's | higher |
| `judge_kl` | nats, each image's | lower |
| `frechet` | features², the whole set's | lower |

All are of version 1, and of gray, the floor; the truth agrees with itself, at 0 nats and distance 0. The divergence
tells more of few images than the agreement, most of which gray has, too. How much of the way
from gray to the truth a method recovers (`natural.shares`) is the measure of Zhang et al. 2016, Sec. 3.1.

A Fréchet distance of few images is too large: the Gaussians are fitted to fewer images than they have dimensions. It
compares methods over the same images, and no other numbers.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import log_softmax

from colorize_jax.data.transforms import Example
from colorize_jax.evaluation import metrics
from colorize_jax.evaluation.generated import frechet
from colorize_jax.evaluation.predict import Predict, image_keys, real_rows
from colorize_jax.evaluation.records import PerImage
from colorize_jax.models import lite0
from colorize_jax.shapes import Float

NETWORK = "lite2"
SMALLEST = 128
"""Side of the smallest photos that are worth judging, in pixels; the network was trained at 260."""

See = Callable[[Float[np.ndarray, "B H W 3"]], tuple[np.ndarray, np.ndarray]]
"""sRGB in [0, 1] to logits of classes (B, K) and features (B, D)."""


class Judged(NamedTuple):
    """What the judge says.

    Attributes:
      per_image: {row: {metric: (images,)}}: `judge_agreement`, 1 where the judge names what it names in the true photo;
        `judge_kl`, the divergence of what it says of the picture from what it says of the true photo.
      sets: {row: {'frechet': distance of its features to those of the true photos}}.
    """

    per_image: PerImage
    sets: dict[str, dict[str, float]]


NOTHING = Judged({}, {})


def load() -> See:
    """EfficientNet-Lite2 with the weights of its package.

    Raises:
      ValueError: the weights are not installed.
    """
    # As an argument and not a constant: XLA would fold the weights at compile time.
    weights, classify = (
        {"params": lite0.load_classifier(NETWORK)},
        jax.jit(lite0.LiteClassifier(NETWORK).apply),
    )

    def see(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        logits, features = classify(weights, jnp.asarray(rgb, jnp.float32))
        return np.asarray(logits), np.asarray(features)

    return see


def score(predict: Predict, batches: Iterable[Example], see: See, *, seed: int) -> Judged:
    """The judge's scores of gray and of version 1 of every row of `predict`.

    Args:
      predict: from `predict.predictor`.
      batches: of the whole test set, in order, all of one size.
      see: the judge.
      seed: of the samples.

    Raises:
      ValueError: photos are smaller than `SMALLEST`.
    """
    seen: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for number, batch in enumerate(batches):
        _check_size(batch)
        count, real = len(batch["ab"]), real_rows(batch)
        fields = predict(batch, image_keys(seed, number * count + np.arange(count)))
        known = {"truth": batch["ab"][:, None], "gray": np.zeros_like(batch["ab"])[:, None]}
        for name, samples in (known | fields).items():
            pictures = metrics.to_rgb(batch["lightness"], samples[:, :1])[:, 0]
            # Padding is seen, too: the network then has one shape to be compiled for.
            logits, features = see(pictures)
            seen.setdefault(name, []).append((logits[real], features[real]))
    return _compared(
        {name: tuple(map(np.concatenate, zip(*parts, strict=True))) for name, parts in seen.items()}
    )


def _check_size(batch: Example) -> None:
    side = batch["ab"].shape[1]
    if side < SMALLEST:
        raise ValueError(
            f"the judge is shown photos of {side}²; it needs at least {SMALLEST}²: give --resolution=256, or leave out "
            "--judge"
        )


def _compared(seen: dict[str, tuple[np.ndarray, ...]]) -> Judged:
    logits, features = seen.pop("truth")
    return Judged(
        {name: _agreement(own, logits) for name, (own, _) in seen.items()},
        {name: {"frechet": frechet(own, features)} for name, (_, own) in seen.items()},
    )


def _agreement(
    logits: Float[np.ndarray, "B K"], truth: Float[np.ndarray, "B K"]
) -> dict[str, Float[np.ndarray, "B"]]:
    own, true = (log_softmax(each.astype(np.float64), axis=-1) for each in (logits, truth))
    return {
        "judge_agreement": (own.argmax(axis=-1) == true.argmax(axis=-1)).astype(float),
        "judge_kl": (np.exp(true) * (true - own)).sum(axis=-1),
    }
