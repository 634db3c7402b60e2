"""Every metric of every row and image of a test set, and the state of the G-CRF over its first images.

Padding rows of a masked last batch are dropped before anything is measured. `metrics` defines what is measured.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

from colorize_jax import gcrf
from colorize_jax.data import color_statistics
from colorize_jax.data.transforms import Example
from colorize_jax.evaluation import baselines as blind
from colorize_jax.evaluation import metrics, natural
from colorize_jax.evaluation.predict import (
    Predict,
    image_keys,
    network_inputs,
    real_rows,
    sample_each,
    shrunk,
    similarity_of,
    with_blind,
)
from colorize_jax.evaluation.records import Diagnostics, PerImage, Row
from colorize_jax.methods.base import Distribution, Method, Samples, Variables, colors_of
from colorize_jax.methods.parts.histograms import soft_encoded
from colorize_jax.shapes import Array, Float, Int

# Share of the uniform distribution and cap of the weights of colours, as in `config.field_loss`.
BIN_UNIFORM, BIN_CAP = 0.5, 30.0

Embed = Callable[[Float[np.ndarray, "B H W 3"]], list[np.ndarray]]
"""sRGB in [0, 1] to the maps of `models.lpips.embed`."""


class Reference(NamedTuple):
    """What a comparison takes from the training images, one for all its methods.

    Attributes:
      baselines: the blind ones.
      weights: how rare a colour is, over the 313 bins in gamut: 'weighted' by `color_statistics.bin_weights`, 'inverse'
        by `color_statistics.inverse_probabilities`.
    """

    baselines: blind.Baselines
    weights: dict[str, Float[np.ndarray, "K K"]]


def reference(
    fields: Float[np.ndarray, "B H W 2"], *, seed: int = 0, counts: Float[np.ndarray, "K K"] | None = None
) -> Reference:
    """The reference of a comparison.

    Args:
      fields: colour fields of training images, network units, not flipped.
      seed: of the blind templates.
      counts: of another data set's colours in the bins in gamut, see `color_prior`; None for those of the fields.
    """
    bins = color_statistics.BINS["gamut"]
    counts = color_statistics.count_colors(fields, bins) if counts is None else counts
    weights = {
        "weighted": color_statistics.bin_weights(counts, bins, uniform=BIN_UNIFORM, cap=BIN_CAP),
        "inverse": color_statistics.inverse_probabilities(counts, bins),
    }
    return Reference(blind.fit(fields, seed=seed), weights)


def score_images(
    predict: Predict | None,
    batches: Iterable[Example],
    known: Reference,
    *,
    seed: int,
    embed: Embed | None = None,
    process: tuple[int, int] = (0, 1),
) -> tuple[PerImage, dict[str, int]]:
    """Every metric for every row and image of a test set.

    Args:
      predict: from `predictor`; None scores the blind baselines alone.
      batches: of the test set, in order; with several processes, this one's rows of each.
      known: of the training set, at the images' size.
      seed: of the samples.
      embed: adds `lpips_best` and `lpips_pairs`.
      process: (number of this one, how many there are).

    Returns:
      The scores per image, and the number of samples of each row.

    Raises:
      ValueError: there is no batch.
    """
    every_row = with_blind(predict, known.baselines)
    parts: dict[str, list[dict[str, np.ndarray]]] = {}
    counts: dict[str, int] = {}
    places: list[np.ndarray] = []
    for number, batch in enumerate(batches):
        indices, real = _places(number, len(batch["ab"]), process), real_rows(batch)
        fields = every_row(batch, image_keys(seed, indices))
        places.append(indices[real])
        for name, scores in _score_batch(batch, fields, real, known, embed).items():
            parts.setdefault(name, []).append(scores)
            counts[name] = fields[name].shape[1]
    if not parts:
        raise ValueError(
            "the test set is empty; prepare it with colorize-data or give another --dataset or --split"
        )
    found = {name: _concatenate(scores) for name, scores in parts.items()}
    return (found if process[1] == 1 else _gathered(found, np.concatenate(places))), counts


def _places(number: int, rows: int, process: tuple[int, int] = (0, 1)) -> Int[np.ndarray, "rows"]:
    """The places in the test set of the rows of a process's batch `number`."""
    return (number * process[1] + process[0]) * rows + np.arange(rows)


