"""The pages' JavaScript: its types, its lint, and that it needs no build.

Needs Node, and once `npm install --prefix tests/studio/page_checks`.
"""

import re
import shutil
import subprocess
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHECKS = Path(__file__).with_name("page_checks")
PAGES = [ROOT / "colorize_jax" / room / "page" for room in ("studio", "study")]
IMPORT = re.compile(r'^(?:import|\} from|export .* from) .*?"(.+)";$', re.MULTILINE)


def imported(path: Path) -> set[str]:
    return {name.removeprefix("./") for name in IMPORT.findall(path.read_text())}


def run(tool: str, *arguments: str) -> None:
    program = CHECKS / "node_modules" / ".bin" / tool
    if shutil.which("node") is None or not program.exists():
        pytest.skip(f"{tool} is not here: npm install --prefix tests/studio/page_checks")
    done = subprocess.run([program, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_types():
    run("tsc", "--project", str(CHECKS))


def test_lint():
    run("eslint", f"--config={CHECKS / 'eslint.config.js'}", "colorize_jax")


def test_every_import_is_a_file_that_is_served_and_none_is_in_a_circle():
    served = {path.name for page in PAGES for path in page.iterdir()}
    imports = {path.name: imported(path) for page in PAGES for path in page.glob("*.js")}
    assert {"state.js", "stage.js"} <= imports["app.js"] and imports["study.js"]
    assert set().union(*imports.values()) <= served
    TopologicalSorter(imports).prepare()  # raises on a circle


def test_no_file_hides_another():
    """The study's server looks for a file in its own folder first, then in the studio's."""
    studio, study = ({path.name for path in page.iterdir()} for page in PAGES)
    assert studio & study == {"index.html"}
