"""Does S spread colour: `python benchmarks/propagation.py runs/released/run [images]`.

Reveals a few pixels of the unary and reconstructs the rest, on test images, mean absolute error in network units:
through S, hidden pixels leaning weakly to gray; and the same reveals without S: their mean colour everywhere.
"""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp

from colorize_jax import methods
from colorize_jax.data import pipeline
from colorize_jax.methods import scc
from colorize_jax.models.layers import resize_field
from colorize_jax.train.checkpoints import restore_variables

BATCH = 64


def errors(model, variables, batch, rng, share):
    """{way: mean absolute error} for one batch with `share` of the unary revealed."""
    unary, _ = scc.reconstruct(model, variables, batch)
    structure, _ = scc.embed(model, variables, batch)
    true = resize_field(batch["ab"], model.field)
    kept = (jax.random.uniform(rng, structure[0].shape[:2]) < share).astype(jnp.float32)
    spread = scc.make_consistent(model, structure, unary[:, None], kept, beta=model.beta_test)[:, 0]
    seen = kept.reshape(*unary.shape[:3], 1)
    mean = (unary * seen).sum(axis=(1, 2), keepdims=True) / jnp.maximum(
        seen.sum(axis=(1, 2), keepdims=True), 1
    )
    answers = {"through S": spread, "mean of reveals": mean, "gray": 0 * mean}
    return {way: jnp.abs(answer - true).mean() for way, answer in answers.items()}


def main(workdir: Path, images: int = 256) -> None:
    config = methods.read_config((workdir / "config.json").read_text())
    model, variables = scc.build_model(config), restore_variables(workdir)
    run = jax.jit(lambda batch, rng, share: errors(model, variables, batch, rng, share))
    for share in (1.0, 0.1, 0.01):
        rows = []
        for number, batch in enumerate(pipeline.evaluation(config.data, batch_size=BATCH, images=images)):
            batch.pop("mask")
            rows.append(run(batch, jax.random.fold_in(jax.random.key(0), number), share))
        told = {way: sum(float(row[way]) for row in rows) / len(rows) for way in rows[0]}
        print(f"{share:6.0%} revealed  " + "  ".join(f"{way} {value:.4f}" for way, value in told.items()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
