"""Many photos to files: which photos, under which names, and what happens when one of them is broken."""

import errno
import itertools
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from PIL import Image

from colorize_jax import color, files
from colorize_jax.inference import origin
from colorize_jax.inference.colorizer import Picture, Versions
from colorize_jax.photos import kinds, pages
from colorize_jax.photos.discover import Remark, Tell, by_number, photos_below
from colorize_jax.photos.encode import KEEPS_16_BITS, KEEPS_OPACITY, QUALITY
from colorize_jax.photos.errors import PhotoError, one_line
from colorize_jax.photos.metadata import Metadata
from colorize_jax.photos.photo import Photo, read_photo, write_pictures
from colorize_jax.photos.results import Results, Source, known
from colorize_jax.photos.samples import to_bytes
from colorize_jax.photos.sheet import captioned
from colorize_jax.shapes import Float, UInt8

_THUMBNAIL = 320  # pixels, the longer side
_COLUMNS = 6


class Job(NamedTuple):
    """One photo, and where its versions go: `<target>_1.png`, ..., `<target>_sheet.png`.

    `page` and `alias` are those of a `Source`.
    """

    photo: Path
    target: Path
    page: int = 0
    alias: str = ""

    @property
    def source(self) -> Source:
        return Source(self.photo, self.page, self.alias)

    @property
    def name(self) -> str:
        """What messages call it."""
        page = f", page {self.page + 1}" if self.page else ""
        return files.shown(self.alias or self.photo) + page

    def version(self, number: int, suffix: str) -> Path:
        return self.target.with_name(f"{self.target.name}_{number}.{suffix}")

    @property
    def sheet(self) -> Path:
        return self.extra("sheet")

    def extra(self, name: str) -> Path:
        return self.target.with_name(f"{self.target.name}_{name}.png")


class Found(NamedTuple):
    """Jobs, and what is told of the arguments that give none and of what is passed over."""

    jobs: list[Job]
    remarks: list[Remark]

    @property
    def errors(self) -> list[str]:
        return [remark.text for remark in self.remarks if remark.is_error]


def find_jobs(
    arguments: Sequence[str],
    out: Path,
    *,
    results: Results | None = None,
    piped: Mapping[str, Path] = MappingProxyType({}),
) -> Found:
    """Files and, recursively, the photos of folders, each once, in order; no two share a target.

    Numbers in names count as numbers: frame2.png stands before frame10.png in a folder, and among files that are named
    in the order of the alphabet, as a shell's `*.png` names them.

    A photo deeper in a folder keeps its sub-folder below `out`. Its target is its name without the suffix; a photo that
    finds this taken, as `cat.png` beside `cat.jpg`, has its whole name. What `results` remember keeps its target. Each
    page of a TIFF is a job; of an animation the first frame is, with a word.

    Args:
      arguments: files and folders; results that folders remember are no photos.
      out: of the results; what lies there is no photo.
      results: of `out`.
      piped: files with the content of arguments that are pipes, by argument.
    """
    named = results or Results(out)
    jobs: list[Job] = []
    remarks: list[Remark] = []
    seen: set[str] = set()
    ours = _named_results(arguments, piped, remarks.append)
    for argument in _in_order(arguments):
        place = piped.get(argument, Path(argument))
        photos = [] if argument in ours else _photos(place, out, remarks.append)
        for photo in photos:
            if (real := os.path.realpath(photo)) in seen:
                continue
            seen.add(real)
            folder = out if photo == place else out / photo.relative_to(place).parent
            alias = argument if argument in piped else ""
            jobs += _pages(Source(photo, alias=alias), folder, named, remarks.append)
    return Found(jobs, remarks)


def _in_order(arguments: Sequence[str]) -> Sequence[str]:
    return sorted(arguments, key=by_number) if [*arguments] == sorted(arguments) else arguments


def _named_results(arguments: Sequence[str], piped: Mapping[str, Path], tell: Tell) -> set[str]:
    """The arguments that are results of earlier runs, as a shell's `*.png` names them, told in one line."""
    is_result = known()
    ours = [argument for argument in arguments if argument not in piped and is_result(Path(argument))]
    if ours:
        which = f"{len(ours):,} of the files that are named, such as {files.shown(ours[0])}"
        tell(Remark(f"{which}, are results of earlier runs and no photos; passed over"))
    return set(ours)


def _photos(place: Path, out: Path, tell: Tell) -> list[Path]:
    """A file, or the photos below a folder, in order."""
    if not os.path.isdir(place):
        return [place]
    photos = sorted(photos_below(place, tell, without=apart(out, place)), key=by_number)
    if not photos:
        looked = f"looked for {' '.join(kinds.SUFFIXES)}"
        tell(Remark(f"{files.shown(place)}: no photos in this folder ({looked})", is_error=True))
    return photos


