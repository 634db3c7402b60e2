"""Photos by the million: streamed, divided over processes, coloured in batches, and resumed where a run was killed.

The photos of a process flow through three stages, none of which ever holds more than a few batches: threads read and
shrink them, the networks colour them B at a time, and threads lift each to its size and write it. The networks always
see B photos of one size, the last few filled up, so that nothing compiles twice, and so that no photo's result depends
on its neighbours, on the number of processes, or on what an earlier run had done already.

Which process a photo belongs to follows from its name alone. The processes share a folder and nothing else: one that
dies takes no other with it.
"""

import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path, PurePath
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np

from colorize_jax import files
from colorize_jax.inference import batch, origin
from colorize_jax.inference.colorizer import Colorizer, Versions, network_input, render
from colorize_jax.inference.ledger import Ledger, hash64
from colorize_jax.photos import kinds, pages
from colorize_jax.photos.decode import PhotoError
from colorize_jax.photos.discover import Remark, Tell, on_stderr, photos_below
from colorize_jax.photos.errors import WITHOUT_SOME
from colorize_jax.photos.photo import Photo, read_photo, write_pictures
from colorize_jax.photos.results import BULK, is_there

FOLDER = BULK
"""Below `out`: the ledgers, and the reports of what failed."""

_KEPT_PIXELS = (
    1 << 20
)  # larger photos are read again for writing: a few batches of them would fill the memory
_TOLD_EVERY_S = 10.0

Item = TypeVar("Item")
Result = TypeVar("Result")


class Work(NamedTuple):
    """One photo of many.

    Attributes:
      photo: its file.
      name: where its versions go below `out`, as `<name>_1.png`; the ledger knows it by this.
      mistake: of the manifest's line, where there is one.
    """

    photo: Path
    name: str
    mistake: str = ""


class Share(NamedTuple):
    """The photos of one process are those whose names hash to its number."""

    process: int = 0
    processes: int = 1

    def has(self, name: str) -> bool:
        return hash64(name) % self.processes == self.process


class BulkOptions(NamedTuple):
    """How all photos are coloured and written; see the flags of the program.

    `batch_size` is B above: results may depend on it in the last bit, so a run keeps the one that it began with.
    """

    out: Path
    options: batch.Options
    rule: str
    seed: int = 0
    batch_size: int = 16
    threads: int = os.cpu_count() or 1

    def job(self, work: Work) -> batch.Job:
        return batch.Job(work.photo, self.out / work.name)


class Outcome(NamedTuple):
    """What one process did with its part.

    Attributes:
      done: photos coloured.
      failed: photos that could not be; each is a line of `report`.
      skipped: photos that an earlier run had coloured.
      listed: photos of all processes.
      report: path of a file of JSON lines, `photo` and `error`.
    """

    done: int
    failed: int
    skipped: int
    listed: int
    report: Path


def in_folder(folder: Path, out: Path, tell: Tell = on_stderr) -> Iterator[Work]:
    """The photos below a folder, in the order of the file system, without the hidden ones, those in `out` and results.

    A result keeps its photo's sub-folder and whole name, with the suffix. So no two results share a name, and no
    process needs to know the other photos. A folder that cannot be read is a mistake, which one process tells.

    Args:
      folder: to look in, see `photos_below`.
      out: of the results.
      tell: is given a remark for what is passed over.
    """
    mistakes: list[str] = []

    def sorted_out(remark: Remark) -> None:
        if remark.is_error:
            mistakes.append(remark.text)
        else:
            tell(remark)

    for photo in photos_below(folder, sorted_out, without=batch.apart(out, folder)):
        yield Work(photo, photo.relative_to(folder).as_posix())
    yield from (Work(folder, mistake, mistake) for mistake in mistakes)


def in_manifest(manifest: Path) -> Iterator[Work]:
    """The photos that a text file names: a path a line, and after a tab, if wanted, where its versions go in `out`.

    Without it they go to the photo's own path below `out`. Empty lines are passed over. The text is UTF-8, or UTF-16
    with its mark; bytes that are no UTF-8 are those of the names.

    Raises:
      ValueError: it is no text, or UTF-16 without its mark.
    """
    with manifest.open("rb") as content:
        encoding = files.encoding_of(content.read(1 << 16), str(manifest))
    errors = "surrogateescape" if encoding.startswith("utf-8") else "strict"
    with manifest.open(encoding=encoding, errors=errors) as lines:
        for number, line in enumerate(lines, 1):
            path, tab, output = line.rstrip("\r\n").partition("\t")
            if not path and not tab:
                continue
            name = PurePath(output if tab else path.lstrip("/"))
            bad = not path or name == PurePath() or name.is_absolute() or ".." in name.parts
            mistake = f"{manifest}, line {number}: the output is {str(name)!r}; it must be a path below --out"
            yield Work(Path(path), name.as_posix(), mistake if bad else "")


