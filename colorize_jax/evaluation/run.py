"""One evaluation from a model to its files, and several side by side."""

import time
from collections.abc import Iterator, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from PIL import Image

from colorize_jax import methods
from colorize_jax.data import bsds, color_prior, pipeline
from colorize_jax.data.prepared import PhotoSource
from colorize_jax.data.transforms import Example, View
from colorize_jax.evaluation import candidates, generated, judge, records, report, score, tables
from colorize_jax.evaluation.candidates import Candidate
from colorize_jax.evaluation.predict import (
    Predict,
    at_resolution,
    check_networks,
    collect,
    predictor,
    similarity_of,
    training_fields,
)
from colorize_jax.evaluation.records import Diagnostics, Evaluation, PerImage, Protocol, Row
from colorize_jax.methods.base import USUAL, Images, Method, Variables, colors_of
from colorize_jax.methods.parts.networks import example_batch
from colorize_jax.models import lpips
from colorize_jax.train import hosts, workdir


class Settings(NamedTuple):
    """What is scored, and how.

    Attributes:
      directory, dataset, split: of the test images; None takes the config's.
      samples: versions of each image, or as many as the method's rule gives where those are fewer.
      rule: of the method's sampling; None takes its first.
      lift: of `upsample.lift`, from the field to the images' size.
      resolution: side of the test images in pixels, a multiple of the model's own; None takes that.
      images: test images at most.
      fit_images: training images of the blind baselines and of the weights of colours, at most.
      diagnosed: images whose G-CRF is diagnosed.
      batch_size: images at once; changes no number.
      seed: of the samples and the blind templates.
      lpips: network that adds LPIPS, 'alex' or 'vgg', or None.
      judge: whether a classifier of photos judges version 1.
      segmentations: archive of BSDS500 that adds `bleed_human`, or None.
      color_prior: file that tells how rare colours are, see `color_prior`; None counts those of the training images.
      command: that is recorded as the one that made the evaluation.
    """

    directory: str | None = None
    dataset: str | None = None
    split: str | None = None
    samples: int = USUAL
    rule: str | None = None
    lift: str = "bicubic"
    resolution: int | None = None
    images: int = 1000
    fit_images: int = 3000
    diagnosed: int = 100
    batch_size: int = 50
    seed: int = 0
    lpips: str | None = None
    judge: bool = False
    segmentations: str | None = None
    color_prior: str | None = None
    command: str = ""


class ScoredSplit(NamedTuple):
    """The test split of an evaluation, and how its images and those of its training split are read.

    Attributes:
      directory, dataset, split: where it is prepared.
      batch_size: images at once, over all processes.
      data: `config.data`, of the model.
      resolution: side of the images.
    """

    directory: str
    dataset: str
    split: str
    batch_size: int
    data: Any
    resolution: int

    @property
    def view(self) -> View:
        """How a photo becomes a test image."""
        return pipeline.view_of(self.data)._replace(image_size=self.resolution)

    def batches(self, images: int, *, process: tuple[int, int] = (0, 1)) -> Iterator[Example]:
        """The first images of the test split, in order; with several processes, this one's rows of each batch."""
        return self._read(self.split, images, process)

    def training_batches(self, images: int) -> Iterator[Example]:
        """The first images of the training split."""
        return self._read("train", images, (0, 1))

    def _read(self, split: str, images: int, process: tuple[int, int]) -> Iterator[Example]:
        return pipeline.evaluation_batches(
            PhotoSource(self.directory, self.dataset, split),
            batch_size=self.batch_size,
            view=self.view,
            images=images,
            threads=self.data.threads,
            shard_index=process[0],
            shard_count=process[1],
        )


class Subject(NamedTuple):
    """A method as it is sampled.

    Attributes:
      method, variables: of the candidate.
      samples: versions of each image.
      rule: of their choice, '' for a method without `colors`.
    """

    method: Method
    variables: Variables
    samples: int
    rule: str


