"""Colours photos: `colorize photo.jpg more.png folder/ --out=colorized`."""

from colorize_jax.apps import common  # first: it sets numpy's threads

# isort: split
import signal
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

from absl import flags, logging

from colorize_jax import batch
from colorize_jax.photo import check_writable

_OUT = flags.DEFINE_string("out", "colorized", "Folder for the versions; made where it is missing.")
_SAMPLES = flags.DEFINE_integer("samples", 5, "Versions of each photo.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Of --rule=random.")
_RULE = flags.DEFINE_enum("rule", "modes", ["modes", "random"], "The most probable versions, or random ones.")
_MODEL = flags.DEFINE_string(
    "model", "default", "A model of the package (see colorize-doctor), or its folder."
)
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace files that exist.")
_CONTACT_SHEET = flags.DEFINE_bool("contact_sheet", True, "Also write the photo beside its versions.")
_FORMAT = flags.DEFINE_enum("format", "png", list(batch.FORMATS), "Of the versions.")


def main(arguments: Sequence[str]) -> int:
    """Colours the photos that the arguments name; 1 where one of them failed."""
    if not arguments:
        raise ValueError(
            "usage: colorize photo.jpg [more.png folder/ ...] --out=colorized; --help lists all flags"
        )
    logging.set_verbosity(logging.WARNING)
    start, out = time.perf_counter(), Path(_OUT.value)
    found = batch.find_jobs(arguments, out)
    for error in found.errors:
        batch.report(error)
    options = batch.Options(_SAMPLES.value, _FORMAT.value, _OVERWRITE.value, _CONTACT_SHEET.value)
    failed = len(found.errors)
    if found.jobs:
        check_writable(out)
        failed += batch.run(found.jobs, _colorizer(), options)
    done = len(found.jobs) + len(found.errors) - failed
    print(f"{done} of {done + failed} photos coloured in {time.perf_counter() - start:.1f} s")
    return 1 if failed else 0


def _colorizer():
    from colorize_jax.colorize import Colorizer

    colorizer = Colorizer.load(_MODEL.value)
    return partial(colorizer.colorize, samples=_SAMPLES.value, seed=_SEED.value, rule=_RULE.value)


def cli() -> NoReturn:
    """Entry point of the console script `colorize`."""
    flags.FLAGS.set_gnu_getopt()  # flags may stand after the photos
    # A terminated run, too, removes its temporary files on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    common.run(main)


if __name__ == "__main__":
    cli()
