"""Scores of the toy method: padding, batches and processes change none of them."""

import jax.numpy as jnp
import numpy as np
import pytest
from scored_toy import BETA, FIELD, SIZE, VARIABLES, batches_of, make_photos, toy_method

from colorize_jax.data import color_statistics
from colorize_jax.evaluation import metrics, natural, predict, score


def test_weights_of_colors_are_those_of_the_training_set(photos, blind):
    fields = make_photos(12, seed=1)["ab"]
    bins = color_statistics.BINS["gamut"]
    table = blind.weights["weighted"]
    weights = metrics.color_weights(fields, table, bins)
    np.testing.assert_allclose(weights.mean(), 1, rtol=1e-6)
    counts = color_statistics.count_colors(fields, bins)
    common = np.unravel_index(counts.argmax(), counts.shape)
    assert table[common] < table[bins.inside].max()


def test_bleed_over_drawn_regions_is_the_mean_over_people(photos):
    predicted = predict.predictor(toy_method(), VARIABLES, samples=2, rule="modes")
    one = {name: value[:1] for name, value in photos.items()}
    halves = (np.arange(SIZE) < SIZE // 2)[:, None].repeat(SIZE, axis=1).astype(int)
    people = [halves, np.zeros((SIZE, SIZE), int)]
    found = score.score_regions(predicted, [(one, people)], seed=0)
    expected = [metrics.bleed_mean(one["ab"][:, None], regions[None])[0] for regions in people]
    np.testing.assert_allclose(found["truth"]["bleed_human"], np.mean(expected))
    assert expected[1] == pytest.approx(1) and expected[0] < 1  # one region keeps nothing apart
    (row,) = score.reduce_rows({"truth": found["truth"] | {"mae": np.zeros(1)}}, {"truth": 1})
    assert list(row.scores) == ["bleed_human"]  # the truth has no error to be told


def test_rows_stand_in_the_order_of_the_table(evaluation):
    assert [(row.name, row.samples) for row in evaluation.rows] == [
        ("truth", 1), ("gray", 1), ("mean_colour", 1), ("mean_image", 1), ("own_mean", 1), ("templates", 5),
        ("perfect_field", 1), ("regressor", 1), ("reconstruction_unary", 1), ("reconstruction", 1),
        ("unary", 3), ("field", 3),
    ]  # fmt: skip


def test_every_row_is_measured_against_its_own_image(photos, scored):
    per_image, _ = scored
    expected = np.abs(photos["ab"]).mean(axis=(1, 2, 3))
    for name in ("gray", "regressor", "reconstruction_unary"):
        np.testing.assert_allclose(per_image[name]["eob_mae"], expected, rtol=1e-5)
    # The toy's colours are constant over 8 × 8 blocks: its field loses only what the lift blurs at their edges.
    assert (per_image["perfect_field"]["eob_mae"] < 0.15 * expected).all()
    np.testing.assert_array_equal(
        per_image["reconstruction"]["eob_mae"], per_image["perfect_field"]["eob_mae"]
    )


def test_padding_and_batch_size_change_nothing(photos, blind, scored):
    predicted = predict.predictor(toy_method(), VARIABLES, samples=3, rule="modes")
    whole, _ = score.score_images(predicted, [photos], blind, seed=0)
    for row, found in scored[0].items():
        for metric, values in found.items():
            np.testing.assert_allclose(values, whole[row][metric], rtol=1e-5, err_msg=f"{row} {metric}")


@pytest.mark.parametrize(("rule", "size"), [("random", 2), ("random", 4), ("modes", 3)])
def test_neither_batches_nor_processes_change_what_is_drawn(photos, blind, monkeypatch, rule, size):
    predicted = predict.predictor(toy_method(), VARIABLES, samples=2, rule=rule)
    whole, _ = score.score_images(predicted, [photos], blind, seed=0)
    batched, _ = score.score_images(predicted, batches_of(photos, size), blind, seed=0)
    parts = []
    monkeypatch.setattr(score, "_gathered", lambda found, places: parts.append((found, places)) or found)
    if size % 2 == 0:  # two processes, each with one half of every batch
        halves = [
            [
                {k: v[half::2].copy() for k, v in _interleaved(batch).items()}
                for batch in batches_of(photos, size)
            ]
            for half in (0, 1)
        ]
        for number, own in enumerate(halves):
            score.score_images(predicted, own, blind, seed=0, process=(number, 2))
        assert sorted(np.concatenate([places for _, places in parts])) == list(range(5))
    for metric, expected in whole["field"].items():
        np.testing.assert_allclose(batched["field"][metric], expected, rtol=1e-5, err_msg=metric)
        for found, places in parts:
            np.testing.assert_allclose(found["field"][metric], expected[places], rtol=1e-5, err_msg=metric)


def _interleaved(batch):
    """The batch in an order in which every second row from 0 is its first half, and from 1 its second."""
    order = np.arange(len(batch["ab"])).reshape(2, -1).T.ravel()
    return {name: value[order] for name, value in batch.items()}


def test_all_processes_scores_come_together_in_the_order_of_the_test_set(monkeypatch):
    own = [
        ({"field": {"mae": np.array([0.1, 1 / 3])}}, np.array([0, 2])),
        ({"field": {"mae": np.array([np.nan])}}, np.array([1])),
    ]
    sent: list[list[np.ndarray]] = [[], []]

    def first_pass(number):
        def allgather(x):
            sent[number].append(x)
            return np.array([[2], [1]]) if x.size == 1 else np.stack([x, x])

        return allgather

    for number, (found, places) in enumerate(own):
        monkeypatch.setattr(score.multihost_utils, "process_allgather", first_pass(number))
        score._gathered(found, places)
    both = np.stack([sent[0][1], sent[1][1]])
    monkeypatch.setattr(
        score.multihost_utils,
        "process_allgather",
        lambda x: np.array([[2], [1]]) if x.size == 1 else both,
    )
    np.testing.assert_array_equal(score._gathered(*own[0])["field"]["mae"], [0.1, np.nan, 1 / 3])


def test_random_samples_are_a_function_of_the_seed(photos, blind):
    predicted = predict.predictor(toy_method(), VARIABLES, samples=2, rule="random")
    one = {name: value[:1] for name, value in photos.items()}
    first, again, other = (
        score.score_images(predicted, [one], blind, seed=seed)[0]["field"]["eob_mae"] for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_cross_entropy_of_uniform_histograms_is_that_of_the_bins():
    bins = jnp.asarray([[0.1, 0.0], [-0.1, 0.0], [0.0, 0.1]])
    truth = jnp.asarray(np.random.default_rng(0).uniform(-0.2, 0.2, (2, 4, 4, 2)), jnp.float32)
    found = score._bin_scores(bins, jnp.full((2, 4, 4, 3), 1 / 3), truth)
    np.testing.assert_allclose(found["bin_cross_entropy"], np.log(3), rtol=1e-5)
    # Half of a colour is in each of two bins as near: half of each one's nats.
    halves = jnp.full((1, 1, 1, 2), 0.0)
    histograms = jnp.asarray([[[[0.9, 0.1, 0.0]]]])
    far = jnp.asarray([[0.1, 0.0], [-0.1, 0.0], [0.0, 0.9]])
    found = score._bin_scores(far, histograms, halves)
    np.testing.assert_allclose(found["bin_cross_entropy"], -np.log(0.9 * 0.1) / 2, rtol=1e-5)


def test_means_leave_undefined_values_out_and_count_them(evaluation, scored):
    gray = evaluation.row("gray")
    assert np.isnan(gray.scores["bleed"]) and gray.undefined["bleed"] == 5
    assert np.isnan(gray.scores["pair_ssim_ab"]) and "eob_mae" not in gray.undefined
    field = evaluation.row("field")
    np.testing.assert_allclose(field.scores["eob_mae"], scored[0]["field"]["eob_mae"].mean())
    assert set(evaluation.row("truth").scores) == {"bleed", *natural.OF_ITSELF}


def test_diagnostics_of_a_uniform_similarity(evaluation):
    found = evaluation.diagnostics
    assert found is not None and found.images == 4
    np.testing.assert_allclose(found.mean["diagonal_mean"], 1 / FIELD**2, rtol=1e-5)
    np.testing.assert_allclose(found.mean["movement"], 0.5, rtol=1e-5)
    # A = I − 1/P 11ᵀ + βI has eigenvalues 1 + β and, on the constant, β.
    np.testing.assert_allclose(found.mean["condition"], (1 + BETA) / BETA, rtol=0.05)
    assert found.worst["overshoot"] >= found.mean["overshoot"] >= 0


def test_errors_name_what_is_missing(photos, blind, evaluation):
    with pytest.raises(ValueError, match="lack the networks tint"):
        predict.predictor(toy_method(), {"params": {}, "batch_stats": {}}, samples=1, rule="modes")
    with pytest.raises(ValueError, match="test set is empty"):
        score.score_images(None, [], blind, seed=0)
    with pytest.raises(ValueError, match="'cgan' is not in the table"):
        evaluation.row("cgan")
