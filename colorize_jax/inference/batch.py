"""Many photos to files: which photos, under which names, and what happens when one of them is broken."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from PIL import Image

from colorize_jax import color
from colorize_jax.inference.colorizer import Versions
from colorize_jax.photos.decode import PhotoError
from colorize_jax.photos.photo import Photo, read_photo, write_pictures
from colorize_jax.photos.sheet import captioned
from colorize_jax.shapes import Float, UInt8

SUFFIXES = (
    *(".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pbm", ".pgm"),
    *(".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
)
"""What counts as a photo in a folder; a file that is named itself is always tried."""

FORMATS = ("png", "jpg")

_THUMBNAIL = 320  # pixels, the longer side
_COLUMNS = 6


class Job(NamedTuple):
    """One photo, and where its versions go: `<target>_1.png`, ..., `<target>_sheet.png`."""

    photo: Path
    target: Path

    def version(self, number: int, suffix: str) -> Path:
        return self.target.with_name(f"{self.target.name}_{number}.{suffix}")

    @property
    def sheet(self) -> Path:
        return self.extra("sheet")

    def extra(self, name: str) -> Path:
        return self.target.with_name(f"{self.target.name}_{name}.png")


class Found(NamedTuple):
    """Jobs, and one line for each argument that gives none."""

    jobs: list[Job]
    errors: list[str]


def find_jobs(arguments: Sequence[str], out: Path) -> Found:
    """Files and, recursively, the photos of folders, each once, in order; no two share a target.

    A photo deeper in a folder keeps its sub-folder below `out`. Hidden entries and `out` itself are passed over.
    Photos of one name, such as `a/cat.jpg` and `b/cat.png`, become `cat`, `cat-2`, ...
    """
    jobs: list[Job] = []
    errors: list[str] = []
    seen: set[Path] = set()
    taken: set[str] = set()
    for argument in map(Path, arguments):
        photos = sorted(_photos_below(argument, out)) if argument.is_dir() else [argument]
        if not photos:
            errors.append(f"{argument}: no photos in this folder (looked for {' '.join(SUFFIXES)})")
        for photo in photos:
            if photo.resolve() in seen:
                continue
            seen.add(photo.resolve())
            folder = out / photo.relative_to(argument).parent if argument.is_dir() else out
            jobs.append(Job(photo, _free(folder / photo.stem, taken)))
    return Found(jobs, errors)


def _photos_below(folder: Path, out: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and (Path(parent) / name).resolve() != out.resolve()
        ]
        yield from (
            Path(parent) / name
            for name in files
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith(".")
        )


def _free(target: Path, taken: set[str]) -> Path:
    """`target`, or the first of `target-2`, `target-3`, ... whose name, in any case, is not taken yet."""
    candidate, number = target, 1
    while str(candidate).casefold() in taken:
        number += 1
        candidate = target.with_name(f"{target.name}-{number}")
    taken.add(str(candidate).casefold())
    return candidate


Colorize = Callable[[Photo], Versions]
Explain = Callable[[Photo], dict[str, UInt8[np.ndarray, "h w 3"]]]
"""Further pictures of a photo, by the names in `Options.explained`."""


class Options(NamedTuple):
    """How the versions are written; see the flags of the program."""

    samples: int = 5
    suffix: str = "png"
    overwrite: bool = False
    contact_sheet: bool = True
    explained: tuple[str, ...] = ()


def outputs(job: Job, options: Options) -> list[Path]:
    """Every file that a job writes: its versions, the contact sheet, and the further pictures."""
    versions = [job.version(n + 1, options.suffix) for n in range(options.samples)]
    sheet = [job.sheet] if options.contact_sheet else []
    return [*versions, *sheet, *map(job.extra, options.explained)]


def run(jobs: Sequence[Job], colorize: Colorize, options: Options, explain: Explain | None = None) -> int:
    """Colours every photo, tells what was written, and returns how many failed, each told in one line on stderr.

    `colorize` and `explain` may raise ValueError or OSError for a photo; anything else is a bug and stops the batch.
    """
    return sum(not _tried(job, colorize, options, explain) for job in jobs)


def _tried(job: Job, colorize: Colorize, options: Options, explain: Explain | None) -> bool:
    start = time.perf_counter()
    try:
        written = colorize_file(job, colorize, options, explain)
    except MISTAKES as error:
        report(told(job.photo, error))
    else:
        seconds = time.perf_counter() - start
        print(f"{job.photo} -> {written[0]} ... {written[-1].name} ({seconds:.1f} s)", flush=True)
        return True
    return False


MISTAKES = (ValueError, OSError, MemoryError)
"""What may go wrong with one photo; anything else is a bug."""


def told(photo: Path, error: BaseException) -> str:
    """One line that names the photo, which a PhotoError does by itself."""
    if isinstance(error, PhotoError):
        return str(error)
    return f"{photo}: {' '.join(str(error).split()) or type(error).__name__}"


def report(error: str) -> None:
    """One line on stderr."""
    print(f"error: {error}", file=sys.stderr, flush=True)


def colorize_file(
    job: Job, colorize: Colorize, options: Options, explain: Explain | None = None
) -> list[Path]:
    """Colours one photo and writes its files, all of them or none."""
    photo = open_photo(job, options)
    versions = colorize(photo)
    further = explain(photo) if explain is not None else {}
    named = dict(zip(outputs(job, options), pictures(photo, versions, options, further), strict=True))
    write_pictures(named, overwrite=options.overwrite)
    return list(named)


def open_photo(job: Job, options: Options) -> Photo:
    """Reads a job's photo, once it is known that its files can be written.

    Raises:
      PhotoError: it cannot be read, a file exists already (without `options.overwrite`), or opacity in a JPEG.
    """
    for path in outputs(job, options):
        if path.exists() and not options.overwrite:
            raise PhotoError(f"{job.photo}: {path} exists already; --overwrite replaces it")
    photo = read_photo(job.photo)
    if photo.alpha is not None and options.suffix == "jpg":
        raise PhotoError(f"{job.photo}: JPEG keeps no opacity, and this photo has some; use --format=png")
    return photo


def pictures(
    photo: Photo,
    versions: Versions,
    options: Options,
    further: Mapping[str, UInt8[np.ndarray, "h w 3"]] = MappingProxyType({}),
) -> list[UInt8[np.ndarray, "H W *channels"]]:
    """What goes into the files of `outputs`, in their order; `further` are the pictures in `options.explained`."""
    sheet = [contact_sheet(photo, versions)] if options.contact_sheet else []
    return [*versions.rgb, *sheet, *(further[name] for name in options.explained)]


def contact_sheet(photo: Photo, versions: Versions) -> UInt8[np.ndarray, "h w 3"]:
    """The gray photo beside its versions, small, captioned with their mixture weights."""
    captions = ["input", *(f"{n + 1}  (weight {w:.2f})" for n, w in enumerate(versions.weights))]
    pictures = [_gray(photo.lightness), *map(_shown, versions.rgb)]
    return np.asarray(captioned(pictures, captions, columns=_COLUMNS))


def _gray(lightness: Float[np.ndarray, "H W"]) -> Image.Image:
    small = np.asarray(_shrunk(Image.fromarray(lightness))).clip(0, 100)
    return Image.fromarray(color.lab_to_srgb_bytes(np.stack([small, 0 * small, 0 * small], axis=-1)))


def _shown(picture: UInt8[np.ndarray, "H W *channels"]) -> Image.Image:
    """Small, transparent parts on white."""
    small = _shrunk(Image.fromarray(picture))
    if small.mode == "RGBA":
        small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small)
    return small.convert("RGB")


def _shrunk(image: Image.Image) -> Image.Image:
    share = min(1.0, _THUMBNAIL / max(image.size))
    width, height = (max(1, round(side * share)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0)
