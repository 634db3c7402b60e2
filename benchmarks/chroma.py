"""What `config.mdn.chroma` costs: `python benchmarks/chroma.py MODEL DATA [images]`.

The five modes of a model with all colours multiplied by a number, on views of its training photos, LFW's and the
others apart: the error of best and of the first mode, absolute and squared, as shares of gray's, and the mean chroma as
a share of the photos'.
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

BATCH = 32
FACTORS = (1.0, 1.1, 1.2, 1.3, 1.4, 1.5)


def scores(field, true):
    """Sums over a batch (B, N, F, F, 2), (B, F, F, 2): errors of best and first, absolute and squared, and chroma."""
    difference, true = field - true[:, None], true[:, None]
    told = {}
    for name, power in (("absolute", 1), ("squared", 2)):
        errors = (jnp.abs(difference) ** power).mean(axis=(2, 3, 4))
        gray = (jnp.abs(true) ** power).mean(axis=(2, 3, 4)).sum()
        told[name] = jnp.stack([errors.min(axis=1).sum(), errors[:, 0].sum(), gray])
    chroma = jnp.linalg.norm(field, axis=-1).mean(axis=(2, 3)).mean(axis=1).sum()
    told["chroma"] = jnp.stack([chroma, jnp.linalg.norm(true, axis=-1).mean(axis=(2, 3)).sum()])
    return told


def main(model: str, data: Path, images: int = 1600) -> None:
    loaded = bundle.load_model(model)
    config = ConfigDict(loaded.config)
    config.data.dir = str(data)

    @jax.jit
    def run(batch):
        draw = loaded.method.colors.sample
        drawn = draw(loaded.variables, batch, jax.random.key(0), samples=5, rule="modes").field
        plain = drawn / config.mdn.chroma  # the G-CRF is linear in its unary
        true = resize_field(batch["ab"], plain.shape[-2])
        return [scores(factor * plain, true) for factor in FACTORS]

    mixture = config.data.mixture
    faces = [part for part in mixture if part[0].startswith("lfw")]
    for name, parts in (("faces", faces), ("others", [part for part in mixture if part not in faces])):
        config.data.mixture = tuple(parts)
        batches = pipeline.training(config.data, batch_size=BATCH, seed=0).iterate()
        rows = [jax.device_get(run(batch)) for batch, _ in zip(batches, range(images // BATCH), strict=False)]
        for number, factor in enumerate(FACTORS):
            sums = {key: np.sum([row[number][key] for row in rows], axis=0) for key in rows[0][number]}
            own, photos = sums.pop("chroma")
            told = [
                f"{key} best {best / gray:.4f} first {first / gray:.4f}"
                for key, (best, first, gray) in sums.items()
            ]
            print(f"{name} x {factor}: {'  '.join(told)}  chroma {own / photos:.3f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:]))
