"""Scores a model on a test set: `colorize-eval --model=default --dir=data --out=evaluation`.

The model is a released one (`--model`: a name or a folder) or a training run (`--workdir`, whose own config is used
unless `--config=configs/….py` is given). Prints the table; writes scores.json, per_image.json, table.md and PNGs.
"""

from colorize_jax.apps import common  # first: it sets numpy's threads

# isort: split
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from absl import flags
from ml_collections import config_flags

from colorize_jax.apps.data_dir import DIR

_MODEL = flags.DEFINE_string("model", None, "A released model's name or folder; 'default' without --workdir.")
_WORKDIR = flags.DEFINE_string("workdir", None, "A training run, instead of --model.")
_CONFIG = config_flags.DEFINE_config_file("config", None, "For --workdir: by default the run's own.")
_DATASET = flags.DEFINE_string("dataset", None, "Prepared data set; by default the config's.")
_SPLIT = flags.DEFINE_string("split", None, "Its split; by default the config's, or test.")
_SAMPLES = flags.DEFINE_integer("samples", 5, "Colour versions of each image.", lower_bound=1)
_RULE = flags.DEFINE_enum("rule", "modes", ["modes", "random"], "Mixture means by weight, or draws.")
_LIFT = flags.DEFINE_enum("lift", "bicubic", ["bicubic", "jbu"], "From the field to the images' size.")
_IMAGES = flags.DEFINE_integer("images", 1000, "Test images at most.", lower_bound=1)
_FIT_IMAGES = flags.DEFINE_integer(
    "fit_images", 3000, "Training images of the blind baselines.", lower_bound=5
)
_DIAGNOSED = flags.DEFINE_integer("diagnosed", 100, "Images whose G-CRF is diagnosed.", lower_bound=1)
_BATCH = flags.DEFINE_integer("batch_size", 50, "Images at once; rule 'random' depends on it.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Of the samples and of the blind templates.")
_OUT = flags.DEFINE_string("out", "evaluation", "Folder to write to.")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace an evaluation that is already in --out.")


class Source(NamedTuple):
    """A model to score: its name for the table, its config and its variables."""

    name: str
    config: Any
    variables: dict[str, Any]


def main(arguments: Sequence[str]) -> None:
    """Scores the model that the flags name, prints the table and writes the files."""
    if arguments:
        raise ValueError(f"unexpected {' '.join(arguments)}; colorize-eval takes flags only, see --help")
    out = Path(_OUT.value)
    if (out / "scores.json").exists() and not _OVERWRITE.value:
        raise ValueError(f"{out} holds an evaluation already; give another --out, or --overwrite")
    evaluate_source(load_source(), out)


def load_source() -> Source:
    """The model of `--model` or `--workdir`.

    Raises:
      ValueError: both are given, `--config` without `--workdir`, or there is no such model.
    """
    if _WORKDIR.value and _MODEL.value:
        raise ValueError("--model and --workdir are both given; give one of them")
    if _WORKDIR.value:
        return _load_run(Path(_WORKDIR.value))
    if _CONFIG.value is not None:
        raise ValueError("--config is for a training run; give its --workdir too")
    return _load_bundle(_MODEL.value or "default")


def _load_bundle(name: str) -> Source:
    from colorize_jax import bundle, methods

    config = bundle.load_config(name)
    expected = methods.build(config).abstract_variables()
    return Source(name, config, bundle.load_bundle(name, expected).variables)


def _load_run(workdir: Path) -> Source:
    from colorize_jax import config as configs
    from colorize_jax.train.checkpoints import restore_variables

    if _CONFIG.value is not None:
        config = configs.resolve(_CONFIG.value)
    elif (workdir / "config.json").is_file():
        config = configs.from_json((workdir / "config.json").read_text())
    else:
        raise ValueError(f"--workdir={workdir} holds no config.json; give the folder of a training run")
    return Source(str(workdir), config, restore_variables(workdir))


def evaluate_source(source: Source, out: Path) -> None:
    """Scores a model on the data set of the flags and writes everything to `out`."""
    import jax

    from colorize_jax import baselines, evaluate, methods, report

    method = methods.build(source.config)
    data = _dataset(source.config)
    batches = partial(_batches, source.config, *data, images=_IMAGES.value)
    training = _batches(source.config, data[0], data[1], "train", images=_FIT_IMAGES.value)
    fields = evaluate.training_fields(training)
    fitted = baselines.fit(fields, seed=_SEED.value)
    sampled: dict[str, Any] = {
        "method": method,
        "variables": source.variables,
        "samples": _SAMPLES.value,
        "rule": _RULE.value,
    }
    predict = evaluate.predictor(**sampled, lift=_LIFT.value)
    per_image, counts = evaluate.score_images(predict, batches(), fitted, seed=_SEED.value)
    crf = source.config.gcrf
    diagnostics = evaluate.diagnose(
        **sampled,
        batches=batches(),
        seed=_SEED.value,
        unary_weight=crf.beta_test + crf.floor,
        images=_DIAGNOSED.value,
    )
    protocol = _protocol(source, data, images=len(per_image["field"]["mae"]), fit_images=len(fields))
    evaluation = evaluate.Evaluation(protocol, evaluate.reduce_rows(per_image, counts), diagnostics)
    similarity = jax.jit(partial(method.similarity, source.variables)) if method.similarity else None
    sheets = report.pictures(predict, similarity, batches, per_image)
    print(report.summary(evaluation))
    for path in report.write(out, evaluation, per_image, sheets):
        print(f"wrote {path}")


def _dataset(config: Any) -> tuple[str, str, str]:
    """(directory, data set, split) of the flags, and of the config where they are silent."""
    dataset, split = config.data.test
    if _DATASET.value and _DATASET.value != dataset:
        split = "test"
    directory = DIR.value if DIR.present else config.data.dir
    return directory, _DATASET.value or dataset, _SPLIT.value or split


def _batches(
    config: Any, directory: str, dataset: str, split: str, *, images: int
) -> Iterator[dict[str, Any]]:
    from colorize_jax.data import pipeline
    from colorize_jax.data.prepared import PhotoSource

    return pipeline.evaluation_batches(
        PhotoSource(directory, dataset, split),
        batch_size=_BATCH.value,
        view=pipeline.view_of(config.data),
        images=images,
        threads=config.data.threads,
    )


def _protocol(source: Source, data: tuple[str, str, str], *, images: int, fit_images: int) -> Any:
    from colorize_jax import evaluate
    from colorize_jax.data import prepared

    directory, dataset, split = data
    return evaluate.Protocol(
        model=source.name,
        dataset=dataset,
        split=split,
        split_hash=prepared.summary(directory, dataset).split_hash[split],
        images=images,
        samples=_SAMPLES.value,
        rule=_RULE.value,
        resolution=source.config.data.image_size,
        field=source.config.model.field,
        lift=_LIFT.value,
        seed=_SEED.value,
        batch_size=_BATCH.value,
        fit_images=fit_images,
        versions=evaluate.versions(),
    )


def cli() -> NoReturn:
    """Entry point of the console script `colorize-eval`."""
    common.run(main)


if __name__ == "__main__":
    cli()
