"""Any method on a test set: every metric for every row of the table, per image, and their protocol.

Networks run in batches on the device; their colour fields come to the host, are lifted to the test images'
size and measured there by `metrics`. Padding rows of a masked last batch are dropped before anything is
measured, and what is random in image i is drawn from a key of its own, so that neither the batch size nor the
number of processes changes a number.

| row | N | what it is |
|---|---|---|
| `truth` | 1 | the image's own colours: what `bleed` of a real photo is |
| `gray`, `mean_colour`, `mean_image`, `own_mean`, `templates` | 1, 5 | the blind ones of `baselines` |
| `perfect_field` | 1 | the true colours, averaged to the field and lifted: the ceiling of a field below full size |
| `regressor` | 1 | the method's deterministic answer, where it has one |
| `reconstruction_unary`, `reconstruction` | 1 | from the true colours' code, where the encoder is at hand |
| `unary`, `field` | N | the method's samples before and after the G-CRF; without one there is no `unary` |
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib import metadata
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

from colorize_jax import bundle, color, gcrf
from colorize_jax.data import color_statistics
from colorize_jax.evaluation import baselines as blind
from colorize_jax.evaluation import metrics
from colorize_jax.methods.base import Method, Samples, colors_of
from colorize_jax.photos import upsample
from colorize_jax.shapes import Float, Int
from colorize_jax.train import workdir

# Images whose versions are drawn at once; a method that decodes hundreds of codes of each needs as much memory.
TOGETHER = 10
# Share of the uniform distribution and cap of the weights of colours, as in `config.field_loss`.
BIN_UNIFORM, BIN_CAP = 0.5, 30.0

Batch = dict[str, np.ndarray]
"""`lightness` (B, H, W, 1), `ab` (B, H, W, 2), network units; `mask` (B,) bool where rows may be padding."""


class Training(NamedTuple):
    """What a model cost: optimiser steps, image views and seconds of all its stages, and of the runs it began with."""

    steps: int
    images: int
    seconds: float


class Protocol(NamedTuple):
    """What a number of the table depends on besides the method.

    Of the later fields, which an evaluation of an older version has not: `method` is `config.method`; `losses` are
    the weights of its decoder's losses, for the methods that have them; `weights_hash` is of all variables;
    `seconds` is what the evaluation took; `workdir` is the training run, '' for a released model; `commands` are
    those that made the model, as far as they are known, and the evaluation; `extras` name the optional metrics.
    """

    model: str
    dataset: str
    split: str
    split_hash: str
    images: int
    samples: int
    rule: str
    resolution: int
    field: int
    lift: str
    seed: int
    batch_size: int
    fit_images: int
    versions: dict[str, str]
    method: str = ""
    losses: dict[str, float] | None = None
    training: dict[str, float] | None = None
    weights_hash: str = ""
    seconds: float | None = None
    workdir: str = ""
    commands: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()


class Row(NamedTuple):
    """One method's line of the table.

    Attributes:
      name: see the module's table.
      samples: N.
      scores: {metric: mean over the images where it exists}, NaN where it exists for none.
      undefined: {metric: number of images where it does not exist}, only those above 0.
    """

    name: str
    samples: int
    scores: dict[str, float]
    undefined: dict[str, int]


class Diagnostics(NamedTuple):
    """Is the G-CRF alive: `gcrf.diagnostics` over the first `images` test images.

    Attributes:
      images: how many were looked at.
      mean: of `diagonal_mean`, `movement`, `condition`, `overshoot`.
      worst: the largest of each; for `movement` the smallest, since 0 is a layer that does nothing.
      worst_image: index in the test set of each `worst`.
    """

    images: int
    mean: dict[str, float]
    worst: dict[str, float]
    worst_image: dict[str, int]


class Evaluation(NamedTuple):
    """The table, its protocol and the state of the G-CRF (None for a method without one)."""

    protocol: Protocol
    rows: tuple[Row, ...]
    diagnostics: Diagnostics | None

    def row(self, name: str) -> Row:
        """The row of that name.

        Raises:
          ValueError: there is none.
        """
        for row in self.rows:
            if row.name == name:
                return row
        raise ValueError(
            f"row {name!r} is not in the table; there are {', '.join(row.name for row in self.rows)}"
        )


PerImage = dict[str, dict[str, np.ndarray]]
"""{row: {metric: (images,)}}, in the order of the test set."""

Predict = Callable[[Batch, Any], dict[str, np.ndarray]]
"""`(batch, keys (B,)) -> {row: colour fields (B, N, H, W, 2)}`, network units, at the images' own resolution."""

