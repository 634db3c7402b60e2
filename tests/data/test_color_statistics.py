"""Histogram weights and principal components against direct computations and cases worked out by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax import color, losses
from colorize_jax.data.color_statistics import (
    BINS,
    IncrementalPca,
    bin_of,
    bin_weights,
    collect,
    count_colors,
    inverse_probabilities,
)


def field_of(ab, count):
    """`count` pixels of one CIE colour, network units."""
    return np.tile(np.float32(ab) / 128, (count, 1))


def test_there_are_313_bins_in_gamut_and_4096_in_the_grid():
    assert BINS["gamut"].inside.sum() == 313
    assert BINS["grid"].inside.sum() == 64 * 64


def test_nearly_every_srgb_color_lies_in_a_gamut_bin():
    rgb = np.random.default_rng(0).uniform(size=(20000, 3))
    rows, columns = bin_of(color.srgb_to_lab(rgb)[:, 1:] / 128, BINS["gamut"])
    assert BINS["gamut"].inside[rows, columns].mean() > 0.999


@pytest.mark.parametrize(
    ("name", "ab", "place"),
    [
        ("gamut", (-4, 14), (11, 12)),
        ("gamut", (-6, 16), (10, 13)),
        ("grid", (0.5, -0.5), (32, 31)),
        ("grid", (200.0, -200.0), (63, 0)),
    ],
)
def test_a_color_is_in_the_bin_around_it(name, ab, place):
    for xp in (np, jnp):
        found = bin_of(xp.asarray(field_of(ab, 1)), BINS[name])
        assert tuple(int(index[0]) for index in found) == place


def test_a_color_out_of_gamut_counts_for_the_nearest_bin():
    counts = count_colors(field_of((-90, 20), 3), BINS["gamut"])
    assert counts.sum() == 3 and counts[3, 13] == 3  # (-80, 20) is in gamut, (-90, 20) is not


def test_weights_have_mean_one_over_the_counted_colors_and_are_capped():
    draw = np.random.default_rng(0)
    ab = (draw.normal(0, 12, (50000, 2)) / 128).astype(np.float32)
    for name, bins in BINS.items():
        weights = bin_weights(count_colors(ab, bins), bins, uniform=0.5, cap=8.0)
        np.testing.assert_allclose(weights[bin_of(ab, bins)].mean(), 1, rtol=1e-6, err_msg=name)
        assert weights.max() == 8.0 and weights.min() > 0
        gray, vivid = (weights[bin_of(field_of(at, 1), bins)] for at in ((0, 0), (40, 40)))
        assert vivid > 5 * gray


def test_weights_are_inverse_probabilities_of_known_counts():
    bins = BINS["gamut"]
    common, rare = field_of((0, 0), 900), field_of((60, -60), 100)  # too far apart to smooth into each other
    counts = count_colors(np.concatenate([common, rare]), bins)
    weights = bin_weights(counts, bins, uniform=1e-9, cap=1e9)
    at_common, at_rare = (weights[bin_of(x[:1], bins)][0] for x in (common, rare))
    np.testing.assert_allclose(at_rare / at_common, 9, rtol=1e-3)
    np.testing.assert_allclose(0.9 * at_common + 0.1 * at_rare, 1, rtol=1e-6)
    flat = bin_weights(counts, bins, uniform=1.0, cap=2.0)
    np.testing.assert_allclose(flat, 1, rtol=1e-6)


def test_weights_refuse_what_they_cannot_normalize():
    counts = count_colors(field_of((0, 0), 1), BINS["grid"])
    for changed in ({"cap": 1.0}, {"uniform": 0.0}, {"counts": np.zeros((64, 64))}):
        arguments = {"counts": counts, "bins": BINS["grid"], "uniform": 0.5, "cap": 5.0} | changed
        with pytest.raises(ValueError, match="bin_weights"):
            bin_weights(**arguments)


def low_rank(rows, columns, rank, noise, seed=0):
    draw = np.random.default_rng(seed)
    scales = 2.0 ** -np.arange(rank)
    mixed = (draw.normal(size=(rows, rank)) * scales) @ np.linalg.qr(draw.normal(size=(columns, rank)))[0].T
    return 3 + mixed + noise * draw.normal(size=(rows, columns))


def test_components_collected_in_blocks_are_those_of_all_rows_at_once():
    rows = (
        low_rank(300, 50, 5, noise=0.02) + np.linspace(0, 1, 300)[:, None]
    )  # the mean drifts from block to block
    pca = IncrementalPca(20)
    for block in np.split(rows, [30, 100, 101]):
        pca.add(block)
    directions, deviations = pca.components(5)
    _, lengths, expected = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(deviations, lengths[:5] / np.sqrt(299), rtol=1e-3)
    np.testing.assert_allclose(np.abs((directions * expected[:5]).sum(axis=1)), 1, atol=1e-3)
    np.testing.assert_allclose(directions @ directions.T, np.eye(5), atol=1e-9)


def test_more_components_than_directions_is_an_error():
    pca = IncrementalPca(8)
    pca.add(low_rank(40, 10, 2, noise=0.0))
    with pytest.raises(ValueError, match="3 asked for, but the 40 rows seen vary in 2"):
        pca.components(3)


@pytest.fixture(scope="module")
def fields():
    return low_rank(60, 4 * 4 * 2, 6, noise=0.1).reshape(60, 4, 4, 2).astype(np.float32) / 10


@pytest.fixture(scope="module")
def statistics(fields):
    blocks = np.split(fields, 3)
    found = collect(blocks, components=3, bins=BINS["grid"], uniform=0.5, cap=5.0)
    return jax.tree.map(jnp.asarray, found)


def test_specificity_is_the_mahalanobis_distance_with_a_residue(fields, statistics):
    true, predicted = fields[:4], fields[4:8]
    directions = np.asarray(statistics["components"]).reshape(3, -1).astype(np.float64)
    deviations = np.asarray(statistics["deviations"])
    expected = []
    for difference in (true - predicted).reshape(4, -1):
        along = directions @ difference
        residue = difference - along @ directions
        expected.append(((along / deviations) ** 2).sum() + (residue**2).sum() / deviations[-1] ** 2)
    found = losses.specificity(
        *map(jnp.asarray, (predicted, true)), statistics["components"], statistics["deviations"]
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_one_deviation_along_any_component_costs_one(statistics):
    components, deviations = statistics["components"], statistics["deviations"]
    moved = components * deviations[:, None, None, None]
    cost = losses.specificity(moved, jnp.zeros_like(moved), components, deviations)
    np.testing.assert_allclose(cost, 1, rtol=1e-4)
    assert not losses.specificity(moved, moved, components, deviations).any()


def test_training_fields_are_as_far_from_their_mean_as_there_are_components(fields, statistics):
    components, deviations = statistics["components"], statistics["deviations"]
    centerd = jnp.asarray(fields - fields.mean(axis=0))
    along = jnp.einsum("bhwc,khwc->bk", centerd, components) / deviations[None]
    np.testing.assert_allclose(jnp.square(along).sum(axis=1).sum() / (len(fields) - 1), 3, rtol=1e-2)


def test_colorfulness_weighs_pixels_by_their_true_color():
    true = jnp.zeros((2, 2, 2, 2)).at[1, 0, 1].set(0.5)
    predicted = true + 0.1
    weights = jnp.ones((2, 2, 2)).at[1, 0, 1].set(7.0)
    np.testing.assert_allclose(losses.colorfulness(predicted, true, weights), [0.08, 0.06 + 0.14], rtol=1e-5)


def test_gradients_of_a_ramp_are_its_slope_and_offsets_cost_nothing():
    rows, columns = np.mgrid[0:4, 0:5].astype(np.float32)
    ramp = jnp.asarray(np.stack([0.1 * rows, 0.3 * columns], axis=-1)[None])
    flat = jnp.zeros_like(ramp)
    # 3 x 5 vertical steps of 0.1 in a*, 4 x 4 horizontal ones of 0.3 in b*
    np.testing.assert_allclose(losses.gradient_difference(ramp, flat), [15 * 0.01 + 16 * 0.09], rtol=1e-5)
    np.testing.assert_allclose(losses.gradient_difference(ramp + 0.4, ramp), [0], atol=1e-9)


def test_every_term_is_taken_of_the_true_colors_statistics(fields, statistics):
    true, predicted = jnp.asarray(fields[:2]), jnp.asarray(fields[2:4])
    bins = BINS["grid"]
    found = losses.field_terms(predicted, true, statistics, terms=losses.FIELD_TERMS, bins=bins)
    squared = np.square(fields[:2] - fields[2:4]).astype(np.float64)
    weights = np.asarray(statistics["bin_weights"])[bin_of(fields[:2], bins)]
    np.testing.assert_allclose(found["l2"], squared.sum(axis=(1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(found["hist"], (weights[..., None] * squared).sum(axis=(1, 2, 3)), rtol=1e-5)
    assert set(found) == set(losses.FIELD_TERMS)
    assert not any(jnp.any(x) for x in losses.field_terms(true, true, statistics, terms=losses.FIELD_TERMS,
                                                          bins=bins).values())  # fmt: skip


def test_inverse_probabilities_are_in_the_scale_of_the_number_of_bins():
    bins = BINS["gamut"]
    even = inverse_probabilities(bins.inside.astype(float), bins)
    # The Gaussian loses most at the corners of the gamut, and the inverse gains there.
    np.testing.assert_allclose(even[11, 11], 313, rtol=0.1)
    counts = np.zeros(bins.inside.shape)
    counts[11, 11], counts[5, 15] = 3e6, 1e6
    found = inverse_probabilities(counts, bins)
    # Half of the Gaussian, of half a bin's deviation, stays in its bin along each axis: 0.68², a little more or less.
    np.testing.assert_allclose(found[11, 11], 4 / 3 / 0.62, rtol=0.15)
    np.testing.assert_allclose(found[5, 15] / found[11, 11], 3, rtol=0.1)
    assert np.isfinite(found).all() and found.max() == found[20, 0]  # far from both
