"""A session of edits equals a fresh dense solve of the same edits, whatever the operations and their order."""

import numpy as np
import pytest

from colorize_jax.gcrf.interactive.session import Session
from colorize_jax.gcrf.interactive.suggest import suggest

PIXELS, COLUMNS = 40, 4


def problem(seed, floor=1e-3):
    rng = np.random.default_rng(seed)
    positions = rng.uniform(size=(PIXELS, 2))
    distance = ((positions[:, None] - positions[None]) ** 2).sum(-1)
    np.fill_diagonal(distance, np.inf)
    similarity = np.exp(-20 * distance)
    similarity /= similarity.sum(1, keepdims=True)
    weights = np.where(rng.uniform(size=PIXELS) < 0.2, 1.0, floor)
    return similarity.astype(np.float32), rng.uniform(-1, 1, (PIXELS, COLUMNS)), weights


def fresh(similarity, targets, weights, edits):
    """Field and variance from nothing but the definition; `edits` are (pixels, colors, weight) in order."""
    difference = np.eye(PIXELS) - similarity.astype(np.float64)
    matrix = difference.T @ difference + np.diag(weights)
    right, known = weights[:, None] * targets, {}
    for pixels, colors, weight in edits:
        for pixel, color in zip(pixels, np.broadcast_to(colors, (len(pixels), COLUMNS)), strict=True):
            if np.isinf(weight):
                known[pixel] = color
            else:
                matrix[pixel, pixel] += weight
                right[pixel] += weight * color
    fixed, free = np.array(sorted(known), int), np.array([i for i in range(PIXELS) if i not in known], int)
    field, variance = np.zeros((PIXELS, COLUMNS)), np.zeros(PIXELS)
    for pixel, color in known.items():
        field[pixel] = color
    if free.size:
        inner = matrix[np.ix_(free, free)]
        field[free] = np.linalg.solve(inner, right[free] - matrix[np.ix_(free, fixed)] @ field[fixed])
        variance[free] = np.diag(np.linalg.inv(inner))
    return field, variance


class Operator:
    """Random operations on a session, with an account of its own of what the edits should be."""

    def __init__(self, session, seed):
        self.session, self.rng = session, np.random.default_rng(seed)
        self.edits, self.history = {}, []

    def stroke(self):
        return self.rng.permutation(PIXELS)[: self.rng.integers(1, 7)]

    def step(self):
        names = ["add", "add", "move", "recolor", "remove", "undo"]
        name = self.rng.choice(names if self.edits else ["add"])
        if name == "undo":
            self.session.undo()
            self.edits = self.history.pop()
            return
        self.history.append(dict(self.edits))
        getattr(self, name)(self.rng.choice(list(self.edits)) if name != "add" else None)

    def add(self, _):
        pixels, exact = self.stroke(), self.rng.uniform() < 0.3
        colors = self.rng.uniform(-1, 1, (self.rng.choice([1, len(pixels)]), COLUMNS))
        weight = np.inf if exact else 10 ** self.rng.uniform(-2, 3)
        identity = self.session.add(pixels, colors, **({"exact": True} if exact else {"weight": weight}))
        assert identity not in self.edits
        self.edits[identity] = (pixels, colors, weight)

    def move(self, identity):
        pixels, colors, weight = self.edits[identity]
        pixels = self.rng.permutation(PIXELS)[: len(pixels)]
        self.session.move(identity, pixels)
        self.edits[identity] = (pixels, colors, weight)

    def recolor(self, identity):
        pixels, _, weight = self.edits[identity]
        colors = self.rng.uniform(-1, 1, COLUMNS)
        self.session.recolor(identity, colors)
        self.edits[identity] = (pixels, colors[None], weight)

    def remove(self, identity):
        self.session.remove(identity)
        del self.edits[identity]


