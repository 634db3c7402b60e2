"""Images a second of Lite0 forward, and of steps that train the photo prior: `python benchmarks/lite0.py`.

| row | is |
|---|---|
| forward | the encoder's five maps |
| decoder | a step of stage `prior`: the encoder is frozen |
| both | a step of stage `prior_tuned`: its pointwise convolutions are trained, too |

The best of `--turns` turns of a whole step each, with the loss and the optimiser, on noise. Needs the extra [lite0].
"""

from colorize_jax.apps import common  # first: it sets numpy's threads

# isort: split
import json
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from colorize_jax import methods
from colorize_jax.config import load
from colorize_jax.methods.base import STATISTICS
from colorize_jax.models.lite0 import GrayLite

_BATCH_SIZE = flags.DEFINE_integer("batch_size", 32, "Images a step.")
_SIDE = flags.DEFINE_integer("side", 128, "Of the gray images that Lite0 reads, pixels.")
_TURNS = flags.DEFINE_integer("turns", 5, "Turns of each row.")


def best(run: Callable[[], Any]) -> float:
    """Images a second of the fastest turn; the first, which compiles, does not count."""
    jax.block_until_ready(run())
    seconds = []
    for _ in range(_TURNS.value):
        begun = time.perf_counter()
        jax.block_until_ready(run())
        seconds.append(time.perf_counter() - begun)
    return _BATCH_SIZE.value / min(seconds)


def batch() -> dict[str, np.ndarray]:
    """Noise in the shape of a training batch."""
    rng, count, side = np.random.default_rng(0), _BATCH_SIZE.value, _SIDE.value
    shapes = {"lightness": (64, 64, 1), "ab": (64, 64, 2), "lightness_large": (side, side, 1)}
    return {
        name: rng.uniform(-0.5, 0.5, (count, *shape)).astype(np.float32) for name, shape in shapes.items()
    }


def forward(images: Any) -> float:
    encoder = GrayLite()
    params = encoder.init(jax.random.key(0), images[:1])
    apply = jax.jit(encoder.apply)
    return best(lambda: apply(params, images))


def steps(batch: Any) -> dict[str, float]:
    """Images a second of a step of both stages."""
    config = load("photo_prior")
    config.data.lightness_large = _SIDE.value
    config = methods.resolve(config, images=100_000)
    method = methods.build(config)
    weights = {name: jnp.ones(shape.shape) for name, shape in method.statistics.shapes().items()}
    before = {"params": {}, "batch_stats": {STATISTICS: weights}}
    found = {}
    for name, stage in zip(("decoder", "both"), method.stages, strict=True):
        state = stage.init(jax.random.key(0), batch, before)
        update = jax.jit(stage.update)
        found[name] = best(lambda state=state, update=update: update(state, batch, jax.random.key(1)))
    return found


def main(_: Any) -> None:
    images = jax.tree.map(jnp.asarray, batch())
    found = {"forward": forward(images["lightness_large"]), **steps(images)}
    print(json.dumps({f"{name}_images_per_second": round(value, 1) for name, value in found.items()}))


if __name__ == "__main__":
    common.run(main)
