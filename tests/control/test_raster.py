"""Edits on pixels and cells: which pixels a shape covers, who has the last word, and how loud an edit is."""

import itertools

import numpy as np
import pytest

from colorize_jax.control.document import EditError, as_edits
from colorize_jax.control.raster import EXACT_WEIGHT, mark

pytestmark = pytest.mark.quick

RED, BLUE = {"lab": [50, 60, 40]}, {"lab": [50, 20, -70]}


def _marked(*edits, height=30, width=40, **document):
    return mark(as_edits({"version": 1, "edits": list(edits), **document}), height, width)


def _centers(height, width):
    return np.arange(width) + 0.5, np.arange(height)[:, None] + 0.5


def test_a_point_without_radius_is_its_pixel_also_on_the_border():
    for at, pixel in [([7, 3], (3, 7)), ([7.9, 3.9], (3, 7)), ([40, 30], (29, 39)), ([0, 0], (0, 0))]:
        marks = _marked({"kind": "point", "at": at, "color": RED})
        assert list(zip(*np.nonzero(marks.soft >= 0), strict=True)) == [pixel]


def test_a_brush_covers_the_centers_within_its_radius():
    x, y = _centers(30, 40)
    path = np.array([[5.2, 4.1], [30.3, 20.7], [30.3, 29.0]])
    marks = _marked({"kind": "stroke", "path": path, "radius": 3.3, "color": RED})
    distance = np.full((30, 40), np.inf)
    for start, end in itertools.pairwise(path):
        for share in np.linspace(0, 1, 2001):
            px, py = start + share * (end - start)
            distance = np.minimum(distance, np.hypot(x - px, y - py))
    sure = np.abs(distance - 3.3) > 0.02
    np.testing.assert_array_equal((marks.soft >= 0)[sure], (distance <= 3.3)[sure])


def test_long_strokes_have_no_gaps():
    marks = _marked(
        {"kind": "stroke", "path": [[3, 5], [597, 391]], "radius": 2, "color": RED}, height=400, width=600
    )
    x, y = _centers(400, 600)
    along = np.array([594, 386]) / np.hypot(594, 386)
    distance = np.abs((x - 3) * along[1] - (y - 5) * along[0])
    inside = ((x - 3) * along[0] + (y - 5) * along[1] > 0) & (x < 597)
    sure = inside & (np.abs(distance - 2) > 1e-6) & (x < 590) & (x > 10)
    np.testing.assert_array_equal((marks.soft >= 0)[sure], (distance <= 2)[sure])


def test_a_polygon_covers_its_centers_by_the_even_odd_rule():
    marks = _marked({"kind": "region", "polygon": [[2, 3], [10, 3], [10, 8], [2, 8]], "color": RED})
    expected = np.zeros((30, 40), bool)
    expected[3:8, 2:10] = True
    np.testing.assert_array_equal(marks.soft >= 0, expected)
    triangle = _marked({"kind": "region", "polygon": [[0, 0], [40, 0], [0, 30]], "color": RED})
    x, y = _centers(30, 40)
    sure = np.abs(x / 40 + y / 30 - 1) > 1e-9
    np.testing.assert_array_equal((triangle.soft >= 0)[sure], (x / 40 + y / 30 < 1)[sure])
    twice = [[2, 3], [10, 3], [10, 8], [2, 8]] * 2
    with pytest.raises(EditError, match=r"edits\[0\] \(region\) covers no pixel of a photo of 40x30"):
        _marked({"kind": "region", "polygon": twice, "color": RED})


def test_fractions_serve_photos_of_all_sizes():
    edit = {"kind": "stroke", "path": [[0.5, 0.25]], "radius": 0.1, "color": RED}
    for height, width in [(30, 40), (200, 100)]:
        marks = _marked(edit, height=height, width=width, units="fraction")
        rows, columns = np.nonzero(marks.soft >= 0)
        np.testing.assert_allclose(
            [columns.mean() + 0.5, rows.mean() + 0.5], [width / 2, height / 4], atol=0.6
        )
        assert abs(np.ptp(columns) + 1 - 0.2 * min(height, width)) <= 1


