"""Several independent solves in one program finish, also with two threads (see cholesky.one_by_one_on_cpu)."""

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).with_name("independent_solves.py")


def test_independent_solves_do_not_wait_for_each_other_for_ever(whole_compiler):
    # NPROC sets the size of XLA's thread pool; without the fix this hung on two cores.
    done = subprocess.run(
        [sys.executable, str(PROGRAM)],
        env={**os.environ, "NPROC": "2"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout.strip() == "done", done.stderr
