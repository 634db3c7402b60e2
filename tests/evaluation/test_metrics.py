"""Each metric against hand-computed values, an independent implementation, or a property that a mistake
would break.
"""

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from colorize_jax import color
from colorize_jax.data import color_statistics
from colorize_jax.evaluation import metrics

pytestmark = pytest.mark.quick


def _fields(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.4, 0.4, shape).astype(np.float32)


def _hand_made() -> tuple[np.ndarray, np.ndarray]:
    """Two images of 1 × 2 pixels with two samples each; every number below can be checked in one's head."""
    truth = np.zeros((2, 1, 2, 2), np.float32)
    samples = np.zeros((2, 2, 1, 2, 2), np.float32)
    samples[0, 0] = 0.25  # |error| 1/4, squared 1/16
    samples[0, 1, 0, 0, 0] = 0.75  # one value of four: |error| 3/16, squared 9/64
    samples[1, 1] = 0.5  # the first sample is exact
    return samples, truth


def test_error_of_best_takes_the_minimum_over_samples_of_the_mean_over_pixels_and_channels():
    samples, truth = _hand_made()
    np.testing.assert_allclose(metrics.eob_mae(samples, truth), [3 / 16, 0])
    # By squared error the other sample of the first image is the better one.
    np.testing.assert_allclose(metrics.eob_mse(samples, truth), [1 / 16, 0])


def test_error_of_best_is_not_the_error_of_the_best_pixels():
    truth = np.zeros((1, 1, 2, 2), np.float32)
    samples = np.zeros((1, 2, 1, 2, 2), np.float32)
    samples[0, 0, 0, 0] = samples[0, 1, 0, 1] = (
        1.0  # each is wrong at one pixel: together they would be perfect
    )
    np.testing.assert_allclose(metrics.eob_mae(samples, truth), [0.5])


def test_mae_is_the_mean_over_samples():
    samples, truth = _hand_made()
    np.testing.assert_allclose(metrics.mae(samples, truth), [(1 / 4 + 3 / 16) / 2, 1 / 4])


def test_variance_is_over_samples_and_divides_by_their_number():
    samples, _ = _hand_made()
    first = (
        0.25**2 + 3 * 0.125**2
    ) / 4  # 1/4 against 3/4 once, 1/4 against 0 three times; half the gap squared
    np.testing.assert_allclose(metrics.variance(samples), [first, 0.25**2])


def test_variance_ignores_variation_within_an_image():
    field = _fields(0, 1, 1, 8, 8, 2)
    np.testing.assert_allclose(metrics.variance(np.repeat(field, 3, axis=1)), 0, atol=1e-12)


def test_ssim_is_scikit_images():
    rng = np.random.default_rng(1)
    first = rng.uniform(size=(2, 24, 31, 3))
    second = np.clip(first + rng.normal(size=first.shape) * 0.2, 0, 1)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    expected = [
        structural_similarity(a, b, channel_axis=-1, **options) for a, b in zip(first, second, strict=True)
    ]
    np.testing.assert_allclose(metrics.ssim(first, second), expected, rtol=1e-10)
    np.testing.assert_allclose(
        metrics.ssim(first.astype(np.float32), second.astype(np.float32)), expected, atol=1e-4
    )


def test_ssim_golden():
    # From scikit-image 0.26.0: structural_similarity with the options above, on these two planes.
    y, x = np.mgrid[0:16, 0:16] / 15.0
    np.testing.assert_allclose(metrics.ssim(y[..., None], x[..., None]), 0.041009484939468085, rtol=1e-9)


def test_ssim_refuses_images_smaller_than_its_window():
    with pytest.raises(ValueError, match="11×11 window"):
        metrics.ssim(np.zeros((1, 10, 16, 2)), np.zeros((1, 10, 16, 2)))


def test_pair_ssim_averages_all_pairs_of_one_image():
    images = np.random.default_rng(2).uniform(size=(2, 3, 16, 16, 2))
    pairs = [(0, 1), (0, 2), (1, 2)]
    expected = np.mean([metrics.ssim(images[:, i], images[:, j]) for i, j in pairs], axis=0)
    np.testing.assert_allclose(metrics.pair_ssim(images), expected, rtol=1e-12)


