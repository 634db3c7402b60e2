"""Prepares photos for training: `colorize-data --dataset=lfw_deepfunneled --source=lfw-deepfunneled.tgz --dir=data`.

Exit codes: 0 all photos were read; 3 the data set is there, without photos that are corrupt, which are named; 1 a
mistake in the command or the source, and nothing was written.
"""

from colorize_jax.apps import common  # first: it sets numpy's threads

# isort: split
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from absl import flags

from colorize_jax.apps.data_dir import DIR
from colorize_jax.data import prepared
from colorize_jax.photos.errors import WITHOUT_SOME

_DATASET = flags.DEFINE_string(
    "dataset",
    None,
    "lfw_deepfunneled, lsun_church, imagenet_val, imagenet_2012, ut_zappos50k, tiny_imagenet, folder or a recipe's "
    "name.",
)
_SOURCE = flags.DEFINE_string("source", None, "The downloaded archive or folder.")
_NAME = flags.DEFINE_string(
    "name", "", "What to call it; by default as the data set. --dataset=folder needs one."
)
_TEST_IMAGES = flags.DEFINE_float(
    "test_images",
    None,
    "Size of the random test split: a number of photos, or below 1 a share of them. By default 1000 (LFW, "
    "imagenet_val, shoes), 0.1 (folder) or 0.01 (recipes); tiny_imagenet and imagenet_2012 have their publisher's "
    "split, and lsun_church has it unless this is given: the papers' test churches are 1000 of its training photos.",
)
_SEED = flags.DEFINE_integer("seed", 0, "Of the random split.")
_INCLUDE = flags.DEFINE_list(
    "include",
    [],
    "Of a folder: globs of the paths to read, or of their ends after a slash; * matches slashes.",
)
_EXCLUDE = flags.DEFINE_list("exclude", [], "Of a folder: globs of those among them to leave out.")
_LEAST_SIDE = flags.DEFINE_integer(
    "least_side", None, "Of the short side of a photo that is kept, in pixels; by default the recipe's, or 0."
)
_TONED_TOLERANCE = flags.DEFINE_integer(
    "toned_tolerance",
    None,
    "Leave out sepia and other toned photos, whose colours depart by no more, of 255, from one tone's; by default the "
    "recipe's, or 0.",
)
_DISTINCT = flags.DEFINE_bool(
    "distinct", None, "Leave out photos that repeat an earlier one; by default where there is a recipe."
)
_UNLIKE = flags.DEFINE_list(
    "unlike",
    [],
    "Leave out near-copies of these photos: archives, folders and prepared data sets, NAME or NAME:SPLIT.",
)
_COLOR_PRIOR = flags.DEFINE_string(
    "color_prior",
    None,
    "Also write this file: how often each colour occurs in the training photos, one prior for "
    "--config.field_loss.prior of runs on any data; best of imagenet_val.",
)
_COUNTED = flags.DEFINE_integer(
    "color_prior_images", 0, "Of how many training photos, the first ones; 0: all.", lower_bound=0
)
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Prepare again although it is there.")


def main(arguments: Sequence[str]) -> int:
    """Prepares the data set that the flags name and prints what is in it."""
    from colorize_jax.data.prepare import prepare

    if arguments or not _DATASET.value:
        raise ValueError(
            "usage: colorize-data --dataset=NAME --source=PATH --dir=data; --help lists all flags"
        )
    summary, written = prepare(
        _DATASET.value,
        directory=DIR.value,
        source=_SOURCE.value,
        name=_NAME.value,
        test_images=_TEST_IMAGES.value,
        seed=_SEED.value,
        overwrite=_OVERWRITE.value,
        include=_INCLUDE.value,
        exclude=_EXCLUDE.value,
        least_side=_LEAST_SIDE.value,
        toned_tolerance=_TONED_TOLERANCE.value,
        distinct=_DISTINCT.value,
        unlike=_UNLIKE.value,
    )
    if not written:
        print(f"already prepared (--overwrite prepares it again): {summary.folder}")
    print(prepared.describe(summary))
    if _COLOR_PRIOR.value:
        _write_color_prior(Path(_COLOR_PRIOR.value), summary)
    return WITHOUT_SOME if written and prepared.corrupt(summary) else 0


def _write_color_prior(path: Path, summary: prepared.Summary) -> None:
    """Counts the colours of the training photos at the side that methods see."""
    from colorize_jax.data import color_prior, pipeline
    from colorize_jax.data.transforms import View

    photos = prepared.PhotoSource(DIR.value, summary.name, "train")
    batches = pipeline.evaluation_batches(photos, batch_size=50, view=View(), images=_COUNTED.value)
    counted = min(_COUNTED.value, len(photos)) if _COUNTED.value else len(photos)
    about = {"dataset": summary.name, "split_hash": summary.split_hash["train"], "images": counted}
    color_prior.write(path, (batch["ab"][batch["mask"]] for batch in batches), about)
    print(f"wrote {path}, the colours of {counted:,} photos")


def cli() -> NoReturn:
    """Entry point of the console script `colorize-data`."""
    common.run(main)


if __name__ == "__main__":
    cli()
