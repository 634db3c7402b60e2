"""A method of a few lines for the tests of the loop: linear regression with a running mean, in two stages.

As a program, `toy.py WORKDIR SLEEP CHANGES [COORDINATOR PROCESSES PROCESS_ID]` trains it, for tests that kill it and
for several processes.
"""

import functools
import itertools
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
from colorize_jax.train import hosts, loop, stop

SIDE = 4


def config(**changes: Any) -> ml_collections.ConfigDict:
    made = ml_collections.ConfigDict(
        {
            "method": "toy",
            "seed": 3,
            "compute_dtype": "float32",
            "data": {"dir": "data", "epoch_images": 20, "threads": 2, "mixture": (("toy", "train", 1.0),)},
            "stages": {name: {"epochs": 2.0, "batch_size": 4, "lr": 0.1} for name in ("first", "second")},
            "checkpoint": {"every_steps": 3, "keep": 2, "best": ()},
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
        drawn = {"slope": jax.random.normal(rng, (1, 2)), "offset": jnp.zeros((1, 1, 1, 2))}
        params = {name: drawn, **before["params"]}
        stats = {name: {"mean": jnp.zeros(1)}, **before["batch_stats"]}
        momentum = jax.tree.map(jnp.zeros_like, params[name])
        opt_state = {name: momentum, "extra": {"averages": {}}}
        return TrainState(jnp.zeros((), jnp.int32), params, stats, opt_state)

    def loss(own: Any, batch: Any, rng: Any) -> Any:
        light = batch["lightness"] + 0.01 * jax.random.normal(rng, batch["lightness"].shape)
        return jnp.mean((light @ own["slope"] + own["offset"] - batch["ab"]) ** 2)

    def update(state: TrainState, batch: Any, rng: Any) -> tuple[TrainState, dict[str, Any]]:
        own = state.params[name]
        value, gradient = jax.value_and_grad(loss)(own, batch, rng)
        momentum = jax.tree.map(lambda m, g: 0.9 * m + g, state.opt_state[name], gradient)
        own = jax.tree.map(lambda p, m: p - lr * m, own, momentum)
        mean = 0.9 * state.batch_stats[name]["mean"] + 0.1 * batch["lightness"].mean((0, 1, 2))
        params = {**state.params, name: own}
        stats = {**state.batch_stats, name: {"mean": mean}}
        opt_state = {**state.opt_state, name: momentum}
        return TrainState(state.step + 1, params, stats, opt_state), {"loss": value, "mean": mean[0]}

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
    return Method(stages, dict)


def images(key: list[int], count: int) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(key)
    lightness = draw.uniform(-1, 1, (count, SIDE, SIDE, 1)).astype(np.float32)
    return {"lightness": lightness, "ab": np.concatenate([lightness / 2, -lightness], axis=-1)}


def own_rows(batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """This process's part of a batch."""
    return {name: np.split(value, jax.process_count())[jax.process_index()] for name, value in batch.items()}


class Stream:
    """Synthetic batches; step `poison` gets a NaN, `constant` gives every step the same batch."""

    def __init__(self, order: int, batch_size: int, sleep: float, poison: int | None, constant: bool):
        self.order, self.batch_size = order, batch_size
        self.sleep, self.poison, self.constant = sleep, poison, constant

    def batch_at(self, step: int) -> dict[str, np.ndarray]:
        batch = images([self.order, 0 if self.constant else step], self.batch_size)
        if step == self.poison:
            batch["lightness"][0, 0, 0, 0] = np.nan
        return own_rows(batch)

    def iterate(self, start_step: int) -> Iterator[dict[str, np.ndarray]]:
        for step in itertools.count(start_step):
            time.sleep(self.sleep)
            yield self.batch_at(step)

    def names_at(self, step: int) -> list[str]:
        return [f"{step}_{row}.jpg" for row in range(self.batch_size)]


def evaluation(order: int, batch_size: int, count: int) -> Iterator[dict[str, np.ndarray]]:
    full = images([9], -(-count // batch_size) * batch_size)
    full["lightness"][count:] = np.nan  # padding that must not reach a mean
    full["mask"] = np.arange(len(full["ab"])) < count
    for first in range(0, count, batch_size):
        yield own_rows({name: value[first : first + batch_size] for name, value in full.items()})


def data(*, sleep: float = 0.0, poison: int | None = None, constant: bool = False) -> loop.Data:
    return loop.Data(
        lambda order, batch_size: Stream(order, batch_size, sleep, poison, constant),
        evaluation,
        [{"dataset": "toy"}],
    )


def main() -> int:
    workdir, sleep = Path(sys.argv[1]), float(sys.argv[2])
    changes = json.loads(sys.argv[3])
    settings = config(**changes)
    if sys.argv[4:]:
        hosts.connect(sys.argv[4], int(sys.argv[5]), int(sys.argv[6]), leave_s=10)
    try:
        loop.train(settings, method(settings), data(sleep=sleep), workdir)
    except stop.Interrupted as interrupted:
        print(interrupted)
        return 75
    return 0


if __name__ == "__main__":
    sys.exit(main())
