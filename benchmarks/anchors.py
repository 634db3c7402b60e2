"""Versions from a few drawn colours beside the model's own: `python benchmarks/anchors.py MODEL FOLDER`.

The histograms say which colours a cell may have, and nothing of which go together. Here a few cells are drawn, one
after another: those that tell most of all others (`gcrf.interactive.suggest`). What a drawn colour says of the other
cells is the conditional mean under the covariance D R D, with D the histograms' deviations and R the correlations of
the G-CRF's A⁻¹, of the S for edits. Of 64 such fields four are chosen as the model's modes are (`mixture.cover`),
beside version 1, and all go through the versions' own G-CRF.

Each row, at 32x32 on the photos of a folder: the error of version 1 and of the best of five as shares of gray's, mean
chroma of versions 2 to 5 over the photos', the tint's share of their colour, and of what they differ by from version 1.
"""

import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from colorize_jax import bundle, color, gcrf
from colorize_jax.evaluation.predict import shrunk
from colorize_jax.gcrf.interactive.suggest import greedy
from colorize_jax.inference.colorizer import network_input
from colorize_jax.methods.parts import mixture
from colorize_jax.models.layers import resize_field
from colorize_jax.photos.photo import photo_from_array

SIDE, FIELD = 256, 32
ANCHORS = (1, 2, 3, 5)
DRAWS = 64
_LEAST = 1e-4  # variance of a cell, network units²


def correlations(prior: Any) -> np.ndarray:
    """R of one photo's A⁻¹, (P, P)."""
    similarity = np.asarray(prior.similarity[0], np.float64)
    rest = np.eye(len(similarity)) - similarity
    covariance = np.linalg.inv(rest.T @ rest + np.diag(np.asarray(prior.confidence[0]).reshape(-1)))
    deviations = np.sqrt(np.diag(covariance))
    return covariance / deviations[:, None] / deviations[None]


def drawn(
    rng: np.random.Generator, shares: np.ndarray, bins: np.ndarray, correlated: np.ndarray, anchors: int
) -> np.ndarray:
    """`DRAWS` fields (P, 2) of one photo, from histograms `shares` (P, Q)."""
    mean = shares @ bins
    variance = np.maximum((shares @ np.square(bins) - np.square(mean)).mean(axis=1), _LEAST)
    covariance = np.sqrt(variance)[:, None] * correlated * np.sqrt(variance)[None]
    cells = greedy(covariance, anchors).pixels
    fields = []
    for _ in range(DRAWS):
        field, left = mean.copy(), covariance.copy()
        for cell in cells:
            # The histogram, moved and narrowed as far as what was drawn before says.
            now = np.square(bins - field[cell]).sum(axis=1) / left[cell, cell]
            before = np.square(bins - mean[cell]).sum(axis=1) / variance[cell]
            told = shares[cell] * np.exp(np.clip((before - now) / 2, -50, 50))
            reached = left[:, cell] / left[cell, cell]
            chosen = bins[rng.choice(len(bins), p=told / told.sum())]
            field = field + reached[:, None] * (chosen - field[cell])
            left = left - np.outer(reached, left[cell])
        fields.append(field)
    return np.stack(fields)


def measured(fields: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Sums of one photo's versions (N, F, F, 2): errors of first, best and gray, chroma, tint and energy, twice."""
    errors = np.abs(fields - true).mean(axis=(1, 2, 3))
    others, chroma = fields[1:], np.linalg.norm(fields[1:], axis=-1).mean()
    rows = [errors[0], errors.min(), np.abs(true).mean(), chroma, np.linalg.norm(true, axis=-1).mean()]
    for values in (others, others - fields[:1]):
        rows += [np.square(values.mean(axis=(1, 2))).sum(-1).mean(), np.square(values).sum(-1).mean()]
    return np.array(rows)


def main(name: str, folder: Path) -> None:
    model = bundle.load_model(name)
    method, data, variables = model.method, model.config.data, model.variables
    sample = jax.jit(
        lambda batch: method.colors.sample(variables, batch, jax.random.key(0), samples=5, rule="modes")
    )
    histograms = jax.jit(lambda batch: resize_field(method.distribution.histograms(variables, batch), FIELD))
    spread = jax.jit(lambda batch: method.edits.spread(variables, batch))
    similarity = jax.jit(lambda batch: method.edits.similarity(variables, batch))
    bins, rng = np.asarray(method.distribution.bins, np.float64), np.random.default_rng(0)
    weights = jnp.full(FIELD**2, model.config.gcrf.beta_test)
    sums: dict[str, np.ndarray] = {}
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        with Image.open(path) as image:
            rgb = np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS))
        ab = color.ab_to_network(np.asarray(color.srgb_to_lab(jnp.asarray(rgb / np.float32(255))))[..., 1:])
        true = shrunk(ab[None], (FIELD, FIELD))[0]
        batch = network_input(photo_from_array(rgb), data.image_size, data.lightness_large)
        own = sample(batch)
        shares = np.asarray(histograms(batch)[0], np.float64).reshape(FIELD**2, -1)
        correlated, s = correlations(spread(batch)), similarity(batch)[0]
        versions = {"modes": np.asarray(own.field[0])}
        for anchors in ANCHORS:
            fields = drawn(rng, shares, bins, correlated, anchors).reshape(1, DRAWS, FIELD, FIELD, 2)
            each = jnp.asarray(fields, jnp.float32)
            chosen, _ = mixture.cover(each, jnp.full((1, DRAWS), 1 / DRAWS), 4, first=own.unary[:, 0])
            unary = np.asarray(each[0, chosen[0]]).transpose(1, 2, 0, 3).reshape(FIELD**2, -1)
            solved = gcrf.solve_similarity(s, jnp.asarray(unary), weights).value
            others = np.asarray(solved).reshape(FIELD, FIELD, 4, 2).transpose(2, 0, 1, 3)
            versions[f"anchors {anchors}"] = np.concatenate([versions["modes"][:1], others])
        for row, found in versions.items():
            sums[row] = sums.get(row, 0) + measured(found, true)
    print("row          first  best   chroma  tint  tint of differences")
    for row, (first, best, gray, chroma, true_chroma, *energies) in sums.items():
        tint, energy, tint_apart, energy_apart = energies
        print(
            f"{row:12} {first / gray:.3f}  {best / gray:.3f}  {chroma / true_chroma:6.2f}  {tint / energy:.2f}"
            f"  {tint_apart / energy_apart:.2f}"
        )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