class Measured(NamedTuple):
    """What one capability of a method gave.

    Attributes:
      rows: of the table.
      per_image: the scores behind them, where they are of single test images.
      sheets: pictures by file name.
      gallery: images with their versions, or None.
      diagnostics: of the G-CRF, or None.
    """

    rows: tuple[Row, ...]
    per_image: PerImage
    sheets: dict[str, Image.Image]
    gallery: report.Gallery | None = None
    diagnostics: Diagnostics | None = None


def compare(places: dict[str, Path | None], out: Path, settings: Settings, *, keep: bool = True) -> None:
    """Scores every model into a folder of its own, and writes and prints the tables of all.

    Args:
      places: from `candidates.find`.
      out: folder to write to.
      settings: the same for all.
      keep: an evaluation that is there already stays if its protocol is this one.
    """
    for name, place in places.items():
        evaluate(candidates.load(name, place), out / name, settings, keep=keep)
    if hosts.is_first():
        scored = [report.read_scored(name, out / name) for name in places]
        found = tables.all_tables(scored)
        report.write_comparison(out, scored, found)
        print(report.tables_text(found))
        print(
            f"wrote {out / 'tables.md'} and {out / 'comparison.json'}; colorize-report --evaluations={out} "
            "makes a page of them"
        )


def evaluate(candidate: Candidate, out: Path, settings: Settings, *, keep: bool = False) -> None:
    """Scores a model by what it can do, writes everything to `out` and prints the table.

    Args:
      candidate: the model.
      out: folder to write to.
      settings: what is scored, and how.
      keep: an evaluation that is there already stays if its protocol is this one.

    Raises:
      ValueError: `keep`, and another evaluation is there; or the model can do nothing that is measured.
    """
    began = time.monotonic()
    subject, test = subject_of(candidate, settings), split_of(candidate.config, settings)
    protocol = protocol_of(candidate, subject, test, settings)
    if keep and (out / "scores.json").is_file():
        _check_kept(out, protocol)
        return
    parts = []
    if subject.method.colors or subject.method.distribution:
        parts.append(answers(subject, candidate.config, test, settings))
    if subject.method.images:
        parts.append(images_from_nothing(subject.method.images, subject.variables, test, settings))
    found = joined(parts)
    protocol = protocol._replace(seconds=round(time.monotonic() - began, 1))
    evaluation = Evaluation(protocol, found.rows, found.diagnostics)
    if hosts.is_first():
        print(report.summary(evaluation))
        for path in report.write(out, evaluation, found.per_image, found.sheets, found.gallery):
            print(f"wrote {path}")


def subject_of(candidate: Candidate, settings: Settings) -> Subject:
    """The candidate's method with the settings' number of versions and rule.

    Raises:
      ValueError: an unknown rule; networks that are missing; a resolution that does not fit the method's; or a method
        that neither colours nor makes images.
    """
    method = methods.build(candidate.config)
    check_networks(method, candidate.variables)
    if settings.resolution:
        method = _at_resolution(method, settings.resolution, candidate.config.data.image_size)
    if method.colors is None:
        if not (method.distribution or method.images):
            colors_of(method)  # says what it has instead
        return Subject(method, candidate.variables, 1, "")
    _, rule = method.colors.request(rule=settings.rule)
    samples = min(settings.samples, method.colors.most.get(rule, settings.samples))
    return Subject(method, candidate.variables, samples, rule)


def _at_resolution(method: Method, resolution: int, side: int) -> Method:
    if resolution % side:
        raise ValueError(
            f"resolution is {resolution}, but the model reads images of {side}²; allowed are multiples of {side}"
        )
    return method if resolution == side else at_resolution(method, side)


def split_of(config: Any, settings: Settings) -> ScoredSplit:
    """The test split that the settings name, and the config where they are silent."""
    dataset, split = config.data.test
    if settings.dataset and settings.dataset != dataset:
        split = "test"
    return ScoredSplit(
        settings.directory or config.data.dir,
        settings.dataset or dataset,
        settings.split or split,
        settings.batch_size,
        config.data,
        settings.resolution or config.data.image_size,
    )