Embed = Callable[[Float[np.ndarray, "B H W 3"]], list[np.ndarray]]
"""sRGB in [0, 1] to the maps of `models.lpips.embed`."""


class Reference(NamedTuple):
    """What a comparison takes from the training images, one for all its methods.

    Attributes:
      baselines: the blind ones.
      weights: (K, K), how rare a colour is: `colour_statistics.bin_weights` over the 313 bins in gamut.
    """

    baselines: blind.Baselines
    weights: Float[np.ndarray, "K K"]


def reference(fields: Float[np.ndarray, "B H W 2"], *, seed: int = 0) -> Reference:
    """The reference of a comparison.

    Args:
      fields: colour fields of training images, network units, not flipped.
      seed: of the blind templates.
    """
    bins = color_statistics.BINS["gamut"]
    counts = color_statistics.count_colors(fields, bins)
    weights = color_statistics.bin_weights(counts, bins, uniform=BIN_UNIFORM, cap=BIN_CAP)
    return Reference(blind.fit(fields, seed=seed), weights)


def image_keys(seed: int, indices: Int[np.ndarray, "B"]) -> Any:
    """The random key of each image of a test set, by its place in it."""
    return jax.vmap(partial(jax.random.fold_in, jax.random.key(seed)))(np.asarray(indices, np.uint32))


def sample_each(
    sample: Callable[..., Samples], variables: Any, batch: Any, keys: Any, *, samples: int, rule: str
) -> Samples:
    """`Colors.sample` with a key for each image, so that an image's versions do not depend on its neighbours."""

    def one(image: Any) -> Samples:
        inputs, key = image
        drawn = sample(variables, {k: v[None] for k, v in inputs.items()}, key, samples=samples, rule=rule)
        return jax.tree.map(lambda x: x[0], drawn)

    return jax.lax.map(one, (batch, keys), batch_size=min(TOGETHER, len(keys)))


def weights_hash(variables: dict[str, Any]) -> str:
    """The first 12 hex digits of a hash of all variables and their names: which model was scored."""
    found = hashlib.sha256()
    for name, array in sorted(bundle.flatten(variables).items()):
        found.update(name.encode() + np.asarray(array).tobytes())
    return found.hexdigest()[:12]


def training_cost(provenance: dict[str, Any]) -> Training:
    """What a model cost, from the record of `release.provenance`."""
    stages = provenance["stages"]
    steps, images = (sum(stage.get(unit, 0) for stage in stages) for unit in ("steps", "images"))
    own = Training(steps, images, sum(stage["seconds"] for stage in stages))
    before = provenance.get("began_with")
    if not before:
        return own
    rest = training_cost(before)
    return Training(own.steps + rest.steps, own.images + rest.images, own.seconds + rest.seconds)


def versions() -> dict[str, str]:
    """Python, packages and devices that a score may depend on."""
    found = workdir.versions()
    devices = ", ".join(sorted(set(found["devices"])))
    scikit_image = metadata.version("scikit-image")
    return {"python": found["python"], **found["packages"], "scikit-image": scikit_image, "device": devices}


def predictor(
    method: Method, variables: dict[str, Any], *, samples: int, rule: str, lift: str = "bicubic"
) -> Predict:
    """The method's rows of the table as one function of a batch: sampled, brought to the host, lifted.

    Args:
      method: from `methods.build`.
      variables: those of `method.abstract_variables`, and the encoder's for the reconstruction rows.
      samples: N.
      rule: one of `Colors.rules`.
      lift: of `upsample.lift`. 'bicubic' looks at no lightness, so that `bleed` measures the fields alone,
        and is the quicker one; 'jbu' is what photos are lifted by.

    Raises:
      ValueError: networks are missing from `variables`, or the method gives no colour versions.
    """
    colors, solved = colors_of(method), method.edits is not None
    missing = sorted(set(method.abstract_variables()["params"]) - set(variables["params"]))
    if missing:
        raise ValueError(
            f"variables lack the networks {', '.join(missing)}; evaluate a run whose last stage is finished"
        )
    sample = jax.jit(partial(sample_each, colors.sample, samples=samples, rule=rule))
    regress = jax.jit(colors.regress) if colors.regress else None
    has_encoder = "encoder" in variables["params"]
    reconstruct = jax.jit(colors.reconstruct) if colors.reconstruct and has_encoder else None

    def predict(batch: Batch, keys: Any) -> dict[str, np.ndarray]:
        inputs = {name: value for name, value in batch.items() if name != "mask"}
        drawn = sample(variables, inputs, keys)
        side, fields = drawn.field.shape[2], {}
        if side < batch["ab"].shape[1]:
            fields["perfect_field"] = _shrink(batch["ab"], side)[:, None]
        if regress:
            fields["regressor"] = regress(variables, inputs)[:, None]
        if reconstruct:
            unary, field = reconstruct(variables, inputs)
            fields |= {"reconstruction_unary": unary[:, None]} if solved else {}
            fields["reconstruction"] = field[:, None]
        fields |= {"unary": drawn.unary} if solved else {}
        fields["field"] = drawn.field
        on_host = {name: np.asarray(value, np.float32) for name, value in fields.items()}
        return lift_all(on_host, batch["lightness"], method=lift)

    return predict