def test_pair_ssim_of_equal_versions_is_one_and_of_a_single_one_undefined():
    images = np.repeat(np.random.default_rng(3).uniform(size=(1, 1, 16, 16, 2)), 4, axis=1)
    np.testing.assert_allclose(metrics.pair_ssim(images), 1)
    assert np.isnan(metrics.pair_ssim(images[:, :1])).all()


def test_pair_ssim_ab_scales_network_units_to_the_unit_interval():
    samples = _fields(4, 1, 2, 16, 16, 2)
    scaled = (samples.astype(np.float64) * 128 + 128) / 256
    expected = metrics.ssim(scaled[:, 0], scaled[:, 1])
    np.testing.assert_allclose(metrics.pair_ssim_ab(samples), expected, atol=1e-5)


def test_psnr_of_the_best_is_scikit_images():
    rng = np.random.default_rng(5)
    truth = rng.uniform(size=(2, 8, 8, 3))
    samples = np.clip(truth[:, None] + rng.normal(size=(2, 3, 8, 8, 3)) * 0.1, 0, 1)
    expected = [
        max(peak_signal_noise_ratio(t, s, data_range=1.0) for s in ss)
        for t, ss in zip(truth, samples, strict=True)
    ]
    np.testing.assert_allclose(metrics.psnr_best(samples, truth), expected)


def test_rgb_of_the_metric_keeps_in_gamut_colors_and_clips_the_others():
    rgb = np.random.default_rng(6).uniform(0.2, 0.8, (1, 4, 4, 3)).astype(np.float32)
    lab = color.srgb_to_lab(rgb)
    lightness, ab = color.lightness_to_network(lab[..., :1]), color.ab_to_network(lab[..., 1:])
    np.testing.assert_allclose(metrics.to_rgb(lightness, ab[:, None])[:, 0], rgb, atol=1e-5)
    wild = metrics.to_rgb(lightness, np.ones((1, 1, 4, 4, 2), np.float32))
    assert wild.min() >= 0 and wild.max() <= 1


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    """10 × 10 squares of a 60 × 60 image."""
    rows, columns = np.mgrid[0:60, 0:60] // 6
    return rows * 10 + columns


def test_bleed_of_a_field_that_is_constant_on_each_region_is_zero(labels):
    palette = _fields(7, 100, 2)
    np.testing.assert_allclose(metrics.bleed(palette[labels][None], labels), 0, atol=1e-6)


def test_bleed_of_independent_noise_is_nearly_one(labels):
    noise = np.random.default_rng(8).normal(size=(20, 60, 60, 2)).astype(np.float32)
    expected = (3600 - 100) / (3600 - 1)
    np.testing.assert_allclose(metrics.bleed(noise, labels).mean(), expected, atol=2e-3)


def test_bleed_is_the_share_of_variance_within_regions_by_pixels():
    labels = np.array([[0, 0, 0, 1]])
    a, b = [0.0, 0.0, 0.3, 0.5], [0.1, 0.1, 0.1, 0.1]
    field = np.stack([a, b], axis=-1)[None, None].astype(np.float32)
    within = 3 * np.var(a[:3]) / 4
    np.testing.assert_allclose(metrics.bleed(field, labels), within / np.var(a), rtol=1e-5)


def test_bleed_does_not_depend_on_saturation_or_tint_but_is_undefined_without_color_variance(labels):
    noise = _fields(9, 1, 60, 60, 2)
    np.testing.assert_allclose(
        metrics.bleed(noise * 0.1 + 0.2, labels), metrics.bleed(noise, labels), rtol=1e-4
    )
    assert np.isnan(metrics.bleed(np.full((1, 60, 60, 2), 0.3, np.float32), labels)).all()


def test_bleed_of_an_image_averages_the_samples_that_have_a_value(labels):
    samples = np.stack([_fields(10, 60, 60, 2), np.zeros((60, 60, 2), np.float32)])
    both = metrics.bleed_mean(samples[None], labels[None])
    np.testing.assert_allclose(both, metrics.bleed(samples[:1], labels))


