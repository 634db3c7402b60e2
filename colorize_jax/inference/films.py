"""Films to films in colour: a series of frames, in parts, so that a run that was stopped goes on.

While a film is coloured, what is done of it lies in a hidden folder beside the films that are made. A part is complete
when the memory of its last frame is there. From that memory the next part goes on as if nothing had been between them,
to the last bit. The films get their names when all of their parts are done, and the folder goes.
"""

import contextlib
import itertools
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from colorize_jax import files
from colorize_jax.inference import batch, request
from colorize_jax.inference.request import Request
from colorize_jax.inference.series import Memory, Series
from colorize_jax.photos import film, results
from colorize_jax.photos.photo import photo_from_array
from colorize_jax.photos.results import Results

_FRAMES = 50  # of a part: what is lost when a run is stopped


def run(
    jobs: Sequence[batch.Job],
    asked: Request,
    options: batch.Options,
    record: Results | None = None,
    among: Sequence[batch.Job] = (),
) -> batch.Counts:
    """Colours films, and tells of each what was written or what failed; see `batch.run_all`.

    Args:
      jobs: films.
      asked: of the model; without edits and explanations.
      options: as of photos; of them count what is done about files that exist.
      record: of the folder.
      among: further jobs whose files must not be written over.

    Raises:
      ValueError: there is no such model, or it has no such versions.
    """
    samples, begin = request.of_films(asked)
    own = options._replace(samples=samples, suffix="", contact_sheet=False, explained=())
    own = own._replace(made=request.digest(asked, None, own))

    def make(job: batch.Job, options: batch.Options) -> None:
        colorize_film(job, begin(), options, record)

    tally = batch.Counts()
    for job in jobs:
        each = own._replace(suffix=film.suffix_of(job.photo))
        ended = batch.run_all([job], make, each, record, among=(*jobs, *among))
        tally = batch.Counts(*map(sum, zip(tally, ended, strict=True)))
    return tally


def colorize_film(
    job: batch.Job, frames: Series, options: batch.Options, record: Results | None = None
) -> list[Path]:
    """Colours a film, from where an earlier run was stopped, and writes a film for each version, all of them or none.

    Args:
      job: `job.photo` is the film.
      frames: of which no frame was coloured yet.
      options: the suffix is the films'.
      record: remembers it.

    Raises:
      PhotoError: it cannot be read, or a film not be written, or one is there already.
      ValueError: another process colours it.
    """
    targets = batch.outputs(job, options)
    batch.check_free(job, targets, options)
    look = film.look(job.photo)
    parts = _Parts(job, options)
    with files.locked(parts.folder / "lock", f"{job.name}: another process colours this film"):
        _color_rest(job, look, frames, parts)
        if record is not None:
            record.write("begun", job.source, job.target, targets, options.made)
        with files.all_replaced(targets, overwrite=options.overwrite) as temporary:
            for version, path in enumerate(temporary):
                words = "\n".join(
                    f"{name}: {value}" for name, value in frames.provenance(version + 1).items()
                )
                film.join(parts.of_version(version), job.photo, path, words)
        if record is not None:
            record.write("done", job.source, job.target, targets, options.made)
    shutil.rmtree(parts.folder)
    return targets


class _Parts:
    """What is done of a film."""

    def __init__(self, job: batch.Job, options: batch.Options):
        how = results.digest([options.made, options.samples, results.stamp(job.photo)])
        self.folder = job.target.with_name(f".{job.target.name}.{how}.film")
        self._options = options

    def number(self) -> int:
        """How many are complete."""
        return next(n for n in itertools.count() if not self._memory(n).exists())

    def last(self) -> Memory | None:
        """Of the last frame that is done."""
        number = self.number()
        return Memory(**files.read_arrays(self._memory(number - 1))) if number else None

    def of_version(self, version: int) -> list[Path]:
        """In order; versions count from 0."""
        return [self._files(number)[version] for number in range(self.number())]

    def write(self, number: int, group: Iterable[film.Frame], frames: Series, look: film.FilmLook) -> None:
        """Colours frames, at least one, and writes them as a part."""
        with (
            files.all_replaced(self._files(number), overwrite=True) as temporary,
            contextlib.ExitStack() as stack,
        ):
            puts = [stack.enter_context(film.part(path, look)) for path in temporary]
            for frame in group:
                photo = batch.fitting(photo_from_array(frame.rgb, name="a frame"), self._options)
                versions = frames.colorize(photo)
                for put, rgb in zip(puts, versions.rgb, strict=True):
                    put(film.Frame(rgb, frame.time))
        assert frames.memory is not None
        files.write_arrays(self._memory(number), frames.memory._asdict(), overwrite=True)

    def _files(self, number: int) -> list[Path]:
        names = (f"{number:06}_{version + 1}.{film.PART}" for version in range(self._options.samples))
        return [self.folder / name for name in names]

    def _memory(self, number: int) -> Path:
        return self.folder / f"{number:06}.npz"


def _color_rest(job: batch.Job, look: film.FilmLook, frames: Series, parts: _Parts) -> None:
    """Colours what is left of a film, and tells how far it is."""
    done = parts.number()
    frames.memory = parts.last()
    found = film.frames(job.photo, done * _FRAMES)
    whole = f" of {look.length:,}" if look.length else ""
    for number, first in enumerate(found, done):
        parts.write(number, itertools.chain([first], itertools.islice(found, _FRAMES - 1)), frames, look)
        most = (number + 1) * _FRAMES
        if not look.length or most < look.length:
            print(f"{job.name}: {most:,}{whole} frames", flush=True)
