"""What can be prepared, where it comes from, and preparing it once."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow_datasets as tfds

from colorize_jax.data import known, lsun, prepared, screening
from colorize_jax.data.bsds_people import BsdsPeople
from colorize_jax.data.builder import PhotoBuilder
from colorize_jax.data.folder import Folder
from colorize_jax.data.imagenet import Imagenet2012, ImagenetVal, TinyImagenet
from colorize_jax.data.lfw import LfwDeepfunneled
from colorize_jax.data.recipes import RECIPES, SUFFIXES, Recipe
from colorize_jax.data.zappos import UtZappos50k

LFW_MD5 = "68331da3eb755a505a502b5aacb3c201"


class Origin(NamedTuple):
    """A data set that can be prepared.

    Attributes:
      builder: reads it.
      file: what it is published as; '' for several files or a folder of one's own.
      published: where it is, or was, to be had.
    """

    builder: type[PhotoBuilder]
    file: str
    published: str


SOURCES = {
    "lfw_deepfunneled": Origin(
        LfwDeepfunneled,
        "lfw-deepfunneled.tgz",
        f"13,233 faces, md5 {LFW_MD5}, formerly http://vis-www.cs.umass.edu/lfw/lfw-deepfunneled.tgz (the host is "
        "gone; the mirror that tfds and scikit-learn point to has the other alignments, and refuses for days); any "
        "copy of the archive or of its folder will do",
    ),
    "lsun_church": Origin(
        lsun.LsunChurch,
        "",
        f"church_outdoor_train_lmdb.zip and church_outdoor_val_lmdb.zip from {lsun.PUBLISHED} (plain http), "
        "side by side in one folder, zipped or not",
    ),
    "imagenet_val": Origin(
        ImagenetVal,
        "ILSVRC2012_img_val.tar",
        "50,000 photos from https://image-net.org/download-images after registering there",
    ),
    "imagenet_2012": Origin(
        Imagenet2012,
        "",
        "ILSVRC2012_img_train.tar (1,281,167 photos) and ILSVRC2012_img_val.tar from "
        "https://image-net.org/download-images after registering there, side by side in one folder",
    ),
    "ut_zappos50k": Origin(
        UtZappos50k,
        "ut-zap50k-images-square.zip",
        "50,025 shoes from https://vision.cs.utexas.edu/projects/finegrained/utzap50k/",
    ),
    "tiny_imagenet": Origin(
        TinyImagenet,
        "tiny-imagenet-200.zip",
        "200 classes at 64x64 from http://cs231n.stanford.edu/tiny-imagenet-200.zip",
    ),
    "bsds_people": Origin(
        BsdsPeople,
        "",
        "BSDS500's photos and what people divided them into, as zips whose names begin with bsds500, in one folder; "
        "published at https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/resources.html",
    ),
    "folder": Origin(Folder, "", "any folder, zip or tar of photos"),
} | {
    name: Origin(Folder, "", f"a clone of {recipe.url}, with its files, or a zip or tar of it")
    for name, recipe in RECIPES.items()
}


def prepare(
    dataset: str,
    *,
    directory: str | os.PathLike[str],
    source: str | os.PathLike[str] | None = None,
    name: str = "",
    test_images: float | None = None,
    seed: int = 0,
    overwrite: bool = False,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    least_side: int | None = None,
    toned_tolerance: int | None = None,
    distinct: bool | None = None,
    unlike: Sequence[str] = (),
) -> tuple[prepared.Summary, bool]:
    """Prepares a data set, unless it is there.

    Args:
      dataset: a key of `SOURCES`.
      directory: where prepared data sets lie.
      source: the downloaded file or folder; None for its place under `<directory>/downloads`.
      name: what it will be called; '' for the data set's own name. `folder` needs one.
      test_images: size of the random test split: a number of photos, or below 1 a share of them; None for the
        publisher's split or, where there is none, 1,000 (LFW, ImageNet's val, shoes) or 0.1 (folder). A recipe has its
        own.
      seed: of the random split.
      overwrite: prepare again although it is there.
      include: of `folder`, globs of the paths to read, see `folder.matches`; none: all.
      exclude: of `folder`, globs of those among them to leave out.
      least_side: of the short side of a photo that is kept, in pixels; None for the recipe's, or 0.
      toned_tolerance: how far, of 255, the colours of a photo depart from one tone's if it is left out; None for the
        recipe's, or 0. See `screening.tone_residue`.
      distinct: whether a photo that repeats an earlier one is left out; None for yes where there is a recipe.
      unlike: photos whose near-copies are left out: archives or folders, and prepared data sets, as NAME or
        NAME:SPLIT.

    Returns:
      Summary of the prepared data set; whether it was prepared now.

    Raises:
      ValueError: unknown data set, or an argument that does not fit it.
      FileNotFoundError: no such source; the message says where it is published and where to put it.
    """
    origin = _origin(dataset)
    name = _checked_name(dataset, name)
    if not overwrite and prepared.is_prepared(directory, name):
        return prepared.summary(directory, name), False
    path = _find_source(dataset, origin, source, Path(directory))
    choices = _choices(dataset, include, exclude)
    if test_images is not None and not origin.builder.SPLITS:
        raise ValueError(f"test_images: {dataset} has its publisher's split, leave it out")
    recipe = RECIPES.get(dataset)
    screen = _screen(recipe, least_side=least_side, toned_tolerance=toned_tolerance, distinct=distinct)
    screen = screen._replace(unlike=known.photos(unlike, directory))
    with _replacing(Path(directory) / name):
        builder = origin.builder(
            source=path,
            data_dir=directory,
            name=name,
            test_images=recipe.test_images if recipe and test_images is None else test_images,
            seed=seed,
            screen=screen,
            **choices,
        )
        _build(builder)
    return prepared.summary(directory, name), True


def _origin(dataset: str) -> Origin:
    if dataset not in SOURCES:
        raise ValueError(f"dataset: {dataset!r} is unknown, choose one of {', '.join(SOURCES)}")
    return SOURCES[dataset]


def _checked_name(dataset: str, name: str) -> str:
    if dataset == "folder" and not name:
        raise ValueError("name: a folder of your own needs one, such as --name=holidays")
    name = name or dataset
    if not name.replace("_", "").isalnum() or not name.isascii() or not name[0].isalpha():
        raise ValueError(
            f"name: {name!r} must start with a letter and hold only letters, digits and underscores"
        )
    return name


def _find_source(
    dataset: str, origin: Origin, source: str | os.PathLike[str] | None, directory: Path
) -> Path:
    path = Path(source) if source else directory / "downloads" / origin.file
    if (source or origin.file) and path.exists():
        return path
    what = origin.file or "a folder"
    raise FileNotFoundError(
        f"source: {path if source else what} is not there. {dataset} is prepared from {what}: {origin.published}. "
        f"Put it where you like and run: colorize-data --dataset={dataset} --source=PATH --dir={directory}"
        + (f" (or put it at {path} and leave out --source)" if origin.file and not source else "")
    )


def _screen(recipe: Recipe | None, **given: Any) -> screening.Screen:
    """What the recipe asks of a photo, except for what is given."""
    standard = screening.READABLE
    if recipe:
        standard = screening.Screen(recipe.least_side, recipe.toned_tolerance, distinct=True)
    return standard._replace(**{key: value for key, value in given.items() if value is not None})


def _choices(dataset: str, include: Sequence[str], exclude: Sequence[str]) -> dict[str, Any]:
    """What a folder's builder is asked for besides: which of its files."""
    if dataset != "folder" and (include or exclude):
        raise ValueError(f"include, exclude: {dataset} has its own files, leave them out; folder takes them")
    recipe = RECIPES.get(dataset)
    if recipe:
        return {"include": recipe.include, "exclude": recipe.exclude, "suffixes": SUFFIXES}
    return {"include": include, "exclude": exclude} if dataset == "folder" else {}


@contextmanager
def _replacing(folder: Path) -> Iterator[None]:
    """Keeps what is prepared in `folder` until its replacement is complete, and puts it back if that fails."""
    current, aside = folder / prepared.VERSION, folder / f"{prepared.VERSION}.replaced"
    for leftover in (*folder.glob(f"incomplete.*_{prepared.VERSION}"), aside):  # of one that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    if current.exists():
        current.rename(aside)
    try:
        yield
    except BaseException:
        if aside.exists():
            aside.rename(current)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _build(builder: PhotoBuilder) -> None:
    tfds.disable_progress_bar()
    # tfds makes folders for downloads whether or not there are any.
    with tempfile.TemporaryDirectory() as nowhere:
        builder.download_and_prepare(download_dir=nowhere)
