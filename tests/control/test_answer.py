"""One way for edits: each mode is the equation that it names, by the solver that it is given."""

import numpy as np
import pytest

from colorize_jax.control import propagate
from colorize_jax.control.answer import EditSolver, Held, answer
from colorize_jax.control.document import as_edits
from colorize_jax.control.prior import Correction, Fine, Prior
from colorize_jax.control.raster import CellEdits, mark

SIDE = 4
PIXELS = SIDE**2
MARKS = mark(as_edits([{"kind": "point", "at": [5, 5], "color": {"lab": [50, 40, 30]}}]), 40, 40)


def prior() -> Prior:
    draw = np.random.default_rng(0)
    similarity = draw.uniform(size=(PIXELS, PIXELS)).astype(np.float32) * (
        1 - np.eye(PIXELS, dtype=np.float32)
    )
    unary = draw.uniform(-0.1, 0.1, (SIDE, SIDE, 2)).astype(np.float32)
    confidence = draw.uniform(0.1, 1, (SIDE, SIDE)).astype(np.float32)
    return Prior(similarity / similarity.sum(axis=1, keepdims=True), unary, confidence)


def exactly(similarity, right, weights):
    off = np.eye(PIXELS) - similarity.astype(np.float64)
    return np.linalg.solve(off.T @ off + np.diag(weights[:, 0]), right)


def equation(known, kappa, colors, unary):
    """x of Eq. (6), clipped to the range of the unary, gray and the edits' colours."""
    right = known * colors + kappa * unary
    field = exactly(prior().similarity, right, known + kappa)
    seen = np.concatenate([unary, colors, np.zeros((1, 2))])
    return np.clip(field, seen.min(axis=0), seen.max(axis=0)).reshape(1, SIDE, SIDE, 2)


def test_alone_and_guided_differ_in_what_edits_meet():
    cells, solver = MARKS.cells(SIDE), EditSolver(5.0, 1e-2, exactly)
    known, colors = 5 * cells.weights.reshape(-1, 1), cells.ab.reshape(-1, 2) / 128
    alone = answer(prior(), MARKS, "alone", None, solver)
    np.testing.assert_allclose(
        alone, equation(known, np.full_like(known, 1e-2), colors, 0 * colors), atol=1e-5
    )
    guided = answer(prior(), MARKS, "guided", None, solver)
    unary = propagate.calibrated(prior().unary, cells).reshape(-1, 2)
    kappa = prior().confidence.reshape(-1, 1)
    np.testing.assert_allclose(guided, equation(known, kappa, colors, unary), atol=1e-5)


def test_over_versions_keep_what_edits_do_not_reach_and_the_solver_is_asked_twice():
    asked = []

    def counted(*arguments):
        asked.append(len(arguments[0]))
        return exactly(*arguments)

    versions = np.stack([prior().unary, -prior().unary])
    solver = EditSolver(5.0, 1e-2, counted)
    found = answer(prior(), MARKS, "over", Held(versions, versions), solver, confidence=2.0)
    system = propagate.over(
        prior().similarity, MARKS.cells(SIDE), weight=5.0, floor=1e-2, confidence=2.0, inverse=exactly
    )
    np.testing.assert_allclose(found, propagate.solve(system, versions, exactly), atol=1e-6)
    assert asked == 2 * [PIXELS]  # how far edits reach, and the fields


LINK = {"kind": "link", "regions": [[[0, 0], [9, 0], [9, 9]], [[30, 30], [39, 30], [39, 39]]]}


