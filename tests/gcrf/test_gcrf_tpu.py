"""The layer, forward and backward, compiled ahead of time for 16 TPU chips, which need not be there."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from colorize_jax import gcrf

PROGRAM = Path(__file__).with_name("tpu_program.py")


@pytest.mark.slow
@pytest.mark.skipif(find_spec("libtpu") is None, reason="libtpu is missing: pip install colorize_jax[aot]")
@pytest.mark.parametrize("solver", gcrf.SOLVERS)
def test_each_solver_compiles_for_tpu_and_gathers_nothing(solver):
    """pip install -e .[aot]; pytest -m slow tests/gcrf/test_gcrf_tpu.py."""
    # libtpu compiles; it must not look for chips, nor refuse a second program.
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "ALLOW_MULTIPLE_LIBTPU_LOAD": "1"}
    done = subprocess.run(
        [sys.executable, PROGRAM, solver], env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["chips"] == 16
    assert report["collectives"] == [
        "all-reduce"
    ]  # the mean of the loss, and the gradient of the temperature
