"""Training in a process of its own: killed for real, again and again; stopped; on two devices; in two processes."""

import functools
import io
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
import pytest
import toy

from colorize_jax.train import checkpoints, loop, telemetry

CHANGES = {"stages.first.epochs": 4.0, "log.eval_every_epochs": 2.0}
STEP_S = 0.03


def start(
    workdir: Path,
    save_every: int = 1,
    address: Sequence[str] = (),
    step_s: float = STEP_S,
    **variables: str,
) -> subprocess.Popen[str]:
    changes = CHANGES | {"checkpoint.every_steps": save_every}
    command = [sys.executable, toy.__file__, str(workdir), str(step_s), json.dumps(changes), *address]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | variables
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_until(process: subprocess.Popen[str], true, seconds: float = 60) -> bool:
    """Whether it came true before the process ended."""
    deadline = time.monotonic() + seconds
    while process.poll() is None:
        if true():
            return True
        assert time.monotonic() < deadline, "the training process hangs"
        time.sleep(0.001)
    return False


def steps_done(workdir: Path) -> int:
    path = workdir / "metrics.jsonl"
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return len({(line["stage"], line["step"]) for line in map(json.loads, lines)})


def has_done_more_than(workdir: Path, steps: int) -> bool:
    return steps_done(workdir) > steps


def is_saving(workdir: Path) -> bool:
    return any(workdir.glob("checkpoints/*/*orbax-checkpoint-tmp*")) or any(
        workdir.glob("stages/*orbax-checkpoint-tmp*")
    )


@pytest.fixture(scope="module")
def straight_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("straight")


@pytest.fixture(scope="module")
def straight(straight_folder):
    """The variables of a run that nothing interrupted."""
    return train_here(straight_folder)


def train_here(workdir: Path):
    config = toy.config(**CHANGES)
    return loop.train(config, toy.method(config), toy.data(), workdir, out=io.StringIO())


def assert_close(actual, expected) -> None:
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-4), actual, expected)


def assert_trained_like(expected, workdir: Path) -> None:
    actual = checkpoints.restore_variables(workdir)
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    assert all(map(np.array_equal, jax.tree.leaves(actual), jax.tree.leaves(expected)))
    assert_each_step_once(workdir)


def lines(workdir: Path, kind: str) -> list:
    return [line for line in telemetry.read_metrics(workdir / "metrics.jsonl").lines if line["kind"] == kind]


def assert_each_step_once(workdir: Path) -> None:
    steps = [(line["stage"], line["step"]) for line in lines(workdir, "train")]
    assert steps == [("first", n) for n in range(1, 21)] + [("second", n) for n in range(1, 11)]


def test_killed_at_any_moment_it_ends_with_the_same_bits(tmp_path, straight):
    """Kills at random moments and in the middle of saves: only what came after the last save is lost."""
    workdir, chance = tmp_path / "killed", random.Random(0)
    reached = 0
    for kill in range(3):
        done = steps_done(workdir) + chance.choice((1, 2, 3))
        process = start(workdir)
        in_time = wait_until(process, functools.partial(has_done_more_than, workdir, done))
        if kill % 2 == 0:
            in_time = in_time and wait_until(process, functools.partial(is_saving, workdir))
        else:
            time.sleep(chance.uniform(0, 0.2))
        process.send_signal(signal.SIGKILL)
        output, errors = process.communicate()
        assert in_time and process.returncode == -signal.SIGKILL, errors
        assert_little_was_lost(output, reached)
        reached = last_step(workdir)
    process = start(workdir)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert_little_was_lost(output, reached)
    assert_trained_like(straight, workdir)


def last_step(workdir: Path) -> int:
    return telemetry.read_metrics(workdir / "metrics.jsonl").lines[-1]["step"]


def assert_little_was_lost(output: str, reached: int) -> None:
    # The save of step n begins when that of n-1 is complete, and after the line of step n is written: a kill
    # in between loses steps n-1 and n.
    resumed = re.search(r"resumed at step (\d+)", output)
    if reached > 2:
        assert resumed is not None and int(resumed[1]) >= reached - 2, (output, reached)