def test_later_edits_paint_over_exact_ones_stay_and_erasers_erase():
    square = {"kind": "region", "polygon": [[0, 0], [8, 0], [8, 8], [0, 8]], "color": RED}
    point = {"kind": "point", "at": [4, 4], "color": BLUE}
    eraser = {"kind": "eraser", "polygon": [[0, 0], [4, 0], [4, 8], [0, 8]]}
    assert _marked(square, point).soft[4, 4] == 1 and _marked(point, square).soft[4, 4] == 1
    exact = _marked({**point, "exact": True}, square)
    assert exact.exact[4, 4] == 0 and exact.soft[4, 4] == -1 and exact.soft[4, 5] == 1
    erased = _marked({**square, "exact": True}, eraser, {**point, "at": [1, 1]})
    assert (erased.exact[:8, :4] == -1).all() and (erased.exact[:8, 4:8] == 0).all()
    assert erased.soft[1, 1] == 2 and (erased.soft >= 0).sum() == 1


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        (
            [{"kind": "point", "at": [3, 4], "color": RED}, {"kind": "point", "at": [41, 4], "color": RED}],
            r"edits\[1\] \(point\): its point 0, \[41, 4\], lies outside the photo, which is 40x30 pixels",
        ),
        (
            [{"kind": "stroke", "path": [[1, 1], [2, -1]], "radius": 1, "color": RED}],
            r"edits\[0\] \(stroke\): its point 1, \[2, -1\], lies outside",
        ),
        (
            [
                {"kind": "point", "at": [3, 4], "color": RED, "exact": True},
                {"kind": "point", "at": [3, 4], "color": BLUE, "exact": True},
            ],
            r"edits\[1\] \(point\) and edits\[0\] \(point\) contradict each other",
        ),
        (
            [{"kind": "link", "regions": [[[1, 1], [5, 1], [5, 5]], [[4, 1], [9, 1], [4, 9]]]}],
            r"edits\[0\] \(link\) contradicts itself: its two regions overlap",
        ),
    ],
)
def test_what_does_not_fit_the_photo_is_told(edits, message):
    with pytest.raises(EditError, match=message):
        _marked(*edits)


def test_a_size_pins_a_file_to_its_photo():
    with pytest.raises(EditError, match="a photo of 40x31 pixels, and this one has 40x30"):
        _marked(size=[40, 31])
    _marked(size=[40, 30])


def test_one_pixel_speaks_for_its_cell_on_a_photo_of_any_size():
    for scale in (1, 50):
        at = [scale * 12.5, scale * 7.5]
        marks = _marked({"kind": "point", "at": at, "color": RED}, height=30 * scale, width=40 * scale)
        cells = marks.cells(10)
        assert list(zip(*np.nonzero(cells.weights), strict=True)) == [(2, 3)]
        assert cells.weights[2, 3] == 1
        np.testing.assert_allclose(cells.ab[2, 3], [60, 40])


def test_cells_count_by_coverage_weights_add_up_and_colors_mix():
    # Cells are 4 x 3 pixels; the region covers two of them and half of a third.
    region = {"kind": "region", "polygon": [[0, 0], [10, 0], [10, 3], [0, 3]], "color": RED, "weight": 3}
    cells = _marked(region, {"kind": "point", "at": [1, 1], "color": BLUE}).cells(10)
    np.testing.assert_allclose(cells.weights[0, :4], [3 * 11 / 12 + 1, 3, 1.5, 0], atol=1e-6)
    share = 2.75 / 3.75
    np.testing.assert_allclose(cells.ab[0, 0], [60 * share + 20 * (1 - share), 40 * share - 70 * (1 - share)])
    exact = _marked({"kind": "point", "at": [1, 1], "color": BLUE, "exact": True}).cells(10)
    assert exact.weights[0, 0] == EXACT_WEIGHT


def test_photos_smaller_than_the_field_spread_a_pixel_over_its_cells():
    marks = _marked({"kind": "point", "at": [1, 0], "color": RED}, height=4, width=4)
    cells = marks.cells(8)
    expected = np.zeros((8, 8))
    expected[0:2, 2:4] = 1
    np.testing.assert_allclose(cells.weights, expected)