@pytest.mark.parametrize("seed", range(6))
def test_200_random_operations_equal_a_fresh_solve_at_every_step(seed):
    arrays = problem(seed)
    session = Session(*arrays)
    operator = Operator(session, seed)
    for step in range(200):
        operator.step()
        if operator.rng.uniform() < 0.3:
            continue  # so that several operations come between two readings
        field, variance = fresh(*arrays, operator.edits.values())
        np.testing.assert_allclose(session.field, field, atol=2e-6, err_msg=str(step))
        if step % 5 == 0:
            np.testing.assert_allclose(session.variance(2.0), 2 * variance, atol=1e-5 * variance.max())
            assert session.drift() < 1e-8
    assert session.refactored > 2  # so edits were absorbed, changed afterwards and taken back


def test_refactoring_changes_nothing_even_when_everything_is_taken_back():
    arrays = problem(10)
    session, unedited = Session(*arrays), Session(*arrays).field
    strokes = [session.add(range(5 * i, 5 * i + 5), [0.1 * i, -0.5], weight=1e4) for i in range(4)]
    session.add([2, 30], [0.9, 0.9], exact=True)
    field, variance = session.field, session.variance()
    session.refactor()
    np.testing.assert_allclose(session.field, field, atol=1e-6)
    np.testing.assert_allclose(session.variance(), variance, atol=1e-6)
    for stroke in [*strokes, 4]:
        session.remove(stroke)
    np.testing.assert_allclose(session.field, unedited, atol=1e-6)
    for _ in range(5):
        session.undo()
    np.testing.assert_allclose(session.field, field, atol=1e-6)


def test_a_session_that_has_drifted_refactors_by_itself():
    arrays = problem(11)
    session = Session(*arrays)
    session._base.covariance[:] *= 1 + 1e-3  # as if rounding had eaten the inverse
    stroke = session.add([4, 5], [0.0, 0.0], weight=3.0)
    for i in range(40):
        session.recolor(stroke, [0.02 * i, 0.5])
        off = np.abs(session.field - fresh(*arrays, [([4, 5], [0.02 * i, 0.5] * 2, 3.0)])[0]).max()
        if session.refactored:
            break
        assert 0.3 * off < session.drift() < 3 * off
    assert session.refactored == 1 and 20 < i < 35
    assert off < 2e-6


def test_taking_back_a_huge_weight_from_the_base_is_measured_at_once():
    arrays = problem(12)
    session = Session(*arrays)
    stroke = session.add([3], [0.7, -0.7], weight=1e13)
    session.refactor()
    session.remove(stroke)
    np.testing.assert_allclose(session.field, fresh(*arrays, [])[0], atol=2e-6)
    assert session.refactored == 2


def test_a_system_that_float64_cannot_hold_raises_and_goes_on_raising():
    similarity, targets, weights = problem(13, floor=0.0)
    weights = np.where(np.arange(PIXELS) == 0, 1e-13, 0.0)
    with pytest.raises(ValueError, match=r"uncertain by .*too badly conditioned|not positive definite"):
        Session(similarity, targets, weights)
    session = Session(*problem(13))
    session.tolerance = 0.0
    stroke = session.add([4], [0.0, 0.0], weight=1.0)
    for i in range(30):
        session.recolor(stroke, [0.02 * i, 0.5])
        assert session.field.shape == (PIXELS, COLUMNS)
    session.recolor(stroke, [0.9, 0.5])
    for _ in range(2):
        with pytest.raises(ValueError, match="too badly conditioned"):
            _ = session.field


def test_the_exact_edit_added_last_counts_and_the_one_beneath_returns():
    session = Session(*problem(14))
    session.add([5, 6], [0.1, 0.1], exact=True)
    over = session.add([6, 7], [0.2, 0.2], exact=True)
    session.add([6], [-0.9, -0.9], weight=100.0)
    np.testing.assert_array_equal(session.field[[5, 6, 7]], np.float32([[0.1] * 4, [0.2] * 4, [0.2] * 4]))
    assert (session.variance()[[5, 6, 7]] == 0).all()
    session.remove(over)
    np.testing.assert_array_equal(session.field[6], np.float32([0.1] * 4))