def listed(source: Path, out: Path, *, is_manifest: bool) -> Iterator[Work]:
    """The photos of a folder or of a manifest.

    Raises:
      ValueError: it is not there.
    """
    if is_manifest:
        if not source.is_file():
            raise ValueError(f"--manifest is {str(source)!r}; no such file")
        return in_manifest(source)
    if not source.is_dir():
        raise ValueError(f"{source} is no folder; bulk work takes one, or --manifest=FILE")
    return in_folder(source, out)


def run(
    works: Iterable[Work], colorizer: Colorizer, asked: BulkOptions, share: Share, settings: dict[str, Any]
) -> Outcome:
    """Colours one process's part of `works`; photos that the ledgers in `asked.out` call done are left out.

    Args:
      works: of all processes.
      colorizer: the model.
      asked: see `BulkOptions`.
      share: which photos are this process's.
      settings: of the model, as JSON; kept in the ledger with those of `asked`, and compared.

    Raises:
      ValueError: the ledgers were begun with other settings, are damaged, or another process has this part.
    """
    kept = asked._asdict() | asked.options._asdict() | settings
    for free in ("out", "options", "overwrite", "resume", "made", "threads"):
        del kept[free]
    with Ledger(asked.out / FOLDER, *share, json.loads(json.dumps(kept))) as ledger:
        return _BulkRun(colorizer, asked, share, ledger).all(works)


def exit_code(outcome: Outcome, source: Path) -> int:
    """`WITHOUT_SOME` where photos failed, which is told in one line on stderr, else 0.

    Raises:
      ValueError: `source`, a folder or a manifest, has no photos.
    """
    if outcome.listed == 0:
        raise ValueError(f"{source}: no photos (in a folder, {' '.join(kinds.SUFFIXES)})")
    if outcome.failed:
        batch.report(
            f"{outcome.failed:,} photos failed; {outcome.report} lists them; the same command tries them again"
        )
    return WITHOUT_SOME if outcome.failed else 0


class _Shrunk(NamedTuple):
    """A photo as the networks see it; and itself, unless it is large."""

    inputs: dict[str, np.ndarray]
    photo: Photo | None


class _Colored(NamedTuple):
    work: Work
    photo: Photo | None
    versions: Versions  # without pictures


