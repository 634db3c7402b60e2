"""What is asked for every one of many photos, as functions of one photo: of a model, with edits, or of a reference."""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from colorize_jax import bundle
from colorize_jax.control.document import EditDocument
from colorize_jax.inference import batch, explain, reference, series
from colorize_jax.inference.colorizer import Colorizer
from colorize_jax.photos import results
from colorize_jax.photos.photo import Photo


class Request(NamedTuple):
    """What is asked of a model for every photo.

    Attributes:
      model: its name or folder.
      samples, rule: of the versions; None takes the model's own.
      seed: of a rule that draws.
      edits: for every photo, or None.
      mode: of the edits, see `Colorizer.edit`.
      explained: whether pictures that explain the versions are wanted, too.
      positions: (x, y) in pixels of what they explain; none: where an edit is suggested.
      series: whether the photos are frames that follow each other; None: those that nearly are the same are.
    """

    model: str
    samples: int | None
    rule: str | None
    seed: int
    edits: EditDocument | None
    mode: str
    explained: bool
    positions: Sequence[tuple[float, float]]
    series: bool | None = None


class Workers(NamedTuple):
    """What `batch.run` calls for a photo, and how many versions it gets."""

    samples: int
    colorize: batch.Colorize
    explain: batch.Explain | None = None
    pass_over: batch.PassOver | None = None


def position(text: str) -> tuple[float, float]:
    """A position of 'x,y'.

    Raises:
      ValueError: it is none.
    """
    try:
        x, y = map(float, text.split(","))
        return x, y
    except ValueError:
        raise ValueError(f"--explain_at is {text!r}; allowed is x,y in pixels, such as 120,80") from None


def one_answer(samples: int | None, flag: str) -> int:
    """The one version that there is with a flag.

    Raises:
      ValueError: more were asked for.
    """
    if samples not in (None, 1):
        raise ValueError(f"--samples is {samples}, but {flag} has one version; leave it out")
    return 1


def of_model(asked: Request) -> Workers:
    """The model, loaded, as functions of one photo.

    Raises:
      ValueError: there is no such model, or it has no such versions.
    """
    colorizer = Colorizer.load(asked.model)
    if asked.series is not False and asked.edits is None and not asked.explained:
        return _of_series(colorizer, asked)
    samples, rule = colorizer.request(asked.samples, asked.rule)
    sampling: dict[str, Any] = {"samples": samples, "seed": asked.seed, "rule": rule}
    colorize: batch.Colorize = partial(colorizer.colorize, **sampling)
    if asked.edits is not None:
        colorize = partial(colorizer.edit, edits=asked.edits, mode=asked.mode, **sampling)
    return Workers(samples, colorize, partial(_explained, colorizer, asked) if asked.explained else None)


def _of_series(colorizer: Colorizer, asked: Request) -> Workers:
    samples, rule = colorizer.request(asked.samples, asked.rule)
    usual, _ = colorizer.request(None, rule)
    frames = series.Series(
        colorizer,
        samples=samples,
        # A photo that may stand alone is coloured as if it did.
        candidates=usual if asked.series else None,
        seed=asked.seed,
        rule=rule,
        least=series.SCENE if asked.series else series.NEARLY_THE_SAME,
    )

    def pass_over(job: batch.Job, files: Sequence[Path]) -> None:
        frames.pass_over(job.photo, job.page, files[:samples])

    return Workers(samples, frames.colorize, pass_over=pass_over)


def of_films(asked: Request) -> tuple[int, Callable[[], series.Series]]:
    """How many versions a film gets, 1 by default, and what begins one.

    Raises:
      ValueError: there is no such model, or it has no such versions.
    """
    colorizer, samples = Colorizer.load(asked.model), asked.samples or 1
    usual, rule = colorizer.request(None, asked.rule)
    begin = partial(series.Series, colorizer, samples=samples, candidates=usual, seed=asked.seed, rule=rule)
    begin()  # refuses what the model cannot
    return samples, begin


def of_reference(path: str) -> Workers:
    """A photo in colour that lends its colours: one version, and no model."""
    lent = reference.read_reference(path)
    return Workers(1, partial(reference.colorize_like, reference=lent))


def digest(asked: Request, lent: str | None, options: batch.Options) -> str:
    """A hash of all that the files of a photo depend on, beside the photo: what is asked, of which weights.

    Args:
      asked: of a model.
      lent: the photo that lends its colours in the model's place, or None.
      options: how they are written.
    """
    own = (
        asked._replace(samples=None, model=bundle.weights_sha256(asked.model))
        if lent is None
        else _sha256(lent)
    )
    written = options._replace(overwrite=False, resume=True, made="")
    return results.digest([own, written._asdict()])


def _sha256(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _explained(colorizer: Colorizer, asked: Request, photo: Photo) -> dict[str, np.ndarray]:
    edits, mode = (EditDocument(()), "over") if asked.edits is None else (asked.edits, asked.mode)
    explained = explain.explain(colorizer, photo, edits, at=asked.positions or None, mode=mode)
    places = " ".join(f"({x:.0f}, {y:.0f})" for x, y in explained.suggested)
    print(f"edit next at {places}")
    return explain.show(explained)
