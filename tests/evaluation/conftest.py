"""The toy method's evaluation, made once for all tests of the room."""

import numpy as np
import pytest
from scored_toy import BETA, FIELD, SIZE, VARIABLES, batches_of, make_photos, toy_method

from colorize_jax.evaluation import predict, records, score


@pytest.fixture(scope="session")
def photos() -> dict[str, np.ndarray]:
    return make_photos(5)


@pytest.fixture(scope="session")
def blind(photos) -> score.Reference:
    return score.reference(make_photos(12, seed=1)["ab"])


@pytest.fixture(scope="session")
def scored(photos, blind):
    predicted = predict.predictor(toy_method(), VARIABLES, samples=3, rule="modes")
    return score.score_images(predicted, batches_of(photos, 2), blind, seed=0)


@pytest.fixture(scope="session")
def evaluation(photos, scored) -> records.Evaluation:
    protocol = records.Protocol(
        model="toy", dataset="lfw_deepfunneled", split="test", split_hash="0" * 12, images=5, samples=3,
        rule="modes", resolution=SIZE, field=FIELD, lift="bicubic", seed=0, batch_size=2, fit_images=12,
        versions={"python": "3.11"},
    )  # fmt: skip
    diagnostics = score.diagnose(
        toy_method(),
        VARIABLES,
        batches_of(photos, 2),
        samples=3,
        rule="modes",
        seed=0,
        unary_weight=BETA,
        images=4,
    )
    return records.Evaluation(protocol, score.reduce_rows(*scored), diagnostics)