def apart(out: Path, place: Path) -> Path | None:
    """The folder of the results, which is left out as a whole, unless it is that of the photos."""
    return None if os.path.realpath(out) == os.path.realpath(place) else out


def _pages(source: Source, folder: Path, named: Results, tell: Tell) -> list[Job]:
    """The jobs of one file."""
    found = pages.look(source.photo)
    if found.number > 1 and not found.are_photos:
        tell(Remark(f"{files.shown(source.photo)}: {found.number} frames, of which the first is coloured"))
    number = found.number if found.are_photos else 1
    whole = Path(source.photo.name or source.photo)
    jobs = []
    for page in range(number):
        own, end = source._replace(page=page), f"-page{page + 1}" if page else ""
        target = named.target(own, _candidates(folder, whole, end))
        jobs.append(Job(source.photo, target, page, source.alias))
    return jobs


def _candidates(folder: Path, name: Path, end: str) -> Iterator[Path]:
    """Names that a photo may have: none of them depends on what is taken already."""
    yield folder / f"{name.stem}{end}"
    yield folder / f"{name.name}{end}"
    yield from (folder / f"{name.name}{end}-{number}" for number in itertools.count(2))


Colorize = Callable[[Photo], Versions]
Explain = Callable[[Photo], dict[str, UInt8[np.ndarray, "h w 3"]]]
"""Further pictures of a photo, by the names in `Options.explained`."""
PassOver = Callable[[Job, Sequence[Path]], None]
"""Is told of a photo that an earlier run coloured, with the files that this one would write."""


class Options(NamedTuple):
    """How the versions are written; see the flags of the program.

    `made` is a `results.digest` of how the photos are coloured; `borders`: those of photos take no colour.
    """

    samples: int = 5
    suffix: str = "png"
    overwrite: bool = False
    contact_sheet: bool = True
    explained: tuple[str, ...] = ()
    resume: bool = True
    made: str = ""
    quality: int = QUALITY
    borders: bool = True


Make = Callable[[Job, Options], object]
"""Writes the files of a job, all of them or none."""


def outputs(job: Job, options: Options) -> list[Path]:
    """Every file that a job writes: its versions, the contact sheet, and the further pictures."""
    versions = [job.version(n + 1, options.suffix) for n in range(options.samples)]
    sheet = [job.sheet] if options.contact_sheet else []
    return [*versions, *sheet, *map(job.extra, options.explained)]


class Counts(NamedTuple):
    """How many photos were coloured, failed, and were there already."""

    done: int = 0
    failed: int = 0
    there: int = 0

    def summary(self, seconds: float, things: str = "photos") -> str:
        """One line for people."""
        there = f"; {self.there} were there already (--overwrite colours them again)" if self.there else ""
        return f"{self.done} of {sum(self)} {things} coloured in {seconds:.1f} s{there}"


def run(
    jobs: Sequence[Job],
    colorize: Colorize,
    options: Options,
    explain: Explain | None = None,
    results: Results | None = None,
    pass_over: PassOver | None = None,
) -> Counts:
    """Colours every photo, and tells what was written and what failed; see `run_all`.

    `colorize` and `explain` may raise ValueError or OSError for a photo; anything else is a bug and stops the batch.
    """

    def make(job: Job, options: Options) -> None:
        colorize_file(job, colorize, options, explain, results)

    return run_all(jobs, make, options, results, pass_over)


def run_all(
    jobs: Sequence[Job],
    make: Make,
    options: Options,
    results: Results | None = None,
    pass_over: PassOver | None = None,
    among: Sequence[Job] = (),
) -> Counts:
    """Does every job, and tells what was written and what failed, each in one line.

    What `results` remember as made of these photos in the same way is there already; what an earlier run was stopped at
    is made again. The photos of `among`, too, are never written over.
    """
    photos = {os.path.abspath(job.photo) for job in (*jobs, *among)}
    ends = Counter(_tried(job, make, options, results, photos, pass_over) for job in jobs)
    return Counts(**ends)


def _tried(
    job: Job,
    make: Make,
    options: Options,
    results: Results | None,
    photos: Container[str],
    pass_over: PassOver | None,
) -> str:
    """How it ended: the name of a field of `Counts`."""
    start, written = time.perf_counter(), outputs(job, options)
    try:
        for path in written:
            if os.path.abspath(path) in photos:
                raise PhotoError(f"{job.name}: {path} is a photo itself; give another --out")
        if results is not None and not options.overwrite:
            if options.resume and results.is_done(job.source, written, options.made):
                if pass_over is not None:
                    pass_over(job, written)
                return "there"
            options = options._replace(overwrite=results.was_interrupted(job.source, written))
        make(job, options)
    except MISTAKES as error:
        report(told(job.photo, error))
        return "failed"
    seconds = time.perf_counter() - start
    print(
        f"{job.name} -> {files.shown(written[0])} ... {files.shown(written[-1].name)} ({seconds:.1f} s)",
        flush=True,
    )
    return "done"