def answers(subject: Subject, config: Any, test: ScoredSplit, settings: Settings) -> Measured:
    """What a method answers to gray images, beside the truth and the blind baselines."""
    method, variables, samples, rule = subject
    batches = partial(test.batches, settings.images)
    process = (jax.process_index(), jax.process_count())
    predict = predictor(method, variables, samples=samples, rule=rule, lift=settings.lift)
    fields, prior = training_fields(test.training_batches(settings.fit_images)), settings.color_prior
    occur = color_prior.read(Path(prior), "gamut") if prior else None
    known = score.reference(fields, seed=settings.seed, counts=occur)
    per_image, counts = score.score_images(
        predict, batches(process=process), known, seed=settings.seed, embed=_embed(settings), process=process
    )
    # What follows is done by every process: one that ends long before the others is taken for lost.
    for row, scores in _region_scores(predict, test.view, settings).items():
        per_image[row] |= scores
    judged = _judged(predict, batches(), settings)
    for row, scores in judged.per_image.items():
        per_image[row] |= scores
    if method.distribution:
        per_image["distribution"] = score.score_distribution(method.distribution, variables, batches())
        counts["distribution"] = 0
    gallery = report.gallery(predict, batches, per_image, seed=settings.seed)
    sheets = report.pictures(gallery, per_image)
    diagnostics, similarity = None, similarity_of(method)
    if similarity:
        diagnostics = score.diagnose(
            method, variables, batches(), samples=samples, rule=rule, seed=settings.seed,
            unary_weight=_unary_weight(config.gcrf), images=settings.diagnosed,
        )  # fmt: skip
        images = collect(batches(), range(min(report.ROWS, len(gallery.indices))))
        shown = np.asarray(jax.jit(similarity)(variables, images), np.float32)
        sheets["fig8_attention"] = report.attention(images["lightness"], shown)
    rows = [
        row._replace(scores=row.scores | judged.sets.get(row.name, {}))
        for row in score.reduce_rows(per_image, counts)
    ]
    return Measured(tuple(rows), per_image, sheets, gallery, diagnostics)


def _unary_weight(crf: Any) -> float:
    """w of every pixel in the method's sampling, where H keeps all."""
    weight: float = crf.beta_test + (crf.floor if crf.floor_on == "all" else 0)
    return weight


def images_from_nothing(
    images: Images, variables: Variables, test: ScoredSplit, settings: Settings
) -> Measured:
    """Whole images of a method, and the training images, both against the test images."""
    photos = generated.photos_of(test.batches(settings.images))
    training = generated.photos_of(test.training_batches(len(photos)))
    drawn = generated.generate(
        images, variables, count=len(photos), together=settings.batch_size, seed=settings.seed
    )
    sets = {"training_images": training, "generated": drawn}
    rows = tuple(Row(name, len(s), generated.score(s, photos), {}) for name, s in sets.items())
    return Measured(rows, {}, {"generated": report.image_sheet(drawn)})


def joined(parts: Sequence[Measured]) -> Measured:
    """What several capabilities of one method gave; the first gallery and the first diagnostics."""
    return Measured(
        rows=tuple(row for part in parts for row in part.rows),
        per_image={name: scores for part in parts for name, scores in part.per_image.items()},
        sheets={name: sheet for part in parts for name, sheet in part.sheets.items()},
        gallery=next((part.gallery for part in parts if part.gallery), None),
        diagnostics=next((part.diagnostics for part in parts if part.diagnostics), None),
    )


