"""A batch sharded over 8 devices: same gradients, and no solve operand travels between devices."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from colorize_jax import gcrf


@pytest.fixture(scope="module")
def report():
    flags = "--xla_force_host_platform_device_count=8 --xla_cpu_multi_thread_eigen=false"
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "OPENBLAS_NUM_THREADS": "1"}
    # A collective blocks a thread of XLA's pool, which has one thread a core: with fewer cores than devices
    # the 8 devices wait for each other until XLA kills the process. NPROC is the pool's size.
    environment["NPROC"] = "64"
    root = Path(__file__).parents[2]
    environment["PYTHONPATH"] = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    program = Path(__file__).with_name("sharded_program.py")
    done = subprocess.run(
        [sys.executable, program], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("way", ["jit cholesky", *(f"shard_map {solver}" for solver in gcrf.SOLVERS)])
def test_sharded_gradients_agree_and_nothing_is_gathered(report, way):
    assert report[way]["error"] < 1e-6
    assert report[way]["collectives"] == []
    assert report[way]["embeddings_shard"] == [2, 150, 6]