def test_sigterm_saves_at_once_and_exits_with_75(tmp_path, straight):
    workdir = tmp_path / "stopped"
    process = start(workdir)
    assert wait_until(process, lambda: steps_done(workdir) >= 3)
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 75, errors
    saved = re.search(r"saved stage 'first' at step (\d+)", output)
    assert saved is not None and (workdir / "checkpoints" / "first" / saved[1]).is_dir()
    process = start(workdir)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert f"resumed at step {saved[1]}" in output
    assert_trained_like(straight, workdir)


def test_two_devices_train_like_one(tmp_path, straight):
    """The batch is split, the statistics are those of the whole; only the order of the sums differs."""
    process = start(tmp_path, 20, NPROC="64", XLA_FLAGS="--xla_force_host_platform_device_count=2")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    devices = json.loads((tmp_path / "versions.json").read_text())[0]["devices"]
    assert len(devices) == 2
    assert_close(checkpoints.restore_variables(tmp_path), straight)


@pytest.fixture
def start_several():
    started: list[subprocess.Popen[str]] = []

    def begin(workdir: Path, count: int, step_s: float) -> list[subprocess.Popen[str]]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            coordinator = f"127.0.0.1:{free.getsockname()[1]}"
        begun = [
            start(workdir, 100, (coordinator, str(count), str(i)), step_s=step_s, JAX_PLATFORMS="cpu")
            for i in range(count)
        ]
        started.extend(begun)
        return begun

    yield begin
    for process in started:
        process.kill()


@pytest.fixture
def start_two(start_several):
    # Slow steps: on a loaded machine the two take a second or more to agree on where to stop.
    return functools.partial(start_several, count=2, step_s=0.4)


def assert_told_like(workdir: Path, one_process: Path) -> None:
    """The metrics of several processes are those of one, but for the order of sums."""
    for kind, names in (("train", ("loss", "mean")), ("evaluation", ("images", "error", "lightness"))):
        one, several = lines(one_process, kind), lines(workdir, kind)
        for name in names:
            np.testing.assert_allclose(
                [line[name] for line in several],
                [line[name] for line in one],
                rtol=1e-3,
                atol=1e-6,
                err_msg=name,
            )


@pytest.mark.slow
def test_four_processes_train_like_one(tmp_path, start_several, straight_folder, straight):
    """20 steps and 10 more; pytest -m slow tests/train/test_processes.py."""
    four = start_several(tmp_path, count=4, step_s=0.0)
    ended = [process.communicate(timeout=240) for process in four]
    assert [process.returncode for process in four] == [0] * 4, "".join(errors for _, errors in ended)
    assert_close(checkpoints.restore_variables(tmp_path), straight)
    assert_each_step_once(tmp_path)
    assert_told_like(tmp_path, straight_folder)


@pytest.mark.slow
def test_two_processes_train_like_one_and_sigterm_to_one_stops_both(
    tmp_path, start_two, straight_folder, straight
):
    """Each has half of every batch; only the order of the sums differs. The first one alone tells and writes."""
    both = start_two(tmp_path)
    assert wait_until(both[0], lambda: steps_done(tmp_path) >= 3, seconds=240)
    both[1].send_signal(signal.SIGTERM)
    (output, errors), (silence, more) = (process.communicate(timeout=240) for process in both)
    assert [process.returncode for process in both] == [75, 75], errors + more
    saved, other = (re.search(r"saved stage 'first' at step (\d+)", text) for text in (output, silence))
    assert saved is not None and other is not None and saved[1] == other[1]
    assert "loss" in output and "loss" not in silence
    alone = shutil.copytree(tmp_path, tmp_path.with_name("alone"))
    assert_close(train_here(alone), straight)  # one process goes on where two stopped
    both = start_two(tmp_path)
    (output, errors), (_, more) = (process.communicate(timeout=240) for process in both)
    assert [process.returncode for process in both] == [0, 0], errors + more
    assert f"resumed at step {saved[1]}" in output
    assert_close(checkpoints.restore_variables(tmp_path), straight)
    assert_each_step_once(tmp_path)
    assert_told_like(tmp_path, straight_folder)
    sheets = [sorted(path.name for path in (w / "sheets").iterdir()) for w in (tmp_path, straight_folder)]
    assert sheets[0] == sheets[1]
    assert len(json.loads((tmp_path / "versions.json").read_text())) == 2
