"""`launch/check_cases`: every case runs where it lies, and one that fails is told."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.quick

SCRIPT = Path(__file__).parents[2] / "launch" / "check_cases"


def check(folder, *arguments):
    command = [sys.executable, SCRIPT, folder, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.fixture
def cases(tmp_path):
    scripts = {
        "01_good": 'cd "$(dirname "$0")"; [ -x "$BIN/python3" ] && [ -s "$CONFIGS/scc.py" ] && [ -s photo ]',
        "02_elsewhere": "exit 77",
    }
    for name, script in scripts.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "photo").write_text("here")
        (tmp_path / name / "run.sh").write_text(f"#!/bin/bash\n# What is right | of {name}.\n{script}\n")
    (tmp_path / "README.md").touch()
    return tmp_path


def add(cases, name, script):
    (cases / name).mkdir()
    (cases / name / "run.sh").write_text(f"#!/bin/bash\n# Right.\n{script}\n")


def test_good_ones_and_those_that_cannot_be_told_pass(cases):
    done = check(cases)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split(" | ") for line in done.stdout.splitlines()[2:-1] if line.startswith("|")]
    assert [(row[0], row[1]) for row in rows] == [("| 01_good", "0"), ("| 02_elsewhere", "77")]
    assert rows[0][3] == "What is right / of 01_good. |"


def test_a_case_whose_photos_are_elsewhere_cannot_be_told(cases):
    add(cases, "03_absent", "grep -q here ../09_photos/photo")
    done = check(cases)
    assert done.returncode == 0
    assert "| 03_absent | 77 | 0 | Right. |\n    it reads ../09_photos, which is not there\n" in done.stdout
    add(cases, "04_beside", 'cd "$(dirname "$0")"; grep -q here ../01_good/photo')
    assert "| 04_beside | 0 |" in check(cases).stdout


def test_one_that_fails_is_told_with_what_it_printed(cases):
    add(cases, "03_bad", "echo the reason; exit 3")
    done = check(cases, "--show")
    assert done.returncode == 1 and "| 03_bad | 3 | 0 | Right. |\n    the reason\n1 failed" in done.stdout
    assert check(cases, "--only=01_good").returncode == 0


def test_one_that_hangs_ends_with_what_it_started(cases):
    add(cases, "04_hangs", "sleep 300 & sleep 300")
    done = check(cases, "--only=04_hangs", "--timeout_s=1")
    assert done.returncode == 1 and "| 04_hangs | 124 | 1 |" in done.stdout


def test_what_is_not_there_is_told(cases, tmp_path):
    assert "no case '05'" in check(cases, "--only=05").stderr
    assert "has no case" in check(tmp_path / "01_good").stderr
