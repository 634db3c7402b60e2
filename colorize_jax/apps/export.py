"""Makes a model for `colorize` of a training run: `colorize-export --workdir=runs/x --out=colorize_jax/weights/x`.

The networks that sampling needs, as float16, with the config and with the provenance: data sets, steps, images and
seconds of each stage, its last evaluation, versions, commits.
"""

from colorize_jax.apps import common  # first: it sets numpy's threads

# isort: split
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from absl import flags

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the training run.")
_OUT = flags.DEFINE_string(
    "out", None, "Folder of the model; colorize_jax/weights/NAME puts it into the package."
)
_LICENSES = flags.DEFINE_multi_string("licence", [], "NAME=TEXT, the licence of a data set; may be repeated.")
_BEST = flags.DEFINE_bool(
    "best", False, "The best variables of the last stage, by config.checkpoint.best, in place of its last."
)
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace a model that is already in --out.")


def main(arguments: Sequence[str]) -> None:
    """Writes the model that the flags name."""
    if arguments or not _WORKDIR.value or not _OUT.value:
        raise ValueError("usage: colorize-export --workdir=runs/NAME --out=FOLDER; --help lists all flags")
    from colorize_jax.train import export

    workdir, out = Path(_WORKDIR.value), Path(_OUT.value)
    if (out / "weights.npz").exists() and not _OVERWRITE.value:
        raise ValueError(f"{out} holds a model already; give another --out, or --overwrite")
    export.export(workdir, out, _parsed(_LICENSES.value), best=_BEST.value)
    print(f"wrote {out} ({os.path.getsize(out / 'weights.npz') / 1e6:.1f} MB of weights)")


def _parsed(pairs: list[str]) -> dict[str, str]:
    bad = [pair for pair in pairs if "=" not in pair]
    if bad:
        raise ValueError(f"--licence is {bad[0]!r}; it must be NAME=TEXT")
    return dict(pair.split("=", 1) for pair in pairs)


def cli() -> NoReturn:
    """Entry point of the console script `colorize-export`."""
    common.run(main)


if __name__ == "__main__":
    cli()
