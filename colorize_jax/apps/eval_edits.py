"""`colorize-eval --task=edits`: a model and the classics on the same photos, from the same reveals.

    colorize-eval --task=edits --photos=imagenet-samples.zip --model=default --out=edits
    colorize-eval --task=edits --dataset=lfw_deepfunneled --dir=data --photos_limit=200 --out=edits_lfw

Writes edits.json, edits.md, edits.png and a contact sheet of four photos into --out, and prints the tables: PSNR by
reveals, the first model's paired differences to all others, published curves of the same protocol (other images).
"""

from collections.abc import Mapping
from pathlib import Path

from absl import flags

from colorize_jax import classical
from colorize_jax.classical import Propagate
from colorize_jax.data.prepared import PhotoSource
from colorize_jax.evaluation import edit_methods, edit_report, edits, reveals
from colorize_jax.inference.colorizer import Colorizer

_PHOTOS = flags.DEFINE_string("photos", None, "For --task=edits: a folder, zip or tar of colour photos.")
_LIMIT = flags.DEFINE_integer(
    "photos_limit", 0, "At most so many, evenly spread over the names; 0: all.", lower_bound=0
)
_PROTOCOL = flags.DEFINE_enum(
    "protocol", "paper", [rule.name for rule in reveals.PROTOCOLS], "How reveals are drawn."
)
_DRAWS = flags.DEFINE_integer("draws", 5, "Sets of reveals a photo.", lower_bound=1)
_COUNTS = flags.DEFINE_list("reveals", [str(count) for count in reveals.COUNTS], "Numbers of reveals.")
_CLASSICS = flags.DEFINE_list(
    "classics", ["gray", "constant", "levin", "bilateral_solver"], "Of colorize_jax.classical; also deepprop."
)
# DeepProp compiles in its first answer: `seconds` is of those that follow.
_WARM_UP = 10


def run(models: Mapping[str, str | Path], prepared: PhotoSource | None, out: Path, *, seed: int) -> None:
    """Measures each model in modes 'guided' and 'alone', and the classics.

    Args:
      models: {name: released model's name or folder}.
      prepared: photos to measure on, without --photos.
      out: folder to write to.
      seed: of the reveals.

    Raises:
      ValueError: a flag's value that cannot be used.
    """
    rule = reveals.protocol(_PROTOCOL.value)
    classics, counts = _classics(_CLASSICS.value), _counts(_COUNTS.value)
    photos = _read(rule, prepared)
    methods = _learned(models) | classics
    edits.evaluate_edits(photos[:1], methods, counts=[min(_WARM_UP, max(counts))], protocol=rule, draws=1)
    found = edits.evaluate_edits(photos, methods, counts=counts, protocol=rule, draws=_DRAWS.value, seed=seed)
    shown = photos[:: max(1, len(photos) // 4)][:4]
    columns = {name: method for name, method in methods.items() if name != "gray"}
    print(edit_report.summary(found))
    for path in edit_report.write(out, found, {"edits_sheet": edit_report.sheet(shown, columns, rule)}):
        print(f"wrote {path}")


def _learned(models: Mapping[str, str | Path]) -> dict[str, Propagate]:
    found = {}
    for name, place in models.items():
        colorizer = Colorizer.load(place)
        found[name] = edit_methods.learned(colorizer)
        found[f"{name}, alone"] = edit_methods.learned(colorizer, "alone")
    return found


def _classics(names: list[str]) -> dict[str, Propagate]:
    unknown = [name for name in names if name not in classical.METHODS]
    if unknown:
        raise ValueError(f"--classics has {unknown[0]!r}; allowed are {', '.join(classical.METHODS)}")
    return {name: classical.METHODS[name] for name in names}


def _counts(texts: list[str]) -> list[int]:
    if not texts or not all(text.isdigit() for text in texts):
        raise ValueError(f"--reveals is {','.join(texts)!r}; allowed are whole numbers from 0, with commas")
    return [int(text) for text in texts]


def _read(rule: reveals.Protocol, prepared: PhotoSource | None) -> list[edits.ColorPhoto]:
    archive = _PHOTOS.value
    if (archive is None) == (prepared is None):
        raise ValueError(
            "--task=edits needs --photos, a folder, zip or tar of colour photos, or --dataset, a prepared one; not both"
        )
    if archive is not None:
        photos = edits.load_photos(archive, rule.side)
    elif prepared is not None:  # screened for gray ones when it was prepared
        records = map(prepared.__getitem__, range(0, len(prepared), _step(len(prepared))))
        photos = [edits.color_photo(record.name, record.image, rule.side) for record in records]
    colored = []
    for photo in photos:
        if edits.is_gray(photo):
            print(f"left out: {photo.name} is gray")
        else:
            colored.append(photo)
    return colored[:: _step(len(colored))]


def _step(count: int) -> int:
    """Of so many photos every how many-th is one of at most --photos_limit."""
    return max(1, -(-count // _LIMIT.value)) if _LIMIT.value else 1