def _shrink(ab: np.ndarray, side: int) -> np.ndarray:
    """Mean colour of each cell of a side × side field."""
    batch, size = ab.shape[:2]
    cell = size // side
    return ab.reshape(batch, side, cell, side, cell, 2).mean(axis=(2, 4))


def lift_all(
    fields: dict[str, np.ndarray], lightness: Float[np.ndarray, "B H W 1"], *, method: str
) -> dict[str, np.ndarray]:
    """Every (B, N, f, f, 2) field at the lightness' own size: (B, N, H, W, 2), network units.

    All samples of one image and one resolution are lifted in one call, as extra channels.
    """
    lifted: dict[str, np.ndarray] = {}
    for side in {value.shape[2] for value in fields.values()}:
        names = [name for name, value in fields.items() if value.shape[2] == side]
        joined = np.concatenate([fields[name] for name in names], axis=1)
        if side != lightness.shape[1]:
            joined = np.stack([_lift(f, l, method) for f, l in zip(joined, lightness, strict=True)])
        ends = np.cumsum([fields[name].shape[1] for name in names])
        lifted |= dict(zip(names, np.split(joined, ends[:-1], axis=1), strict=True))
    return {name: lifted[name] for name in fields}


def _lift(
    samples: Float[np.ndarray, "N F F 2"], lightness: Float[np.ndarray, "H W 1"], method: str
) -> Float[np.ndarray, "N H W 2"]:
    count, side = samples.shape[:2]
    columns = np.moveaxis(samples, 0, 2).reshape(side, side, 2 * count)
    lifted = upsample.lift(columns, color.network_to_lightness(lightness[..., 0]), method=method)
    return np.moveaxis(lifted.reshape(*lifted.shape[:2], count, 2), 2, 0)


def score_images(
    predict: Predict | None,
    batches: Iterable[Batch],
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
    parts: dict[str, list[dict[str, np.ndarray]]] = {}
    counts: dict[str, int] = {}
    places: list[np.ndarray] = []
    for number, batch in enumerate(batches):
        rows = len(batch["ab"])
        indices = (number * process[1] + process[0]) * rows + np.arange(rows)
        real = _real(batch)
        predicted = predict(batch, image_keys(seed, indices)) if predict else {}
        fields = {"truth": batch["ab"][:, None], **blind.predict(known.baselines, batch["ab"]), **predicted}
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


def _score_batch(
    batch: Batch, fields: dict[str, np.ndarray], real: np.ndarray, known: Reference, embed: Embed | None
) -> dict[str, dict[str, np.ndarray]]:
    """{row: {metric: (images,)}} of the rows of a batch that are images."""
    lightness, truth = batch["lightness"][real], batch["ab"][real]
    labels = (
        np.stack([metrics.superpixels(image) for image in lightness])
        if len(lightness)
        else np.zeros(lightness.shape[:3], int)
    )
    weights = metrics.color_weights(truth, known.weights, color_statistics.BINS["gamut"])
    found = {}
    for name, samples in fields.items():
        found[name] = metrics.score(lightness, truth, samples[real], labels, weights)
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
    predict: Predict, photos: Iterable[tuple[Batch, Sequence[Int[np.ndarray, "H W"]]]], *, seed: int
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


def _real(batch: Batch) -> np.ndarray:
    """(B,) bool: which rows are images and not padding."""
    return np.asarray(batch.get("mask", np.ones(batch["ab"].shape[0], bool)), bool)


def _concatenate(scores: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in scores]) for name in scores[0]}


def reduce_rows(per_image: PerImage, counts: dict[str, int]) -> tuple[Row, ...]:
    """The table: means over images, the truth's error-free row cut to its `bleed`."""
    rows = []
    for name, scores in per_image.items():
        kept = {m: v for m, v in scores.items() if name != "truth" or m.startswith("bleed")}
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