def test_two_color_values_go_to_all_samples():
    session = Session(*problem(15))
    session.add(8, [0.25, -0.5], exact=True)
    np.testing.assert_array_equal(session.field[8], np.float32([0.25, -0.5, 0.25, -0.5]))


def test_suggestions_take_account_of_the_edits():
    similarity, targets, weights = problem(16)
    session = Session(similarity, targets, weights)
    session.add([3, 9], [0.5, 0.5], weight=2.0)
    weights = weights + 2.0 * np.isin(np.arange(PIXELS), [3, 9])
    want = suggest(similarity, weights, 4, weight=1.5)
    got = session.suggest(4, weight=1.5)
    assert got.pixels.tolist() == want.pixels.tolist()
    np.testing.assert_allclose(got.reduction, want.reduction, rtol=1e-8)
    first = session.suggest(1).pixels[0]
    session.add(first, [0.0, 0.0], exact=True)
    assert first not in session.suggest(PIXELS - 1).pixels


@pytest.mark.parametrize(
    ("pixels", "colors", "how", "words"),
    [
        ([40], [0, 0], {"weight": 1.0}, "pixels names 40; allowed are 0 to 39"),
        ([-1], [0, 0], {"weight": 1.0}, "pixels names -1"),
        ([3, 3], [0, 0], {"weight": 1.0}, "names 3 more than once"),
        ([], [0, 0], {"weight": 1.0}, "pixels is .*non-empty"),
        ([1.5], [0, 0], {"weight": 1.0}, "pixels is .*whole number"),
        ([3], [np.nan, 0], {"weight": 1.0}, "colors holds nan"),
        ([3], [0, 0, 0], {"weight": 1.0}, r"colors is of shape \(3,\)"),
        ([3], np.zeros((2, 2)), {"weight": 1.0}, "1 pixels do not fit 2 colours"),
        ([3], [0, 0], {"weight": -1.0}, "weight is -1.0; allowed are finite numbers > 0"),
        ([3], [0, 0], {"weight": np.inf}, "weight is inf"),
        ([3], [0, 0], {}, "either a weight or exact"),
        ([3], [0, 0], {"weight": 1.0, "exact": True}, "either a weight or exact"),
    ],
)
def test_impossible_edits_raise_and_leave_the_session_as_it_was(session_16, pixels, colors, how, words):
    before = session_16.field
    with pytest.raises(ValueError, match=words):
        session_16.add(pixels, colors, **how)
    assert not session_16.edits
    np.testing.assert_array_equal(session_16.field, before)


@pytest.fixture(scope="module")
def session_16():
    return Session(*problem(16))


def test_unknown_ids_and_empty_histories_raise(session_16):
    for operation in (
        session_16.remove,
        lambda i: session_16.move(i, [1]),
        lambda i: session_16.recolor(i, [0, 0]),
    ):
        with pytest.raises(ValueError, match="edit 7 is unknown; allowed are"):
            operation(7)
    with pytest.raises(ValueError, match="nothing is left to undo"):
        session_16.undo()


def test_moving_colors_of_their_own_to_another_number_of_pixels_raises():
    session = Session(*problem(17))
    stroke = session.add([1, 2], np.zeros((2, 2)), weight=1.0)
    with pytest.raises(ValueError, match="3 pixels do not fit 2 colours"):
        session.move(stroke, [1, 2, 3])
    assert session.edits[stroke].pixels.tolist() == [1, 2]


def test_a_session_holds_one_image_with_some_weight():
    similarity, targets, weights = problem(18)
    with pytest.raises(ValueError, match="one image"):
        Session(similarity[None], targets[None], weights[None])
    with pytest.raises(ValueError, match="singular"):
        Session(similarity, targets, 0 * weights)
