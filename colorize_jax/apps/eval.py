"""Scores models on a test set and prints tables; trains nothing.

    colorize-eval --model=default --dir=data --out=evaluation
    colorize-eval --methods=scc,vae_mdn,vae_mdn_skip,cvae --runs=runs/lfw --dataset=lfw_deepfunneled --dir=data
    colorize-eval --task=edits --photos=imagenet-samples.zip --out=edits
    colorize-eval --task=strokes --segmentations=bsds500-trainval.zip --out=strokes

`--model` is a released model, by name or folder. `--workdir` is a training run, whose own config is used unless
`--config` is given. `--methods` are several models, each as NAME=FOLDER or as NAME. NAME alone is the training run of
that name in the folder `--runs`, or else the released model of that name.

The program writes scores.json, per_image.json, table.md and PNGs. Several models have a folder each, with
comparison.json and tables.md above them; `colorize-report` makes its page from these. An evaluation that is already
there is kept if it is the same one.

Exit codes: 0 the tables are there, without photos that cannot be read, which are named; 1 a mistake in the command.
"""

from colorize_jax.apps import common  # first: it sets numpy's threads

# isort: split
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from absl import flags

from colorize_jax.apps import config_flag, eval_edits, multihost
from colorize_jax.apps.data_dir import DIR
from colorize_jax.data.prepared import PhotoSource

if TYPE_CHECKING:
    from colorize_jax.evaluation.run import Settings

_TASK = flags.DEFINE_enum("task", "versions", ["versions", "edits", "strokes"], "Versions, or edits.")
_MODEL = flags.DEFINE_string("model", None, "A released model's name or folder; 'default' without --workdir.")
_WORKDIR = flags.DEFINE_string("workdir", None, "A training run, instead of --model.")
_METHODS = flags.DEFINE_list("methods", [], "Several models side by side: NAME or NAME=FOLDER, with commas.")
_RUNS = flags.DEFINE_string("runs", None, "For --methods: the folder with a training run NAME in it.")
_CONFIG = config_flag.define("For --workdir: by default the run's own.")
_DATASET = flags.DEFINE_string("dataset", None, "Prepared data set; by default the config's.")
_SPLIT = flags.DEFINE_string("split", None, "Its split; by default the config's, or test.")
_SAMPLES = flags.DEFINE_integer(
    "samples", 5, "Colour versions of each image; fewer where a model has no more.", lower_bound=1
)
_RULE = flags.DEFINE_string("rule", None, "How versions are chosen; by default each model's first rule.")
_LIFT = flags.DEFINE_enum("lift", "bicubic", ["bicubic", "jbu"], "From the field to the images' size.")
_RESOLUTION = flags.DEFINE_integer(
    "resolution", None, "Side of the test images, such as 256, a multiple of the model's own, which is the default. "
    "Give few --fit_images with it: the blind baselines are as large.", lower_bound=1,
)  # fmt: skip
_IMAGES = flags.DEFINE_integer("images", 1000, "Test images at most.", lower_bound=1)
_FIT_IMAGES = flags.DEFINE_integer(
    "fit_images", 3000, "Training images of the blind baselines and of the weights of colours.", lower_bound=5
)
_DIAGNOSED = flags.DEFINE_integer("diagnosed", 100, "Images whose G-CRF is diagnosed.", lower_bound=1)
_BATCH = flags.DEFINE_integer("batch_size", 50, "Images at once; changes no number.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Of the samples and of the blind templates.")
_LPIPS = flags.DEFINE_enum("lpips", None, ["alex", "vgg"], "Adds LPIPS; needs the extra [lpips].")
_JUDGE = flags.DEFINE_bool("judge", False, "What EfficientNet-Lite2 sees; needs --resolution=256, [lite0].")
_SEGMENTATIONS = flags.DEFINE_string(
    "segmentations",
    None,
    "bsds500-trainval.zip: adds bleed over people's regions; for --task=strokes the photos.",
)
_COLOR_PRIOR = flags.DEFINE_string(
    "color_prior",
    None,
    "File of `colorize-data --color_prior`: how rare colours are; by default counted in the training images.",
)
_OUT = flags.DEFINE_string("out", "evaluation", "Folder to write to.")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace an evaluation that is already in --out.")
flags.adopt_module_key_flags(multihost)
flags.adopt_module_key_flags(eval_edits)


def main(arguments: Sequence[str]) -> None:
    """Scores the models that the flags name, prints the tables and writes the files."""
    if arguments:
        raise ValueError(f"unexpected {' '.join(arguments)}; colorize-eval takes flags only, see --help")
    if _METHODS.value and (_MODEL.value or _WORKDIR.value):
        raise ValueError("--methods names models already; give it or one of --model and --workdir")
    out = Path(_OUT.value)
    written = {"edits": "edits.json", "strokes": "strokes.json", "versions": "scores.json"}[_TASK.value]
    if (out / written).exists() and not _OVERWRITE.value:
        raise ValueError(f"{out} holds an evaluation already; give another --out, or --overwrite")
    if _TASK.value == "versions":
        _score_versions(out)
    else:
        _score_edits(out)


def _score_versions(out: Path) -> None:
    from colorize_jax.evaluation import candidates, run

    places = candidates.find(_METHODS.value, _RUNS.value)
    multihost.join()
    if places:
        run.compare(places, out, _settings(), keep=not _OVERWRITE.value)
    else:
        chosen = candidates.chosen(_MODEL.value, _WORKDIR.value, _CONFIG.value)
        run.evaluate(chosen, out, _settings())


def _score_edits(out: Path) -> None:
    from colorize_jax.evaluation import candidates

    places = candidates.find(_METHODS.value, _RUNS.value)
    models = {name: candidates.load(name, place) for name, place in places.items()}
    models = models or {"model": candidates.chosen(_MODEL.value, _WORKDIR.value, _CONFIG.value)}
    prepared = PhotoSource(DIR.value, _DATASET.value, _SPLIT.value or "test") if _DATASET.value else None
    if _TASK.value == "strokes":
        eval_edits.run_strokes(models, _SEGMENTATIONS.value, out)
    else:
        eval_edits.run(models, prepared, out, seed=_SEED.value)


def _settings() -> "Settings":
    from colorize_jax.evaluation.run import Settings

    return Settings(
        directory=DIR.value if DIR.present else None,
        dataset=_DATASET.value,
        split=_SPLIT.value,
        samples=_SAMPLES.value,
        rule=_RULE.value,
        lift=_LIFT.value,
        resolution=_RESOLUTION.value,
        images=_IMAGES.value,
        fit_images=_FIT_IMAGES.value,
        diagnosed=_DIAGNOSED.value,
        batch_size=_BATCH.value,
        seed=_SEED.value,
        lpips=_LPIPS.value,
        judge=_JUDGE.value,
        segmentations=_SEGMENTATIONS.value,
        color_prior=_COLOR_PRIOR.value,
        command=shlex.join(["colorize-eval", *sys.argv[1:]]),
    )


def cli() -> NoReturn:
    """Entry point of the console script `colorize-eval`."""
    common.run(main)


if __name__ == "__main__":
    cli()
