"""Published numbers are data: no code of the evaluation knows a method by its name."""

import ast
from pathlib import Path

import pytest

from colorize_jax import evaluation, methods
from colorize_jax.evaluation import published

pytestmark = pytest.mark.quick

ROOM = Path(evaluation.__file__).parent
DATA = {"published.py"}
FILES = sorted(
    {*ROOM.glob("*.py"), *(ROOM.parent / "apps").glob("eval*.py"), ROOM.parent / "apps" / "report.py"}
)


@pytest.mark.parametrize("path", [p for p in FILES if p.name not in DATA], ids=lambda p: p.name)
def test_no_code_knows_a_method_by_its_name(path):
    tree = ast.parse(path.read_text())
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert not texts & set(methods.available())


def test_templates_know_none_either():
    text = "".join(path.read_text() for path in (ROOM / "templates").iterdir())
    assert text and not any(name in text for name in methods.available())


def test_every_method_that_is_named_exists_and_every_line_has_its_columns():
    tables = (*published.LOSS_TABLES, *published.METHOD_TABLES)
    claims = [variant.method for claim in published.CLAIMS for variant in (claim.better, claim.than)]
    named = {
        *published.ORDER,
        *published.TRAINED_WITH,
        *claims,
        *(name for t in tables for name in t.methods),
    }
    assert named <= set(methods.available())
    sets = {name for claim in published.CLAIMS for name in claim.data}
    assert sets <= set(published.DATASETS.values())
    for table in tables:
        assert all(
            len(line) == len(table.columns) for rows in table.values.values() for line in rows.values()
        )
    for table in published.METHOD_TABLES:
        assert all(set(table.methods.values()) <= set(rows) for rows in table.values.values())
