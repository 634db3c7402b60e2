"""How much of the colour is one tint over the whole picture: `python benchmarks/tint.py MODEL DATA [images]`.

The square of a picture's mean colour as a share of its mean squared chroma: 1 is a tinted gray photo, and real photos
have some, too. Five modes of a model on test photos of each data set, all of them and the first alone, beside the
photos themselves.
"""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from colorize_jax import bundle
from colorize_jax.data import pipeline
from colorize_jax.models.layers import resize_field

BATCH = 25


def energies(field):
    """(B, ..., F, F, 2) to (B, ..., 2): squared mean colour, mean squared chroma."""
    tint = jnp.square(field.mean(axis=(-3, -2))).sum(axis=-1)
    return jnp.stack([tint, jnp.square(field).sum(axis=-1).mean(axis=(-2, -1))], axis=-1)


def main(model: str, data: Path, images: int = 500) -> None:
    loaded = bundle.load_model(model)
    config = ConfigDict(loaded.config)
    config.data.dir = str(data)

    @jax.jit
    def run(batch):
        draw = loaded.method.colors.sample
        drawn = draw(loaded.variables, batch, jax.random.key(0), samples=5, rule="modes").field
        true = resize_field(batch["ab"], drawn.shape[-2])
        return {"five": energies(drawn).sum(axis=1), "first": energies(drawn[:, 0]), "photos": energies(true)}

    for name in dict.fromkeys(name for name, *_ in config.data.mixture):
        config.data.test = (name, "test")
        sums: dict[str, np.ndarray] = {}
        for batch in pipeline.evaluation(config.data, batch_size=BATCH, images=images):
            shown = batch.pop("mask")
            for row, value in run(batch).items():
                sums[row] = sums.get(row, 0) + np.asarray(value)[shown].sum(axis=0)
        told = "  ".join(f"{row} {tint / all_:.3f}" for row, (tint, all_) in sums.items())
        print(f"{name}: {told}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:]))
