"""The structure stage of `scc` on 1, 2 and 8 devices: the same step, and nothing sent but sums and gathers of state."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    # NPROC: see tests/gcrf/test_gcrf_sharded.py.
    environment = os.environ | {
        "XLA_FLAGS": "--xla_force_host_platform_device_count=8 --xla_cpu_multi_thread_eigen=false",
        "JAX_PLATFORMS": "cpu",
        "OPENBLAS_NUM_THREADS": "1",
        "NPROC": "64",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    program = Path(__file__).with_name("topology_program.py")
    done = subprocess.run(
        [sys.executable, program, tmp_path_factory.mktemp("run")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=580,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("sizes", ["2 1", "8 1", "2 4"])
def test_a_step_is_the_same_on_any_mesh(report, sizes):
    assert report[sizes]["loss"] == pytest.approx(report["1 1"]["loss"], rel=1e-5)
    assert report[sizes]["gradients_apart"] < 1e-3
    assert report[sizes]["steps_apart"] < 1e-3


def test_more_devices_send_nothing_more_than_the_sums(report):
    """Of gradients, of BatchNorm's statistics and of the metrics, as many on 8 devices as on 2."""
    assert report["1 1"]["sent"] == {}
    assert report["2 1"]["sent"] == report["8 1"]["sent"]
    assert set(report["8 1"]["sent"]) == {"all-reduce"}
    _, sent = report["8 1"]["sent"]["all-reduce"]
    assert report["gradient_bytes"] <= sent < 1.5 * report["gradient_bytes"]


def test_fsdp_gathers_the_state_and_nothing_else(report):
    assert report["8 1"]["forbidden"] == report["2 4"]["forbidden"] == []
    assert report["2 4"]["sent"]["all-gather"][0] > 0
    assert report["2 4"]["whole"] < report["8 1"]["whole"]


def test_a_state_is_restored_onto_other_devices_with_the_same_bits(report):
    assert report["restored"] == {"1 1": True, "2 2": True}