def _score_batch(
    batch: Example, fields: dict[str, np.ndarray], real: np.ndarray, known: Reference, embed: Embed | None
) -> dict[str, dict[str, np.ndarray]]:
    """{row: {metric: (images,)}} of the rows of a batch that are images."""
    lightness, truth = batch["lightness"][real], batch["ab"][real]
    labels = (
        np.stack([metrics.superpixels(image) for image in lightness])
        if len(lightness)
        else np.zeros(lightness.shape[:3], int)
    )
    bins = color_statistics.BINS["gamut"]
    weights = {name: metrics.color_weights(truth, table, bins) for name, table in known.weights.items()}
    found = {}
    for name, samples in fields.items():
        found[name] = metrics.score(lightness, truth, samples[real], labels, weights)
        found[name] |= natural.score(lightness, truth, samples[real])
        if embed:
            found[name] |= _perceptual(embed, batch["lightness"], batch["ab"], samples, real)
    return found


def _perceptual(
    embed: Embed, lightness: np.ndarray, truth: np.ndarray, samples: np.ndarray, real: np.ndarray
) -> dict[str, np.ndarray]:
    # Padding is embedded too: the networks then have one shape to be compiled for.
    images = metrics.to_rgb(lightness, np.concatenate([truth[:, None], samples], axis=1)).astype(np.float32)
    maps = [
        m.reshape(*images.shape[:2], *m.shape[1:])[real] for m in embed(images.reshape(-1, *images.shape[2:]))
    ]
    return metrics.lpips(maps)


def _gathered(found: PerImage, places: np.ndarray) -> PerImage:
    """All processes' scores, in the order of the test set, on every process."""
    names = [(row, metric) for row, scores in found.items() for metric in scores]
    own = np.stack([places.astype(np.float64), *(found[row][metric] for row, metric in names)])
    most = int(multihost_utils.process_allgather(np.array([own.shape[1]])).max())
    padded = np.full((len(own), most), -1.0)
    padded[:, : own.shape[1]] = own
    # As integers of 32 bits: JAX would round what has 64.
    sent = np.asarray(multihost_utils.process_allgather(padded.view(np.uint32))).view(np.float64)
    together = np.concatenate(list(sent), axis=1)
    together = together[:, together[0] >= 0]
    together = together[1:, np.argsort(together[0])]
    whole: PerImage = {}
    for (row, metric), values in zip(names, together, strict=True):
        whole.setdefault(row, {})[metric] = values
    return whole


def score_regions(
    predict: Predict, photos: Iterable[tuple[Example, Sequence[Int[np.ndarray, "H W"]]]], *, seed: int
) -> PerImage:
    """`bleed` over regions that people drew: {row: {'bleed_human': (images,)}}, the mean over who drew them.

    Args:
      predict: from `predictor`.
      photos: one-image batches, and every person's regions of it at the same size, labels 0 … K − 1.
      seed: of the samples.

    Raises:
      ValueError: there is no photo.
    """
    values: dict[str, list[float]] = {}
    for number, (batch, drawn) in enumerate(photos):
        fields = {"truth": batch["ab"][:, None], **predict(batch, image_keys(seed, np.array([number])))}
        for name, samples in fields.items():
            each = [metrics.bleed_mean(samples, regions[None])[0] for regions in drawn]
            values.setdefault(name, []).append(metrics.mean(np.array(each)))
    if not values:
        raise ValueError("score_regions: there is no photo with regions; give the archive of BSDS500")
    return {name: {"bleed_human": np.array(found)} for name, found in values.items()}


def _concatenate(scores: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in scores]) for name in scores[0]}


def reduce_rows(per_image: PerImage, counts: dict[str, int]) -> tuple[Row, ...]:
    """The table: means over images. The row `truth` has what looks at no truth alone, since its errors are 0."""
    rows = []
    for name, scores in per_image.items():
        kept = {m: v for m, v in scores.items() if name != "truth" or _of_itself(m)}
        undefined = {metric: int(np.isnan(values).sum()) for metric, values in kept.items()}
        rows.append(
            Row(
                name=name,
                samples=counts[name],
                scores={metric: metrics.mean(values) for metric, values in kept.items()},
                undefined={metric: count for metric, count in undefined.items() if count},
            )
        )
    return tuple(rows)


def _of_itself(metric: str) -> bool:
    return metric.startswith("bleed") or metric in natural.OF_ITSELF


