"""The flags of `colorize-studio --study`, and what it does with them."""

import socket
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from colorize_jax.study import tally
from colorize_jax.study.study import read_study
from colorize_jax.study.votes import Votes

if TYPE_CHECKING:
    import uvicorn

    from colorize_jax.studio.door import Door

FOLDER = flags.DEFINE_string(
    "study",
    None,
    "Instead of the studio, a user study: which of two versions is more realistic? A folder with one of pictures for "
    "each method, such as `colorize photos --out=STUDY/METHOD` writes; pictures of one name are compared.",
)
_PAIRS = flags.DEFINE_integer("study_pairs", 20, "Pairs that each rater is asked.", lower_bound=1)
_VOTES = flags.DEFINE_string("study_votes", None, "The votes' database; votes.sqlite in --study by default.")
_TALLY = flags.DEFINE_bool("tally", False, "Print what the votes of --study say, and serve nothing.")
_JSON = flags.DEFINE_bool("json", False, "Of --tally, as JSON.")
_QUICK_MS = flags.DEFINE_integer(
    "quick_ms", tally.QUICK_MS, "--tally does not count votes that took less, in milliseconds.", lower_bound=0
)
_QUICK_SHARE = flags.DEFINE_float(
    "quick_share",
    tally.QUICK_SHARE,
    "--tally does not count raters of whose votes a larger share than this took less.",
    lower_bound=0.0,
    upper_bound=1.0,
)


def check() -> None:
    """Raises: ValueError, for flags that need another one."""
    for needed, others in ((FOLDER, (_PAIRS, _VOTES, _TALLY)), (_TALLY, (_JSON, _QUICK_MS, _QUICK_SHARE))):
        given = [flag.name for flag in others if flags.FLAGS[flag.name].present]
        if given and not needed.value:
            raise ValueError(f"--{given[0]} is given without --{needed.name}; add it")


def tallied() -> str | None:
    """What `--tally` prints; None without it.

    Raises:
      ValueError: there are no votes, or what should be their database is none.
    """
    if not _TALLY.value:
        return None
    votes = Votes(_path())
    found = tally.tally(votes.all(), _QUICK_MS.value, _QUICK_SHARE.value)
    votes.close()
    return tally.to_json(found) if _JSON.value else tally.to_text(found)


def server(listening: socket.socket, door: "Door | None" = None) -> "uvicorn.Server":
    """The study on a socket, behind a door where there is one; prints what is compared.

    Raises:
      ValueError: a folder that is no study (see `read_study`), or a file that is not used for its votes.
    """
    from colorize_jax.studio import serve
    from colorize_jax.study.server import Booth, application

    study = read_study(_folder())
    votes = Votes(_path(), create=True)
    votes.keep(study.digests())
    booth = Booth(study, votes, _PAIRS.value)
    methods = ", ".join(study.methods)
    print(f"{len(booth.pairs):,} pairs of {methods}; {booth.number} for each rater; votes go to {_path()}")
    if study.left_out:
        print(
            f"{len(study.left_out):,} pictures have no partner and are left out, such as {study.left_out[0]}"
        )
    return serve.server_of(application(booth, serve.hosts(listening), door))


def _folder() -> Path:
    return Path(FOLDER.value or "")


def _path() -> Path:
    return Path(_VOTES.value) if _VOTES.value else _folder() / "votes.sqlite"
