"""Marks in people's segments, and how much of each takes its colour."""

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from colorize_jax import classical
from colorize_jax.evaluation import stroke_report, strokes

HEIGHT, WIDTH = 30, 48
LEFT = np.zeros((HEIGHT, WIDTH), bool)
LEFT[:, :16] = True
REGIONS = [np.where(LEFT, 1, 2), np.where(LEFT, 1, 2 + (np.arange(WIDTH) % 2))]


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """One photo in the published layout: the left third is dark and red, the rest bright and blue."""
    path = tmp_path_factory.mktemp("bsds") / "bsds.zip"
    rgb = np.where(LEFT[..., None], [120, 40, 40], [190, 200, 255]).astype(np.uint8)
    photo, regions = io.BytesIO(), io.BytesIO()
    Image.fromarray(rgb).save(photo, "png")  # the reader goes by content, so edges stay sharp
    people = np.empty((1, 2), object)
    for number, labels in enumerate(REGIONS):
        people[0, number] = {"Segmentation": labels.astype(np.uint16)}
    savemat(regions, {"groundTruth": people})
    with zipfile.ZipFile(path, "w") as opened:
        for folder, name in (("train", "1"), ("val", "2"), ("val", "3")):
            opened.writestr(f"images/{folder}/{name}.jpg", photo.getvalue())
            opened.writestr(f"groundTruth/{folder}/{name}.mat", regions.getvalue())
    return path


@pytest.mark.parametrize("kind", strokes.KINDS)
def test_marks_lie_in_their_segments_and_a_stroke_reaches_farther_than_a_click(kind):
    right, left = strokes.marks(REGIONS, kind)
    assert (left.segment == LEFT).all() and (right.segment == ~LEFT).all()  # the larger segment first
    for segment, pixels in (right, left):
        assert pixels.any() and not (pixels & ~segment).any()
    clicked = strokes.marks(REGIONS, "click")[0].pixels
    assert (right.pixels & clicked).sum() == clicked.sum()
    assert (right.pixels.sum() > clicked.sum()) == (kind == "stroke")


def test_small_segments_get_no_mark():
    labels = np.where(LEFT, 1, 2)
    labels[:2, -2:] = 3
    assert len(strokes.marks([labels], "click")) == 2


def test_overlap_of_an_answer_that_stops_at_half_of_the_left_segment():
    found = strokes.marks(REGIONS, "click")
    right, left = strokes.hues(2)
    answer = np.where(LEFT[..., None], left, right).astype(np.float32)
    exact = strokes.overlap(found, strokes.taken(answer, strokes.hues(2)))
    assert exact == {"iou": 1.0, "fill": 1.0, "spill": 0.0}
    answer[:, 8:16] = right
    half = strokes.overlap(found, strokes.taken(answer, strokes.hues(2)))
    assert half["fill"] == pytest.approx((1 + 1 / 2) / 2) and half["iou"] == pytest.approx(
        (32 / 40 + 1 / 2) / 2
    )
    assert half["spill"] == pytest.approx((8 / 40 + 0) / 2)
    pale = strokes.overlap(found, strokes.taken(0.49 * answer, strokes.hues(2)))
    assert pale == {"iou": 0.0, "fill": 0.0, "spill": 0.0}


@pytest.mark.parametrize("name", ["random_walker", "geodesic"])
def test_labels_stop_at_the_edge_of_the_lightness(name, archive):
    found = [strokes.evaluate(stroke_report.divided_photos(archive), {name: classical.METHODS[name]}, kind)
             for kind in strokes.KINDS]  # fmt: skip
    for each in found:
        assert each.photos == ("2", "3")  # of val; train is for training
        assert each.scores[name]["iou"].min() > 0.95


def test_colors_that_are_off_are_farther_from_the_photo(archive):
    (photo, regions), _ = stroke_report.divided_photos(archive)
    found = strokes.marks(regions, "click")
    segments = lambda lightness, targets, weights: sum(  # noqa: E731
        mark.segment[..., None] * targets[mark.pixels][0] for mark in found
    )
    told = strokes.nearness(photo, found, segments)
    assert told["psnr"] > told["psnr_off"] + 10  # true colours are exact here
    gray = strokes.nearness(photo, found, classical.METHODS["gray"])
    assert gray["psnr"] == pytest.approx(gray["psnr_off"])
    np.testing.assert_allclose(strokes.turned(np.array([[0.2, 0.0]]), 90, 0.5), [[0, 0.1]], atol=1e-7)


def test_tables_files_and_the_sheet(archive, tmp_path, capsys):
    methods = {name: classical.METHODS[name] for name in ("geodesic", "constant")}
    stroke_report.run(stroke_report.divided_photos(archive, limit=1), methods, tmp_path)
    printed = capsys.readouterr().out
    assert "click, 1 photos" in printed and "IoU of geodesic −" in printed
    told = json.loads((tmp_path / "strokes.json").read_text())
    assert set(told) == set(strokes.KINDS) and told["stroke"]["photos"] == ["2"]
    assert told["stroke"]["methods"]["geodesic"]["iou"]["mean"] > 0.95
    assert told["stroke"]["methods"]["constant"]["fill"]["mean"] <= 0.5
    with Image.open(tmp_path / "strokes_sheet.png") as sheet:
        assert sheet.width > 4 * WIDTH


def test_one_segment_is_nothing_to_tell_apart(archive):
    ((photo, _),) = stroke_report.divided_photos(archive, limit=1)
    with pytest.raises(ValueError, match="none has two segments"):
        strokes.evaluate([(photo, [np.ones((HEIGHT, WIDTH), int)])], {}, "click")
    with pytest.raises(ValueError, match="kind is 'dab'; allowed are click, stroke"):
        strokes.marks(REGIONS, "dab")
