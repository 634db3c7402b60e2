"""Makes one HTML page of evaluations: `colorize-report --evaluations=evaluation --out=report`.

An evaluation is the folder that `colorize-eval --methods=…` wrote; several, with commas, become sections of one page.
`index.html` needs no network and no other file; its pictures are written beside it as PNGs. Training curves are read
from the runs' folders, where these still exist.
"""

from colorize_jax.apps import common  # first: it sets numpy's threads

# isort: split
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from absl import flags

_EVALUATIONS = flags.DEFINE_list("evaluations", ["evaluation"], "Folders that colorize-eval wrote.")
_OUT = flags.DEFINE_string("out", "report", "Folder to write to.")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace a report that is already in --out.")


def main(arguments: Sequence[str]) -> None:
    """Writes the page that the flags name."""
    if arguments:
        raise ValueError(f"unexpected {' '.join(arguments)}; colorize-report takes flags only, see --help")
    from colorize_jax.evaluation import page

    out = Path(_OUT.value)
    if (out / "index.html").exists() and not _OVERWRITE.value:
        raise ValueError(f"{out} holds a report already; give another --out, or --overwrite")
    comparisons = [page.read_comparison(Path(folder)) for folder in _EVALUATIONS.value]
    paths = page.write(out, comparisons, command=shlex.join(["colorize-report", *sys.argv[1:]]))
    print(f"wrote {paths[0]} ({paths[0].stat().st_size / 1e6:.1f} MB) and {len(paths) - 1} PNGs beside it")


def cli() -> NoReturn:
    """Entry point of the console script `colorize-report`."""
    common.run(main)


if __name__ == "__main__":
    cli()
