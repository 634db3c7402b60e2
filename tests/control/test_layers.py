"""Nothing leaves a closed region, and nothing enters a lock; the rest of the photo shows what it showed."""

import numpy as np
import pytest

from colorize_jax.control import layers
from colorize_jax.control.document import EditError, as_edits

pytestmark = pytest.mark.quick

HEIGHT, WIDTH, SIDE = 40, 60, 8
AREA = [[10, 10], [30, 10], [30, 30], [10, 30]]
STROKE = {"kind": "stroke", "path": [[40, 20], [50, 20]], "radius": 3, "color": {"lab": [50, -30, 10]}}
CLOSED = {"kind": "region", "polygon": AREA, "color": {"lab": [50, 40, 20]}, "closed": True}
LOCK = {"kind": "lock", "polygon": AREA}
INSIDE = np.zeros((HEIGHT, WIDTH), bool)
INSIDE[10:30, 10:30] = True


def kept(*edits: dict) -> np.ndarray:
    """The edits that each pixel's answer is to, as a bit each."""
    plan = layers.plan(as_edits(list(edits)), HEIGHT, WIDTH)
    told = np.array([sum(1 << i for i in layer) for layer in plan.layers])
    return np.full((HEIGHT, WIDTH), told[0]) if plan.plane is None else told[plan.plane]


def test_without_closed_edits_and_locks_there_is_one_answer():
    plan = layers.plan(as_edits([STROKE, {**CLOSED, "closed": False}]), HEIGHT, WIDTH)
    assert plan == ((frozenset({0, 1}),), None)


def test_a_closed_region_is_heard_of_inside_alone():
    np.testing.assert_array_equal(kept(STROKE, CLOSED, STROKE), np.where(INSIDE, 0b111, 0b101))


def test_the_later_of_two_closed_regions_has_the_pixel_and_an_eraser_makes_holes():
    right = {**CLOSED, "polygon": [[20, 10], [40, 10], [40, 30], [20, 30]]}
    hole = {"kind": "eraser", "polygon": [[12, 12], [18, 12], [18, 28], [12, 28]]}
    found = kept(CLOSED, right, hole)
    assert (found[20, 11], found[20, 25], found[20, 35], found[20, 15], found[5, 5]) == (5, 6, 6, 4, 4)


def test_a_lock_keeps_what_was_before_it_closed_regions_too():
    later = {**CLOSED, "color": {"lab": [50, 0, 60]}}
    np.testing.assert_array_equal(kept(CLOSED, LOCK, later, STROKE), np.where(INSIDE, 0b1, 0b1010))


def test_a_lock_outside_the_photo_is_named():
    with pytest.raises(EditError, match=r"edits\[1\] \(lock\): its point 0, \[70, 5\], lies outside"):
        layers.plan(as_edits([STROKE, {"kind": "lock", "path": [[70, 5]], "radius": 2}]), HEIGHT, WIDTH)


def test_a_closed_region_fills_the_cells_of_its_edge_and_those_around():
    drawn = layers.layered(as_edits([CLOSED]), HEIGHT, WIDTH)
    everywhere, closed = (marks.cells(SIDE).weights for marks in drawn.marks)
    assert not everywhere.any()
    # Cells of 7.5 x 5 pixels: columns 1 to 3 and rows 2 to 5 hold pixels of the region, and one more lies around.
    wanted = np.zeros((SIDE, SIDE))
    wanted[1:7, 0:5] = 1
    np.testing.assert_array_equal(closed, wanted)


def test_a_stroke_in_a_closed_region_takes_its_part_of_the_cells():
    stroke = {**STROKE, "path": [[12, 20], [28, 20]], "radius": 4}
    cells = layers.layered(as_edits([CLOSED, stroke]), HEIGHT, WIDTH).marks[1].cells(SIDE)
    assert cells.ab[3, 2, 0] < 0 < cells.ab[2, 2, 0]


def test_pixels_outside_keep_their_bits_and_those_inside_are_filled():
    lightness = np.random.default_rng(0).uniform(20, 80, (HEIGHT, WIDTH)).astype(np.float32)
    fields = [np.random.default_rng(i).normal(0, 20, (SIDE, SIDE, 4)).astype(np.float32) for i in range(2)]

    def shown(*edits: dict) -> np.ndarray:
        drawn = layers.layered(as_edits(list(edits)), HEIGHT, WIDTH)
        tiles = layers.tiles(fields[: len(drawn.marks)], lightness, drawn)
        return np.concatenate([planes for _, planes in tiles], axis=1)

    before, after = shown(STROKE), shown(STROKE, CLOSED)
    np.testing.assert_array_equal(before[:, ~INSIDE], after[:, ~INSIDE])
    assert (before[:, INSIDE] != after[:, INSIDE]).mean() > 0.99


def test_too_many_answers_are_refused():
    squares = [
        [[x, y], [x + 5, y], [x + 5, y + 5], [x, y + 5]] for x in range(0, 60, 6) for y in range(0, 40, 6)
    ]
    edits = as_edits([{**CLOSED, "polygon": square} for square in squares])
    with pytest.raises(EditError, match=r"make 71 answers of their own; allowed are 64"):
        layers.plan(edits, HEIGHT + 5, WIDTH)
