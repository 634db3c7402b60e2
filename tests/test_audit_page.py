"""docs/audit.md: every row of the audit once, with a verdict; and every symbol that it names exists."""

import importlib
import re
from pathlib import Path

import pytest

from colorize_jax.config import load
from colorize_jax.methods import resolve

pytestmark = pytest.mark.quick

PAGE = (Path(__file__).parents[1] / "docs" / "audit.md").read_text()
ROWS = re.findall(r"^\| (\d[\d, –]*) \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]*)\|$", PAGE, re.MULTILINE)
"""(Numbers, where, what, verdict, symbols)."""


def numbers(cell):
    """Those of '1', '2, 3' and '4–6'."""
    spans = [[int(end) for end in part.split("–")] for part in cell.split(",")]
    return [number for span in spans for number in range(span[0], span[-1] + 1)]


def found(symbol):
    module, _, name = symbol.rpartition(".")
    return getattr(importlib.import_module(f"colorize_jax.{module}"), name)


def test_every_row_of_the_audit_is_there_once():
    assert [number for cell, *_ in ROWS for number in numbers(cell)] == list(range(1, 152))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_has_a_verdict_and_what_it_names_exists(row):
    _, _, _, verdict, here = row
    symbols = re.findall(r"`([\w.]+)`", here)
    kind = re.fullmatch(r"(OK|J|open|missing)([:;] .+)?", verdict.strip())
    assert kind, f"{verdict!r} is no verdict of the page's first table"
    assert symbols or kind[1] == "missing" or "nothing to do" in verdict
    assert kind[1] != "open" or kind[2], "what is open is said"
    for symbol in symbols:
        assert found(symbol) is not None


def test_fields_that_the_page_names_are_of_the_config():
    config = resolve(load("scc:paper=1"), images=64)
    section = PAGE[PAGE.index("## As printed") : PAGE.index("## Messaoud")]
    fields = re.findall(r"`((?:mdn|gcrf|loss|model)\.\w+)`", section)
    assert len(fields) >= 7
    for field in fields:
        group, name = field.split(".")
        assert name in config[group]