def protocol_of(candidate: Candidate, subject: Subject, test: ScoredSplit, settings: Settings) -> Protocol:
    """All that the numbers will depend on; its `seconds` are not known yet.

    Raises:
      ValueError: the data set is not prepared, or has no such split.
    """
    photos = PhotoSource(test.directory, test.dataset, test.split)
    training = PhotoSource(test.directory, test.dataset, "train")
    cost = candidate.provenance and candidates.training_cost(candidate.provenance)._asdict()
    losses = subject.method.losses
    return Protocol(
        model=candidate.name,
        dataset=test.dataset,
        split=test.split,
        split_hash=photos.summary.split_hash[test.split],
        images=min(settings.images, len(photos)),
        samples=settings.samples,
        rule=subject.rule,
        resolution=test.resolution,
        field=side_of(subject, candidate.config),
        lift=settings.lift,
        seed=settings.seed,
        batch_size=settings.batch_size,
        fit_images=min(settings.fit_images, len(training)),
        versions=versions(),
        method=candidate.config.method,
        losses=None if losses is None else dict(losses),
        training=cost,
        weights_hash=candidates.weights_hash(candidate.variables),
        workdir=candidate.workdir,
        commands=(*candidates.training_commands(candidate.workdir), *filter(None, [settings.command])),
        extras=_extras(settings),
    )


def side_of(subject: Subject, config: Any) -> int:
    """Rows of the method's colour field, or of its images where it answers no gray one; nothing is computed."""
    method, variables = subject.method, subject.variables
    rng, batch = jax.random.key(0), example_batch(config)
    if method.colors:
        sample = partial(method.colors.sample, samples=subject.samples, rule=subject.rule)
        return jax.eval_shape(sample, variables, batch, rng).field.shape[2]
    if method.distribution:
        return jax.eval_shape(method.distribution.histograms, variables, batch).shape[1]
    assert method.images is not None
    return jax.eval_shape(partial(method.images.sample, count=1), variables, rng).shape[1]


def versions() -> dict[str, str]:
    """Python, packages and devices that a score may depend on."""
    found = workdir.versions()
    devices = ", ".join(sorted(set(found["devices"])))
    scikit_image = metadata.version("scikit-image")
    return {"python": found["python"], **found["packages"], "scikit-image": scikit_image, "device": devices}


# What may differ between an evaluation that is kept and the one that was asked for.
_FREE: dict[str, Any] = {"seconds": None, "versions": {}, "commands": (), "batch_size": 0, "training": None}


def _check_kept(out: Path, protocol: Protocol) -> None:
    """Raises a ValueError unless the evaluation in `out` has this protocol; machine and seconds may differ."""
    there = records.from_json((out / "scores.json").read_text(encoding="utf-8")).protocol._replace(**_FREE)
    wanted = protocol._replace(**_FREE)
    differing = [name for name in wanted._fields if getattr(wanted, name) != getattr(there, name)]
    if differing:
        told = "; ".join(f"{n}: {getattr(there, n)!r} there, {getattr(wanted, n)!r} now" for n in differing)
        raise ValueError(f"{out} holds another evaluation ({told}); give another --out, or --overwrite")
    print(f"kept {out}")


def _embed(settings: Settings) -> score.Embed | None:
    """The networks of `settings.lpips`."""
    if settings.lpips is None:
        return None
    # As an argument and not a constant: XLA would fold 60 MB of weights at compile time.
    weights, embed = lpips.load(settings.lpips), jax.jit(lpips.embed)
    return lambda rgb: [np.asarray(features) for features in embed(weights, rgb)]


def _region_scores(predict: Predict, view: View, settings: Settings) -> PerImage:
    """`bleed` over the regions that people drew, {} without their archive."""
    if settings.segmentations is None:
        return {}
    photos = bsds.segmented_photos(settings.segmentations, view, images=settings.images)
    return score.score_regions(predict, photos, seed=settings.seed)


def _judged(predict: Predict, batches: Iterator[Example], settings: Settings) -> judge.Judged:
    """What the judge of `settings` says; nothing without one."""
    if not settings.judge:
        return judge.NOTHING
    return judge.score(predict, batches, judge.load(), seed=settings.seed)


def _extras(settings: Settings) -> tuple[str, ...]:
    network = f"LPIPS 0.1, {settings.lpips}" if settings.lpips else ""
    judged = f"judge EfficientNet-{judge.NETWORK.capitalize()}" if settings.judge else ""
    regions = Path(settings.segmentations).name if settings.segmentations else ""
    prior = f"color prior {Path(settings.color_prior).name}" if settings.color_prior else ""
    return tuple(filter(None, (network, regions, judged, prior)))
