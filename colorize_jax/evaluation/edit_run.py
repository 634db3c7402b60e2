"""One evaluation of edits from models and photos to files: a model and the classics, from the same reveals."""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path

from colorize_jax import classical
from colorize_jax.classical import Propagate
from colorize_jax.data.prepared import PhotoSource
from colorize_jax.evaluation import edit_methods, edit_report, edits
from colorize_jax.evaluation.edits import ColorPhoto
from colorize_jax.evaluation.reveals import RevealProtocol
from colorize_jax.inference.colorizer import Colorizer

# DeepProp compiles in its first answer: `seconds` is of those that follow.
_WARM_UP = 10


def run(
    photos: Sequence[ColorPhoto],
    methods: Mapping[str, Propagate],
    out: Path,
    *,
    counts: Sequence[int],
    protocol: RevealProtocol,
    draws: int,
    seed: int,
) -> None:
    """Measures every method, prints the tables and writes the files.

    Args:
      photos: squares of the protocol's side, none of them gray.
      methods: {name: propagation}; the first one's paired differences to all others are told.
      out: folder to write to.
      counts, protocol, draws, seed: of the reveals, see `edits.evaluate_edits`.
    """
    edits.evaluate_edits(photos[:1], methods, counts=[min(_WARM_UP, max(counts))], protocol=protocol, draws=1)
    found = edits.evaluate_edits(photos, methods, counts=counts, protocol=protocol, draws=draws, seed=seed)
    shown = photos[:: max(1, len(photos) // 4)][:4]
    columns = {name: method for name, method in methods.items() if method is not classical.METHODS["gray"]}
    print(edit_report.summary(found))
    for path in edit_report.write(out, found, {"edits_sheet": edit_report.sheet(shown, columns, protocol)}):
        print(f"wrote {path}")


def learned(models: Mapping[str, str | PathLike[str]]) -> dict[str, Propagate]:
    """Each model in modes 'guided' and 'alone'.

    Args:
      models: {name: released model's name or folder}.
    """
    found = {}
    for name, place in models.items():
        colorizer = Colorizer.load(place)
        found[name] = edit_methods.learned(colorizer)
        found[f"{name}, alone"] = edit_methods.learned(colorizer, "alone")
    return found


def classics(names: Sequence[str]) -> dict[str, Propagate]:
    """The methods of `classical.METHODS` of these names.

    Raises:
      ValueError: there is no such method.
    """
    unknown = [name for name in names if name not in classical.METHODS]
    if unknown:
        raise ValueError(f"--classics has {unknown[0]!r}; allowed are {', '.join(classical.METHODS)}")
    return {name: classical.METHODS[name] for name in names}


def colored_photos(
    source: str | PhotoSource, side: int, *, limit: int = 0, tell: Callable[[str], None] = print
) -> list[ColorPhoto]:
    """Photos to measure on, without the gray ones.

    Args:
      source: a folder, zip or tar; or a prepared split, which was screened when it was prepared.
      side: of the protocol, in pixels.
      limit: at most so many, evenly spread over the names; 0: all.
      tell: is given a line for each photo that is left out.

    Raises:
      ValueError: none is left.
    """
    if isinstance(source, PhotoSource):
        records = map(source.__getitem__, range(0, len(source), _step(len(source), limit)))
        photos = [edits.color_photo(record.name, record.image, side) for record in records]
    else:
        photos = edits.load_photos(source, side, tell=tell)
    colored = []
    for photo in photos:
        if edits.is_gray(photo):
            tell(f"left out: {photo.name} is gray")
        else:
            colored.append(photo)
    if not colored:
        raise ValueError(f"{source}: no photo in colour that can be read; give others")
    return colored[:: _step(len(colored), limit)]


def _step(count: int, limit: int) -> int:
    """Of `count` photos every how many-th is one of at most `limit`."""
    return max(1, -(-count // limit)) if limit else 1
