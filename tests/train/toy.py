"""A method of a few lines for the tests of the loop: linear regression with a running mean, in two stages.

As a program, `toy.py WORKDIR [--sleep=SECONDS]` trains it, for tests that kill it.
"""

import functools
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from colorize_jax.methods.base import Method, Stage, TrainState
from colorize_jax.train import loop

SIDE = 4


def config(**changes: Any) -> ml_collections.ConfigDict:
    made = ml_collections.ConfigDict(
        {
            "method": "toy",
            "seed": 3,
            "data": {"dir": "data", "epoch_images": 20, "threads": 2, "mixture": (("toy", "train", 1.0),)},
            "stages": {name: {"epochs": 2.0, "batch_size": 4, "lr": 0.1} for name in ("first", "second")},
            "checkpoint": {"every_steps": 3, "keep": 2},
            "log": {"every_steps": 1, "eval_images": 6, "eval_every_epochs": 1.0},
        }
    )
    with made.unlocked():
        made.update_from_flattened_dict(changes)
    return made


@functools.cache  # the same functions each time, so that a test process compiles them once
def stage(name: str, epochs: float, batch_size: int, lr: float) -> Stage:
    """Fits `ab` with an affine map of the noisy lightness; the second stage keeps the first one's numbers."""

    def init(rng: Any, batch: Any, variables: Any) -> TrainState:
        before = variables or {"params": {}, "batch_stats": {}}
        params = {**before["params"], name: {"slope": jax.random.normal(rng, (1, 2)), "offset": jnp.zeros(2)}}
        stats = {**before["batch_stats"], name: {"mean": jnp.zeros(1)}}
        momentum = jax.tree.map(jnp.zeros_like, params[name])
        return TrainState(jnp.zeros((), jnp.int32), params, stats, (momentum, ()))

    def loss(own: Any, batch: Any, rng: Any) -> Any:
        light = batch["lightness"] + 0.01 * jax.random.normal(rng, batch["lightness"].shape)
        return jnp.mean((light @ own["slope"] + own["offset"] - batch["ab"]) ** 2)

    def update(state: TrainState, batch: Any, rng: Any) -> tuple[TrainState, dict[str, Any]]:
        own = state.params[name]
        value, gradient = jax.value_and_grad(loss)(own, batch, rng)
        momentum = jax.tree.map(lambda m, g: 0.9 * m + g, state.opt_state[0], gradient)
        own = jax.tree.map(lambda p, m: p - lr * m, own, momentum)
        mean = 0.9 * state.batch_stats[name]["mean"] + 0.1 * batch["lightness"].mean((0, 1, 2))
        params = {**state.params, name: own}
        stats = {**state.batch_stats, name: {"mean": mean}}
        return TrainState(state.step + 1, params, stats, (momentum, ())), {"loss": value, "mean": mean[0]}

    def answer(variables: Any, batch: Any) -> Any:
        own = variables["params"][name]
        return batch["lightness"] @ own["slope"] + own["offset"]

    def evaluate(variables: Any, batch: Any, rng: Any) -> dict[str, Any]:
        error = jnp.abs(answer(variables, batch) - batch["ab"])
        return {"error": error.mean((1, 2, 3)), "lightness": batch["lightness"].mean((1, 2, 3))}

    def pictures(variables: Any, batch: Any, rng: Any) -> dict[str, Any]:
        gray = jnp.repeat(batch["lightness"] / 2 + 0.5, 3, axis=-1)
        return {"gray": gray, "small": gray[:, ::2, ::2]}

    return Stage(name, epochs, batch_size, init, update, evaluate, pictures)


def method(settings: Any) -> Method:
    stages = tuple(stage(name, **settings.stages[name]) for name in ("first", "second"))
    return Method(stages, dict, None, None, None, None)


def images(key: list[int], count: int) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(key)
    lightness = draw.uniform(-1, 1, (count, SIDE, SIDE, 1)).astype(np.float32)
    return {"lightness": lightness, "ab": np.concatenate([lightness / 2, -lightness], axis=-1)}


def data(*, sleep: float = 0.0, poison: int | None = None, constant: bool = False) -> loop.Data:
    """Synthetic batches; step `poison` gets a NaN, `constant` gives every step the same batch."""

    def batches(stage_index: int, batch_size: int, step: int) -> Iterator[dict[str, np.ndarray]]:
        while True:
            time.sleep(sleep)
            batch = images([stage_index, 0 if constant else step], batch_size)
            if step == poison:
                batch["lightness"][0, 0, 0, 0] = np.nan
            yield batch
            step += 1

    def evaluation(batch_size: int, count: int) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
        full = images([9], -(-count // batch_size) * batch_size)
        full["lightness"][count:] = np.nan  # padding that must not reach a mean
        for first in range(0, count, batch_size):
            rows = slice(first, first + batch_size)
            weight = (np.arange(first, first + batch_size) < count).astype(np.float32)
            yield {name: value[rows] for name, value in full.items()}, weight

    return loop.Data(batches, evaluation, lambda index, size, step: f"images of step {step}", {"set": "toy"})


def main() -> int:
    workdir, sleep = Path(sys.argv[1]), float(sys.argv[2])
    changes = json.loads(sys.argv[3])
    settings = config(**changes)
    try:
        loop.train(settings, method(settings), data(sleep=sleep), workdir)
    except loop.Interrupted as interrupted:
        print(interrupted)
        return 75
    return 0


if __name__ == "__main__":
    sys.exit(main())