@pytest.mark.parametrize("link", [[], [LINK]], ids=["alone", "linked"])
def test_over_with_a_learned_confidence_is_eq_6_with_each_version_for_its_unary(link):
    """Where edits speak of a cell by ρ and more; and the version where they do not."""
    point = {"kind": "point", "at": [5, 5], "radius": 4, "color": {"lab": [50, 9, 3]}}
    marks, cells_of = mark(as_edits([point, *link]), 40, 40), (SIDE, SIDE)
    firm = prior()._replace(confidence=np.where(np.arange(PIXELS) < 8, 0.1, 9).reshape(cells_of))
    versions = np.stack([prior().unary, -prior().unary])
    kappa = 4 * firm.confidence.reshape(-1, 1)
    columns = np.moveaxis(versions, 0, 2).reshape(PIXELS, 4)
    smooth = np.moveaxis(exactly(firm.similarity, kappa * columns, kappa).reshape(SIDE, SIDE, 2, 2), 2, 0)
    np.testing.assert_allclose(
        propagate.smoothed(firm.similarity, versions, 4 * firm.confidence, exactly), smooth, atol=1e-6
    )
    held = Held(smooth.astype(np.float32), versions)
    found = answer(firm, marks, "over", held, EditSolver(5.0, 1e-2, exactly))
    cells = marks.cells(SIDE)
    linked, given_up = propagate.linked_similarity(firm.similarity, cells.links)
    known = 5 * cells.weights.reshape(-1, 1)
    spoken = np.maximum(exactly(linked, known, known + kappa).clip(0, 1), given_up).reshape(*cells_of, 1)
    right = known * np.tile(cells.ab.reshape(-1, 2) / 128, 2) + kappa * columns
    solved = np.moveaxis(exactly(linked, right, known + kappa).reshape(SIDE, SIDE, 2, 2), 2, 0)
    wanted = versions + np.minimum(1, spoken / 0.2) * (solved - versions)
    assert (spoken > 0.2).any() and (spoken < 0.1).any()
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert found.dtype == np.float32  # though the inverse has 64 bits: what is sent has 32


def test_over_is_each_version_exactly_without_edits_and_finished_where_they_speak():
    rows = np.zeros((8, 8, 8), np.float32)
    rows[4, :, :-1] = 1

    def apply(context, field, reach, colors, revealed, pixel_colors, pixels_revealed):
        return np.full((1, 24, 24, 2), 0.3, np.float32)

    refined = prior()._replace(
        similarity=np.float32(np.eye(PIXELS, k=1) + np.eye(PIXELS, k=1 - PIXELS)),  # of each the next one
        confidence=np.full((SIDE, SIDE), 5, np.float32),
        fine=Fine(rows, np.ones((8, 8), np.float32)),
        context=0,
    )
    versions = np.stack([prior().unary, -prior().unary])
    solver = EditSolver(5.0, 1e-2, correction=Correction(12, apply))
    lightness = np.full((40, 40), 50, np.float32)
    none = mark(as_edits([]), 40, 40)
    held = Held(versions, versions)
    same = answer(refined, none, "over", held, solver, lightness=lightness)
    np.testing.assert_array_equal(same, versions)
    found = answer(refined, MARKS, "over", held, solver, lightness=lightness)
    assert found.shape == (2, 24, 24, 2)
    before = answer(refined, MARKS, "over", held, solver)[0, 0, 0, 0]
    assert abs(found[0, 1, 1, 0] - 0.3) < 0.5 * abs(before - 0.3)  # the point's own cell
    far = found[:, 15:20, 9:14]
    np.testing.assert_allclose(far.mean(axis=(1, 2)), versions[:, 2:4, 1:3].mean(axis=(1, 2)), atol=0.05)
    assert answer(refined, MARKS, "over", held, solver).shape == (
        2,
        SIDE,
        SIDE,
        2,
    )  # not asked to be finished


def test_guided_is_refined_and_corrected_on_the_cells_of_each_step():
    sides = []

    class Told:
        def cells(self, side: int) -> CellEdits:
            sides.append(side)
            return MARKS.cells(side)

    def apply(context, field, reach, colors, revealed, pixel_colors, pixels_revealed):
        assert field.shape == (1, 8, 8, 2) and reach.shape == (1, SIDE, SIDE)
        assert colors.shape == (1, 12, 12, 2) and pixels_revealed.shape == (1, 24, 24)
        return context + np.zeros((1, 24, 24, 2), np.float32)

    rows = np.zeros((8, 8, 8), np.float32)
    rows[4, :, :-1] = 1
    refined = prior()._replace(fine=Fine(rows, np.ones((8, 8), np.float32)), context=np.float32(0.3))
    plain, solver = EditSolver(5.0, 1e-2), EditSolver(5.0, 1e-2, correction=Correction(12, apply))
    assert answer(refined, MARKS, "guided", None, plain).shape == (1, 8, 8, 2)
    corrected = answer(refined, Told(), "guided", None, solver)
    assert corrected.shape == (1, 24, 24, 2) and (corrected == np.float32(0.3)).all()
    assert sides == [SIDE, 8, 12, 24]


