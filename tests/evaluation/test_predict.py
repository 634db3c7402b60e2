"""The rows of the toy method: which there are by its capabilities, and how they are lifted."""

from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest
from scored_toy import BETA, FIELD, SIZE, VARIABLES, batches_of, make_photos, toy_method

from colorize_jax.evaluation import metrics, predict, score
from colorize_jax.methods.base import Colors, Samples


def test_unary_and_field_are_lifted_and_measured_as_the_metrics_define(photos, scored):
    per_image, _ = scored
    drawn = toy_method().colors.sample(VARIABLES, photos, None, samples=3, rule="modes")
    for name, fields in (("unary", drawn.unary), ("field", drawn.field)):
        alone = predict.lift_all({name: np.asarray(fields)}, photos["lightness"], method="bicubic")[name]
        np.testing.assert_allclose(
            per_image[name]["eob_mae"], metrics.eob_mae(alone, photos["ab"]), rtol=1e-5
        )
        np.testing.assert_allclose(per_image[name]["variance"], metrics.variance(alone), rtol=1e-5)
    np.testing.assert_allclose(per_image["field"]["variance"], per_image["unary"]["variance"] / 4, rtol=1e-4)


def test_lifting_keeps_samples_and_channels_apart(photos):
    constants = np.arange(2 * 3 * 2, dtype=np.float32).reshape(2, 3, 1, 1, 2)
    fields = {
        "a": constants * np.ones((1, 1, FIELD, FIELD, 1), np.float32),
        "b": make_photos(2)["ab"][:, None],
    }
    for method in ("bicubic", "jbu"):
        lifted = predict.lift_all(fields, photos["lightness"][:2], method=method)
        assert list(lifted) == ["a", "b"]
        np.testing.assert_allclose(lifted["a"], np.broadcast_to(constants, (2, 3, SIZE, SIZE, 2)), atol=1e-5)
        np.testing.assert_array_equal(lifted["b"], fields["b"])


def test_collect_finds_images_by_their_place(photos):
    found = predict.collect(batches_of(photos, 2), [4, 0, 4])
    np.testing.assert_array_equal(found["ab"], photos["ab"][[4, 0, 4]])
    assert "mask" not in found
    with pytest.raises(ValueError, match=r"images \[5\] asked for, but the test set has 5"):
        predict.collect(batches_of(photos, 2), [5])


def test_training_fields_leave_padding_out(photos):
    np.testing.assert_array_equal(predict.training_fields(batches_of(photos, 3)), photos["ab"])
    with pytest.raises(ValueError, match="training split is empty"):
        predict.training_fields([])


def test_a_method_without_its_optional_parts_has_no_such_rows(photos, blind):
    sample = toy_method().colors.sample
    method = toy_method()._replace(colors=Colors(sample, ("modes",)), edits=None)
    predicted = predict.predictor(method, VARIABLES, samples=1, rule="modes")
    _, counts = score.score_images(predicted, batches_of(photos, 5), blind, seed=0)
    assert list(counts)[6:] == ["perfect_field", "field"]
    diagnose = partial(score.diagnose, samples=1, rule="modes", seed=0, unary_weight=BETA)
    assert diagnose(method, VARIABLES, batches_of(photos, 5)) is None


def test_a_field_of_full_size_has_no_ceiling_and_is_not_lifted(photos, blind):
    def sample(variables, batch, rng, *, samples, rule):
        fields = jnp.repeat(batch["ab"][:, None] * 0.5, samples, axis=1)
        return Samples(fields, fields, jnp.ones(fields.shape[:2]) / samples)

    colors = Colors(sample, ("modes",), reconstruct=lambda variables, batch: (batch["ab"], batch["ab"]))
    method = toy_method()._replace(colors=colors, edits=None)
    predicted = predict.predictor(method, VARIABLES, samples=2, rule="modes")
    scores, counts = score.score_images(predicted, batches_of(photos, 5), blind, seed=0)
    assert list(counts)[6:] == ["reconstruction", "field"]
    np.testing.assert_allclose(scores["field"]["mae"], 0.5 * scores["gray"]["mae"], rtol=1e-5)
    assert not scores["reconstruction"]["mae"].any()


def test_a_method_reads_larger_photos_by_the_means_of_their_cells(photos):
    larger = {name: value.repeat(2, axis=1).repeat(2, axis=2) for name, value in photos.items()}
    method, read = toy_method(), predict.at_resolution(toy_method(), SIZE)
    expected = method.colors.sample(VARIABLES, photos, None, samples=2, rule="modes").field
    found = read.colors.sample(VARIABLES, larger, None, samples=2, rule="modes").field
    np.testing.assert_allclose(found, expected, atol=1e-6)
    _, field = read.colors.reconstruct(VARIABLES, larger)
    np.testing.assert_allclose(field, method.colors.reconstruct(VARIABLES, photos)[1], atol=1e-6)
    predicted = predict.predictor(read, VARIABLES, samples=2, rule="modes")
    rows = predicted(larger, predict.image_keys(0, np.arange(5)))
    assert rows["field"].shape == (5, 2, 2 * SIZE, 2 * SIZE, 2)
