"""What each departure of the released model from the printed one gains or loses: `python benchmarks/departures.py`.

    python benchmarks/departures.py --root=runs/departures --dir=data             # three seeds: days on a CPU
    python benchmarks/departures.py --root=runs/departures --dir=data --dry_run   # prints what would run
    python benchmarks/departures.py --root=runs/departures --only=table           # of what is there already

`scc:paper=1` is trained at a quarter of the width, one run a stage. A departure begins with the networks that come
before the first stage that it concerns, and trains the rest with its own fields and the same seed. All are scored by
`colorize-eval` with codes drawn from the mixture, as printed. The table has each departure's value, and its difference
to the printed model on the same images: the first ± is the standard error over the images, the second one over the
seeds. All arguments that begin with `--config.` go to every colorize-train, all with `--eval.` to colorize-eval. The
same command goes on where it was stopped.
"""

import argparse
import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

STAGES = ("features", "unary", "structure", "mdn")


class Departure(NamedTuple):
    """The fields that differ from `scc:paper=1`, and the first stage that reads them.

    `first` 'modes' is a stage after those of the paper; 'sampling' trains nothing, and `fields` are flags of
    colorize-eval.
    """

    first: str
    fields: dict[str, Any]


OWN_FEATURES = "features of our own network"

DEPARTURES = {
    OWN_FEATURES: Departure("features", {"features.network": "small", "data.lightness_large": 0}),
    "no dropout": Departure("unary", {"model.dropout": 0.0, "mdn.dropout": 0.0}),
    "absolute error": Departure("unary", {"loss.reconstruction": "absolute", "loss.kl_weight": 4e-4}),
    "diagonal excluded": Departure("structure", {"gcrf.exclude_diagonal": True}),
    "temperature learned": Departure("structure", {"gcrf.temperature": 0.0, "gcrf.learn_temperature": True}),
    "both of them": Departure(
        "structure",
        {"gcrf.exclude_diagonal": True, "gcrf.temperature": 0.0, "gcrf.learn_temperature": True},
    ),
    "gray on all pixels": Departure("structure", {"gcrf.floor_on": "all"}),
    "the unary's own error": Departure("structure", {"loss.unary_weight": 1.0}),
    "density of Eq. (5)": Departure("structure", {"loss.likelihood_noise": 1.0}),
    "mean codes": Departure("mdn", {"mdn.code": "mean"}),
    "relaxed assignment": Departure("mdn", {"mdn.relaxation": 0.05}),
    "deviation 0.1": Departure("mdn", {"mdn.sigma": 0.1}),
    "stage modes": Departure("modes", {"modes.learned": True}),
    "modes shown": Departure("sampling", {"rule": "modes"}),
}
"""By what stands in the table. The density is no departure of the released model but the other reading of Eq. (7)."""

METRICS = (
    ("error of best", "field", "eob_mae"),
    ("from the true code", "reconstruction", "eob_mae"),
    ("variance", "field", "variance"),
    ("bleed", "field", "bleed"),
)
"""Columns: title, row of the evaluation, metric."""


def main(arguments: Sequence[str]) -> int:
    """Trains, scores and prints the table; or prints the commands."""
    known, others = _parser().parse_known_args(arguments)
    if told := _mistake(known, others):
        print(f"error: {told}", file=sys.stderr)
        return 1
    seeds = [int(seed) for seed in known.seeds.split(",")]
    if known.only != "table":
        for seed in seeds:
            for command in commands(known, seed, others):
                if known.dry_run:
                    print(shlex.join(command))
                elif code := subprocess.run(command, check=False).returncode:
                    return code if code > 0 else 128 - code
    if not known.dry_run:
        print(table([Path(known.root) / f"seed{seed}" / "evaluation" for seed in seeds]))
    return 0


def _mistake(known: Any, others: Sequence[str]) -> str | None:
    unknown = [a for a in others if not a.startswith(("--config.", "--eval."))]
    if unknown:
        return f"unknown {' '.join(unknown)}; --help lists the flags"
    if absent := [name for name in known.departures.split(",") if name not in DEPARTURES]:
        return f"--departures is {absent[0]!r}; it must be some of {', '.join(DEPARTURES)}"
    return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--root", default="runs/departures")
    parser.add_argument("--dir", default="data", help="where colorize-data prepared the data set")
    parser.add_argument("--data", default="lfw", help="argument `data` of the config")
    parser.add_argument("--features", default="cic", help="argument `features` of the config")
    parser.add_argument("--width", default="0.25", help="of every network; 1 is the paper's")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--departures", default=",".join(DEPARTURES), help="some of them, with commas")
    parser.add_argument("--only", choices=("table",), help="trains and scores nothing")
    parser.add_argument("--dry_run", action="store_true")
    return parser


