"""Batches from prepared photos: an endless training stream with random access, and a test set in order.

The batch of a step is a pure function of (seed, step). Its photo i, with crop and mirroring, is one of (seed, step, i).
The step is the only state, so a resumed run sees what an uninterrupted one would have seen. On several hosts each makes
its own rows of the same global batches. Every epoch of a data set has its own order.

Threads do the work. Decoding, scaling and the conversion of colours release the interpreter's lock. The conversion
takes a whole batch at once, so that it asks for the lock less often. No process is started, so nothing is imported or
pickled for one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import grain
import numpy as np

from colorize_jax.data import transforms
from colorize_jax.data.prepared import PhotoSource, Record
from colorize_jax.data.transforms import Example, Pixels, View

Examples = Example
"""float32 network units: `lightness` (B, S, S, 1), `ab` (B, S, S, 2), perhaps `lightness_large` (B, L, L, 1)
and `ab_large` (B, L, L, 2), and `regions` (B, R, R) int16; from a test set also `mask` (B,) bool, False for padding."""


class MixturePart(NamedTuple):
    """One data set of a mixture: its photos and its share of the images, any positive number."""

    photos: PhotoSource
    weight: float


class Training:
    """The endless stream of training batches.

    Args:
      parts: the mixture; images come from its data sets in proportion to their weights, evenly spread.
      batch_size: rows of a global batch.
      view: how a photo becomes a training image.
      seed: in [0, 2**32); decides order, crops and mirroring.
      threads: that decode in the background; 0 decodes when a batch is asked for.
      shard_index: which of the `shard_count` equal slices of each global batch this host makes.
      shard_count: number of hosts.

    Raises:
      ValueError: a weight is not positive, the mixture is empty, or the hosts do not divide `batch_size`.
    """

    def __init__(
        self,
        parts: Sequence[MixturePart],
        *,
        batch_size: int,
        view: View,
        seed: int,
        threads: int = 2,
        shard_index: int = 0,
        shard_count: int = 1,
    ):
        check_shard(batch_size, shard_index, shard_count)
        self._rows = (batch_size, shard_index, shard_count)
        self._threads, self._ab_large = threads, view.ab_large
        self._records = mixture(parts, seed)
        self._pixels = self._records.seed(seed).random_map(_AsPixels(view))

    def batch_at(self, step: int) -> Examples:
        """This host's rows of the batch of `step`, counted from 0."""
        return _batch([self._pixels[index] for index in host_rows(step, *self._rows)], self._ab_large)

    def names_at(self, step: int) -> list[str]:
        """The file names of this host's rows of the batch of `step`, for messages."""
        return [self._records[index].name for index in host_rows(step, *self._rows)]

    def iterate(self, start_step: int = 0) -> Iterator[Examples]:
        """`batch_at(start_step)`, `batch_at(start_step + 1)`, ... without end, decoded ahead by the threads."""
        steps = len(self._pixels) // self._rows[0] - start_step
        return _read_ahead(lambda number: self.batch_at(start_step + number), steps, self._threads)


def mixture(parts: Sequence[MixturePart], seed: int) -> Any:
    """An endless `grain.MapDataset` of records: each part reshuffled every epoch, mixed by weight.

    Raises:
      ValueError: a weight is not positive, or there are no parts.
    """
    weights = [part.weight for part in parts]
    if not parts or min(weights) <= 0:
        raise ValueError(f"mixture: needs data sets with positive weights, got weights {weights}")
    # Grain seeds epoch e of `shuffle(seed=s)` with s + e, so that seed 1 would be seed 0 one epoch later; of
    # `.seed(s).shuffle()` it hashes s first. Distinct seeds, or sets of equal size would run in step.
    seeds = np.random.SeedSequence(seed).generate_state(len(parts))
    endless = [
        grain.MapDataset.source(part.photos).seed(int(own)).shuffle().repeat()
        for part, own in zip(parts, seeds, strict=True)
    ]
    return endless[0] if len(endless) == 1 else grain.MapDataset.mix(endless, weights=weights)


class _AsPixels(grain.transforms.RandomMap):
    """Decoding as grain wants it: the generator that comes in depends on the seed and the index alone."""

    def __init__(self, view: View):
        self._view = view

    def random_map(self, element: Record, rng: np.random.Generator) -> Pixels:
        return _pixels(element, self._view, rng)


