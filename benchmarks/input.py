"""Whether the data keep up with training: `python benchmarks/input.py --dir=data --width=1`.

Prints one JSON line: images a second that the pipeline reads on its own, that the `unary` stage's step trains on one
batch over and over, and that the two reach together as the trainer runs them, with the trainer's own split of a step.
The input is no bottleneck where `together` is near `step`, and `input_ms` small beside `compute_ms`. Needs a prepared
data set and `pip install '.[train]'`.
"""

import json
import os
import time
from collections.abc import Iterator, Sequence
from typing import Any

from colorize_jax.apps import common

# isort: split
import jax
from absl import flags

from colorize_jax import methods
from colorize_jax.config import load
from colorize_jax.data import pipeline
from colorize_jax.methods import resolve
from colorize_jax.train.performance import Waits

_DIR = flags.DEFINE_string("dir", "data", "Where prepared data sets are.")
_DATASET = flags.DEFINE_string("dataset", "lfw_deepfunneled", "A prepared data set.")
_WIDTH = flags.DEFINE_float("width", 1.0, "Of the networks; 1 is the paper's.")
_DTYPE = flags.DEFINE_enum("compute_dtype", "float32", ["float32", "bfloat16"], "As of the config.")
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 32, "Images a step.")
_STEPS = flags.DEFINE_integer("steps", 20, "Steps to time, of each kind.")


def made_config() -> Any:
    """The paper's model on the data set that the flags name."""
    config = load("base")
    config.width, config.compute_dtype = _WIDTH.value, _DTYPE.value
    config.data.dir = _DIR.value
    config.data.mixture = ((_DATASET.value, "train", 1.0),)
    config.stages.unary.batch_size = _BATCH_SIZE.value
    return resolve(config, images=pipeline.num_images(config.data))


def read_alone(batches: Iterator[Any], steps: int, buffered: int) -> float:
    """Seconds a batch, after the `buffered` ones that were read ahead."""
    for _ in range(buffered):
        next(batches)
    began = time.perf_counter()
    for _ in range(steps):
        next(batches)
    return (time.perf_counter() - began) / steps


def train(update: Any, state: Any, batches: Iterator[Any], steps: int) -> tuple[Any, float, dict[str, float]]:
    """The state, seconds a step, and the split; reads the next batch while a step runs, as the trainer does."""
    waits, rng = Waits(), jax.random.key(1)
    put = jax.device_put(next(batches))
    began = time.perf_counter()
    for _ in range(steps):
        with waits("compute"):
            state, metrics = update(state, put, rng)
        with waits("input"):
            batch = next(batches)
        with waits("transfer"):
            put = jax.device_put(batch)
        with waits("compute"):
            jax.block_until_ready(metrics)
    return state, (time.perf_counter() - began) / steps, waits.take(steps)


def main(arguments: Sequence[str]) -> None:
    """Times the three."""
    del arguments
    common.keep_memory()  # as the trainer does
    config, steps = made_config(), _STEPS.value
    stage = next(s for s in methods.build(config).stages if s.name == "unary")
    stream = pipeline.training(config.data, batch_size=_BATCH_SIZE.value, seed=0)
    batches = stream.iterate(0)
    one = next(batches)
    state = jax.jit(stage.init)(jax.random.key(0), one, None)
    update = jax.jit(stage.update, donate_argnums=0)
    state, _, _ = train(update, state, iter([one] * 3), 2)  # compiles
    state, alone, _ = train(update, state, iter([one] * (steps + 1)), steps)
    read = read_alone(batches, steps, 4 * config.data.threads + 2)
    state, together, split = train(update, state, batches, steps)
    rates = {"read": read, "step": alone, "together": together}
    result = {
        "dataset": _DATASET.value,
        "width": _WIDTH.value,
        "compute_dtype": _DTYPE.value,
        "batch_size": _BATCH_SIZE.value,
        "threads": config.data.threads,
        "images_per_s": {name: round(_BATCH_SIZE.value / seconds, 1) for name, seconds in rates.items()},
        "together_over_step": round(alone / together, 3),
        **{name: round(value, 2) for name, value in split.items()},
        "device": jax.devices()[0].device_kind,
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    common.run(main)
