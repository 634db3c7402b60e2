"""One evaluation of edits from models and photos to files: a model and the classics, from the same reveals."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from colorize_jax import classical, methods
from colorize_jax.classical import Propagate
from colorize_jax.data.prepared import PhotoSource
from colorize_jax.evaluation import edit_methods, edit_report, edits
from colorize_jax.evaluation.candidates import Candidate
from colorize_jax.evaluation.edits import ColorPhoto
from colorize_jax.evaluation.predict import check_networks
from colorize_jax.evaluation.reveals import RevealProtocol
from colorize_jax.inference.colorizer import Colorizer
from colorize_jax.methods.base import Edits, Method

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


def learned(models: Mapping[str, Candidate]) -> dict[str, Propagate]:
    """Each model in the modes that it has, by the names of their rows.

    Args:
      models: released ones, or training runs.

    Raises:
      ValueError: a model that takes no edits, or a run without all networks yet.
    """
    found: dict[str, Propagate] = {}
    for name, candidate in models.items():
        method = methods.build(candidate.config)
        check_networks(method, candidate.variables)
        colorizer, modes = Colorizer(candidate.config, method, candidate.variables), _modes(name, method)
        found |= {row: edit_methods.learned(colorizer, mode) for row, mode in modes.items()}
    return found


def _modes(name: str, method: Method) -> dict[str, str]:
    """{row: mode}: without a similarity of its own for edits, a model has one answer, by the S of its colours."""
    edits_of = method.edits or Edits()
    if edits_of.respond:
        return {name: "guided"}
    if edits_of.spread:
        return {name: "over", f"{name}, guided": "guided", f"{name}, alone": "alone"}
    if edits_of.similarity:
        return {f"{name}, {edit_report.PAPERS_OWN}": "alone"}
    raise ValueError(f"{name} takes no edits; give a model with a similarity S, as methods with a G-CRF have")


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