@pytest.mark.parametrize(
    ("marks", "mode", "message"),
    [
        (MARKS, "under", "mode is 'under'; allowed are over, alone, guided"),
        (MARKS, "over", "versions is None, but mode 'over' edits versions; give what holds them"),
        (MARKS.cells(5), "alone", "side is 4, but these edits are on 5 x 5 cells"),
    ],
)
def test_mistakes_are_told(marks, mode, message):
    with pytest.raises(ValueError, match=message):
        answer(prior(), marks, mode, None, EditSolver(5.0, 1e-2))


def striped() -> Prior:
    """Two alike columns of cells with another between them, 8 x 8."""
    row, column = np.divmod(np.arange(64), 8)
    kind = ((column > 2) & (column < 5)).astype(float)
    distance = (row[:, None] - row) ** 2 + (column[:, None] - column) ** 2
    similarity = np.exp(-9 * (kind[:, None] - kind) ** 2 - distance / 60) * (1 - np.eye(64))
    gray = np.zeros((8, 8, 2), np.float32)
    rows = similarity / similarity.sum(axis=1, keepdims=True)
    return Prior(rows.astype(np.float32), gray, np.full((8, 8), 1e-3, np.float32))


def reached(reach: str, mode: str) -> np.ndarray:
    """The share of a point's a* that each cell takes; the point is in the left column."""
    point = {"kind": "point", "at": [5, 35], "radius": 4, "color": {"lab": [50, 40, 0]}, "reach": reach}
    marks = mark(as_edits([point]), 80, 80)
    versions = Held(*2 * [np.full((2, 8, 8, 2), 0.05, np.float32)]) if mode == "over" else None
    with_edit = answer(striped(), marks, mode, versions, EditSolver(5.0, 1e-3))
    without = answer(striped(), mark(as_edits([]), 80, 80), mode, versions, EditSolver(5.0, 1e-3))
    return ((with_edit - without)[0, ..., 0]) / (40 / 128 - without[0, ..., 0])


@pytest.mark.parametrize("mode", ["over", "alone", "guided"])
def test_reach_says_how_far_a_color_goes(mode):
    alike, thing, spot = (reached(reach, mode) for reach in ("alike", "thing", "spot"))
    there, near, far, beyond = (3, 0), (4, 1), (7, 1), (3, 7)  # beyond: alike, across the middle columns
    for shares in (alike, thing, spot):
        assert shares[there] > 0.8 and shares[3, 3] < 0.2
    assert alike[beyond] > 0.5 and thing[beyond] == spot[beyond] == 0
    assert thing[near] > 0.6 and thing[far] > 0.6 and spot[near] > 0.2 and abs(spot[far]) < 0.1


def test_edits_of_less_reach_go_over_those_of_more():
    sky = {"kind": "point", "at": [5, 5], "radius": 4, "color": {"lab": [50, 0, -40]}}
    bird = {"kind": "point", "at": [5, 65], "radius": 4, "color": {"lab": [50, 40, 0]}, "reach": "spot"}
    solver = EditSolver(5.0, 1e-3)
    first, both = (
        answer(striped(), mark(as_edits(edits), 80, 80), "alone", None, solver)[0]
        for edits in ([sky], [sky, bird])
    )
    assert both[6, 0, 0] * 128 > 30
    np.testing.assert_array_equal(both[:2], first[:2])


def test_a_thing_ends_where_it_is_not_connected():
    spoken = np.array([[1, 0.8, 0.2, 0.9], [0.9, 0.1, 0.1, 0.9], [0.7, 0.1, 0.1, 0.8], [0.7, 0.3, 0.1, 0.5]])
    marked = np.zeros((4, 4), bool)
    marked[0, 0] = True
    wanted = [[1, 0.8, 0.2, 0.2], [0.9, 0.1, 0.1, 0.2], [0.7, 0.1, 0.1, 0.2], [0.7, 0.3, 0.1, 0.2]]
    np.testing.assert_array_equal(propagate.territory(spoken, marked, "thing"), wanted)
