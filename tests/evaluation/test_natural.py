"""Natural colours: every number below can be checked in one's head."""

import numpy as np
import pytest

from colorize_jax import color
from colorize_jax.evaluation import metrics, natural

pytestmark = pytest.mark.quick

SIDE = 64


def _ab(a: float, b: float) -> np.ndarray:
    """One colour everywhere, given in CIE units."""
    return color.ab_to_network(np.broadcast_to(np.array([a, b], np.float32), (SIDE, SIDE, 2)))


def _halves(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.concatenate([left[:, : SIDE // 2], right[:, SIDE // 2 :]], axis=1)


def test_alphabeta_is_larssons():
    red, white, black = np.eye(3)[0], np.ones(3), np.zeros(3)
    found = natural.alphabeta(np.stack([red, white, black]))
    third = 1 / 3 + 1e-4
    np.testing.assert_allclose(found, [[-0.5 / third, 1 / third], [0, 0], [0, 0]])


def test_rmse_alphabeta_is_a_mean_of_lengths_and_of_gray_that_of_the_colors():
    truth = np.zeros((1, 2, 2, 3))
    truth[0, 0, 0] = (1, 0, 0)  # (α, β) of length √(1.5² + 3²), but for ε
    truth[0, 0, 1] = (0, 0, 1)  # (3, 0)
    gray = np.broadcast_to(truth.mean(axis=-1, keepdims=True), truth.shape)
    expected = (np.hypot(1.5, 3) + 3) / 4
    np.testing.assert_allclose(natural.rmse_alphabeta(gray, truth), [expected], rtol=1e-3)


def test_a_tint_is_what_the_whole_picture_shares():
    one = _ab(3, 4)
    opposite = _halves(one, -one)
    partly = _halves(one, 0 * one)
    found = natural.moments(np.stack([one, opposite, partly])[None])
    assert {name: float(found[f"{name}_first"][0]) for name in ("chroma", "energy", "tint")} == pytest.approx(
        {"chroma": 5, "energy": 25, "tint": 25}, rel=1e-5
    )
    # The others' mean: 5 and 2.5 of chroma; 25 and 12.5 of energy; a tint of none and of half the colour.
    assert float(found["chroma_others"][0]) == pytest.approx(3.75, rel=1e-5)
    assert float(found["energy_others"][0]) == pytest.approx(18.75, rel=1e-5)
    assert float(found["tint_others"][0]) == pytest.approx(3.125, rel=1e-5)


def test_one_version_has_no_others_and_texture_within_a_cell_does_not_count():
    columns = np.where(np.arange(SIDE) % 2, 1, -1)[:, None]
    found = natural.moments((_ab(10, 0) * columns)[None, None].astype(np.float32))
    assert float(found["energy_first"][0]) == pytest.approx(0, abs=1e-9)
    assert np.isnan(found["chroma_others"][0])


def test_version_1_is_compared_with_gray_and_a_gray_photo_with_nothing():
    truth = np.stack([_ab(0, 20), _ab(0, 20), _ab(0, 0)])
    versions = np.stack([_ab(0, 18), _ab(0, -10), _ab(0, 10)])
    lightness = np.zeros((3, SIDE, SIDE, 1), np.float32)
    found = natural.nearness(lightness, truth, versions)
    np.testing.assert_array_equal(found["worse_than_gray"], [0, 1, np.nan])
    rgb = metrics.to_rgb(lightness, np.stack([versions, truth], axis=1))
    error = np.square(rgb[0, 0].astype(float) - rgb[0, 1]).mean()
    assert found["psnr_first"][0] == pytest.approx(-10 * np.log10(error), rel=1e-6)
    assert np.isnan(found["psnr_first"][2]) and np.isnan(found["rmse_alphabeta"][2])


def test_the_truth_itself_is_not_worse_than_gray():
    truth = _ab(0, 20)[None]
    found = natural.nearness(np.zeros((1, SIDE, SIDE, 1), np.float32), truth, truth)
    assert found["worse_than_gray"] == [0] and found["rmse_alphabeta"] == [0]


def test_shares_are_ratios_of_means():
    gray = {"psnr_first": 22.0, "psnr_best": 22.0, "rmse_alphabeta": 0.4}
    truth = {"chroma_first": 10.0}
    own = {
        "psnr_first": 23.5, "psnr_best": 25.0, "rmse_alphabeta": 0.3, "chroma_first": 8.0, "energy_first": 100.0,
        "tint_first": 60.0, "chroma_others": 12.0, "energy_others": 200.0, "tint_others": 150.0,
    }  # fmt: skip
    expected = {
        "gain": 1.5, "gain_best": 3, "alphabeta_to_gray": 0.75, "tint_first": 0.6, "chroma_first": 0.8,
        "tint_others": 0.75, "chroma_others": 1.2,
    }  # fmt: skip
    told = natural.shares(own, truth, gray)
    assert {name: told[name] for name in expected} == pytest.approx(expected)
    assert all(np.isnan(value) for value in natural.shares({"eob_mae": 0.1}, {}, {}).values())