def evaluation_batches(
    photos: PhotoSource,
    *,
    batch_size: int,
    view: View,
    images: int = 0,
    threads: int = 2,
    shard_index: int = 0,
    shard_count: int = 1,
) -> Iterator[Examples]:
    """The photos of a split in their stored order (a hash of the name), centred, unmirrored, each once.

    Args:
      photos: the split.
      batch_size: rows of a global batch; all batches have that many.
      view: its crop and flip are not used.
      images: how many, the first ones; 0 or more than there are: all.
      threads: that decode in the background; 0 decodes when a batch is asked for.
      shard_index: which of the `shard_count` equal slices of each global batch this host makes.
      shard_count: number of hosts.

    Returns:
      Iterator of batches with a `mask` (B,) bool: False for the padding of the last one, which repeats a photo.

    Raises:
      ValueError: the hosts do not divide `batch_size`.
    """
    check_shard(batch_size, shard_index, shard_count)
    count = min(images, len(photos)) if images else len(photos)

    def batch(number: int) -> Examples:
        rows = np.array(host_rows(number, batch_size, shard_index, shard_count))
        shown = np.minimum(rows, count - 1)
        pixels = [_pixels(photos[index], view, None) for index in shown]
        return {**_batch(pixels, view.ab_large), "mask": rows < count}

    return _read_ahead(batch, -(-count // batch_size), threads)


def _pixels(record: Record, view: View, rng: np.random.Generator | None) -> Pixels:
    try:
        return transforms.pixels(record.image, view, rng, record.regions)
    except Exception as error:
        error.add_note(f"while decoding {record.name}")
        raise


def _batch(pixels: list[Pixels], ab_large: bool) -> Examples:
    stacked = {key: np.stack([photo[key] for photo in pixels]) for key in pixels[0]}
    return transforms.to_network(stacked, ab_large=ab_large)


class _BatchSource:
    """Batches by number, as grain's sources are: whole batches are the unit of parallel work."""

    def __init__(self, get: Callable[[int], Examples], count: int):
        self._get, self._count = get, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> Examples:
        return self._get(int(number))


def _read_ahead(get: Callable[[int], Examples], count: int, threads: int) -> Iterator[Examples]:
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=2 * threads)
    return iter(grain.MapDataset.source(_BatchSource(get, count)).to_iter_dataset(options))


def host_rows(step: int, batch_size: int, shard_index: int, shard_count: int) -> range:
    """The positions in the stream of images that one host's rows of a global batch have."""
    rows = batch_size // shard_count
    first = step * batch_size + shard_index * rows
    return range(first, first + rows)


def check_shard(batch_size: int, shard_index: int, shard_count: int) -> None:
    """Raises ValueError unless `shard_index` is one of the hosts and they divide the batch evenly."""
    if not 0 <= shard_index < shard_count:
        raise ValueError(
            f"shard_index must lie in 0..{shard_count - 1} for {shard_count} hosts, got {shard_index}"
        )
    if batch_size < 1 or batch_size % shard_count:
        raise ValueError(
            f"batch_size must be a positive multiple of the {shard_count} hosts, got {batch_size}"
        )


def view_of(data: Any) -> View:
    """The training view that `config.data` asks for."""
    return View(
        image_size=data.image_size,
        lightness_large=data.lightness_large,
        crop=data.crop,
        crop_largest=data.crop_largest,
        stretch=data.stretch,
        flip=data.flip,
        ab_large=data.ab_large,
        regions=data.regions,
    )


def training(
    data: Any, *, batch_size: int, seed: int, shard_index: int = 0, shard_count: int = 1
) -> Training:
    """The training stream of `config.data`, see `Training`; each stage should have a seed of its own.

    Raises:
      ValueError: a data set of the mixture is not prepared, has no such split, or has no positive weight.
    """
    return Training(
        [MixturePart(PhotoSource(data.dir, name, split), weight) for name, split, weight in data.mixture],
        batch_size=batch_size,
        view=view_of(data),
        seed=seed,
        threads=data.threads,
        shard_index=shard_index,
        shard_count=shard_count,
    )


def evaluation(
    data: Any, *, batch_size: int, images: int = 0, shard_index: int = 0, shard_count: int = 1
) -> Iterator[Examples]:
    """The first `images` (0: all) photos of `config.data.test`, see `evaluation_batches`.

    Raises:
      ValueError: the test set is not prepared or has no such split.
    """
    return evaluation_batches(
        PhotoSource(data.dir, *data.test),
        batch_size=batch_size,
        view=view_of(data),
        images=images,
        threads=data.threads,
        shard_index=shard_index,
        shard_count=shard_count,
    )


def num_images(data: Any) -> int:
    """Images of one epoch: `config.data.epoch_images`, or where that is 0, those of the mixture's first set."""
    if data.epoch_images:
        return data.epoch_images
    name, split, _ = data.mixture[0]
    return len(PhotoSource(data.dir, name, split))


def provenance(data: Any) -> list[dict[str, Any]]:
    """What the data of `config.data` are, as JSON: the mixture's sets and last the test set (weight 0)."""
    test_name, test_split = data.test
    used = [*data.mixture, (test_name, test_split, 0.0)]
    return [
        {**_described(PhotoSource(data.dir, name, split)), "weight": weight} for name, split, weight in used
    ]


def provenance_by_stage(stages: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`provenance` of all stages of a run together: a set that stages weigh differently has its weight by stage.

    Args:
      stages: `config.data` of each stage, by its label.
    """
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    weights: dict[tuple[str, str], dict[str, float]] = {}
    for label, data in stages.items():
        for row in provenance(data):
            key = row["dataset"], row["split"]
            rows.setdefault(key, row)
            weights.setdefault(key, {})[label] = row["weight"]
    told = [{**row, "weight": _same(weights[key], len(stages))} for key, row in rows.items()]
    return sorted(told, key=lambda row: row["weight"] == 0.0)


def _same(weights: dict[str, float], count: int) -> float | dict[str, float]:
    """The one weight that `count` stages give a set, or what each gives it."""
    values = set(weights.values())
    return values.pop() if len(values) == 1 and len(weights) == count else weights


def _described(photos: PhotoSource) -> dict[str, Any]:
    about = photos.summary
    return {
        "dataset": about.name,
        "split": photos.split,
        "images": len(photos),
        "split_hash": about.split_hash[photos.split],
        "chosen": about.split,
        "skipped": about.skipped,
        "source": about.source,
    }
