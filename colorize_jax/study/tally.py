"""What the votes of a user study say: Table 1 of Messaoud et al. 2018, with intervals, and what does not count.

The paper filters inattentive participants by their clicking speed and states no threshold. Here a vote is quick below
`QUICK_MS`, and a rater is inattentive where more than the share `QUICK_SHARE` of their votes are quick. Neither counts.
Both stay in the database, so that other thresholds can be tried.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any, NamedTuple

from scipy.stats import binomtest

from colorize_jax.study.votes import Vote

QUICK_MS = 700
"""Milliseconds: to look once at each of two pictures takes two fixations of a quarter of a second or more, and to press
a key some 200 ms. Who is quicker has hardly compared them."""

QUICK_SHARE = 0.25
"""A quarter: who clicks without looking is quick nearly always, who is attentive nearly never."""

_CONFIDENCE = 0.95


_PAIRS = (("scc", "vae_mdn"), ("scc", "pic"), ("vae_mdn", "pic"))

PUBLISHED = {
    "lfw": (61.12, 59.04, 57.17),
    "church": (66.89, 71.61, 54.46),
    "imagenet_val": (54.79, 66.98, 62.88),
}
"""Table 1 of Messaoud et al. 2018, percent: their method (`scc`) over VAE-MDN and over PIC, and VAE-MDN over PIC."""

_RATERS = "5,374 votes of 271 people"


class WinningShare(NamedTuple):
    """`wins` of `votes`, and Wilson's 95% interval of the share, 0 to 1."""

    wins: int
    votes: int
    low: float
    high: float

    @property
    def value(self) -> float | None:
        """0 to 1; None without votes."""
        return self.wins / self.votes if self.votes else None


def share(wins: int, votes: int) -> WinningShare:
    """A share with its interval, [0, 1] where there are no votes."""
    if not votes:
        return WinningShare(0, 0, 0.0, 1.0)
    interval = binomtest(wins, votes).proportion_ci(_CONFIDENCE, method="wilson")
    return WinningShare(wins, votes, float(interval.low), float(interval.high))


class Preference(NamedTuple):
    """How often `first` was found more realistic than `second`.

    Attributes:
      pictures: the folder within the methods' that they lie in, '' for none; None for all pictures together.
      won: the share of the votes that count for `first`.
      cast: votes, with those that do not count.
    """

    pictures: str | None
    first: str
    second: str
    won: WinningShare
    cast: int


class Tally(NamedTuple):
    """The result of a study.

    Attributes:
      preferences: for each folder of pictures and every two methods.
      raters: who voted at all.
      inattentive: raters who do not count.
      cast: all votes.
      of_inattentive: votes that do not count because of their rater.
      quick: votes that do not count because of their own time.
      left: of the votes that count, how many chose the left picture.
      quick_ms, quick_share: the thresholds.
    """

    preferences: list[Preference]
    raters: int
    inattentive: int
    cast: int
    of_inattentive: int
    quick: int
    left: WinningShare
    quick_ms: int
    quick_share: float


def tally(votes: Sequence[Vote], quick_ms: int = QUICK_MS, quick_share: float = QUICK_SHARE) -> Tally:
    """Counts the votes.

    Args:
      votes: all that were cast.
      quick_ms: a vote of fewer milliseconds does not count.
      quick_share: 0 to 1; of a rater of whose votes more than this share are quick, none counts.
    """
    cast = Counter(vote.rater for vote in votes)
    quick = Counter(vote.rater for vote in votes if vote.milliseconds < quick_ms)
    inattentive = {rater for rater in cast if quick[rater] > quick_share * cast[rater]}
    attentive = [vote for vote in votes if vote.rater not in inattentive]
    counted = [vote for vote in attentive if vote.milliseconds >= quick_ms]
    return Tally(
        preferences=_preferences(votes, counted),
        raters=len(cast),
        inattentive=len(inattentive),
        cast=len(votes),
        of_inattentive=len(votes) - len(attentive),
        quick=len(attentive) - len(counted),
        left=share(sum(vote.choice == "left" for vote in counted), len(counted)),
        quick_ms=quick_ms,
        quick_share=quick_share,
    )


