"""The evaluation on a toy method without networks, whose every number can be derived from its definition."""

import tarfile
from functools import partial
from io import BytesIO
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from colorize_jax import color
from colorize_jax.data import color_statistics
from colorize_jax.evaluation import baselines, evaluate, metrics
from colorize_jax.methods.base import Colors, Edits, Method, Samples

SIZE, FIELD = 32, 16
BETA = 0.05  # far from the other eigenvalues, where the power iterations of `condition` are exact


def _photos(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    lightness = rng.uniform(-0.8, 0.8, (count, SIZE, SIZE, 1)).astype(np.float32)
    coarse = rng.uniform(-0.3, 0.3, (count, 4, 4, 2)).astype(np.float32)
    return {"lightness": lightness, "ab": np.kron(coarse, np.ones((1, SIZE // 4, SIZE // 4, 1), np.float32))}


def _batches(photos: dict[str, np.ndarray], size: int) -> list[dict[str, np.ndarray]]:
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


def _toy_method() -> Method:
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


@pytest.fixture(scope="module")
def photos() -> dict[str, np.ndarray]:
    return _photos(5)


def test_weights_of_colors_are_those_of_the_training_set(photos, blind):
    fields = _photos(12, seed=1)["ab"]
    bins = color_statistics.BINS["gamut"]
    weights = metrics.color_weights(fields, blind.weights, bins)
    np.testing.assert_allclose(weights.mean(), 1, rtol=1e-6)
    counts = color_statistics.count_colors(fields, bins)
    common = np.unravel_index(counts.argmax(), counts.shape)
    assert blind.weights[common] < blind.weights[bins.inside].max()


def test_training_cost_counts_the_runs_before():
    stages = [{"stage": "a", "steps": 3, "images": 96, "seconds": 1.5}, {"stage": "b", "seconds": 0.5}]
    before = {"stages": [{"stage": "a", "steps": 10, "images": 320, "seconds": 4.0}], "began_with": None}
    assert evaluate.training_cost({"stages": stages, "began_with": before}) == (13, 416, 6.0)


def test_weights_hash_sees_every_value():
    one = {"params": {"a": {"b": np.zeros(2, np.float32)}}, "batch_stats": {}}
    other = {"params": {"a": {"b": np.array([0, 1e-7], np.float32)}}, "batch_stats": {}}
    assert evaluate.weights_hash(one) != evaluate.weights_hash(other)
    assert len(evaluate.weights_hash(one)) == 12


def test_bleed_over_drawn_regions_is_the_mean_over_people(photos):
    predict = evaluate.predictor(_toy_method(), VARIABLES, samples=2, rule="modes")
    one = {name: value[:1] for name, value in photos.items()}
    halves = (np.arange(SIZE) < SIZE // 2)[:, None].repeat(SIZE, axis=1).astype(int)
    people = [halves, np.zeros((SIZE, SIZE), int)]
    found = evaluate.score_regions(predict, [(one, people)], seed=0)
    expected = [metrics.bleed_mean(one["ab"][:, None], regions[None])[0] for regions in people]
    np.testing.assert_allclose(found["truth"]["bleed_human"], np.mean(expected))
    assert expected[1] == pytest.approx(1) and expected[0] < 1  # one region keeps nothing apart
    (row,) = evaluate.reduce_rows({"truth": found["truth"] | {"mae": np.zeros(1)}}, {"truth": 1})
    assert list(row.scores) == ["bleed_human"]  # the truth has no error to be told


@pytest.fixture(scope="module")
def blind(photos) -> evaluate.Reference:
    return evaluate.reference(_photos(12, seed=1)["ab"])


@pytest.fixture(scope="module")
def scored(photos, blind):
    predict = evaluate.predictor(_toy_method(), VARIABLES, samples=3, rule="modes")
    return evaluate.score_images(predict, _batches(photos, 2), blind, seed=0)


@pytest.fixture(scope="module")
def evaluation(photos, scored) -> evaluate.Evaluation:
    protocol = evaluate.Protocol(
        model="toy", dataset="lfw_deepfunneled", split="test", split_hash="0" * 12, images=5, samples=3,
        rule="modes", resolution=SIZE, field=FIELD, lift="bicubic", seed=0, batch_size=2, fit_images=12,
        versions={"python": "3.11"},
    )  # fmt: skip
    diagnostics = evaluate.diagnose(
        _toy_method(),
        VARIABLES,
        _batches(photos, 2),
        samples=3,
        rule="modes",
        seed=0,
        unary_weight=BETA,
        images=4,
    )
    return evaluate.Evaluation(protocol, evaluate.reduce_rows(*scored), diagnostics)


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


def test_unary_and_field_are_lifted_and_measured_as_the_metrics_define(photos, scored):
    per_image, _ = scored
    drawn = _toy_method().colors.sample(VARIABLES, photos, None, samples=3, rule="modes")
    for name, fields in (("unary", drawn.unary), ("field", drawn.field)):
        alone = evaluate.lift_all({name: np.asarray(fields)}, photos["lightness"], method="bicubic")[name]
        np.testing.assert_allclose(
            per_image[name]["eob_mae"], metrics.eob_mae(alone, photos["ab"]), rtol=1e-5
        )
        np.testing.assert_allclose(per_image[name]["variance"], metrics.variance(alone), rtol=1e-5)
    np.testing.assert_allclose(per_image["field"]["variance"], per_image["unary"]["variance"] / 4, rtol=1e-4)


def test_lifting_keeps_samples_and_channels_apart(photos):
    constants = np.arange(2 * 3 * 2, dtype=np.float32).reshape(2, 3, 1, 1, 2)
    fields = {"a": constants * np.ones((1, 1, FIELD, FIELD, 1), np.float32), "b": _photos(2)["ab"][:, None]}
    for method in ("bicubic", "jbu"):
        lifted = evaluate.lift_all(fields, photos["lightness"][:2], method=method)
        assert list(lifted) == ["a", "b"]
        np.testing.assert_allclose(lifted["a"], np.broadcast_to(constants, (2, 3, SIZE, SIZE, 2)), atol=1e-5)
        np.testing.assert_array_equal(lifted["b"], fields["b"])


def test_padding_and_batch_size_change_nothing(photos, blind, scored):
    predict = evaluate.predictor(_toy_method(), VARIABLES, samples=3, rule="modes")
    whole, _ = evaluate.score_images(predict, [photos], blind, seed=0)
    for row, found in scored[0].items():
        for metric, values in found.items():
            np.testing.assert_allclose(values, whole[row][metric], rtol=1e-5, err_msg=f"{row} {metric}")


@pytest.mark.parametrize(("rule", "size"), [("random", 2), ("random", 4), ("modes", 3)])
def test_neither_batches_nor_processes_change_what_is_drawn(photos, blind, monkeypatch, rule, size):
    predict = evaluate.predictor(_toy_method(), VARIABLES, samples=2, rule=rule)
    whole, _ = evaluate.score_images(predict, [photos], blind, seed=0)
    batched, _ = evaluate.score_images(predict, _batches(photos, size), blind, seed=0)
    parts = []
    monkeypatch.setattr(evaluate, "_gathered", lambda found, places: parts.append((found, places)) or found)
    if size % 2 == 0:  # two processes, each with one half of every batch
        halves = [
            [
                {k: v[half::2].copy() for k, v in _interleaved(batch).items()}
                for batch in _batches(photos, size)
            ]
            for half in (0, 1)
        ]
        for number, own in enumerate(halves):
            evaluate.score_images(predict, own, blind, seed=0, process=(number, 2))
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
        monkeypatch.setattr(evaluate.multihost_utils, "process_allgather", first_pass(number))
        evaluate._gathered(found, places)
    both = np.stack([sent[0][1], sent[1][1]])
    monkeypatch.setattr(
        evaluate.multihost_utils,
        "process_allgather",
        lambda x: np.array([[2], [1]]) if x.size == 1 else both,
    )
    np.testing.assert_array_equal(evaluate._gathered(*own[0])["field"]["mae"], [0.1, np.nan, 1 / 3])


def test_random_samples_are_a_function_of_the_seed(photos, blind):
    predict = evaluate.predictor(_toy_method(), VARIABLES, samples=2, rule="random")
    one = {name: value[:1] for name, value in photos.items()}
    first, again, other = (
        evaluate.score_images(predict, [one], blind, seed=seed)[0]["field"]["eob_mae"] for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_means_leave_undefined_values_out_and_count_them(evaluation, scored):
    gray = evaluation.row("gray")
    assert np.isnan(gray.scores["bleed"]) and gray.undefined["bleed"] == 5
    assert np.isnan(gray.scores["pair_ssim_ab"]) and "eob_mae" not in gray.undefined
    field = evaluation.row("field")
    np.testing.assert_allclose(field.scores["eob_mae"], scored[0]["field"]["eob_mae"].mean())
    assert list(evaluation.row("truth").scores) == ["bleed"]


def test_diagnostics_of_a_uniform_similarity(evaluation):
    found = evaluation.diagnostics
    assert found is not None and found.images == 4
    np.testing.assert_allclose(found.mean["diagonal_mean"], 1 / FIELD**2, rtol=1e-5)
    np.testing.assert_allclose(found.mean["movement"], 0.5, rtol=1e-5)
    # A = I − 1/P 11ᵀ + βI has eigenvalues 1 + β and, on the constant, β.
    np.testing.assert_allclose(found.mean["condition"], (1 + BETA) / BETA, rtol=0.05)
    assert found.worst["overshoot"] >= found.mean["overshoot"] >= 0


def test_json_round_trip_keeps_everything(evaluation):
    again = evaluate.from_json(evaluate.to_json(evaluation))
    assert again.protocol == evaluation.protocol
    assert evaluate.to_json(again) == evaluate.to_json(evaluation)
    for row, kept in zip(evaluation.rows, again.rows, strict=True):
        assert (row.name, row.samples, row.undefined) == (kept.name, kept.samples, kept.undefined)
        np.testing.assert_array_equal(list(row.scores.values()), list(kept.scores.values()))
    assert "NaN" not in evaluate.to_json(evaluation)


def test_ratios_are_to_gray_and_to_the_templates(evaluation):
    field = evaluation.row("field")
    expected = field.scores["eob_mae"] / evaluation.row("templates").scores["eob_mae"]
    assert evaluate.ratios(evaluation, field)["templates"] == expected
    assert evaluate.ratios(evaluation, evaluation.row("gray"))["gray"] == 1


def test_collect_finds_images_by_their_place(photos):
    found = evaluate.collect(_batches(photos, 2), [4, 0, 4])
    np.testing.assert_array_equal(found["ab"], photos["ab"][[4, 0, 4]])
    assert "mask" not in found
    with pytest.raises(ValueError, match=r"images \[5\] asked for, but the test set has 5"):
        evaluate.collect(_batches(photos, 2), [5])


def test_training_fields_leave_padding_out(photos):
    np.testing.assert_array_equal(evaluate.training_fields(_batches(photos, 3)), photos["ab"])
    with pytest.raises(ValueError, match="training split is empty"):
        evaluate.training_fields([])


def test_errors_name_what_is_missing(photos, blind, evaluation):
    with pytest.raises(ValueError, match="lack the networks tint"):
        evaluate.predictor(_toy_method(), {"params": {}, "batch_stats": {}}, samples=1, rule="modes")
    with pytest.raises(ValueError, match="test set is empty"):
        evaluate.score_images(None, [], blind, seed=0)
    with pytest.raises(ValueError, match="'cgan' is not in the table"):
        evaluation.row("cgan")


def test_a_method_without_its_optional_parts_has_no_such_rows(photos, blind):
    sample = _toy_method().colors.sample
    method = _toy_method()._replace(colors=Colors(sample, ("modes",)), edits=None)
    predict = evaluate.predictor(method, VARIABLES, samples=1, rule="modes")
    _, counts = evaluate.score_images(predict, _batches(photos, 5), blind, seed=0)
    assert list(counts)[6:] == ["perfect_field", "field"]
    diagnose = partial(evaluate.diagnose, samples=1, rule="modes", seed=0, unary_weight=BETA)
    assert diagnose(method, VARIABLES, _batches(photos, 5)) is None


def test_a_field_of_full_size_has_no_ceiling_and_is_not_lifted(photos, blind):
    def sample(variables, batch, rng, *, samples, rule):
        fields = jnp.repeat(batch["ab"][:, None] * 0.5, samples, axis=1)
        return Samples(fields, fields, jnp.ones(fields.shape[:2]) / samples)

    colors = Colors(sample, ("modes",), reconstruct=lambda variables, batch: (batch["ab"], batch["ab"]))
    method = _toy_method()._replace(colors=colors, edits=None)
    predict = evaluate.predictor(method, VARIABLES, samples=2, rule="modes")
    scores, counts = evaluate.score_images(predict, _batches(photos, 5), blind, seed=0)
    assert list(counts)[6:] == ["reconstruction", "field"]
    np.testing.assert_allclose(scores["field"]["mae"], 0.5 * scores["gray"]["mae"], rtol=1e-5)
    assert not scores["reconstruction"]["mae"].any()


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
