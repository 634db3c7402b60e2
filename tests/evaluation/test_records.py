"""What is kept of an evaluation survives its JSON, and that of older versions, too."""

import numpy as np

from colorize_jax.evaluation import records


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
