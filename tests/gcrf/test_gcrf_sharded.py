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
    # What is sent is decided before the optimizations that tests leave out, which can only save some of it.
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


@pytest.mark.parametrize(("sizes", "images"), [("8 1 1", 2), ("2 1 4", 8), ("1 2 4", 8)])
def test_on_a_mesh_thin_arrays_alone_are_sent(report, sizes, images):
    """Devices along 'pixel' share each image's products: what they sum is as thin as CG's 18 landmark columns."""
    found = report[f"mesh {sizes}"]
    assert found["error"] < 1e-6
    assert found["collectives"] == []
    assert found["embeddings_shard"] == [images, 150, 6]
    assert found["largest_sum"] == (1 if images == 2 else images * 160 * 18)