def diagnose(
    method: Method,
    variables: dict[str, Any],
    batches: Iterable[Batch],
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
    if method.edits is None or method.edits.similarity is None:
        return None
    step = jax.jit(
        partial(
            _diagnose_batch,
            colors_of(method).sample,
            method.edits.similarity,
            samples=samples,
            rule=rule,
            unary_weight=unary_weight,
        )
    )
    parts: list[dict[str, np.ndarray]] = []
    for index, batch in enumerate(batches):
        inputs = {name: value for name, value in batch.items() if name != "mask"}
        indices = index * len(batch["ab"]) + np.arange(len(batch["ab"]))
        found = step(variables, inputs, image_keys(seed, indices))
        parts.append({name: np.asarray(value)[_real(batch)] for name, value in found.items()})
        if sum(part["movement"].size for part in parts) >= images:
            break
    return _summarise({name: values[:images] for name, values in _concatenate(parts).items()})


def _diagnose_batch(
    sample: Callable[..., Samples],
    similarity: Callable[..., Any],
    variables: Any,
    batch: Any,
    keys: Any,
    *,
    samples: int,
    rule: str,
    unary_weight: float,
) -> dict[str, Any]:
    drawn = sample_each(sample, variables, batch, keys, samples=samples, rule=rule)
    matrices = similarity(variables, batch)
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


def training_fields(batches: Iterable[Batch]) -> Float[np.ndarray, "K H W 2"]:
    """Colour fields of a training set's images, without padding, to fit the blind baselines on.

    Raises:
      ValueError: there is no image.
    """
    parts = [batch["ab"][_real(batch)] for batch in batches]
    if not parts:
        raise ValueError(
            "the training split is empty, and the blind baselines are fitted on it; prepare it first"
        )
    return np.concatenate(parts)


def collect(batches: Iterable[Batch], indices: Sequence[int]) -> Batch:
    """The images of these places in the test set as one batch, in the order asked for, without padding.

    Raises:
      ValueError: the test set is shorter.
    """
    found: dict[int, Batch] = {}
    start = 0
    for batch in batches:
        real = np.flatnonzero(_real(batch))
        wanted = [i for i in indices if start <= i < start + real.size]
        found |= {i: {name: value[real[i - start]] for name, value in batch.items()} for i in wanted}
        start += real.size
        if len(found) == len(set(indices)):
            break
    missing = [i for i in indices if i not in found]
    if missing:
        raise ValueError(f"images {missing} asked for, but the test set has {start}")
    names = [name for name in found[indices[0]] if name != "mask"]
    return {name: np.stack([found[i][name] for i in indices]) for name in names}


def to_json(evaluation: Evaluation) -> str:
    """The evaluation as JSON, with each row's `ratios`; NaN becomes null."""
    rows = [{**row._asdict(), "ratios": ratios(evaluation, row)} for row in evaluation.rows]
    diagnostics = evaluation.diagnostics._asdict() if evaluation.diagnostics else None
    whole = {"protocol": evaluation.protocol._asdict(), "rows": rows, "diagnostics": diagnostics}
    return json.dumps(_finite(whole), indent=2, allow_nan=False) + "\n"


def per_image_to_json(per_image: PerImage) -> str:
    """{row: {metric: [one value an image]}} in the order of the test set, six digits, NaN as null."""
    rounded = {
        row: {metric: [float(f"{value:.6g}") for value in values] for metric, values in scores.items()}
        for row, scores in per_image.items()
    }
    return json.dumps(_finite(rounded), allow_nan=False) + "\n"


def ratios(evaluation: Evaluation, row: Row) -> dict[str, float]:
    """`eob_mae` of a row over that of gray and of the templates: free of the unit, which the papers hide."""
    own = row.scores.get("eob_mae", float("nan"))
    return {name: own / evaluation.row(name).scores["eob_mae"] for name in ("gray", "templates")}


def from_json(text: str) -> Evaluation:
    """The inverse of `to_json`."""
    whole = json.loads(text)
    rows = tuple(
        Row(row["name"], row["samples"], _with_nan(row["scores"]), row["undefined"]) for row in whole["rows"]
    )
    found = whole["diagnostics"]
    diagnostics = None
    if found:
        diagnostics = Diagnostics(
            found["images"], _with_nan(found["mean"]), _with_nan(found["worst"]), found["worst_image"]
        )
    told = whole["protocol"]
    told |= {name: tuple(told.get(name, ())) for name in ("commands", "extras")}
    return Evaluation(Protocol(**told), rows, diagnostics)


def per_image_from_json(text: str) -> PerImage:
    """The inverse of `per_image_to_json`."""
    return {
        row: {metric: np.array(values, float) for metric, values in scores.items()}
        for row, scores in json.loads(text).items()
    }


def _with_nan(scores: dict[str, float | None]) -> dict[str, float]:
    return {name: float("nan") if value is None else value for name, value in scores.items()}


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity."""
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
