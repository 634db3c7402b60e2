"""A toy method without networks, whose every number can be derived from its definition."""

import jax
import jax.numpy as jnp
import numpy as np

from colorize_jax.methods.base import Colors, Edits, Method, Samples

SIZE, FIELD = 32, 16
BETA = 0.05  # far from the other eigenvalues, where the power iterations of `condition` are exact


def make_photos(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    lightness = rng.uniform(-0.8, 0.8, (count, SIZE, SIZE, 1)).astype(np.float32)
    coarse = rng.uniform(-0.3, 0.3, (count, 4, 4, 2)).astype(np.float32)
    return {"lightness": lightness, "ab": np.kron(coarse, np.ones((1, SIZE // 4, SIZE // 4, 1), np.float32))}


def batches_of(photos: dict[str, np.ndarray], size: int) -> list[dict[str, np.ndarray]]:
    """Batches of one size; the last is padded with rubbish and masked."""
    count = photos["ab"].shape[0]
    found = []
    for start in range(0, count, size):
        batch = {name: value[start : start + size] for name, value in photos.items()}
        missing = size - batch["ab"].shape[0]
        padded = {
            name: np.concatenate([value, np.full((missing, *value.shape[1:]), 0.7, value.dtype)])
            for name, value in batch.items()
        }
        found.append({**padded, "mask": np.arange(size) < size - missing})
    return found


def toy_method() -> Method:
    """Unary: the image's lightness as colour, times the version's number; field: half of it; S: uniform."""

    def sample(variables, batch, rng, *, samples, rule):
        small = batch["lightness"].reshape(-1, FIELD, 2, FIELD, 2, 1).mean((2, 4))
        tint = jnp.concatenate([small, -small], axis=-1) * variables["params"]["tint"]
        scales = jnp.arange(1, samples + 1) / samples
        unary = tint[:, None] * scales[None, :, None, None, None]
        if rule == "random":
            unary = unary + jax.random.normal(rng, unary.shape)
        return Samples(unary, unary / 2, jnp.ones(unary.shape[:2]) / samples)

    def similarity(variables, batch):
        pixels = FIELD * FIELD
        return jnp.full((batch["lightness"].shape[0], pixels, pixels), 1 / pixels)

    def reconstruct(variables, batch):
        field = batch["ab"].reshape(-1, FIELD, 2, FIELD, 2, 2).mean((2, 4))
        return field * 0, field

    return Method(
        stages=(),
        abstract_variables=lambda: {"params": {"tint": None}, "batch_stats": {}},
        colors=Colors(
            sample=sample,
            rules=("modes", "random"),
            regress=lambda variables, batch: jnp.zeros((batch["ab"].shape[0], 8, 8, 2)),
            reconstruct=reconstruct,
        ),
        edits=Edits(similarity),
    )


VARIABLES = {"params": {"tint": jnp.asarray(0.3), "encoder": {}}, "batch_stats": {}}
