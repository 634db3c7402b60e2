"""Seconds that versions of one photo take: `python benchmarks/sample.py --config=pic --width=0.125`.

Of a config's method with random weights, which take as long as trained ones; compiled, and without reading, lifting and
writing. Prints one JSON line. On a busy machine read `cpu_s`: with c cores to itself it takes at least `cpu_s / c`.
"""

import functools
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from absl import flags

from colorize_jax import config as configs
from colorize_jax import methods
from colorize_jax.apps import common
from colorize_jax.methods.base import colors_of
from colorize_jax.methods.parts.networks import example_batch

_CONFIG = flags.DEFINE_string("config", "pic", "As of colorize-train.")
_WIDTH = flags.DEFINE_float("width", 1.0, "config.width.")
_SAMPLES = flags.DEFINE_integer("samples", 5, "Versions.", lower_bound=1)
_REPEATS = flags.DEFINE_integer("repeats", 10, "Times to draw them; the median counts.", lower_bound=1)


def program(config: Any, samples: int) -> Callable[[], Any]:
    """The method's compiled `sample` of one photo."""
    method = methods.build(config)
    draw = np.random.default_rng(0)
    variables = jax.tree.map(
        lambda x: np.abs(0.05 * draw.normal(size=x.shape)).astype(x.dtype), method.abstract_variables()
    )
    colors = colors_of(method)
    count, rule = colors.request(samples)
    sample = functools.partial(colors.sample, samples=count, rule=rule)
    given = jax.device_put((variables, example_batch(config), jax.random.key(0)))
    return functools.partial(jax.jit(sample).lower(*given).compile(), *given)


def measure(run: Callable[[], Any], repeats: int) -> dict[str, float]:
    """Medians of the wall's and the processor's seconds of a call, after a first one."""
    jax.block_until_ready(run())
    wall, processor = [], []
    for _ in range(repeats):
        began = time.perf_counter(), time.process_time()
        jax.block_until_ready(run())
        wall.append(time.perf_counter() - began[0])
        processor.append(time.process_time() - began[1])
    return {"wall_s": round(statistics.median(wall), 4), "cpu_s": round(statistics.median(processor), 4)}


def main(arguments: Sequence[str]) -> None:
    """Compiles and times."""
    del arguments
    config = configs.load(_CONFIG.value).unlock()
    config.width = _WIDTH.value
    began = time.perf_counter()
    run = program(methods.resolve(config, images=1), _SAMPLES.value)
    compile_s = round(time.perf_counter() - began, 1)
    found = {
        "config": _CONFIG.value,
        "width": _WIDTH.value,
        "samples": _SAMPLES.value,
        "compile_s": compile_s,
    }
    machine = {"cores": os.cpu_count(), "load_average": round(os.getloadavg()[0], 2)}
    print(json.dumps(found | measure(run, _REPEATS.value) | machine))


if __name__ == "__main__":
    common.run(main)
