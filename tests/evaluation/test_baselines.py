"""The blind baselines: what they answer, and that k-means finds the clusters that are there."""

import tarfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorize_jax import color
from colorize_jax.evaluation import baselines, metrics


def _clusters(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Fields of 4 × 4 pixels around three centres, 30, 20 and 10 of them."""
    rng = np.random.default_rng(seed)
    centers = rng.uniform(-0.5, 0.5, (3, 4, 4, 2)).astype(np.float32)
    picked = np.repeat(np.arange(3), [30, 20, 10])
    noise = rng.normal(size=(60, 4, 4, 2)).astype(np.float32) * 0.01
    return centers[picked] + noise, centers


def test_templates_are_the_separated_clusters_by_falling_size():
    fields, centers = _clusters()
    found = baselines.fit(fields, templates=3).templates
    np.testing.assert_allclose(found, centers, atol=0.01)


def test_templates_are_a_function_of_the_seed_and_their_members_means():
    fields = np.random.default_rng(1).normal(size=(50, 2, 2, 2)).astype(np.float32)
    first, again = (baselines.fit(fields, seed=3, templates=4).templates for _ in range(2))
    np.testing.assert_array_equal(first, again)
    nearest = ((fields[:, None] - first) ** 2).sum((2, 3, 4)).argmin(1)
    means = [fields[nearest == k].mean(0) for k in range(4)]
    np.testing.assert_allclose(first, np.stack(means), atol=1e-5)


def test_predictions_are_blind_but_for_the_oracle():
    fields, _ = _clusters()
    fitted = baselines.fit(fields, templates=3)
    one, other = (baselines.predict(fitted, fields[i : i + 2]) for i in (0, 40))
    assert {name: value.shape for name, value in one.items()} == {
        "gray": (2, 1, 4, 4, 2),
        "mean_colour": (2, 1, 4, 4, 2),
        "mean_image": (2, 1, 4, 4, 2),
        "own_mean": (2, 1, 4, 4, 2),
        "templates": (2, 3, 4, 4, 2),
    }
    for name in one:
        assert np.array_equal(one[name], other[name]) == (name != "own_mean"), name


def test_means_are_over_the_right_axes():
    fields, _ = _clusters()
    predicted = baselines.predict(baselines.fit(fields), fields[:1])
    np.testing.assert_allclose(predicted["mean_image"][0, 0], fields.mean(0), atol=1e-6)
    np.testing.assert_allclose(predicted["mean_colour"][0, 0, 1, 2], fields.mean((0, 1, 2)), atol=1e-6)
    np.testing.assert_allclose(predicted["own_mean"][0, 0, 1, 2], fields[0].mean((0, 1)), atol=1e-6)
    assert not predicted["gray"].any()


def test_another_image_size_is_refused():
    fields, _ = _clusters()
    with pytest.raises(ValueError, match="same size"):
        baselines.predict(baselines.fit(fields), np.zeros((1, 8, 8, 2), np.float32))


# DESIGN's numbers of the blind baselines: 600 random test images of LFW at 64 × 64, 3,000 for training.
DESIGN_LFW = {
    "gray": (0.0769, 0.01293),
    "mean_colour": (0.0742, 0.01031),
    "mean_image": (0.0627, 0.00887),
    "own_mean": (0.0652, 0.00794),
    "templates": (0.0547, 0.00675),
}


@pytest.mark.real_data
def test_blind_baselines_on_lfw_have_the_known_errors(real_data):
    faces = _lfw(real_data / "lfw-deepfunneled.tgz", count=1000)
    test, train = faces[::3], np.delete(faces, np.s_[::3], axis=0)
    predicted = baselines.predict(baselines.fit(train), test)
    # 334 images: the standard error of gray is 2.2 % for the mean absolute and 4.3 % for the mean squared error.
    for name, (mae, mse) in DESIGN_LFW.items():
        np.testing.assert_allclose(
            metrics.eob_mae(predicted[name], test).mean(), mae, rtol=0.05, err_msg=name
        )
        np.testing.assert_allclose(
            metrics.eob_mse(predicted[name], test).mean(), mse, rtol=0.12, err_msg=name
        )


def _lfw(archive: Path, count: int) -> np.ndarray:
    """Colour fields of every third entry of the archive, whose first third so is all that is unpacked."""
    found: list[np.ndarray] = []
    with tarfile.open(archive) as tar:
        for place, member in enumerate(tar):
            if member.name.endswith(".jpg") and place % 3 == 0:
                photo = Image.open(BytesIO(tar.extractfile(member).read())).convert("RGB")
                found.append(np.asarray(photo.resize((64, 64), Image.Resampling.BOX), np.float32) / 255)
            if len(found) == count:
                break
    return color.ab_to_network(color.srgb_to_lab(np.stack(found))[..., 1:])