def _preferences(votes: Sequence[Vote], counted: Sequence[Vote]) -> list[Preference]:
    folders: list[str | None] = [*sorted({_folder(vote) for vote in votes})]
    if len(folders) > 1:
        folders.append(None)
    made = []
    for folder, methods in product(folders, sorted({vote.pair.methods for vote in votes})):
        cast, valid = (_of(each, folder, methods) for each in (votes, counted))
        won = share(sum(vote.winner == methods[0] for vote in valid), len(valid))
        made.append(Preference(folder, *methods, won, len(cast)))
    return made


def _of(votes: Iterable[Vote], folder: str | None, methods: tuple[str, str]) -> list[Vote]:
    return [v for v in votes if v.pair.methods == methods and folder in (None, _folder(v))]


def _folder(vote: Vote) -> str:
    return vote.pair.picture.rpartition("/")[0]


def to_json(found: Tally) -> str:
    """The numbers of `to_text`, shares from 0 to 1."""

    def plain(value: Any) -> Any:
        if isinstance(value, WinningShare):
            return {"share": value.value, **value._asdict()}
        if isinstance(value, Preference | Tally):
            return {name: plain(each) for name, each in value._asdict().items()}
        return [plain(each) for each in value] if isinstance(value, list) else value

    return json.dumps(plain(found), indent=1, allow_nan=False)


def to_text(found: Tally) -> str:
    """The table, and below it what was not counted and why."""
    if not found.cast:
        return f"{_TITLE}\n\nNo votes yet.\n\n{beside_published(found)}"
    lines = [("pictures", "methods", "first wins", "95% interval", "votes", "not counted")]
    lines += [
        (
            "all" if each.pictures is None else each.pictures or "–",
            f"{each.first} vs {each.second}",
            *_cells(each.won),
            str(each.won.votes),
            str(each.cast - each.won.votes),
        )
        for each in found.preferences
    ]
    counted = found.cast - found.of_inattentive - found.quick
    percent, interval = _cells(found.left)
    notes = [
        f"{counted:,} of {found.cast:,} votes count, from {found.raters - found.inattentive} of {found.raters} raters.",
        f"Not counted: {found.of_inattentive:,} votes by inattentive raters ({found.inattentive}, less than "
        f"{found.quick_ms} ms in more than {100 * found.quick_share:g}% of their votes), and {found.quick:,} other "
        f"votes of less than {found.quick_ms} ms.",
        f"The left picture was chosen in {percent} ({interval}) of the votes that count.",
        "Intervals are Wilson's, for independent votes; those of one rater or on one picture are not quite that.",
    ]
    return "\n".join([_TITLE, "", *_aligned(lines), "", *notes, "", beside_published(found)])


def beside_published(found: Tally) -> str:
    """Table 1 of Messaoud et al. 2018 with these votes in it: how often the first of two methods wins."""
    lines = [("pictures", "methods", "first wins", "95% interval", "votes", "published")]
    compared = {(each.pictures, frozenset((each.first, each.second))): each for each in found.preferences}
    votes = 0
    for folder, percents in PUBLISHED.items():
        for (first, second), percent in zip(_PAIRS, percents, strict=True):
            own = compared.get((folder, frozenset((first, second))))
            won = _of_first(own, first) if own else share(0, 0)
            votes += won.votes
            pair = f"{first} vs {second}"
            lines.append((folder, pair, *_cells(won), str(won.votes), f"{percent}%"))
    note = f"Published: {_RATERS}."
    if not votes:
        note = f"No study was run here: there are no votes on these. {note}"
    return "\n".join([*_aligned(lines), "", note])


def _of_first(each: Preference, first: str) -> WinningShare:
    """How often that method of the two won."""
    won = each.won
    return won if each.first == first else share(won.votes - won.wins, won.votes)


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


_TITLE = "User study: which of two pictures is more realistic (Messaoud et al. 2018, Table 1)"


def _cells(won: WinningShare) -> tuple[str, str]:
    if won.value is None:
        return "–", "–"
    return f"{won.value:.1%}", f"{won.low:.1%} to {won.high:.1%}"
