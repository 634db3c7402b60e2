"""`colorize-compile`: the train steps of a config for 16 TPU chips that are not there."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec

import pytest

needs_libtpu = pytest.mark.skipif(
    find_spec("libtpu") is None, reason="libtpu is missing: pip install colorize_jax[aot]"
)


def compile_for(topology: str, *arguments: str, config: str = "scc") -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "colorize_jax.apps.compile",
        f"--config={config}",
        f"--topology={topology}",
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "TPU_LOG_DIR": "disabled"}
    return subprocess.run(
        [*command, *arguments], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
@needs_libtpu
@pytest.mark.parametrize(
    ("config", "batch", "stages"),
    [("scc", 32, ["features", "unary", "structure", "mdn"]), ("pic", 64, ["pixels"])],
)
def test_every_stage_fits_16_chips_and_sends_sums_alone(config, batch, stages):
    """At a sixteenth of the width. pip install -e .[aot]; pytest -m slow tests/apps/test_compile_app.py."""
    done = compile_for("v5e:4x4", "--config.width=0.0625", config=config)
    assert done.returncode == 0, done.stderr
    first, *rows = done.stdout.splitlines()
    assert first == "v5e:4x4: 16 chips, {'data': 16, 'fsdp': 1, 'pixel': 1}, 16 GiB each"
    form = rf"(\w+): batch {batch}, (\d+\.\d+) GiB a chip; \d+ all-reduce of \d+\.\d MiB"
    found = [re.fullmatch(form, row) for row in rows]
    assert all(found), rows
    assert [match[1] for match in found if match] == stages


@pytest.mark.parametrize(
    ("topology", "arguments", "told"),
    [
        ("v9:4x4", [], "topology is 'v9:4x4'; known chips are v4, v5e, v5p, v6e"),
        pytest.param(
            "v5e:4x4",
            ["--config.stages.features.batch_size=8"],
            "config.stages.features.batch_size is 8; it must be a multiple of the 16 devices",
            marks=needs_libtpu,
        ),
        pytest.param(
            "v5e:4x4",
            ["--stages=features,top"],
            "stages has ['top']; the method's are features, unary, structure, mdn",
            marks=needs_libtpu,
        ),
        pytest.param(
            "v5e:4x4",
            ["--config.mesh.fsdp=3"],
            "config.mesh asks for data x fsdp x pixel = 5 x 3 x 1 devices, but there are 16",
            marks=needs_libtpu,
        ),
    ],
)
def test_a_mistake_is_told_in_one_line(topology, arguments, told):
    done = compile_for(topology, *arguments)
    assert done.returncode == 1
    assert f"error: {told}" in done.stderr
