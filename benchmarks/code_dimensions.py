"""Which dimensions of the code carry colour: `python benchmarks/code_dimensions.py runs/released/run [images]`.

Of a training run past its `unary` stage, on its test images: per dimension the KL divergence in nats, the variance
of the mean code over images, and by how much one unit of it moves the unary (mean absolute, network units).
"""

import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from colorize_jax import methods
from colorize_jax.data import pipeline
from colorize_jax.methods import scc
from colorize_jax.train.checkpoints import restore_variables

SHOWN = 10


def main(workdir: Path, images: int = 64) -> None:
    config = methods.read_config((workdir / "config.json").read_text())
    model, variables = scc.build_model(config), restore_variables(workdir)
    batch = next(pipeline.evaluation(config.data, batch_size=images, images=images))
    mean, log_variance = scc.encode(model, variables, batch)
    nats = np.asarray(0.5 * (jnp.exp(log_variance) + mean**2 - 1 - log_variance)).mean(axis=0)
    gray = scc.gray_features(model, variables, batch)
    at_rest, _ = scc.decode(model, variables, jnp.zeros_like(mean), gray)
    print(f"{nats.sum():.2f} nats in {len(nats)} dimensions, {images} images\n dim  nats  variance  effect")
    for dimension in np.argsort(-nats)[:SHOWN]:
        moved, _ = scc.decode(model, variables, jnp.zeros_like(mean).at[:, dimension].set(1.0), gray)
        effect = float(jnp.abs(moved - at_rest).mean())
        print(f"{dimension:4d} {nats[dimension]:5.2f} {float(mean[:, dimension].var()):9.2f} {effect:7.4f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
