"""The votes of a user study, in SQLite.

Table `votes` has a row for each pair that was issued to a rater, which has its choice once the rater has voted. Every
vote is kept; which of them count is decided by `tally`. Table `pictures` has the digests of what was shown.
"""

import contextlib
import secrets
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from colorize_jax.study.study import Pair

SIDES = ("left", "right")

_APPLICATION = 0x53434356  # in the header of the file: SQLite's place for telling whose it is
_SCHEMA = f"""
BEGIN;
PRAGMA application_id = {_APPLICATION};
CREATE TABLE votes (
  rater TEXT NOT NULL,
  number INTEGER NOT NULL,  -- from 0, in the order of showing
  picture TEXT NOT NULL,
  left_method TEXT NOT NULL,
  right_method TEXT NOT NULL,
  choice TEXT CHECK (choice IN ('left', 'right')),  -- NULL until the rater has voted, as the next two
  milliseconds INTEGER,  -- from when both pictures were shown
  time TEXT,  -- UTC, of the vote's arrival
  PRIMARY KEY (rater, number)
) STRICT;
CREATE UNIQUE INDEX once ON votes
  (rater, picture, min(left_method, right_method), max(left_method, right_method));
CREATE TABLE pictures (
  method TEXT NOT NULL, picture TEXT NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY (method, picture)
) STRICT;
COMMIT;
"""


class Vote(NamedTuple):
    """One choice.

    Attributes:
      rater: who chose; an id without a person's name.
      pair: what was shown.
      choice: 'left' or 'right'.
      milliseconds: from when both pictures were shown to the choice.
    """

    rater: str
    pair: Pair
    choice: str
    milliseconds: int

    @property
    def winner(self) -> str:
        """The method that was chosen."""
        return self.pair.left if self.choice == "left" else self.pair.right


class Votes:
    """A database of votes. Several processes may have one open; a `Votes` is for one thread at a time."""

    def __init__(self, path: Path, *, create: bool = False):
        """Opens a database that exists; with `create`, makes one that does not.

        Raises:
          ValueError: it does not exist, cannot be opened or made, or is no database of votes.
        """
        if not path.exists() and not create:
            raise ValueError(f"{path} does not exist: no votes yet; run colorize-studio --study=FOLDER first")
        new = not path.exists()
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            if new:
                self._db.executescript(_SCHEMA)
            (found,) = self._db.execute("PRAGMA application_id").fetchone()
            if found != _APPLICATION:
                raise sqlite3.DatabaseError("file is of another kind")
            self._db.execute("PRAGMA journal_mode = WAL")  # `tally` reads while a rater votes
        except sqlite3.Error as error:
            raise ValueError(f"{path} is not used as a database of votes: {error}; {_ANOTHER}") from error

    def close(self) -> None:
        self._db.close()

    def keep(self, digests: Mapping[tuple[str, str], str]) -> None:
        """Remembers which pictures the votes are of, so that votes on different ones are not mixed.

        Args:
          digests: SHA-256 by (method, picture).

        Raises:
          ValueError: a picture is not the one that was shown under its name before.
        """
        before = {(method, name): sha for method, name, sha in self._db.execute("SELECT * FROM pictures")}
        for (method, name), digest in digests.items():
            if before.get((method, name), digest) != digest:
                raise ValueError(
                    f"{method}/{name} has changed since votes on it were begun; put it back, or {_ANOTHER}"
                )
        rows = [(*key, digest) for key, digest in digests.items()]
        with self._transaction():
            self._db.executemany("INSERT OR IGNORE INTO pictures VALUES (?, ?, ?)", rows)

    def begin(self, pairs: Sequence[Pair]) -> str:
        """Issues pairs to a new rater, whose id it returns; the id cannot be guessed."""
        rater = secrets.token_urlsafe(16)
        rows = [(rater, number, *pair) for number, pair in enumerate(pairs)]
        insert = (
            "INSERT INTO votes (rater, number, picture, left_method, right_method) VALUES (?, ?, ?, ?, ?)"
        )
        with self._transaction():
            self._db.executemany(insert, rows)
        return rater

    def issued(self, rater: str) -> list[tuple[Pair, bool]]:
        """The rater's pairs in order, and whether each is voted on; [] for a rater that is not known."""
        query = "SELECT picture, left_method, right_method, choice FROM votes WHERE rater = ? ORDER BY number"
        return [(Pair(*pair), choice is not None) for *pair, choice in self._db.execute(query, (rater,))]

    def cast(self, rater: str, number: int, choice: str, milliseconds: int) -> bool:
        """Votes on an issued pair; False where it is not issued to this rater, or voted on already."""
        update = (
            "UPDATE votes SET choice = ?, milliseconds = ?, time = ? "
            "WHERE rater = ? AND number = ? AND choice IS NULL"
        )
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        return self._db.execute(update, (choice, milliseconds, time, rater, number)).rowcount == 1

    def all(self) -> list[Vote]:
        """Every vote, rater by rater."""
        query = (
            "SELECT rater, picture, left_method, right_method, choice, milliseconds FROM votes "
            "WHERE choice IS NOT NULL ORDER BY rater, number"
        )
        return [Vote(row[0], Pair(*row[1:4]), *row[4:]) for row in self._db.execute(query)]

    def counts(self) -> dict[tuple[str, tuple[str, str]], int]:
        """How many votes there are, by (picture, methods)."""
        query = (
            "SELECT picture, min(left_method, right_method), max(left_method, right_method), count(*) FROM votes "
            "WHERE choice IS NOT NULL GROUP BY 1, 2, 3"
        )
        return {(picture, (a, b)): count for picture, a, b, count in self._db.execute(query)}

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


_ANOTHER = "give another --study_votes"
