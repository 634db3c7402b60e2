"""Colours photos and films: `colorize photo.jpg clip.mp4 folder/ --out=colorized [--edits=edits.json] [--explain]`.

The same command goes on where it was stopped: what it has coloured in the same way is passed over. `-` is standard
input, and as --out standard output: `cat photo.jpg | colorize - --out=- > colored.png`.

Photos by the million, in several processes that may be killed and started again (see `colorize_jax.inference.bulk`):
`colorize --multihost --processes=8 --process_id=0 folder/ --out=...`, or with `--manifest=photos.txt` for the folder.

Exit codes: 0 all photos are coloured; 3 all but those that are named, or a folder could not be read; 1 a mistake in the
command, and nothing was coloured; 130 Ctrl-C; 143 SIGTERM.
"""

from colorize_jax.apps import common  # first: it sets numpy's threads

# isort: split
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from absl import flags

from colorize_jax.apps import asked, bulk
from colorize_jax.inference import batch, explain, films, pipes, request
from colorize_jax.photos import film
from colorize_jax.photos.discover import on_stderr
from colorize_jax.photos.encode import LOSSY, QUALITY, SUFFIXES
from colorize_jax.photos.errors import WITHOUT_SOME
from colorize_jax.photos.photo import check_writable
from colorize_jax.photos.results import Results

_OUT = flags.DEFINE_string(
    "out",
    "colorized",
    "Folder for the versions, made where it is missing; - is standard output, for one version.",
)
_REFERENCE = flags.DEFINE_string(
    "reference", None, "A photo that lends its colours (Welsh), in place of a model."
)
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace files that exist.")
_RESUME = flags.DEFINE_bool(
    "resume", True, "Pass over photos that an earlier run with this --out has coloured in the same way."
)
_BORDERS = flags.DEFINE_bool(
    "borders", True, "Leave the white or black border of a scan, and a film's bars, without colour."
)
_CONTACT_SHEET = flags.DEFINE_bool("contact_sheet", True, "Also write the photo beside its versions.")
flags.adopt_module_key_flags(asked)
flags.adopt_module_key_flags(bulk)
_FORMAT = flags.DEFINE_enum(
    "format", "png", list(SUFFIXES), "Of the versions; png and tiff keep 16 bits a channel, jpeg and webp have 8."
)  # fmt: skip
_QUALITY = flags.DEFINE_integer(
    "quality", QUALITY, "Of jpeg and webp: more is better and larger.", lower_bound=1, upper_bound=100
)


def main(arguments: Sequence[str]) -> int:
    """Colours the photos that the arguments name; `WITHOUT_SOME` where one of them failed."""
    _check_flags()
    if bulk.given():
        return bulk.run(arguments, _OUT.value, asked.request(), _options(1))
    if not arguments:
        raise ValueError(
            "usage: colorize photo.jpg [more.png folder/ - ...] --out=colorized; --help lists all flags"
        )
    with pipes.results_folder(_OUT.value) as out, pipes.spooled(arguments) as piped:
        return _colorize(arguments, out, piped)


def _colorize(arguments: Sequence[str], out: Path, piped: Mapping[str, Path]) -> int:
    start, results = time.perf_counter(), Results(out)
    found = batch.find_jobs(arguments, out, results=results, piped=piped)
    for remark in found.remarks:
        on_stderr(remark)
    clips = [job for job in found.jobs if film.is_film(job.photo)]
    photos = [job for job in found.jobs if not film.is_film(job.photo)]
    wanted = asked.request(alone=_OUT.value == pipes.DASH)
    if clips:
        asked.check_film(clips[0].name)
    if found.jobs:
        check_writable(out)
    tally = _color_photos(photos, wanted, results) if photos else batch.Counts()
    tally = tally._replace(failed=tally.failed + len(found.errors))
    if photos or found.errors or not clips:
        print(tally.summary(time.perf_counter() - start))
    if clips:
        filmed = films.run(clips, wanted, _options(1), results, among=photos)
        print(filmed.summary(time.perf_counter() - start, "films"))
        tally = filmed._replace(failed=filmed.failed + tally.failed)
    return WITHOUT_SOME if tally.failed else 0


def _color_photos(jobs: list[batch.Job], wanted: request.Request, results: Results) -> batch.Counts:
    lent = _REFERENCE.value
    workers = request.of_model(wanted) if lent is None else request.of_reference(lent)
    options = _options(workers.samples, explain.NAMES if workers.explain else ())
    options = options._replace(made=request.digest(wanted, lent, options))
    return batch.run(jobs, workers.colorize, options, workers.explain, results, workers.pass_over)


def _check_flags() -> None:
    """Raises: ValueError, for flags that do not go together."""
    if _REFERENCE.value is not None and (given := asked.given(asked.OF_A_MODEL) or bulk.given()):
        raise ValueError(
            f"--reference is given with --{given}, which only a model has; leave out one of them"
        )
    if bulk.given() and asked.given((*asked.LOOKED_AT, "series")):
        raise ValueError(
            "--edits, --explain and --series are for photos that are looked at; leave out --multihost and --manifest"
        )
    if _OUT.value == pipes.DASH and (bulk.given() or asked.given(asked.EXPLAINED)):
        raise ValueError(
            "--out=- takes one version of one photo; leave out --explain and what asks for bulk work"
        )
    if flags.FLAGS["quality"].present and SUFFIXES[_FORMAT.value] not in LOSSY:
        raise ValueError(
            f"--quality is of jpeg and webp; --format={_FORMAT.value} loses nothing: leave out one"
        )
    asked.check()
    bulk.check()


def _options(samples: int, explained: tuple[str, ...] = ()) -> batch.Options:
    sheet = _CONTACT_SHEET.value and _OUT.value != pipes.DASH
    return batch.Options(
        samples,
        SUFFIXES[_FORMAT.value],
        _OVERWRITE.value,
        sheet,
        explained,
        _RESUME.value,
        quality=_QUALITY.value,
        borders=_BORDERS.value,
    )


def cli() -> NoReturn:
    """Entry point of the console script `colorize`."""
    flags.FLAGS.set_gnu_getopt()  # flags may stand after the photos
    # A terminated run, too, removes its temporary files on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    common.run(main)


if __name__ == "__main__":
    cli()
