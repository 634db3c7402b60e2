"""Tables and pictures: what stands where, not only that something is drawn."""

import numpy as np
import pytest

from colorize_jax import color
from colorize_jax.evaluation import records, report


def _row(name: str, samples: int, **scores: float) -> records.Row:
    defaults = dict.fromkeys(("eob_mse", "mae", "variance", "pair_ssim_rgb", "psnr_best", "bleed"), 0.1)
    return records.Row(name, samples, {"pair_ssim_ab": 0.9, **defaults, **scores}, {})


@pytest.fixture
def evaluation() -> records.Evaluation:
    protocol = records.Protocol(
        model="default", dataset="lfw_deepfunneled", split="test", split_hash="abc123", images=1000, samples=5,
        rule="modes", resolution=64, field=32, lift="bicubic", seed=7, batch_size=50, fit_images=3000,
        versions={"jax": "0.10.2"},
    )  # fmt: skip
    rows = (
        records.Row("truth", 1, {"bleed": 0.166}, {}),
        _row("gray", 1, eob_mae=0.08, pair_ssim_ab=float("nan"), bleed=float("nan")),
        _row("templates", 5, eob_mae=0.05),
        _row("unary", 5, eob_mae=0.042),
        _row("field", 5, eob_mae=0.04),
    )
    diagnostics = records.Diagnostics(
        100, {"diagonal_mean": 0.01, "movement": 0.2}, {"diagonal_mean": 0.3, "movement": 0.05},
        {"diagonal_mean": 17, "movement": 3},
    )  # fmt: skip
    return records.Evaluation(protocol, rows, diagnostics)


def test_table_has_the_values_and_their_ratios(evaluation):
    header, *lines = report.table(evaluation).splitlines()
    cells = dict(zip(header.split(), lines[-1].split(), strict=True))
    assert (cells["row"], cells["N"], cells["eob_mae"]) == ("field", "5", "0.0400")
    assert (cells["/gray"], cells["/templates"]) == ("0.500", "0.800")
    assert dict(zip(header.split(), lines[1].split(), strict=True))["bleed"] == "–"
    assert len({len(line) for line in lines}) == 1


def test_markdown_table_is_one(evaluation):
    lines = report.table(evaluation, markdown=True).splitlines()
    assert all(line.startswith("| ") and line.endswith(" |") for line in lines)
    assert len({line.count("|") for line in lines}) == 1
    assert set(lines[1]) <= set("|-: ")


def test_summary_has_the_published_rows_of_the_data_set(evaluation):
    text = report.summary(evaluation)
    # The numbers as the papers print them: Messaoud's own row on LFW, Deshpande's cGAN.
    assert "– [0.00011]" in text and "– [0.00886]" in text and "– [8.4e-06]" in text
    elsewhere = evaluation._replace(protocol=evaluation.protocol._replace(dataset="imagenette"))
    assert "Messaoud" not in report.summary(elsewhere)


def test_summary_names_the_protocol_the_worst_image_and_the_unknown_unit(evaluation):
    text = report.summary(evaluation)
    for part in (
        "split abc123",
        "5 samples, rule modes",
        "seed 7",
        "jax 0.10.2",
        "image 17",
        report.UNIT_REMARK,
    ):
        assert part in text


def _photos(count: int = 2, side: int = 16) -> tuple[np.ndarray, np.ndarray]:
    lightness = np.linspace(-0.5, 0.5, count * side * side, dtype=np.float32).reshape(count, side, side, 1)
    return lightness, np.full((count, side, side, 2), 0.1, np.float32)


def test_contact_sheet_shows_gray_truth_and_every_version():
    lightness, truth = _photos()
    samples = np.stack([truth, -truth, truth * 3], axis=1)
    sheet = np.asarray(report.contact_sheet(lightness, truth, samples))
    left, step = 8, 16 * 2 + 4
    centers = [sheet[20 + 16, left + step * n + 16].astype(int) for n in range(5)]
    assert np.ptp(centers[0]) <= 1  # gray
    expected = color.lab_to_srgb_bytes(color.network_to_lab(lightness, truth))[0, 8, 8]
    np.testing.assert_array_equal(centers[1], expected)
    np.testing.assert_array_equal(centers[2], expected)
    assert not np.array_equal(centers[3], expected)


def test_fig_7_has_a_column_per_image_and_five_rows():
    lightness, truth = _photos(3)
    figure = report.unary_and_field(lightness, truth, truth * 2, truth)
    step = 16 * 2 + 4
    assert figure.height == 4 + 5 * step
    assert 0 < figure.width - 3 * step < 100


def test_fig_8_marks_the_pixel_and_darkens_what_it_attends_to():
    lightness = np.full((1, 16, 16, 1), 0.9, np.float32)
    similarity = np.zeros((1, 64, 64), np.float32)
    marked, attended = 2 * 8 + 1, 6 * 8 + 5  # field cells (2, 1) and (6, 5) of 8 × 8
    similarity[0, marked, attended] = 1.0
    figure = np.asarray(report.attention(lightness, similarity, pixels=[(2 / 8, 1 / 8)]))
    left, top, step = 8, 20, 16 * 2 + 4

    def at(cell_y: int, cell_x: int) -> np.ndarray:
        return figure[top + cell_y * 4 + 2, left + step + cell_x * 4 + 2].astype(int)

    red, blue, pale = at(2, 1), at(6, 5), at(0, 7)
    assert red[0] > 200 and red[2] < 60
    assert blue[2] > blue[0] + 100
    assert pale.min() > 200