def test_superpixels_follow_the_lightness_and_are_numbered_without_gaps():
    lightness = np.full((64, 64, 1), -0.5, np.float32)
    lightness[:, 29:] = 0.5  # not on SLIC's own grid
    labels = metrics.superpixels(lightness)
    assert set(np.unique(labels)) == set(range(labels.max() + 1))
    assert 60 <= labels.max() + 1 <= 140
    assert not set(np.unique(labels[:, :29])) & set(np.unique(labels[:, 29:]))
    np.testing.assert_array_equal(labels, metrics.superpixels(lightness * 0.3 + 0.1))


def test_mean_leaves_undefined_values_out():
    assert metrics.mean(np.array([1.0, np.nan, 3.0])) == 2.0
    assert np.isnan(metrics.mean(np.array([np.nan])))


def test_the_grid_is_uniform_and_in_the_center():
    places = metrics.grid_places(64)
    np.testing.assert_array_equal(places, [18, 22, 26, 30, 34, 38, 42, 46])
    with pytest.raises(ValueError, match="side is 12"):
        metrics.grid_places(12)


def test_weighted_and_grid_errors_by_hand():
    truth = np.zeros((1, 32, 32, 2), np.float32)
    samples = np.zeros((1, 2, 32, 32, 2), np.float32)
    samples[0, 0, :16] = 0.4  # the upper half is wrong in one of two samples: 0.2 on average
    samples[0, :, 0, :, 0] = 0.4  # the first row, outside the grid, in one channel of both
    weights = np.ones((1, 32, 32))
    weights[0, 8:16] = 3.0
    found = metrics.deshpande_errors(samples, truth, {"weighted": weights, "inverse": 2 * weights})
    np.testing.assert_array_equal(found["mae_inverse"], 2 * found["mae_weighted"])
    np.testing.assert_allclose(found["mae_grid"], 0.1)  # 4 of 8 rows of the grid lie in the upper half
    np.testing.assert_allclose(found["mae_weighted_grid"], 0.3)
    row = (0.4 + 0.2) / 2  # of the first row: channel a* wrong in both samples, b* in one
    np.testing.assert_allclose(found["mae_weighted"], (row + 7 * 0.2 + 8 * 0.2 * 3) / 32)


def test_a_color_is_weighted_by_its_own_bin():
    bins = color_statistics.BINS["gamut"]
    table = np.arange(23.0 * 23).reshape(23, 23)
    truth = np.array([[[[20.0, -30.0], [0.0, 0.0]]]]) / 128
    found = metrics.color_weights(truth, table, bins)
    np.testing.assert_array_equal(found, [[[13 * 23 + 8, 11 * 23 + 11]]])


def test_score_holds_every_metric_once_per_image():
    lightness = np.random.default_rng(11).uniform(-1, 1, (2, 16, 16, 1)).astype(np.float32)
    truth, samples = _fields(12, 2, 16, 16, 2), _fields(13, 2, 3, 16, 16, 2)
    labels = np.zeros((2, 16, 16), int)
    labels[:, 8:] = 1
    scores = metrics.score(lightness, truth, samples, labels, {"weighted": np.ones((2, 16, 16))})
    assert {name: value.shape for name, value in scores.items()} == dict.fromkeys(scores, (2,))
    np.testing.assert_array_equal(scores["eob_mae"], metrics.eob_mae(samples, truth))
    np.testing.assert_array_equal(scores["eob_mse"], metrics.eob_mse(samples, truth))
    np.testing.assert_array_equal(scores["mae"], metrics.mae(samples, truth))
    np.testing.assert_allclose(scores["mae_weighted"], scores["mae"], rtol=1e-6)  # all weights are 1


def test_standard_error_is_of_the_mean():
    values = np.array([1.0, 3.0, np.nan, 5.0])
    np.testing.assert_allclose(metrics.mean_and_error(values), (3.0, 2.0 / 3**0.5))
    assert np.isnan(metrics.mean_and_error(values[:1])[1])
