"""Scores models on a test set and prints tables; trains nothing.

    colorize-eval --model=default --dir=data --out=evaluation
    colorize-eval --methods=scc,vae_mdn,vae_mdn_skip,cvae --runs=runs/lfw --dataset=lfw_deepfunneled --dir=data
    colorize-eval --task=edits --photos=imagenet-samples.zip --out=edits

One model is a released one (`--model`: a name or a folder) or a training run (`--workdir`, whose own config is used
unless `--config=configs/….py` is given). Several (`--methods`) are each NAME=FOLDER, or NAME alone: the training run
of that name in the folder `--runs`, or else the released model of that name. Writes scores.json, per_image.json,
table.md and PNGs, for several models into a folder each, with comparison.json and tables.md above them, from which
`colorize-report` makes its page. An evaluation that is already there is kept if it is the same one.
"""

from colorize_jax.apps import common  # first: it sets numpy's threads

# isort: split
import json
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
from absl import flags
from ml_collections import config_flags

from colorize_jax.apps import eval_edits, multihost
from colorize_jax.apps.data_dir import DIR
from colorize_jax.data.prepared import PhotoSource

_TASK = flags.DEFINE_enum(
    "task",
    "versions",
    ["versions", "edits"],
    "What is scored: colour versions, or edits (apps/eval_edits.py).",
)
_MODEL = flags.DEFINE_string("model", None, "A released model's name or folder; 'default' without --workdir.")
_WORKDIR = flags.DEFINE_string("workdir", None, "A training run, instead of --model.")
_METHODS = flags.DEFINE_list("methods", [], "Several models side by side: NAME or NAME=FOLDER, with commas.")
_RUNS = flags.DEFINE_string("runs", None, "For --methods: the folder with a training run NAME in it.")
_CONFIG = config_flags.DEFINE_config_file("config", None, "For --workdir: by default the run's own.")
_DATASET = flags.DEFINE_string("dataset", None, "Prepared data set; by default the config's.")
_SPLIT = flags.DEFINE_string("split", None, "Its split; by default the config's, or test.")
_SAMPLES = flags.DEFINE_integer(
    "samples",
    None,
    "Colour versions of each image; by default 5, or as many as the model has.",
    lower_bound=1,
)
_RULE = flags.DEFINE_string("rule", None, "How versions are chosen; by default the model's first rule.")
_LIFT = flags.DEFINE_enum("lift", "bicubic", ["bicubic", "jbu"], "From the field to the images' size.")
_IMAGES = flags.DEFINE_integer("images", 1000, "Test images at most.", lower_bound=1)
_FIT_IMAGES = flags.DEFINE_integer(
    "fit_images", 3000, "Training images of the blind baselines and of the weights of colours.", lower_bound=5
)
_DIAGNOSED = flags.DEFINE_integer("diagnosed", 100, "Images whose G-CRF is diagnosed.", lower_bound=1)
_BATCH = flags.DEFINE_integer("batch_size", 50, "Images at once; changes no number.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Of the samples and of the blind templates.")
_LPIPS = flags.DEFINE_enum(
    "lpips", None, ["alex", "vgg"], "Adds LPIPS with this network; needs the extra [lpips]."
)
_SEGMENTATIONS = flags.DEFINE_string(
    "segmentations", None, "bsds500-trainval.zip: adds bleed over the regions that people drew in its photos."
)
_OUT = flags.DEFINE_string("out", "evaluation", "Folder to write to.")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace an evaluation that is already in --out.")
flags.adopt_module_key_flags(multihost)
flags.adopt_module_key_flags(eval_edits)


class Source(NamedTuple):
    """A model to score: its name for the table, its config, its variables, and where it comes from."""

    name: str
    config: Any
    variables: dict[str, Any]
    provenance: dict[str, Any] | None = None
    workdir: str = ""


