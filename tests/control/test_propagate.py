"""Edits over a field: Eq. (6), links, clipping; and exact colours on the pixels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from colorize_jax import color, gcrf
from colorize_jax.control import propagate
from colorize_jax.control.document import as_edits
from colorize_jax.control.prior import Fine
from colorize_jax.control.raster import mark
from colorize_jax.photos import upsample

SIDE = 8
RED, GREEN = {"lab": [50, 40, 30]}, {"lab": [50, -30, 20]}
# On an 80 x 80 photo a cell of the field is 10 x 10 pixels.
LEFT = {"kind": "point", "at": [5, 35], "color": RED}
RIGHT = {"kind": "point", "at": [75, 35], "color": GREEN}


def _halves() -> np.ndarray:
    """S that leans on the cells of the same half of the field, and hardly on the other."""
    columns = np.tile(np.arange(SIDE), SIDE)
    embeddings = np.where(columns[:, None] < SIDE // 2, [[1.0, 0]], [[0, 1.0]]).astype(np.float32)
    return np.asarray(gcrf.similarity(jnp.asarray(embeddings), 0.08, exclude_diagonal=True))


HALVES = _halves()
FLOOR = 1e-3


@pytest.fixture(scope="module")
def unary() -> np.ndarray:
    draw = jax.random.uniform(jax.random.key(1), (2, SIDE, SIDE, 2), minval=-0.1, maxval=0.1)
    return np.asarray(draw)


def _cells(*edits):
    return mark(as_edits(list(edits)), 80, 80).cells(SIDE)


def _alone(*edits, similarity=HALVES, floor=FLOOR):
    system = propagate.alone(similarity, _cells(*edits), weight=5.0, floor=floor)
    return propagate.solve(system, np.zeros((1, SIDE, SIDE, 2), np.float32))[0]


def _over(unary, *edits, confidence=5.0):
    system = propagate.over(HALVES, _cells(*edits), weight=5.0, floor=FLOOR, confidence=confidence)
    return propagate.solve(system, unary)


def _solved(weights, right):
    difference = np.eye(SIDE**2) - np.array(HALVES, np.float64)
    return np.linalg.solve(difference.T @ difference + np.diag(weights.reshape(-1)), right)


def test_an_edit_colors_what_is_alike_and_nothing_else():
    ab = 128 * _alone(LEFT, RIGHT)
    np.testing.assert_allclose(ab[:, :4], np.broadcast_to([40, 30], (8, 4, 2)), atol=1.5)
    np.testing.assert_allclose(ab[:, 4:], np.broadcast_to([-30, 20], (8, 4, 2)), atol=1.5)


def test_alone_it_is_equation_6_with_a_pull_to_gray():
    cells = _cells({**LEFT, "weight": 0.3}, RIGHT)
    known = 5 * cells.weights.reshape(-1, 1)
    expected = _solved(known + 0.05, known * cells.ab.reshape(-1, 2) / 128)
    found = _alone({**LEFT, "weight": 0.3}, RIGHT, floor=0.05)
    np.testing.assert_allclose(found.reshape(-1, 2), expected, atol=1e-5)


def test_over_a_version_it_is_equation_6_with_a_unary_that_gives_way(unary):
    cells = _cells(LEFT)
    known = 5 * cells.weights.reshape(-1, 1)
    spoken = _solved(known + FLOOR, known)
    kappa = 2.0 ** (1 - spoken) * FLOOR**spoken
    colors = known * cells.ab.reshape(-1, 2) / 128
    expected = [_solved(known + kappa + FLOOR, colors + kappa * one.reshape(-1, 2)) for one in unary]
    found = _over(unary, LEFT, confidence=2.0).reshape(2, -1, 2)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_without_edits_a_version_is_as_the_model_made_it(unary):
    columns = np.moveaxis(unary, 0, 2).reshape(SIDE**2, 4)
    model = _solved(np.full(SIDE**2, 5 + FLOOR), 5 * columns)
    np.testing.assert_allclose(np.moveaxis(_over(unary), 0, 2).reshape(SIDE**2, 4), model, atol=1e-6)


@pytest.mark.parametrize("confidence", [5.0, np.linspace(0.5, 5, SIDE**2).reshape(SIDE, SIDE)])
def test_a_version_that_another_similarity_made_is_held_as_it_is(unary, confidence):
    held = propagate.held(HALVES, unary, confidence=confidence, floor=FLOOR)
    assert np.abs(held - unary).max() > 1e-3  # S would smooth the version itself
    np.testing.assert_allclose(_over(held, confidence=confidence), unary, atol=2e-5)
    edited = 128 * _over(held, LEFT, confidence=confidence)
    assert np.abs(edited[:, :, :4] - [40, 30]).mean() < 3


def test_over_versions_the_edit_takes_what_is_alike_and_leaves_the_rest(unary):
    edited, before = _over(unary, LEFT), _over(unary)
    np.testing.assert_allclose(128 * edited[:, :, :4], np.broadcast_to([40, 30], (2, 8, 4, 2)), atol=4)
    np.testing.assert_allclose(edited[:, :, 4:], before[:, :, 4:], atol=0.005)
    assert np.abs(edited[0, :, 4:] - edited[1, :, 4:]).max() > 0.05


def test_a_confident_cell_gives_way_later(unary):
    held = np.full((SIDE, SIDE), 5.0, np.float32)
    held[6] = 1e4
    edited = _over(unary, {**LEFT, "weight": 0.005}, confidence=held)
    change = np.abs(edited - _over(unary, confidence=held))[:, :, 1:4].mean(axis=(0, 2, 3))
    assert change[6] < change[[0, 1, 2, 4, 5, 7]].min() / 4


def test_heavier_edits_pull_harder_and_exact_ones_hardest():
    opposed = {**LEFT, "at": [5, 45], "color": GREEN}
    pulled = [_alone({**LEFT, **how}, opposed)[3, 0, 0] for how in ({"weight": 0.2}, {}, {"exact": True})]
    assert pulled[0] < pulled[1] < pulled[2] and pulled[2] > 0.95 * 40 / 128


def test_linked_regions_share_a_color(unary):
    # The left column's upper half, and a smaller part of the right half.
    link = {
        "kind": "link",
        "regions": [[[0, 0], [20, 0], [20, 40], [0, 40]], [[60, 0], [80, 0], [80, 20], [60, 20]]],
    }
    apart, linked = _alone(LEFT), _alone(LEFT, link)
    assert 128 * np.abs(apart[:2, 6:]).max() < 4
    np.testing.assert_allclose(128 * linked[:2, 6:], np.broadcast_to([40, 30], (2, 2, 2)), atol=5)
    tied, before = (field[:, :2, [0, 1, 6, 7]] for field in (_over(unary, link), _over(unary)))
    assert tied.std(axis=(1, 2)).max() < 0.1 * before.std(axis=(1, 2)).min()


def test_no_color_is_made_up():
    """S of a smooth photo makes the energy's minimiser overshoot; a gray photo with red on it must not turn green."""
    position = np.linspace(0, 1, SIDE**2)[:, None].astype(np.float32)
    near = np.exp(-((position - position.T) ** 2) / 0.002) * (1 - np.eye(SIDE**2))
    similarity = (near / near.sum(1, keepdims=True)).astype(np.float32)
    spread = 128 * _alone(LEFT, {**LEFT, "at": [5, 75]}, similarity=similarity, floor=1e-4)
    assert spread.min() >= 0 and (spread.max(axis=(0, 1)) <= [40.01, 30.01]).all()


