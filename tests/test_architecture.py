"""The house: imports go one way, functions are short, names mean one thing, the light path stays light.

Each equation that the documentation lists opens its function's docstring.
"""

import ast
import collections
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "colorize_jax"
# From the ground up. A module may import its own layer and those before it.
LAYERS = [
    {"shapes", "color", "config", "files"},
    {"photo", "photos"},
    {"gcrf", "classical", "data"},
    {"control", "losses", "models"},
    {"methods"},
    {"train", "bundle"},
    {"inference"},
    {"evaluation", "studio"},
    {"study"},
    {"configs", "apps"},
]
HEAVY = ("tensorflow", "tensorflow_datasets", "grain", "orbax", "optax", "matplotlib", "skimage")


def layer(name: str) -> int:
    return next(i for i, names in enumerate(LAYERS) if name in names)


def imported(path: Path) -> set[str]:
    """First-level modules of the package that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "colorize_jax":
            names = [f"colorize_jax.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("colorize_jax.")}
    return found


FILES = sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    upward = {name for name in imported(path) if layer(name) > layer(own)}
    assert not upward, f"{path.name} is in the layer of {own} and imports {upward} from above"


def test_no_two_rooms_lean_on_each_other_in_a_circle():
    rooms = {name for names in LAYERS for name in names}
    left = {room: set() for room in rooms}
    for path in FILES:
        own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        left[own] |= imported(path) - {own}
    assert sum(map(len, left.values())) <= 100, "rooms know too much of each other"
    while free := [room for room, needed in left.items() if not needed & set(left)]:
        for room in free:
            del left[room]
    assert not left, f"{sorted(left)} import each other in a circle"


def defined(path: Path, kind: type | tuple[type, ...]) -> list[ast.AST]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kind)]


def test_functions_are_short():
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = [(n.end_lineno - n.lineno + 1, f"{p.name}:{n.name}") for p in FILES for n in defined(p, kinds)]
    lines = sorted(found)
    median, p95, longest = lines[len(lines) // 2], lines[int(0.95 * len(lines))], lines[-1]
    assert median[0] <= 8 and p95[0] <= 32 and longest[0] <= 70, (median, p95, longest)


def test_a_public_type_name_means_one_thing():
    places = collections.defaultdict(list)
    for path in FILES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path.relative_to(PACKAGE)))
    assert not {name: found for name, found in places.items() if len(found) > 1}


def test_colorizing_loads_nothing_heavy():
    code = f"import sys, colorize_jax.inference.colorizer; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_workers_import_never_imports_jax():
    """All that reads photos, and every module that says so of itself."""
    named = [p for p in FILES if p.parent.name == "photos" or "must never import jax" in p.read_text()]
    names = [".".join(p.relative_to(ROOT).with_suffix("").parts) for p in named]
    code = (
        f"import importlib, sys; [importlib.import_module(n) for n in {names}]; print('jax' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def modules(path: Path) -> set[str]:
    """Top-level names that a file imports, anywhere in it."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_module_is_for_one_system_alone(path):
    missing = {"fcntl", "grp", "posix", "pwd", "resource", "syslog", "termios", "msvcrt", "winreg"}
    assert not modules(path) & missing, f"{path.name} cannot be imported on every system"


def test_orbax_is_imported_in_one_file():
    users = [p.name for p in FILES if re.search(r"^\s*(import|from) orbax", p.read_text(), re.MULTILINE)]
    assert users == ["checkpoints.py"]


EQUATION_ROW = re.compile(r"^\| (Eq\. \(\d+\)) \| `([\w.]+)` \|", re.MULTILINE)
EQUATIONS = EQUATION_ROW.findall((ROOT / "docs" / "equations.md").read_text())


def test_the_documentation_lists_the_equations():
    assert len(EQUATIONS) >= 6


def found(symbol: str) -> Callable[..., object]:
    module, _, name = symbol.rpartition(".")
    return getattr(importlib.import_module(f"colorize_jax.{module}"), name)


def bound(documentation: str) -> set[str]:
    """The arguments that a docstring binds letters to: by an entry under Args, or by "x is `field`"."""
    arguments = re.search(r"^Args:\n((?:  .*\n?)+)", documentation, re.MULTILINE)
    entries = re.findall(r"^  (\w[\w, ]*): ", arguments.group(1) if arguments else "", re.MULTILINE)
    in_words = re.findall(r"\S is `(\w+)", documentation)
    return {name.strip() for entry in entries for name in entry.split(",")} | set(in_words)


@pytest.mark.parametrize(("equation", "symbol"), EQUATIONS, ids=str)
def test_each_equation_opens_the_docstring_of_its_function(equation, symbol):
    documentation = inspect.getdoc(found(symbol)) or ""
    assert documentation.startswith(f"{equation}: "), f"{symbol} does not open with {equation}:"


@pytest.mark.parametrize("symbol", sorted({symbol for _, symbol in EQUATIONS}))
def test_letters_of_an_equation_are_bound_to_arguments(symbol):
    names = bound(inspect.getdoc(found(symbol)) or "")
    assert names, f"{symbol} binds no letter of its equation to an argument"
    unknown = names - inspect.signature(found(symbol)).parameters.keys()
    assert not unknown, f"{symbol} has no argument {unknown}, which its docstring names"
