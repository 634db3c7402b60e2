"""What the trainer says of a step's cost, and the trace that it writes."""

import gzip
import io
import json
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy

from colorize_jax.train import loop, performance, telemetry

SLEEP_S = 0.1  # of each batch; some of it passes beside a step


@pytest.fixture(scope="module")
def profiled(tmp_path_factory):
    """A run whose input is slow: (its folder, what it printed)."""
    workdir, out = tmp_path_factory.mktemp("profiled"), io.StringIO()
    config = toy.config(**{"stages.first.epochs": 3.2, "log.every_steps": 2, "log.eval_every_epochs": 9.0})
    data = toy.data(sleep=SLEEP_S)
    loop.train(config, toy.method(config), data, workdir, out=out, profile=workdir / "profile")
    return workdir, out.getvalue()


def test_a_slow_input_is_seen_as_such(profiled):
    workdir, printed = profiled
    lines = [
        line for line in telemetry.read_metrics(workdir / "metrics.jsonl").lines if line["kind"] == "train"
    ]
    for line in lines[1:7]:
        assert line["input_ms"] > 500 * SLEEP_S and line["transfer_ms"] >= 0 and line["compute_ms"] >= 0
        whole = 1000 * line["images_per_s"] ** -1 * 4
        assert line["input_ms"] + line["transfer_ms"] + line["compute_ms"] < 1.05 * whole
    assert "ms a step: input " in printed and "of the matmul peak" in printed


def test_utilisation_is_the_operations_over_the_peak(profiled):
    workdir, _ = profiled
    line = telemetry.read_metrics(workdir / "metrics.jsonl").lines[2]
    operations = line["model_tflop_per_s"] * 1e12 / line["images_per_s"] * 4
    values = 4 * toy.SIDE**2
    assert 10 * values < operations < 200 * values
    peak = performance.matmul_peak("float32") * jax.device_count()
    assert line["utilisation"] == pytest.approx(line["model_tflop_per_s"] * 1e12 / peak)


def test_the_trace_has_the_programs_of_the_steps(profiled):
    workdir, printed = profiled
    assert f"traced {performance.TRACE_STEPS} steps into {workdir / 'profile'}" in printed
    (trace,) = (workdir / "profile").rglob("perfetto_trace.json.gz")
    names = {
        event.get("name", "") for event in json.loads(gzip.decompress(trace.read_bytes()))["traceEvents"]
    }
    assert any("update" in name for name in names)


def test_a_run_too_short_for_a_trace_says_so(tmp_path):
    said = []
    with performance.Trace(tmp_path, said.append) as trace:
        trace.before_step()
    assert said == ["no trace: it begins after 10 steps, and the run had 1"]
    with performance.Trace(None, said.append) as trace:
        for _ in range(20):
            trace.before_step()
    assert len(said) == 1 and not list(tmp_path.iterdir())


def test_operations_of_a_product_are_counted():
    left, right = jnp.ones((32, 48)), jnp.ones((48, 64))
    assert performance.model_flops(jax.jit(jnp.matmul), left, right) == 2 * 32 * 48 * 64

    def conv(x, w):
        return jax.lax.conv_general_dilated(x, w, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    counted = performance.model_flops(jax.jit(conv), jnp.ones((2, 9, 9, 3)), jnp.ones((5, 5, 3, 7)))
    assert counted == 2 * 2 * 5 * 5 * 5 * 5 * 3 * 7


def test_the_peak_is_that_of_a_real_product():
    side = 512
    ones = np.ones((side, side), np.float32)
    began = time.perf_counter()
    _ = ones @ ones
    slow = 2 * side**3 / (time.perf_counter() - began)
    assert 0.02 * slow < performance.matmul_peak("float32") < 1e4 * slow


def test_waits_are_per_step_and_start_anew():
    waits = performance.Waits()
    with waits("input"):
        time.sleep(0.02)
    first, second = waits.take(2), waits.take(2)
    assert first["input_ms"] >= 10 and first["transfer_ms"] == 0
    assert second == {"input_ms": 0, "transfer_ms": 0, "compute_ms": 0}
