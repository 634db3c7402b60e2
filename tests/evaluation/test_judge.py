"""The judge: what is counted of its answers, with one that is made up; and the network itself where it is installed."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorize_jax.evaluation import generated, judge, natural
from colorize_jax.models import lite0

SIDE, IMAGES = judge.SMALLEST, 5


def _batches(size: int):
    """Five gray images, two with a red and three with a blue truth; the last batch is padded and masked."""
    ab = np.zeros((IMAGES, SIDE, SIDE, 2), np.float32)
    ab[:2, ..., 0], ab[2:, ..., 1] = 0.4, -0.4
    for start in range(0, IMAGES, size):
        places = np.minimum(np.arange(start, start + size), IMAGES - 1)
        lightness = np.zeros((size, SIDE, SIDE, 1), np.float32)
        yield {"lightness": lightness, "ab": ab[places], "mask": np.arange(start, start + size) < IMAGES}


def _always_red(batch, keys):
    """Version 1 is red, version 2 perfect."""
    red = np.zeros_like(batch["ab"])
    red[..., 0] = 0.4
    return {"field": np.stack([red, batch["ab"]], axis=1)}


def _see(rgb):
    """5 for the strongest channel, green where there is none; and the mean colour."""
    means = rgb.mean(axis=(1, 2))
    strongest = np.where(np.ptp(means, axis=-1) > 0.05, means.argmax(axis=-1), 1)
    return 5 * np.eye(3)[strongest], means


@pytest.mark.parametrize("size", [5, 2])
def test_the_first_version_is_judged_against_the_true_photo(size):
    found = judge.score(_always_red, _batches(size), _see, seed=0)
    np.testing.assert_array_equal(found.per_image["field"]["judge_agreement"], [1, 1, 0, 0, 0])
    np.testing.assert_array_equal(found.per_image["gray"]["judge_agreement"], np.zeros(IMAGES))
    surely, hardly = np.exp([5, 0]) / (np.exp(5) + 2)
    expected = np.array([0, 0, 1, 1, 1]) * 5 * (surely - hardly)
    np.testing.assert_allclose(found.per_image["field"]["judge_kl"], expected, atol=1e-12)
    assert "truth" not in found.per_image and set(found.sets) == {"gray", "field"}
    # Neither set varies but the truth's: the mean colours' distance, and the truth's variance.
    assert found.sets["field"]["frechet"] > 0 and found.sets["gray"]["frechet"] > 0


def test_frechet_distance_of_two_known_gaussians():
    rows = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, -1.0], [0.0, 1.0]])  # variance 2/3 along both axes
    assert generated.frechet(rows, rows) == pytest.approx(0, abs=1e-12)
    assert generated.frechet(rows, rows + np.array([3, 4])) == pytest.approx(25)
    # Twice as wide: (√(4 · 2/3) − √(2/3))² along both axes.
    assert generated.frechet(rows, 2 * rows) == pytest.approx(2 * 2 / 3)
    assert np.isnan(generated.frechet(rows[:1], rows))


def test_recovered_is_the_share_of_the_way_from_gray_to_the_truth():
    gray = {"judge_agreement": 0.4, "frechet": 50.0}
    told = natural.shares({"judge_agreement": 0.55, "frechet": 20.0}, {}, gray)
    assert told["recovered"] == pytest.approx(0.25) and told["frechet_to_gray"] == pytest.approx(0.4)
    assert natural.shares(gray, {}, gray)["recovered"] == 0


def test_thumbnails_are_not_judged():
    batch = {"lightness": np.zeros((1, 64, 64, 1), np.float32), "ab": np.zeros((1, 64, 64, 2), np.float32)}
    with pytest.raises(ValueError, match=r"photos of 64².* give --resolution=256"):
        judge.score(_always_red, [batch], _see, seed=0)


@pytest.mark.skipif(
    not lite0.available(judge.NETWORK), reason="the extra with Lite2's weights is not installed"
)
def test_the_network_sees_a_cup_of_coffee():
    photo = Image.open(Path(__file__).parents[2] / "examples" / "coffee.jpg").convert("RGB")
    pixels = np.asarray(photo.resize((256, 256)), np.float32)[None] / 255
    logits, features = judge.load()(pixels)
    assert int(logits.argmax()) in (504, 967, 968)  # a coffee mug, espresso, a cup
    assert logits.shape == (1, lite0.CLASSES) and features.shape == (1, lite0.POOLED)