def main(arguments: Sequence[str]) -> None:
    """Scores the models that the flags name, prints the tables and writes the files."""
    if arguments:
        raise ValueError(f"unexpected {' '.join(arguments)}; colorize-eval takes flags only, see --help")
    if _METHODS.value and (_MODEL.value or _WORKDIR.value):
        raise ValueError("--methods names models already; give it or one of --model and --workdir")
    out = Path(_OUT.value)
    if _TASK.value == "edits":
        _evaluate_edits(out)
        return
    if not _METHODS.value and (out / "scores.json").exists() and not _OVERWRITE.value:
        raise ValueError(f"{out} holds an evaluation already; give another --out, or --overwrite")
    if _METHODS.value:
        places = _places(_METHODS.value, _RUNS.value)
    multihost.join()
    if _METHODS.value:
        compare(places, out)
    else:
        evaluate_source(load_source(), out)


def _evaluate_edits(out: Path) -> None:
    if _WORKDIR.value:
        raise ValueError("--task=edits takes released models; export the run with colorize-export first")
    if (out / "edits.json").exists() and not _OVERWRITE.value:
        raise ValueError(f"{out} holds an evaluation already; give another --out, or --overwrite")
    named = _places(_METHODS.value, None) if _METHODS.value else {"model": Path(_MODEL.value or "default")}
    models = {name: place or name for name, place in named.items()}
    prepared = PhotoSource(DIR.value, _DATASET.value, _SPLIT.value or "test") if _DATASET.value else None
    eval_edits.run(models, prepared, out, seed=_SEED.value)


def _places(entries: Sequence[str], runs: str | None) -> dict[str, Path | None]:
    """Where each model of `--methods` is: the folder of a run or a model, None for a released one of that name.

    Raises:
      ValueError: a name twice, or one that is neither.
    """
    from colorize_jax import bundle

    found: dict[str, Path | None] = {}
    for entry in entries:
        name, _, folder = entry.partition("=")
        if not name or "/" in name or name in found:
            raise ValueError(f"--methods has {entry!r}; each is NAME or NAME=FOLDER, every name once")
        place = Path(folder) if folder else Path(runs) / name if runs else None
        if place is None and name not in bundle.available():
            raise ValueError(
                f"--methods has {name!r}, which is no released model (there are {', '.join(bundle.available())}); "
                f"give {name}=FOLDER, or --runs=FOLDER with the training run {name} in it"
            )
        if place is not None and not (place / "config.json").is_file():
            raise ValueError(f"{place} holds no config.json; give the folder of a training run or a model")
        found[name] = place
    return found


def compare(places: dict[str, Path | None], out: Path) -> None:
    """Scores every model into a folder of its own, and writes and prints the tables of all."""
    from colorize_jax.evaluation import report, tables
    from colorize_jax.train import hosts

    for name, place in places.items():
        evaluate_source(_load(name, place), out / name, keep=not _OVERWRITE.value)
    if hosts.is_first():
        scored = [report.read_scored(name, out / name) for name in places]
        found = tables.all_tables(scored)
        report.write_comparison(out, scored, found)
        print(report.tables_text(found))
        print(f"wrote {out / 'tables.md'} and {out / 'comparison.json'}; colorize-report --evaluations={out} "
              "makes a page of them")  # fmt: skip


def _load(name: str, place: Path | None) -> Source:
    if place is None:
        return _load_bundle(name)
    is_run = not (place / "weights.npz").is_file()
    return (_load_run(place) if is_run else _load_bundle(str(place)))._replace(name=name)


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
    model = bundle.load_bundle(name, expected)
    return Source(name, config, model.variables, model.provenance)


def _load_run(workdir: Path) -> Source:
    from colorize_jax import config as configs
    from colorize_jax.train import export
    from colorize_jax.train.checkpoints import restore_variables

    if _CONFIG.value is not None:
        config = configs.resolve(_CONFIG.value)
    elif (workdir / "config.json").is_file():
        config = configs.from_json((workdir / "config.json").read_text())
    else:
        raise ValueError(f"--workdir={workdir} holds no config.json; give the folder of a training run")
    variables = restore_variables(workdir)
    return Source(str(workdir), config, variables, export.provenance(workdir, {}), str(workdir))