def commands(known: Any, seed: int, others: Sequence[str]) -> Iterable[list[str]]:
    """Those of one seed: the printed model stage by stage, each departure, and the scores."""
    root = Path(known.root) / f"seed{seed}"
    overrides = [a for a in others if a.startswith("--config.")]
    common = [
        f"--config=scc:paper=1,data={known.data},features={known.features}", f"--config.width={known.width}",
        f"--config.seed={seed}", f"--config.data.dir={known.dir}", *overrides,
    ]  # fmt: skip
    for number, stage in enumerate(STAGES, start=1):
        yield _train(root, f"printed_{stage}", stage, STAGES[:number], common)
    chosen = {name: DEPARTURES[name] for name in known.departures.split(",")}
    if known.features == "small":
        chosen.pop(OWN_FEATURES, None)
    trained = {name: one for name, one in chosen.items() if one.first != "sampling"}
    for name, one in trained.items():
        plan = (*STAGES, "modes") if one.first == "modes" else STAGES
        fields = [f"--config.{field}={value}" for field, value in one.fields.items()]
        yield _train(root, _folder(name), one.first, plan, common + fields)
    flags = [a.replace("--eval.", "--", 1) for a in others if a.startswith("--eval.")]
    places = {"printed": "printed_mdn"} | {_folder(name): _folder(name) for name in trained}
    yield _score(root, places, {"rule": "random"}, known.dir, flags)
    for name, one in chosen.items():
        if one.first == "sampling":
            yield _score(root, {_folder(name): "printed_mdn"}, one.fields, known.dir, flags)


def _train(root: Path, folder: str, first: str, plan: Sequence[str], flags: Sequence[str]) -> list[str]:
    """Trains the stages of `plan` from `first` on, and begins with the printed networks of those before."""
    kept = plan[: plan.index(first)]
    begins = [f"--config.init_from={root / f'printed_{kept[-1]}'}"] if kept else []
    return [
        "colorize-train", *flags, f"--workdir={root / folder}", f"--config.plan={tuple(plan)}", *begins,
        *(f"--config.stages.{stage}.epochs=0.0" for stage in kept),
    ]  # fmt: skip


def _score(
    root: Path, places: dict[str, str], options: dict[str, Any], data: str, flags: Sequence[str]
) -> list[str]:
    methods = ",".join(f"{name}={root / folder}" for name, folder in places.items())
    rule = [f"--{option}={value}" for option, value in options.items()]
    return [
        "colorize-eval",
        f"--methods={methods}",
        f"--out={root / 'evaluation'}",
        f"--dir={data}",
        *rule,
        *flags,
    ]


def _folder(name: str) -> str:
    """Of a departure's run and evaluation."""
    return "".join(c if c.isalnum() else "_" for c in name)


def table(evaluations: Sequence[Path]) -> str:
    """Markdown of the departures that all evaluations have.

    Args:
      evaluations: one folder a seed.
    """
    printed = [_scores(folder / "printed") for folder in evaluations]
    lines = ["| | " + " | ".join(title for title, *_ in METRICS) + " |", "|---|" + "---|" * len(METRICS)]
    lines += [_line("as printed", [_mean([one[m] for one in printed]) for m in range(len(METRICS))])]
    for name in DEPARTURES:
        folders = [folder / _folder(name) for folder in evaluations]
        if all((folder / "per_image.json").is_file() for folder in folders):
            own = [_scores(folder) for folder in folders]
            pairs = [([a[m] for a in own], [b[m] for b in printed]) for m in range(len(METRICS))]
            lines.append(_line(name, [_beside(*pair) for pair in pairs]))
    return "\n".join(lines)


def _line(name: str, cells: Sequence[str]) -> str:
    return f"| {name} | " + " | ".join(cells) + " |"


def _scores(evaluation: Path) -> list[np.ndarray]:
    """Of each of `METRICS`, one value an image."""
    from colorize_jax.evaluation import records

    rows = records.per_image_from_json((evaluation / "per_image.json").read_text(encoding="utf-8"))
    return [np.asarray(rows[row][metric], np.float64) for _, row, metric in METRICS]


def _mean(seeds: Sequence[np.ndarray]) -> str:
    return f"{np.nanmean(seeds):.4g}"


def _beside(own: Sequence[np.ndarray], printed: Sequence[np.ndarray]) -> str:
    """The mean of `own`, and the difference with its errors over images and over seeds."""
    difference = np.stack(own) - np.stack(printed)
    images, seeds = np.nanmean(difference, axis=0), np.nanmean(difference, axis=1)
    told = f"{_mean(own)} ({np.nanmean(difference):+.2g} ± {_error(images):.1g}"
    return f"{told} ± {_error(seeds):.1g})" if len(seeds) > 1 else f"{told})"


def _error(values: np.ndarray) -> float:
    """Standard error of the mean of those that exist."""
    there = values[np.isfinite(values)]
    return float(there.std(ddof=1) / len(there) ** 0.5)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
