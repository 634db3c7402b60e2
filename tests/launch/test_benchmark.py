"""`launch/benchmark` with a fake colorize-train and the like: what it runs, what it refuses, when it goes on."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "launch" / "benchmark"
METHODS = ["scc", "vae_mdn", "vae_mdn_skip", "cvae", "cgan", "mln_gan", "bicycle_gan", "pic"]

# Notes its call; takes the first of the exit codes in the file `codes`, a negative one as a signal to itself.
FAKE = """#!{python}
import json, os, sys
with open("{folder}/calls", "a") as calls:
    calls.write(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]) + "\\n")
codes = open("{folder}/codes").read().split()
open("{folder}/codes", "w").write(" ".join(codes[1:]))
code = int(codes[0]) if codes else 0
sys.exit(code) if code >= 0 else os.kill(os.getpid(), -code)
"""


@pytest.fixture
def bench(tmp_path):
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("colorize-train", "colorize-eval", "colorize-report"):
        (programs / name).write_text(FAKE.format(python=sys.executable, folder=tmp_path))
        (programs / name).chmod(0o755)

    def run(*arguments: str, codes: str = "") -> tuple[int, str, str, list[list[str]]]:
        (tmp_path / "codes").write_text(codes)
        (tmp_path / "calls").write_text("")
        done = subprocess.run(
            [sys.executable, str(SCRIPT), "--root=runs", *arguments],
            cwd=tmp_path, capture_output=True, text=True, check=False,
            env={**os.environ, "PATH": f"{programs}:/usr/bin:/bin"},
        )  # fmt: skip
        calls = [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]
        return done.returncode, done.stdout, done.stderr, calls

    return run


def test_every_method_is_trained_at_the_budget_and_then_scored(bench, tmp_path):
    code, _, _, calls = bench("--dataset=lfw", "--steps=40", "--config.width=0.1", "--eval.images=9")
    folder = "runs/lfw/40steps/seed0"
    assert code == 0 and [call[0] for call in calls] == ["colorize-train"] * len(METHODS) + [
        "colorize-eval",
        "colorize-report",
    ]
    for method, call in zip(METHODS, calls, strict=False):
        assert call[1] == f"--config={method}:data=lfw" and call[2] == f"--workdir={folder}/{method}"
        assert {"--config.budget.steps=40", "--config.budget.images=0", "--config.width=0.1"} <= set(call)
        assert (tmp_path / folder / method / "benchmark.json").is_file()
    assert (
        f"--methods={','.join(f'{m}={folder}/{m}' for m in METHODS)}" in calls[-2]
        and "--images=9" in calls[-2]
    )


def test_an_argument_of_a_method_ends_its_name(bench):
    _, _, _, calls = bench("--dataset=church", "--steps=9", "--methods=cvae,vae_mdn:loss=l2")
    folder = "runs/church/9steps/seed0"
    assert calls[1][1:3] == ["--config=vae_mdn:data=church,loss=l2", f"--workdir={folder}/vae_mdn_l2"]
    assert f"--methods=cvae={folder}/cvae,vae_mdn_l2={folder}/vae_mdn_l2" in calls[2]


def test_a_dry_run_prints_the_commands_and_leaves_nothing(bench, tmp_path):
    code, printed, _, calls = bench("--dataset=church", "--images=99", "--dry_run")
    lines = [shlex.split(line) for line in printed.splitlines()]
    assert code == 0 and not calls and not (tmp_path / "runs").exists()
    assert [line[0] for line in lines] == ["colorize-train"] * len(METHODS) + [
        "colorize-eval",
        "colorize-report",
    ]
    assert "--config.budget.images=99" in lines[0] and "runs/church/99images/seed0/scc" in lines[0][2]


@pytest.mark.slow
def test_it_goes_on_and_refuses_to_mix(bench):
    one = ("--dataset=lfw", "--steps=40", "--methods=cvae", "--only=train")
    assert bench(*one)[0] == 0
    code, _, _, calls = bench(*one, "--config.log.every_steps=1", codes="75 -9 0")
    assert code == 0 and len(calls) == 3  # stopped with all saved, killed, done; what is logged may change
    code, _, error, calls = bench(*one, "--config.width=0.2")
    assert (
        code == 1 and not calls and "was begun with cvae:data=lfw " in error and "config.width=0.2" in error
    )
    assert bench("--dataset=lfw", "--steps=41", *one[2:])[0] == 0  # another budget is another folder


def test_what_fails_ends_the_table(bench):
    code, _, _, calls = bench("--dataset=lfw", "--steps=40", codes="0 2")
    assert code == 2 and len(calls) == 2


def test_a_run_of_ones_own_is_not_taken_over(bench, tmp_path):
    own = tmp_path / "runs/lfw/40steps/seed0/scc"
    own.mkdir(parents=True)
    (own / "config.json").write_text("{}")
    code, _, error, calls = bench("--dataset=lfw", "--steps=40")
    assert code == 1 and not calls and "is a run of colorize-train alone" in error


def test_mistakes_are_one_line(bench):
    for arguments, message in (
        (("--dataset=lfw",), "no budget"),
        (("--dataset=lfw", "--steps=4", "--width=1"), "unknown --width=1"),
        (("--dataset=moon", "--steps=4"), "data is 'moon'; it must be one of lfw, church"),
    ):
        code, _, error, calls = bench(*arguments)
        assert code == 1 and error.startswith("error: ") and error.count("\n") == 1, error
        assert message in error and not calls
