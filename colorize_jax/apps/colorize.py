"""Colours photos: `colorize photo.jpg more.png folder/ --out=colorized [--edits=edits.json] [--explain]`.

Photos by the million, in several processes that may be killed and started again (see `colorize_jax.inference.bulk`):
`colorize --multihost --processes=8 --process_id=0 folder/ --out=...`, or with `--manifest=photos.txt` for the folder.
"""

from colorize_jax.apps import common  # first: it sets numpy's threads

# isort: split
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from absl import flags

from colorize_jax import bundle
from colorize_jax.apps import multihost
from colorize_jax.control.document import as_edits
from colorize_jax.inference import batch, bulk, explain, request
from colorize_jax.inference.colorizer import Colorizer
from colorize_jax.photos.photo import check_writable

_OUT = flags.DEFINE_string("out", "colorized", "Folder for the versions; made where it is missing.")
_SAMPLES = flags.DEFINE_integer(
    "samples", None, "Versions of each photo; by default 5, or as many as the model has.", lower_bound=1
)
_SEED = flags.DEFINE_integer("seed", 0, "Of a rule that draws.")
_RULE = flags.DEFINE_string(
    "rule", None, "How versions are chosen, by default the model's first: of the default model 'modes', means of the "
    "mixture, or 'random', draws from it.",
)  # fmt: skip
_MODEL = flags.DEFINE_string(
    "model", "default", "A model of the package (see colorize-doctor), or its folder."
)
_REFERENCE = flags.DEFINE_string(
    "reference", None, "A photo that lends its colours (Welsh), in place of a model."
)
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace files that exist.")
_CONTACT_SHEET = flags.DEFINE_bool("contact_sheet", True, "Also write the photo beside its versions.")
_EDITS = flags.DEFINE_string(
    "edits", None, "A JSON file of colour edits for every photo; see colorize_jax/control/document.py."
)
_EDITS_MODE = flags.DEFINE_enum(
    "edits_mode", "over", ["over", "alone", "guided"], "Edits over each version; or one version: edits alone, the rest "
    "gray, or guided by what the model most expects.",
)  # fmt: skip
_EXPLAIN = flags.DEFINE_bool(
    "explain",
    False,
    "Also write what pixels lean on, unary beside final, the variance, and where to edit next.",
)
_EXPLAIN_AT = flags.DEFINE_multi_string(
    "explain_at", [], "x,y of a pixel to explain, in pixels of the photo; may be repeated. Implies --explain."
)
_MANIFEST = flags.DEFINE_string(
    "manifest", None, "Bulk work: a text file with a photo's path a line, and after a tab, if wanted, its output below "
    "--out.",
)  # fmt: skip
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 16, "Bulk work: photos a batch.", lower_bound=1)
flags.adopt_module_key_flags(multihost)
_FORMAT = flags.DEFINE_enum("format", "png", list(batch.FORMATS), "Of the versions.")


def main(arguments: Sequence[str]) -> int:
    """Colours the photos that the arguments name; 1 where one of them failed."""
    if _REFERENCE.value is not None:
        _check_reference_alone()
    if flags.FLAGS.multihost or _MANIFEST.value is not None:
        return _bulk(arguments)
    multihost.part()  # refuses its other flags
    if not arguments:
        raise ValueError(
            "usage: colorize photo.jpg [more.png folder/ ...] --out=colorized; --help lists all flags"
        )
    start, out = time.perf_counter(), Path(_OUT.value)
    found = batch.find_jobs(arguments, out)
    for error in found.errors:
        batch.report(error)
    failed = len(found.errors)
    asked, lent = _request(), _REFERENCE.value
    if found.jobs:
        check_writable(out)
        workers = request.of_model(asked) if lent is None else request.of_reference(lent)
        options = _options(workers.samples, explain.NAMES if workers.explain else ())
        failed += batch.run(found.jobs, workers.colorize, options, workers.explain)
    done = len(found.jobs) + len(found.errors) - failed
    print(f"{done} of {done + failed} photos coloured in {time.perf_counter() - start:.1f} s")
    return 1 if failed else 0


def _bulk(arguments: Sequence[str]) -> int:
    """Colours this process's part of a folder or a manifest; 1 where one of its photos failed."""
    if len(arguments) + (_MANIFEST.value is not None) != 1:
        raise ValueError(
            "bulk work takes one folder or --manifest=FILE: colorize --multihost folder/ --out=colorized"
        )
    if _EDITS.value is not None or _EXPLAIN.value or _EXPLAIN_AT.value:
        raise ValueError(
            "--edits and --explain are for photos that are looked at; leave out --multihost and --manifest"
        )
    out, share = Path(_OUT.value), bulk.Share(*multihost.part())
    source = Path(*arguments, *filter(None, [_MANIFEST.value]))
    works = bulk.listed(source, out, is_manifest=not arguments)
    check_writable(out)
    colorizer = Colorizer.load(_MODEL.value)
    samples, rule = colorizer.request(_SAMPLES.value, _RULE.value)
    asked = bulk.BulkOptions(out, _options(samples), rule, _SEED.value, _BATCH_SIZE.value)
    settings = {"weights_sha256": bundle.weights_sha256(_MODEL.value)}
    return bulk.exit_code(bulk.run(works, colorizer, asked, share, settings), source)


def _check_reference_alone() -> None:
    unused = ("samples", "seed", "rule", "model", "edits", "explain", "explain_at", "manifest", "multihost")
    if given := [name for name in unused if flags.FLAGS[name].present]:
        raise ValueError(
            f"--reference is given with --{given[0]}, which only a model has; leave out one of them"
        )


def _request() -> request.Request:
    """Modes 'alone' and 'guided' have one version; more are refused where they were asked for."""
    samples, mode = _SAMPLES.value, _EDITS_MODE.value
    if _EDITS.value is not None and mode != "over":
        if samples not in (None, 1):
            raise ValueError(f"--samples is {samples}, but --edits_mode={mode} has one version; leave it out")
        samples = 1
    positions = [request.position(text) for text in _EXPLAIN_AT.value]
    edits = None if _EDITS.value is None else as_edits(_EDITS.value)
    explained = _EXPLAIN.value or bool(positions)
    return request.Request(_MODEL.value, samples, _RULE.value, _SEED.value, edits, mode, explained, positions)


def _options(samples: int, explained: tuple[str, ...] = ()) -> batch.Options:
    return batch.Options(samples, _FORMAT.value, _OVERWRITE.value, _CONTACT_SHEET.value, explained)


def cli() -> NoReturn:
    """Entry point of the console script `colorize`."""
    flags.FLAGS.set_gnu_getopt()  # flags may stand after the photos
    # A terminated run, too, removes its temporary files on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    common.run(main)


if __name__ == "__main__":
    cli()
