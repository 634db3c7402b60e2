"""What is kept of an evaluation survives its JSON, and that of older versions, too."""

import numpy as np
import pytest

from colorize_jax.evaluation import records

pytestmark = pytest.mark.quick


def test_json_round_trip_keeps_everything(evaluation):
    again = records.from_json(records.to_json(evaluation))
    assert again.protocol == evaluation.protocol
    assert records.to_json(again) == records.to_json(evaluation)
    for row, kept in zip(evaluation.rows, again.rows, strict=True):
        assert (row.name, row.samples, row.undefined) == (kept.name, kept.samples, kept.undefined)
        np.testing.assert_array_equal(list(row.scores.values()), list(kept.scores.values()))
    assert "NaN" not in records.to_json(evaluation)


def test_ratios_are_to_gray_and_to_the_templates(evaluation):
    field = evaluation.row("field")
    expected = field.scores["eob_mae"] / evaluation.row("templates").scores["eob_mae"]
    assert records.ratios(evaluation, field)["templates"] == expected
    assert records.ratios(evaluation, evaluation.row("gray"))["gray"] == 1


OLD = """{"protocol": {"model": "default", "dataset": "lfw_deepfunneled", "split": "test", "split_hash": "abc",
"images": 2, "samples": 5, "rule": "modes", "resolution": 64, "field": 32, "lift": "bicubic", "seed": 0,
"batch_size": 50, "fit_images": 3000, "versions": {"jax": "0.8"}}, "rows": [{"name": "gray", "samples": 1,
"scores": {"eob_mae": 0.07, "bleed": null}, "undefined": {"bleed": 2}, "ratios": {"gray": 1.0}}],
"diagnostics": null}"""


def test_an_evaluation_of_an_older_version_is_read_with_the_later_fields_at_their_defaults():
    found = records.from_json(OLD)
    assert found.row("gray").scores["eob_mae"] == 0.07 and np.isnan(found.row("gray").scores["bleed"])
    assert found.protocol.method == "" and found.protocol.losses is None and found.protocol.commands == ()


def test_a_comparison_needs_no_blind_rows_for_its_ratios():
    found = records.from_json(OLD)
    assert records.ratios(found, found.row("gray")) == {"gray": 1.0}
