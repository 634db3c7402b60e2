"""Bulk work of `colorize`: the photos of a folder or of `--manifest`, this process's part of them."""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from colorize_jax import bundle
from colorize_jax.apps import multihost
from colorize_jax.inference import batch, bulk, pipes
from colorize_jax.inference.colorizer import Colorizer
from colorize_jax.inference.request import Request
from colorize_jax.photos.photo import check_writable

_MANIFEST = flags.DEFINE_string(
    "manifest", None, "Bulk work: a text file with a photo's path a line, and after a tab, if wanted, its output below "
    "--out.",
)  # fmt: skip
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 16, "Bulk work: photos a batch.", lower_bound=1)
flags.adopt_module_key_flags(multihost)


def given() -> str | None:
    """The flag that asks for bulk work, if one does."""
    if _MANIFEST.value is not None:
        return _MANIFEST.name
    return "multihost" if flags.FLAGS.multihost else None


def check() -> None:
    """Raises: ValueError, for a flag that only bulk work has, without it."""
    if given() is None:
        if flags.FLAGS[_BATCH_SIZE.name].present:
            raise ValueError("--batch_size is of bulk work; add --multihost or --manifest, or leave it out")
        multihost.part()  # refuses its other flags


def run(arguments: Sequence[str], out: str, asked: Request, options: batch.Options) -> int:
    """Colours this process's part of a folder or a manifest; `WITHOUT_SOME` where one of its photos failed.

    Args:
      arguments: a folder, or none with --manifest.
      out: of the results.
      asked: of the model; without edits and explanations.
      options: with whatever number of samples.

    Raises:
      ValueError: flags that do not go together.
    """
    if len(arguments) + (_MANIFEST.value is not None) != 1:
        raise ValueError(
            "bulk work takes one folder or --manifest=FILE: colorize --multihost folder/ --out=colorized"
        )
    if arguments:
        return _run(Path(arguments[0]), Path(out), asked, options, is_manifest=False)
    with pipes.file_of(f"{_MANIFEST.value}") as manifest:
        return _run(manifest, Path(out), asked, options, is_manifest=True)


def _run(source: Path, folder: Path, asked: Request, options: batch.Options, *, is_manifest: bool) -> int:
    share = bulk.Share(*multihost.part())
    works = bulk.listed(source, folder, is_manifest=is_manifest)
    check_writable(folder)
    colorizer = Colorizer.load(asked.model)
    samples, rule = colorizer.request(asked.samples, asked.rule)
    how = bulk.BulkOptions(folder, options._replace(samples=samples), rule, asked.seed, _BATCH_SIZE.value)
    settings = {"weights_sha256": bundle.weights_sha256(asked.model)}
    return bulk.exit_code(bulk.run(works, colorizer, how, share, settings), source)