def evaluate_source(source: Source, out: Path, *, keep: bool = False) -> None:
    """Scores a model on the data set of the flags and writes everything to `out`.

    Args:
      source: the model.
      out: folder to write to.
      keep: an evaluation that is there already stays if its protocol is this one.

    Raises:
      ValueError: `keep`, and another evaluation is there.
    """
    import jax

    from colorize_jax import methods
    from colorize_jax.evaluation import evaluate, report
    from colorize_jax.methods.base import colors_of
    from colorize_jax.train import hosts

    began = time.monotonic()
    method = methods.build(source.config)
    data = _dataset(source.config)
    fields = _training_fields(source.config, data)
    samples, rule = colors_of(method).request(_SAMPLES.value, _RULE.value)
    protocol = _protocol(source, data, samples=samples, rule=rule, fit_images=len(fields))
    if keep and (out / "scores.json").is_file():
        _check_kept(out, protocol)
        return
    known = evaluate.reference(fields, seed=_SEED.value)
    sampled: dict[str, Any] = {
        "method": method,
        "variables": source.variables,
        "samples": samples,
        "rule": rule,
    }
    process = (jax.process_index(), jax.process_count())
    batches = partial(_batches, source.config, *data, images=_IMAGES.value)
    predict = evaluate.predictor(**sampled, lift=_LIFT.value)
    per_image, counts = evaluate.score_images(
        predict, batches(process=process), known, seed=_SEED.value, embed=_embed(), process=process
    )
    # What follows is done by every process: one that ends long before the others is taken for lost.
    for row, scores in _region_scores(predict, source.config).items():
        per_image[row] |= scores
    crf = source.config.gcrf
    diagnostics = evaluate.diagnose(
        **sampled,
        batches=batches(),
        seed=_SEED.value,
        unary_weight=crf.beta_test + crf.floor,
        images=_DIAGNOSED.value,
    )
    protocol = protocol._replace(seconds=round(time.monotonic() - began, 1))
    evaluation = evaluate.Evaluation(protocol, evaluate.reduce_rows(per_image, counts), diagnostics)
    found = method.edits and method.edits.similarity
    similarity = found and jax.jit(partial(found, source.variables))
    gallery = report.gallery(predict, batches, per_image, seed=_SEED.value)
    images = evaluate.collect(batches(), range(min(report.ROWS, protocol.images)))
    sheets = report.pictures(gallery, similarity, images, per_image)
    if not hosts.is_first():
        return
    print(report.summary(evaluation))
    for path in report.write(out, evaluation, per_image, sheets, gallery):
        print(f"wrote {path}")


def _check_kept(out: Path, protocol: Any) -> None:
    """Raises a ValueError unless the evaluation in `out` has this protocol; machine and seconds may differ."""
    from colorize_jax.evaluation import evaluate

    free: dict[str, Any] = {
        "seconds": None,
        "versions": {},
        "commands": (),
        "batch_size": 0,
        "training": None,
    }
    there = evaluate.from_json((out / "scores.json").read_text()).protocol._replace(**free)
    wanted = protocol._replace(**free)
    differing = [name for name in wanted._fields if getattr(wanted, name) != getattr(there, name)]
    if differing:
        told = "; ".join(f"{n}: {getattr(there, n)!r} there, {getattr(wanted, n)!r} now" for n in differing)
        raise ValueError(f"{out} holds another evaluation ({told}); give another --out, or --overwrite")
    print(f"kept {out}")


def _training_fields(config: Any, data: tuple[str, str, str]) -> np.ndarray:
    from colorize_jax.evaluation import evaluate

    batches = _batches(config, data[0], data[1], "train", images=_FIT_IMAGES.value)
    return evaluate.training_fields(batches)


def _embed() -> Any:
    """The networks of `--lpips` as `evaluate.Embed`, None without the flag."""
    if _LPIPS.value is None:
        return None
    import jax

    from colorize_jax.models import lpips

    # As an argument and not a constant: XLA would fold 60 MB of weights at compile time.
    weights, embed = lpips.load(_LPIPS.value), jax.jit(lpips.embed)
    return lambda rgb: [np.asarray(features) for features in embed(weights, rgb)]


