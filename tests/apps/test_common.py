"""What every program shares."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

APPS = Path(__file__).parents[2] / "colorize_jax" / "apps"

BLOCKS = """
import resource, sys
from colorize_jax.apps import common
if sys.argv[1] == "keep":
    common.keep_memory()
for turn in range(6):
    block = b"x" * (64 << 20)
    del block
    if turn == 0:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told to keep memory")
def test_kept_memory_is_not_mapped_anew():
    """Five more blocks of 64 MiB: 5 × 32 pages where huge ones are used, 81,920 else; none where memory is kept."""

    def faults(how):
        told = subprocess.run([sys.executable, "-c", BLOCKS, how], capture_output=True, text=True, check=True)
        return int(told.stdout)

    assert faults("keep") < 20 < 5 * 32 <= faults("default")


@pytest.mark.parametrize("path", sorted(APPS.glob("*.py")), ids=lambda p: p.name)
def test_programs_hold_flags_and_little_else(path):
    assert len(path.read_text().splitlines()) <= 150
