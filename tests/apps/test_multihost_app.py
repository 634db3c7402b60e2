"""`--multihost`: processes that do not come, and wrong numbers of them, are told in time."""

import contextlib
import os
import subprocess
import sys
import time
import zlib
from pathlib import Path

import jax
import numpy as np
import pytest

from colorize_jax.train import hosts


def train(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "colorize_jax.apps.train",
        "--config=scc",
        "--workdir=run",
        *arguments,
    ]
    clusters = ("SLURM_", "OMPI_", "TPU_", "MEGASCALE_", "KUBERNETES_", "JAX_COORDINATOR")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(clusters)}
    environment |= {"JAX_PLATFORMS": "cpu", "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--processes=2"], "--processes is given without --multihost"),
        (["--multihost", "--processes=2"], "coordinator and process_id not given"),
        (["--multihost"], "JAX detected no cluster here"),
        (["--expect_devices=999"], "999 devices were expected, but there are "),
        (["--workdir=gs://bucket/run"], "--workdir=gs://bucket/run: an address, and only files"),
        (
            [
                "--multihost",
                "--coordinator=127.0.0.1:1",
                "--processes=2",
                "--process_id=1",
                "--connect_timeout_s=2",
            ],
            "process 1 waited 2 s at 127.0.0.1:1 and not all of 2 processes came",
        ),
    ],
)
def test_what_is_wrong_is_told_in_time(tmp_path, arguments, told):
    began = time.monotonic()
    run = train(tmp_path, *arguments)
    assert run.returncode == 1 and f"error: {told}" in run.stderr
    assert time.monotonic() - began < 60
    assert not list(tmp_path.iterdir())


def test_counts_are_checked_one_by_one():
    hosts.check_counts()
    hosts.check_counts(processes=1, devices=jax.device_count())
    with pytest.raises(ValueError, match="2 processes were expected, but there are 1"):
        hosts.check_counts(processes=2)


def test_processes_with_other_data_are_named(monkeypatch):
    mine = np.uint32(zlib.crc32(b"lfw"))
    monkeypatch.setattr(jax, "process_count", lambda: 3)
    for sums, told in (
        ([mine, mine, mine], None),
        ([mine, mine, mine + 1], r"data of processes \[2\] differs"),
    ):
        gathered = np.array(sums, np.uint32)
        monkeypatch.setattr(hosts.multihost_utils, "process_allgather", lambda x, g=gathered: g)
        with pytest.raises(ValueError, match=told) if told else contextlib.nullcontext():
            hosts.check_same("data", "lfw")


def test_the_table_lists_every_device():
    first, *lines = hosts.table().splitlines()
    assert first == f"1 processes, {jax.device_count()} devices"
    assert len(lines) == 1 and lines[0].startswith(f"  process 0: {jax.device_count()} x ")


def test_with_one_process_it_decides_for_itself():
    assert hosts.is_first() and hosts.first_decides(lambda: {"step": 3}) == {"step": 3}