def _region_scores(predict: Callable, config: Any) -> Any:
    """`bleed` over the regions that people drew, {} without `--segmentations`."""
    if _SEGMENTATIONS.value is None:
        return {}
    from colorize_jax.data import bsds, pipeline
    from colorize_jax.evaluation import evaluate

    photos = bsds.segmented_photos(_SEGMENTATIONS.value, pipeline.view_of(config.data), images=_IMAGES.value)
    return evaluate.score_regions(predict, photos, seed=_SEED.value)


def _dataset(config: Any) -> tuple[str, str, str]:
    """(directory, data set, split) of the flags, and of the config where they are silent."""
    dataset, split = config.data.test
    if _DATASET.value and _DATASET.value != dataset:
        split = "test"
    directory = DIR.value if DIR.present else config.data.dir
    return directory, _DATASET.value or dataset, _SPLIT.value or split


def _batches(
    config: Any,
    directory: str,
    dataset: str,
    split: str,
    *,
    images: int,
    process: tuple[int, int] = (0, 1),
) -> Iterator[dict[str, Any]]:
    from colorize_jax.data import pipeline

    return pipeline.evaluation_batches(
        PhotoSource(directory, dataset, split),
        batch_size=_BATCH.value,
        view=pipeline.view_of(config.data),
        images=images,
        threads=config.data.threads,
        shard_index=process[0],
        shard_count=process[1],
    )


def _protocol(source: Source, data: tuple[str, str, str], *, samples: int, rule: str, fit_images: int) -> Any:
    from colorize_jax.data import prepared
    from colorize_jax.evaluation import evaluate

    directory, dataset, split = data
    summary = prepared.summary(directory, dataset)
    losses = source.config.get("field_loss")
    weights = {name: losses[name] for name in ("l2", "hist", "mah", "grad", "kl")} if losses else None
    trained = source.provenance and evaluate.training_cost(source.provenance)._asdict()
    return evaluate.Protocol(
        model=source.name,
        dataset=dataset,
        split=split,
        split_hash=summary.split_hash[split],
        images=min(_IMAGES.value, summary.images[split]),
        samples=samples,
        rule=rule,
        resolution=source.config.data.image_size,
        field=source.config.model.field,
        lift=_LIFT.value,
        seed=_SEED.value,
        batch_size=_BATCH.value,
        fit_images=fit_images,
        versions=evaluate.versions(),
        method=source.config.get("method", ""),
        losses=weights if _has_field_losses(source) else None,
        training=trained,
        weights_hash=evaluate.weights_hash(source.variables),
        workdir=source.workdir,
        commands=(*_training_commands(source.workdir), shlex.join(["colorize-eval", *sys.argv[1:]])),
        extras=_extras(),
    )


def _has_field_losses(source: Source) -> bool:
    """Whether `config.field_loss` is what the model was trained with: it reads statistics of its training set."""
    from colorize_jax import methods

    return methods.build(source.config).statistics is not None


def _extras() -> tuple[str, ...]:
    lpips = (f"LPIPS 0.1, {_LPIPS.value}",) if _LPIPS.value else ()
    return lpips + ((Path(_SEGMENTATIONS.value).name,) if _SEGMENTATIONS.value else ())


def _training_commands(workdir: str) -> tuple[str, ...]:
    """The command that trained a run of `launch/benchmark`; of others only the config is known."""
    told = Path(workdir) / "benchmark.json"
    if not workdir:
        return ()
    if not told.is_file():
        return (f"colorize-train --workdir={workdir}  # with the config in {workdir}/config.json",)
    run = json.loads(told.read_text())
    return (
        shlex.join(
            ["colorize-train", f"--config=configs/{run['config']}", f"--workdir={workdir}", *run["overrides"]]
        ),
    )


def cli() -> NoReturn:
    """Entry point of the console script `colorize-eval`."""
    common.run(main)


if __name__ == "__main__":
    cli()
