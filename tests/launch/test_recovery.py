"""`launch/check_recovery`: its verdict, and at small size the runs themselves."""

import importlib.util
import json
import os
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path

import jax.numpy as jnp
import pytest

from colorize_jax.train import checkpoints

SCRIPT = Path(__file__).parents[2] / "launch" / "check_recovery"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_loader("check_recovery", SourceFileLoader("check_recovery", str(SCRIPT)))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def save(root, name, value, losses=(0.5, 0.4)):
    params = {"top": {"kernel": jnp.array([1.0, 2.0, value])}}
    checkpoints.save_stage(root / name, "mdn", 0, 1, {"params": params, "batch_stats": {}})
    lines = [{"kind": "train", "stage": "mdn", "step": n, "loss": loss} for n, loss in enumerate(losses)]
    (root / name / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_the_verdict_needs_equal_bits_and_near_numbers(tmp_path, script, capsys):
    for name, value in (("one", 3.0), ("straight", 3.00001), ("disturbed", 3.00001)):
        save(tmp_path, name, value)
    script._compare(tmp_path, 1e-3)
    assert "0 arrays differ in a bit, 2 steps" in capsys.readouterr().out
    wrong = (
        ("one", 3.1, (0.5, 0.4), "differ by more than 0.001"),
        ("one", 3.0, (0.5, 0.41), "differ by more than 0.001"),
        ("one", 3.0, (0.5,), "made other steps"),
        ("disturbed", 3.00002, (0.5, 0.4), "the disturbed run differs"),
        ("disturbed", 3.00001, (0.5, 0.4000001), "the disturbed run differs"),
    )
    for name, value, losses, told in wrong:
        save(tmp_path, name, value, losses)
        with pytest.raises(script.Failed, match=told):
            script._compare(tmp_path, 1e-3)
        save(tmp_path, name, 3.0 if name == "one" else 3.00001)


def test_another_exit_code_than_the_expected_is_a_failure(script):
    for code in (0, 75):
        process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(75)"])
        if code == 75:
            script._finish([process], 60, code)
        else:
            with pytest.raises(script.Failed, match=r"exit codes \[75\], expected 0"):
                script._finish([process], 60, code)


@pytest.mark.slow
def test_two_processes_stopped_and_killed_end_like_undisturbed_ones(tmp_path):
    """pytest -m slow tests/launch/test_recovery.py."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, SCRIPT, f"--root={tmp_path}", "--timeout_s=500"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for told in ("disturbed: SIGTERM; ", "disturbed: kill -9; ", "straight and disturbed: 0 arrays differ"):
        assert told in done.stdout