def score_distribution(
    distribution: Distribution,
    variables: Variables,
    batches: Iterable[Example],
    *,
    process: tuple[int, int] = (0, 1),
) -> dict[str, Float[np.ndarray, "images"]]:
    """What a classifier says of the bins that the true colours fall into: {metric: (images,)}.

    Args:
      distribution: of the method.
      variables: of the method.
      batches: of the test set, in order; with several processes, this one's rows of each.
      process: (number of this one, how many there are).

    Returns:
      `bin_nll`, minus the logarithm of the true bin's probability; `bin_cross_entropy`, the same over `soft_encoded` of
      the true colour, which the classifier of Zhang et al. 2016 learns from; and `bin_entropy`; all in nats.
      `bin_accuracy`, the share of cells whose largest bin is the true one. Means over the cells of an image.
    """
    step = jax.jit(partial(_bin_scores, jnp.asarray(distribution.bins)))
    classify = jax.jit(distribution.histograms)
    parts, places = [], []
    for number, batch in enumerate(batches):
        histograms, real = classify(variables, network_inputs(batch)), real_rows(batch)
        found = step(histograms, shrunk(batch["ab"], histograms.shape[1:3]))
        parts.append({name: np.asarray(value, np.float64)[real] for name, value in found.items()})
        places.append(_places(number, len(real), process)[real])
    scores = {"distribution": _concatenate(parts)}
    return (scores if process[1] == 1 else _gathered(scores, np.concatenate(places)))["distribution"]


def _bin_scores(
    bins: Float[Array, "Q 2"], histograms: Float[Array, "B h w Q"], truth: Float[Array, "B h w 2"]
) -> dict[str, Float[Array, "B"]]:
    own = jnp.square(truth[..., None, :] - bins[None, None, None]).sum(-1).argmin(-1)
    nearest, shares = soft_encoded(truth, bins)
    # The smallest float: a bin that was ruled out costs 87 nats, and no infinity enters a mean.
    logs = jnp.log(jnp.maximum(histograms, jnp.finfo(histograms.dtype).tiny))
    nll = -jnp.take_along_axis(logs, own[..., None], axis=-1)[..., 0]
    cells = {
        "bin_nll": nll,
        "bin_cross_entropy": -(shares * jnp.take_along_axis(logs, nearest, axis=-1)).sum(-1),
        "bin_entropy": -(histograms * logs).sum(-1),
        "bin_accuracy": (histograms.argmax(-1) == own).astype(nll.dtype),
    }
    return {name: value.mean(axis=(1, 2)) for name, value in cells.items()}


def diagnose(
    method: Method,
    variables: Variables,
    batches: Iterable[Example],
    *,
    samples: int,
    rule: str,
    seed: int,
    unary_weight: float,
    images: int = 100,
) -> Diagnostics | None:
    """`gcrf.diagnostics` of the first test images, all samples as columns; None without a G-CRF.

    Args:
      method, variables, samples, rule, seed: as for `predictor` and `score_images`.
      batches: of the test set, in order; only as many as needed are read.
      unary_weight: w of every pixel in the method's sampling, `gcrf.beta_test + gcrf.floor`.
      images: how many; a condition number costs a factorisation.
    """
    similarity = similarity_of(method)
    if similarity is None:
        return None
    sample = partial(sample_each, colors_of(method).sample, samples=samples, rule=rule)
    step = jax.jit(partial(_diagnose_batch, sample, similarity, unary_weight))
    parts: list[dict[str, np.ndarray]] = []
    for index, batch in enumerate(batches):
        keys = image_keys(seed, _places(index, len(batch["ab"])))
        found = step(variables, network_inputs(batch), keys)
        parts.append({name: np.asarray(value)[real_rows(batch)] for name, value in found.items()})
        if sum(part["movement"].size for part in parts) >= images:
            break
    return _summarise({name: values[:images] for name, values in _concatenate(parts).items()})


def _diagnose_batch(
    sample: Callable[..., Samples],
    similarity: Callable[..., Array],
    unary_weight: float,
    variables: Variables,
    batch: Any,
    keys: Any,
) -> dict[str, Any]:
    drawn, matrices = sample(variables, batch, keys), similarity(variables, batch)
    pixels = matrices.shape[-1]
    weights = jnp.full(pixels, unary_weight, matrices.dtype)

    def columns(fields: Any) -> Any:
        return jnp.moveaxis(fields, 1, 3).reshape(fields.shape[0], pixels, -1)

    def one(arrays: Any) -> dict[str, Any]:
        matrix, solved, targets = arrays
        return gcrf.diagnostics(matrix, solved, targets, weights)

    # One image after the other: a whole batch of P × P systems at once would not fit beside the batch's S.
    return jax.lax.map(one, (matrices, columns(drawn.field), columns(drawn.unary)))


def _summarise(values: dict[str, np.ndarray]) -> Diagnostics:
    place = {
        name: int((np.argmin if name == "movement" else np.argmax)(array)) for name, array in values.items()
    }
    return Diagnostics(
        images=next(iter(values.values())).size,
        mean={name: metrics.mean(array) for name, array in values.items()},
        worst={name: float(array[place[name]]) for name, array in values.items()},
        worst_image=place,
    )