MISTAKES = (ValueError, OSError, MemoryError)
"""What may go wrong with one photo; anything else is a bug."""


def told(photo: Path, error: BaseException) -> str:
    """One line that names the photo, which a PhotoError does by itself."""
    if isinstance(error, PhotoError):
        return files.shown(str(error))
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return f"{files.shown(photo)}: with what is added its name is too long for this disk; rename it"
    return files.shown(f"{photo}: {one_line(error)}")


def report(error: str) -> None:
    """One line on stderr."""
    print(f"error: {error}", file=sys.stderr, flush=True)


def colorize_file(
    job: Job,
    colorize: Colorize,
    options: Options,
    explain: Explain | None = None,
    results: Results | None = None,
) -> list[Path]:
    """Colours one photo and writes its files, all of them or none; `results` remember it."""
    photo = open_photo(job, options)
    versions = colorize(photo)
    further = explain(photo) if explain is not None else {}
    named = dict(zip(outputs(job, options), pictures(photo, versions, options, further), strict=True))
    if results is not None:
        results.write("begun", job.source, job.target, named, options.made)
    write_pictures(named, about_of(versions, named), quality=options.quality, overwrite=options.overwrite)
    if results is not None:
        results.write("done", job.source, job.target, named, options.made)
    return list(named)


def open_photo(job: Job, options: Options) -> Photo:
    """Reads a job's photo, once it is known that its files can be written.

    Raises:
      PhotoError: it cannot be read, a file exists already (without `options.overwrite`), or opacity in a JPEG.
    """
    check_free(job, outputs(job, options), options)
    photo = read_photo(job.photo, page=job.page)
    if photo.alpha is not None and options.suffix not in KEEPS_OPACITY:
        raise PhotoError(f"{job.photo}: JPEG keeps no opacity, and this photo has some; use --format=png")
    return fitting(photo, options)


def check_free(job: Job, paths: Iterable[Path], options: Options) -> None:
    """Raises: PhotoError, where one of the files that a job writes exists already, without `options.overwrite`."""
    for path in paths:
        if path.exists() and not options.overwrite:
            raise PhotoError(
                f"{job.photo}: {path} exists already, of another photo or way; --overwrite replaces it"
            )


def fitting(photo: Photo, options: Options) -> Photo:
    """The photo as its files can keep it: with no more bits; and with a border only if that is to stay gray."""
    bits = photo.bits if options.suffix in KEEPS_16_BITS else 8
    return photo._replace(bits=bits, inside=photo.inside if options.borders else None)


def pictures(
    photo: Photo,
    versions: Versions,
    options: Options,
    further: Mapping[str, UInt8[np.ndarray, "h w 3"]] = MappingProxyType({}),
) -> list[Picture]:
    """What goes into the files of `outputs`, in their order; `further` are the pictures in `options.explained`."""
    sheet = [contact_sheet(photo, versions)] if options.contact_sheet else []
    return [*versions.rgb, *sheet, *(further[name] for name in options.explained)]


def about_of(versions: Versions, files: Iterable[Path]) -> dict[Path, Metadata]:
    """What goes beside the pixels of the versions, which are the first of `files`."""
    return {
        file: origin.numbered(versions.about, number)
        for number, file in zip(range(1, len(versions.rgb) + 1), files, strict=False)
    }


def contact_sheet(photo: Photo, versions: Versions) -> UInt8[np.ndarray, "h w 3"]:
    """The gray photo beside its versions, small, captioned with their mixture weights."""
    captions = ["input", *(f"{n + 1}  (weight {w:.2f})" for n, w in enumerate(versions.weights))]
    pictures = [_gray(photo.lightness), *map(_shown, versions.rgb)]
    return np.asarray(captioned(pictures, captions, columns=_COLUMNS))


def _gray(lightness: Float[np.ndarray, "H W"]) -> Image.Image:
    small = np.asarray(_shrunk(Image.fromarray(lightness))).clip(0, 100)
    return Image.fromarray(color.lab_to_srgb_bytes(np.stack([small, 0 * small, 0 * small], axis=-1)))


def _shown(picture: Picture) -> Image.Image:
    """Small, transparent parts on white."""
    small = _shrunk(Image.fromarray(to_bytes(picture)))
    if small.mode == "RGBA":
        small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small)
    return small.convert("RGB")


def _shrunk(image: Image.Image) -> Image.Image:
    share = min(1.0, _THUMBNAIL / max(image.size))
    width, height = (max(1, round(side * share)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0)