class _BulkRun:
    """One process's run; what it counts and tells is touched by the main thread only."""

    def __init__(self, colorizer: Colorizer, asked: BulkOptions, share: Share, ledger: Ledger):
        self._colorizer, self._asked, self._share, self._ledger = colorizer, asked, share, ledger
        self._done = self._failed = self._skipped = self._listed = 0
        self._seen: set[int] = set()
        self._started = self._told = time.monotonic()
        self._report = ledger.path.with_name(ledger.path.name.replace("ledger", "errors"))

    def all(self, works: Iterable[Work]) -> Outcome:
        window = 2 * self._asked.batch_size
        readers, writers = (ThreadPoolExecutor(self._asked.threads) for _ in range(2))
        with self._report.open("w") as self._errors:
            try:
                shrunk = _ahead(readers, self._shrink, self._todo(works), window)
                for colored, written in _ahead(writers, self._write, self._colored(shrunk), window):
                    self._settle(colored.work, written)
            finally:  # a run that is stopped waits for the files that it is writing, and begins no others
                for pool in (readers, writers):
                    pool.shutdown(cancel_futures=True)
        self._tell("done")
        return Outcome(self._done, self._failed, self._skipped, self._listed, self._report)

    def _todo(self, works: Iterable[Work]) -> Iterator[Work]:
        """What is left of this process's part."""
        for work in works:
            self._listed += 1
            if not self._share.has(work.name):
                continue
            key = hash64(work.name)
            if work.mistake:
                self._refuse(work, work.mistake)
            elif key in self._seen:
                self._refuse(work, f"{work.photo}: its output {work.name} is named twice")
            elif self._ledger.is_done(work.name) and all(map(is_there, self._paths(work))):
                self._skipped += 1
            else:
                yield work
            self._seen.add(key)

    def _shrink(self, work: Work) -> _Shrunk:
        photo = batch.open_photo(self._asked.job(work), self._options(work))
        if (number := pages.look(work.photo).number) > 1:
            on_stderr(Remark(f"{files.shown(work.photo)}: {number} pages, of which the first is coloured"))
        data = self._colorizer.config.data
        inputs = network_input(photo, data.image_size, data.lightness_large)
        return _Shrunk(inputs, photo if photo.lightness.size <= _KEPT_PIXELS else None)

    def _options(self, work: Work) -> batch.Options:
        """The options for one photo: files of one that the ledger knows are our own, so they may be overwritten."""
        options, ledger = self._asked.options, self._ledger
        ours = ledger.was_interrupted(work.name) or ledger.is_done(work.name)
        return options._replace(overwrite=options.overwrite or ours)

    def _colored(self, shrunk: Iterator[tuple[Work, "Future[_Shrunk]"]]) -> Iterator[_Colored]:
        """The versions of what could be read, B photos at a time."""
        waiting: list[tuple[Work, _Shrunk]] = []
        for work, future in shrunk:
            read = self._tried(work, future)
            if read is not None:
                waiting.append((work, read))
            if len(waiting) == self._asked.batch_size:
                yield from self._color(waiting)
                waiting = []
        if waiting:
            yield from self._color(waiting)

    def _color(self, waiting: list[tuple[Work, _Shrunk]]) -> Iterator[_Colored]:
        asked = self._asked
        filled = waiting + [waiting[-1]] * (asked.batch_size - len(waiting))
        names = waiting[0][1].inputs
        inputs = {name: np.concatenate([read.inputs[name] for _, read in filled]) for name in names}
        drawn = self._colorizer.sample_many(
            inputs, samples=asked.options.samples, seed=asked.seed, rule=asked.rule
        )
        weights, unary, field = (np.asarray(x) for x in (drawn.weights, drawn.unary, drawn.field))
        self._ledger.begin([work.name for work, _ in waiting])
        for i, (work, read) in enumerate(waiting):
            yield _Colored(work, read.photo, Versions([], weights[i], unary[i], field[i]))

    def _write(self, colored: _Colored) -> Literal[True]:
        work, photo, versions = colored
        if not np.isfinite(versions.field).all():
            raise PhotoError(f"{work.photo}: the model's colours are not finite")
        if self._ledger.was_interrupted(work.name):
            files.remove_leftovers(self._paths(work))
        if photo is None:
            photo = batch.fitting(read_photo(work.photo), self._asked.options)
        options = self._options(work)
        how = {"Rule": self._asked.rule, "Seed": self._asked.seed, "Versions": options.samples}
        about = origin.told(photo.about, self._colorizer.identity, **how)
        versions = versions._replace(rgb=render(photo, versions.field), about=about)
        pictures = dict(zip(self._paths(work), batch.pictures(photo, versions, options), strict=True))
        told = batch.about_of(versions, pictures)
        write_pictures(pictures, told, quality=options.quality, overwrite=options.overwrite)
        return True

    def _paths(self, work: Work) -> list[Path]:
        return batch.outputs(self._asked.job(work), self._asked.options)

    def _tried(self, work: Work, future: "Future[Result]") -> Result | None:
        """What the future gives, or None where it is a mistake of this photo, which is told."""
        try:
            return future.result()
        except batch.MISTAKES as error:
            told = batch.told(work.photo, error)
            self._ledger.failed(work.name, told)
            self._refuse(work, told)
            return None

    def _settle(self, work: Work, written: "Future[Literal[True]]") -> None:
        if self._tried(work, written):
            self._ledger.done(work.name)
            self._done += 1
        if time.monotonic() - self._told > _TOLD_EVERY_S:
            self._tell("under way")

    def _refuse(self, work: Work, error: str) -> None:
        self._failed += 1
        self._errors.write(json.dumps({"photo": str(work.photo), "error": error}) + "\n")
        self._errors.flush()
        batch.report(files.shown(error))

    def _tell(self, state: str) -> None:
        self._told = time.monotonic()
        seconds = self._told - self._started
        print(
            f"process {self._share.process} of {self._share.processes}, {state}: {self._done:,} coloured, "
            f"{self._failed:,} failed, {self._skipped:,} skipped; {seconds:.1f} s, {self._done / seconds:.2f} photos/s",
            flush=True,
        )


def _ahead(
    pool: ThreadPoolExecutor, function: Callable[[Item], Result], items: Iterable[Item], window: int
) -> Iterator[tuple[Item, "Future[Result]"]]:
    """Each item with its result to come, in order; at most `window` of them are under way."""
    under_way: deque[tuple[Item, Future[Result]]] = deque()
    for item in items:
        under_way.append((item, pool.submit(function, item)))
        if len(under_way) >= window:
            yield under_way.popleft()
    while under_way:
        yield under_way.popleft()
