"""What can be prepared, where it comes from, and preparing it once."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import tensorflow_datasets as tfds

from colorize_jax.data import prepared
from colorize_jax.data.builder import PhotoBuilder
from colorize_jax.data.folder import Folder
from colorize_jax.data.imagenet import ImagenetVal, TinyImagenet
from colorize_jax.data.lfw import LfwDeepfunneled
from colorize_jax.data.lsun import LsunChurch

LFW_MD5 = "68331da3eb755a505a502b5aacb3c201"
FOLDER_TEST_FRACTION = 0.1


class Source(NamedTuple):
    """A data set: its builder, the file it is published as ('' for a folder of one's own), its test images
    (None: the publisher's split, or a fraction), and where the file is, or was, to be had."""

    builder: type[PhotoBuilder]
    file: str
    test_images: int | None
    published: str


SOURCES = {
    "lfw_deepfunneled": Source(
        LfwDeepfunneled,
        "lfw-deepfunneled.tgz",
        1000,
        f"13,233 faces, md5 {LFW_MD5}, formerly http://vis-www.cs.umass.edu/lfw/lfw-deepfunneled.tgz (the host is gone; "
        "the mirrors that tfds and scikit-learn point to, on ndownloader.figshare.com, carry the other alignments and often "
        "refuse); any copy of the archive or its folder will do",
    ),
    "lsun_church": Source(
        LsunChurch,
        "",
        None,
        "church_outdoor_train_lmdb.zip and church_outdoor_val_lmdb.zip from http://dl.yf.io/lsun/scenes/ (plain http), "
        "side by side in one folder, zipped or not",
    ),
    "imagenet_val": Source(
        ImagenetVal,
        "ILSVRC2012_img_val.tar",
        1000,
        "50,000 photos from https://image-net.org/download-images after registering there",
    ),
    "tiny_imagenet": Source(
        TinyImagenet,
        "tiny-imagenet-200.zip",
        None,
        "200 classes at 64x64 from http://cs231n.stanford.edu/tiny-imagenet-200.zip",
    ),
    "folder": Source(Folder, "", None, "any folder, zip or tar of JPEG, PNG, WebP, BMP or TIFF photos"),
}


def prepare(
    dataset: str,
    *,
    directory: str | os.PathLike[str],
    source: str | os.PathLike[str] | None = None,
    name: str = "",
    test_images: int | None = None,
    test_fraction: float = FOLDER_TEST_FRACTION,
    seed: int = 0,
    overwrite: bool = False,
) -> tuple[prepared.Summary, bool]:
    """Prepares a data set, unless it is there.

    Args:
      dataset: a key of `SOURCES`.
      directory: where prepared data sets lie.
      source: the downloaded file or folder; None for its place under `<directory>/downloads`.
      name: what it will be called; '' for the data set's own name. `folder` needs one.
      test_images: size of the random test split; None for the paper's 1,000 (LFW, ImageNet) or `test_fraction`.
      test_fraction: for `folder`, share of the photos in the test split, rounded up; 1 puts all there.
      seed: of the random split.
      overwrite: prepare again although it is there.

    Returns:
      Summary of the prepared data set; whether it was prepared now.

    Raises:
      ValueError: unknown data set, or an argument that does not fit it.
      FileNotFoundError: no such source; the message says where it is published and where to put it.
    """
    entry = _source_entry(dataset)
    name = _checked_name(dataset, name)
    if not overwrite and prepared.is_prepared(directory, name):
        return prepared.summary(directory, name), False
    builder = entry.builder(
        source=_find_source(dataset, entry, source, Path(directory)),
        data_dir=directory,
        name=name,
        test_images=_test_size(entry, test_images, test_fraction),
        seed=seed,
    )
    _write(builder, Path(directory) / name)
    return prepared.summary(directory, name), True


def _source_entry(dataset: str) -> Source:
    if dataset not in SOURCES:
        raise ValueError(f"dataset: {dataset!r} is unknown, choose one of {', '.join(SOURCES)}")
    return SOURCES[dataset]


def _checked_name(dataset: str, name: str) -> str:
    if dataset == "folder" and not name:
        raise ValueError("name: a folder of your own needs one, such as --name=holidays")
    name = name or dataset
    if not name.replace("_", "").isalnum() or not name.isascii() or not name[0].isalpha():
        raise ValueError(f"name: {name!r} must start with a letter and hold only letters, digits and underscores")
    return name


def _find_source(dataset: str, entry: Source, source: str | os.PathLike[str] | None, directory: Path) -> Path:
    path = Path(source) if source else directory / "downloads" / entry.file
    if (source or entry.file) and path.exists():
        return path
    what = entry.file or "a folder"
    raise FileNotFoundError(
        f"source: {path if source else what} is not there. {dataset} is prepared from {what}: {entry.published}. "
        f"Put it where you like and run: colorize-data --dataset={dataset} --source=PATH --dir={directory}"
        + (f" (or put it at {path} and leave out --source)" if entry.file and not source else "")
    )


def _test_size(entry: Source, test_images: int | None, test_fraction: float) -> Callable[[int], int]:
    if not 0 <= test_fraction <= 1:
        raise ValueError(f"test_fraction must lie in [0, 1], got {test_fraction}")
    if test_images is None:
        test_images = entry.test_images
    if test_images is None:
        return lambda usable: -int(-usable * test_fraction // 1)
    return lambda usable: test_images


def _write(builder: PhotoBuilder, folder: Path) -> None:
    tfds.disable_progress_bar()
    for leftover in folder.glob(f"{prepared.VERSION}.incomplete*"):  # of a preparation that was killed
        shutil.rmtree(leftover)
    again = tfds.download.DownloadConfig(download_mode=tfds.GenerateMode.REUSE_CACHE_IF_EXISTS)
    builder.download_and_prepare(download_config=again)
