"""`colorize-eval --task=edits` and `--task=strokes`: a model and the classics on the same photos, edited alike.

    colorize-eval --task=edits --photos=imagenet-samples.zip --model=default --out=edits
    colorize-eval --task=edits --dataset=lfw_deepfunneled --dir=data --photos_limit=200 --out=edits_lfw

The paper's own S, the last column of its Table 3, is a run without `config.spread`, edited alone:

    colorize-train --config=scc:data=imagenet_val --workdir=runs/scc
    colorize-eval --task=edits --photos=imagenet-samples.zip --methods=scc=runs/scc,default --out=table_3

`--workdir=runs/scc` measures it alone. Writes edits.json, edits.md, edits.png and a contact sheet of four photos into
--out, and prints the tables: PSNR by reveals, the first model's paired differences to all others, published curves of
the same protocol (other images), and whether the published order is found.

    colorize-eval --task=strokes --segmentations=bsds500.zip --classics=levin,bilateral_solver --out=strokes

marks the larger segments of people who divided the photos, and tells how much of each takes its mark's colour and how
much of a colour lies elsewhere (`evaluation.strokes`); into --out go strokes.json, strokes.md and a sheet.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from colorize_jax.data.prepared import PhotoSource
from colorize_jax.evaluation import reveals

if TYPE_CHECKING:
    from colorize_jax.evaluation.candidates import Candidate

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
    "classics",
    ["gray", "constant", "levin", "bilateral_solver", "deepprop"],
    "Of colorize_jax.classical; also random_walker, geodesic.",
)


def run(models: "Mapping[str, Candidate]", prepared: PhotoSource | None, out: Path, *, seed: int) -> None:
    """Measures the models and the classics that the flags name.

    Args:
      models: released ones, or training runs.
      prepared: photos to measure on, without --photos.
      out: folder to write to.
      seed: of the reveals.

    Raises:
      ValueError: a flag's value that cannot be used.
    """
    from colorize_jax.evaluation import edit_run

    rule, counts = reveals.protocol(_PROTOCOL.value), _counts(_COUNTS.value)
    classics, source = edit_run.classics(_CLASSICS.value), _source(_PHOTOS.value, prepared)
    photos = edit_run.colored_photos(source, rule.side, limit=_LIMIT.value)
    methods = edit_run.learned(models) | classics
    edit_run.run(photos, methods, out, counts=counts, protocol=rule, draws=_DRAWS.value, seed=seed)


def run_strokes(models: "Mapping[str, Candidate]", archive: str | None, out: Path) -> None:
    """Measures how the models and the classics that the flags name fill people's segments.

    Args:
      models: released ones, or training runs.
      archive: BSDS500's, with photos and ground truth.
      out: folder to write to.

    Raises:
      ValueError: no archive, or a flag's value that cannot be used.
    """
    from colorize_jax.evaluation import edit_run, stroke_report

    if archive is None:
        raise ValueError("--task=strokes needs --segmentations, BSDS500's archive of photos and segments")
    methods = edit_run.learned(models) | edit_run.classics(_CLASSICS.value)
    stroke_report.run(stroke_report.divided_photos(archive, limit=_LIMIT.value), methods, out)


def _counts(texts: list[str]) -> list[int]:
    if not texts or not all(text.isdigit() for text in texts):
        raise ValueError(f"--reveals is {','.join(texts)!r}; allowed are whole numbers from 0, with commas")
    return [int(text) for text in texts]


def _source(archive: str | None, prepared: PhotoSource | None) -> str | PhotoSource:
    given = [source for source in (archive, prepared) if source is not None]
    if len(given) != 1:
        raise ValueError(
            "--task=edits needs --photos, a folder, zip or tar of colour photos, or --dataset, a prepared one; not both"
        )
    return given[0]