@pytest.mark.parametrize("confidence", [0.0, -1.0, np.nan, np.inf])
def test_a_confidence_that_cannot_be_is_told(unary, confidence):
    with pytest.raises(ValueError, match="confidence is"):
        _over(unary, LEFT, confidence=confidence)


def _photo(height=120, width=160):
    """A dark and a bright half with a texture of 2 L*."""
    texture = np.random.default_rng(2).normal(0, 2, (height, width))
    return (np.where(np.arange(width) < width // 2, 40, 75) + texture).astype(np.float32)


def _lifted(columns, lightness, marks):
    tiles = propagate.exact_tiles(columns, lightness, marks)
    return np.concatenate([planes for _, planes in tiles], axis=1)


def test_exact_pixels_come_out_exactly_and_the_rest_smoothly():
    lightness = _photo()
    columns = np.random.default_rng(3).uniform(-20, 20, (SIDE, SIDE, 4)).astype(np.float32)
    stroke = {"kind": "stroke", "path": [[20, 30], [60, 50]], "radius": 5, "color": RED, "exact": True}
    marks = mark(as_edits([stroke, {**RIGHT, "exact": True}]), *lightness.shape)
    plain = np.moveaxis(upsample.lift(columns, lightness), -1, 0)
    exact = _lifted(columns, lightness, marks)
    inside = marks.exact == 0
    np.testing.assert_array_equal(exact[:, inside], np.tile([[40], [30], [40], [30]], inside.sum()))
    np.testing.assert_array_equal(exact[:, 35, 75], [-30, 20, -30, 20])
    change = np.abs(exact - plain).max(axis=0)
    y, x = np.nonzero(marks.exact >= 0)
    distance = np.min(np.hypot(np.arange(120)[:, None, None] - y, np.arange(160)[:, None] - x), axis=-1)
    assert (change[distance > 20] == 0).all()
    # Next to the stroke, on the same side of the edge, there is no seam: what is missed is spread outwards.
    near = (distance > 0) & (distance < 1.5) & (np.hypot(*np.mgrid[-35:85, -75:85]) > 20)
    missed = np.abs(exact[:, near] - np.array([[40], [30], [40], [30]])).mean()
    assert missed < 0.35 * np.abs(plain[:, near] - np.array([[40], [30], [40], [30]])).mean()


def test_the_halo_of_an_exact_edit_stops_at_an_edge_of_the_lightness():
    lightness, columns = _photo(), np.zeros((SIDE, SIDE, 2), np.float32)
    marks = mark(
        as_edits([{"kind": "point", "at": [73, 60], "radius": 3, "color": RED, "exact": True}]), 120, 160
    )
    a = _lifted(columns, lightness, marks)[0]
    assert a[55:65, 66:70].mean() > 10 * a[55:65, 81:85].mean()


def test_exact_colors_survive_to_the_picture_within_one_unit():
    """Gamut mapping and 8 bits included, at every lightness and at all hues."""
    lightness = np.tile(np.linspace(3, 97, 160, dtype=np.float32), (120, 1))
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    edits = [
        {
            "kind": "region",
            "polygon": [[0, 10 * i], [160, 10 * i], [160, 10 * i + 10], [0, 10 * i + 10]],
            "color": {"lab": [50, 60 * np.cos(angle), 60 * np.sin(angle)]},
            "exact": True,
        }
        for i, angle in enumerate(angles)
    ]
    marks = mark(as_edits(edits), 120, 160)
    planes = _lifted(np.zeros((SIDE, SIDE, 2), np.float32), lightness, marks)
    wanted = np.repeat([edit["color"]["lab"][1:] for edit in edits], 10, axis=0)[:, None] * np.ones((160, 1))
    given = color.gamut_map(np.concatenate([lightness[..., None], wanted], axis=-1))
    shown = color.lab_to_srgb_bytes(np.stack([lightness, *planes], axis=-1))
    error = np.abs(color.srgb_to_lab(shown / 255.0) - given)
    assert error[..., 1:].max() < 1, error[..., 1:].max()


def test_refining_is_equation_6_on_finer_cells_with_the_coarse_field_for_its_unary(unary):
    side, cells = 2 * SIDE, mark(as_edits([LEFT]), 80, 80).cells(2 * SIDE)
    near = np.array([np.asarray(x) for x in gcrf.shifted(jax.numpy.ones((side, side)), 1)])
    fine = Fine(near / near.sum(axis=0), np.full((side, side), 0.05, np.float32))
    field = propagate.refine(fine, propagate.lifted(unary[0], side), cells, weight=5.0, within=unary[0])
    matrix = np.zeros((side**2, side**2))
    at = np.arange(side**2).reshape(side, side)
    for share, (y, x) in zip(fine.rows, gcrf.offsets(1), strict=True):
        for i, j in zip(*np.nonzero(share), strict=True):
            matrix[at[i, j], at[i + y, j + x]] = share[i, j]
    off, known = np.eye(side**2) - matrix, 5.0 * cells.weights.reshape(-1, 1).astype(np.float64)
    lifted = np.asarray(jax.image.resize(unary[0], (side, side, 2), "cubic"), np.float64).reshape(-1, 2)
    right = known * color.ab_to_network(cells.ab).reshape(-1, 2) + 0.05 * lifted
    expected = np.linalg.solve(off.T @ off + np.diag(known[:, 0] + 0.05), right)
    colors = [*unary[0].reshape(-1, 2), [0, 0], *color.ab_to_network(cells.ab).reshape(-1, 2)]
    expected = np.clip(expected, np.min(colors, axis=0), np.max(colors, axis=0))
    np.testing.assert_allclose(field.reshape(-1, 2), expected, atol=1e-3)
    assert np.abs(field.reshape(-1, 2) - lifted).max() > 0.02


def test_a_unary_is_fitted_to_gray_edits(unary):
    gray = [
        {**LEFT, "at": [x, y], "color": {"lab": [50, 0, 0]}} for x in range(5, 80, 10) for y in (5, 35, 65)
    ]
    fitted = propagate.calibrated(unary[0], _cells(*gray))
    assert np.abs(fitted).mean() < 0.5 * np.abs(unary[0]).mean()
    np.testing.assert_allclose(propagate.calibrated(unary[0], _cells()), unary[0], atol=1e-6)
