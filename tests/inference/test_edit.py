"""Edits on photos, end to end: sizes, lightness, colours, modes and mistakes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import random_model
from colorizers import colorizer_of
from ml_collections import ConfigDict

from colorize_jax import color
from colorize_jax.control.prior import Correction, Fine, Prior
from colorize_jax.evaluation import edit_methods
from colorize_jax.inference import edit, explain
from colorize_jax.inference.colorizer import Colorizer
from colorize_jax.methods.base import Samples
from colorize_jax.photos.photo import Photo, photo_from_array

RED, BLUE = "#b07070", "#6070a0"  # within the gamut at both lightnesses
SIDE = 16


def _sample(variables, batch, rng, *, samples, rule):
    """Version n is the constant colour a = 5 n."""
    a = jnp.arange(samples, dtype=jnp.float32) * (5 / 128)
    field = jnp.zeros((1, samples, SIDE, SIDE, 2)).at[..., 0].set(a[None, :, None, None])
    return Samples(field, field, jnp.full((1, samples), 1 / samples))


def _similarity(variables, batch):
    """Cells lean on those of nearly their lightness."""
    step = batch["lightness"].shape[1] // SIDE
    light = batch["lightness"][0, step // 2 :: step, step // 2 :: step, 0].reshape(-1)
    alike = jnp.exp(-((light[:, None] - light[None, :]) ** 2) / 0.02) * (1 - jnp.eye(SIDE**2))
    return (alike / alike.sum(1, keepdims=True))[None]


@pytest.fixture(scope="module")
def colorizer() -> Colorizer:
    config = ConfigDict(
        {
            "method": "fake",
            "data": {"image_size": 64, "lightness_large": 0},
            "gcrf": {"beta_test": 5.0, "floor": 1e-4},
        }
    )
    return colorizer_of(config, _sample, similarity=_similarity)


@pytest.fixture(scope="module")
def gray() -> np.ndarray:
    """Bright above, dark below, 200 pixels wide and 160 high, with some texture."""
    texture = np.random.default_rng(0).integers(-6, 7, (160, 200))
    return (np.where(np.arange(160)[:, None] < 80, 180, 80) + texture).astype(np.uint8)


def _spread(variables, batch):
    """The same similarity; bluish where nothing is said, more firmly below."""
    unary = jnp.zeros((1, SIDE, SIDE, 2)).at[..., 1].set(-10 / 128)
    rows = jnp.where(jnp.arange(SIDE) < SIDE // 2, 1e-4, 1e-2)
    confidence = jnp.broadcast_to(rows[None, :, None], (1, SIDE, SIDE))
    return Prior(_similarity(variables, batch), unary, confidence)


@pytest.fixture(scope="module")
def with_prior(colorizer) -> Colorizer:
    """A model that has learned an S for edits beside the one of its versions."""
    unlike = lambda variables, batch: jnp.full((1, SIDE**2, SIDE**2), 1 / SIDE**2)  # noqa: E731
    return colorizer_of(colorizer.config, _sample, similarity=unlike, spread=_spread)


def _ab(picture):
    return color.srgb_to_lab(picture / 255.0)[..., 1:]


def _target(hex_color):
    rgb = np.array([int(hex_color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return color.srgb_to_lab(rgb)[1:]


UP = {"kind": "point", "at": [30.5, 20.5], "color": RED}
DOWN = {"kind": "stroke", "path": [[150, 130], [160, 140]], "radius": 4, "color": BLUE}


def test_alone_each_edit_colors_what_is_alike(colorizer, gray):
    edited = colorizer.edit(gray, [UP, DOWN], mode="alone")
    assert len(edited.rgb) == 1 and edited.rgb[0].shape == (160, 200, 3)
    ab = _ab(edited.rgb[0])
    np.testing.assert_allclose(ab[10:60].mean((0, 1)), _target(RED), atol=4)
    np.testing.assert_allclose(ab[100:150].mean((0, 1)), _target(BLUE), atol=4)


def test_guided_the_rest_is_what_the_model_expects(with_prior, gray):
    edited = with_prior.edit(gray, [UP], mode="guided")
    assert len(edited.rgb) == 1
    ab = _ab(edited.rgb[0])
    np.testing.assert_allclose(ab[10:60].mean((0, 1)), _target(RED), atol=4)
    np.testing.assert_allclose(ab[100:150].mean((0, 1)), [0, -10], atol=2)
    np.testing.assert_allclose(edited.unary[0, ..., 1], -10 / 128, atol=1e-6)
    alone = with_prior.edit(gray, [UP], mode="alone")
    assert np.abs(_ab(alone.rgb[0])[100:150].mean((0, 1))).max() < 2


def test_guided_a_correction_sees_the_refined_answer_its_reach_and_the_edits(with_prior, gray):
    fine, near, told = 2 * SIDE, 3 * SIDE, {}

    def spread(variables, batch):
        own = _spread(variables, batch)
        # Each cell leans on its right neighbour.
        rows = jnp.zeros((1, 8, fine, fine)).at[:, 4, :, :-1].set(1.0)
        confidence = jnp.full((1, fine, fine), 10.0)
        return own._replace(fine=Fine(rows, confidence), context={"of the photo": jnp.ones((1, 3))})

    def correct(variables, context, *arrays):
        jax.debug.callback(lambda *arrays: told.update(enumerate(arrays)), *arrays)
        assert context["of the photo"].shape == (1, 3)
        return jnp.zeros((1, 2 * near, 2 * near, 2)).at[..., 0].set(0.1)

    config = with_prior.config
    model = colorizer_of(config, _sample, spread=spread, correct=Correction(near, correct))
    edited = model.edit(gray, [UP], mode="guided")
    jax.effects_barrier()
    assert edited.field[0].shape == (2 * near, 2 * near, 2)
    np.testing.assert_allclose(edited.field[0, ..., 0], 0.1, atol=1e-6)
    field, reach, *known = (np.asarray(told[number][0]) for number in range(6))
    uncorrected = colorizer_of(config, _sample, spread=spread)
    np.testing.assert_allclose(field, uncorrected.edit(gray, [UP], mode="guided").field[0], atol=1e-6)
    half = SIDE // 2  # the edit tells of the bright half
    assert reach[: half - 1].min() > 0.9 and reach[half + 1 :].max() < 0.1
    for side, colors, revealed in ((near, *known[:2]), (2 * near, *known[2:])):
        at = revealed > 0
        assert colors.shape == (side, side, 2) and 0 < at.sum() <= (side / SIDE) ** 2
        assert np.abs(colors[at] * 128 - _target(RED)).max() < 1


@pytest.fixture(scope="module")
def correcting(with_prior) -> Colorizer:
    """A model that refines, and whose correction is the colours that it is told of the pixels."""
    fine, side = 2 * SIDE, 48

    def spread(variables, batch):
        rows = jnp.zeros((1, 8, fine, fine)).at[:, 4, :, :-1].set(1.0)
        own = _spread(variables, batch)
        return own._replace(fine=Fine(rows, jnp.ones((1, fine, fine))), context={})

    def correct(variables, context, field, reach, colors, revealed, pixel_colors, pixels_revealed):
        lifted = jax.image.resize(field, (1, 2 * side, 2 * side, 2), "cubic")
        return jnp.where(pixels_revealed[..., None] > 0, pixel_colors, lifted)

    return colorizer_of(with_prior.config, _sample, spread=spread, correct=Correction(side, correct))


def test_a_similarity_for_edits_spreads_them_over_versions_and_leaves_these_as_they_are(with_prior, gray):
    plain = with_prior.colorize(gray, samples=2)
    np.testing.assert_array_equal(with_prior.edit(gray, [], samples=2).field, plain.field)
    edited = with_prior.edit(gray, [DOWN], samples=2)
    for before, after in zip(plain.rgb, edited.rgb, strict=True):
        was, found = (_ab(picture)[100:150].mean((0, 1)) for picture in (before, after))
        wanted = _target(BLUE) - was  # which what was learned of these cells holds it from in part
        assert 0.35 < (found - was) @ wanted / (wanted @ wanted) < 1
        assert np.abs(_ab(after)[10:60] - _ab(before)[10:60]).mean() < 1


def test_a_model_is_one_of_the_methods_that_reveals_are_measured_with(with_prior, gray):
    lightness = photo_from_array(gray[:, :160]).lightness
    targets, weights = np.zeros((160, 160, 2), np.float32), np.zeros((160, 160), bool)
    targets[20:27, 30:37], weights[20:27, 30:37] = np.array([20, 15]) / 128, True
    answer = 128 * edit_methods.learned(with_prior)(lightness, targets, weights)
    assert answer.shape == (160, 160, 2) and answer.dtype == np.float32
    np.testing.assert_allclose(answer[20:27, 30:37], np.broadcast_to([20, 15], (7, 7, 2)), atol=1e-4)
    np.testing.assert_allclose(answer[5:75].mean((0, 1)), [20, 15], atol=3)
    np.testing.assert_allclose(answer[90:].mean((0, 1)), [0, -10], atol=2)
    alone = 128 * edit_methods.learned(with_prior, "alone")(lightness, targets, weights)
    np.testing.assert_allclose(alone[90:].mean((0, 1)), 0, atol=2)
    over = 128 * edit_methods.learned(with_prior, "over")(lightness, targets, weights)
    np.testing.assert_allclose(over[5:75].mean((0, 1)), [20, 15], atol=4)
    (first,) = with_prior.colorize(gray[:, :160], samples=1).rgb
    np.testing.assert_allclose(over[90:].mean((0, 1)), _ab(first)[90:].mean((0, 1)), atol=2)
    with pytest.raises(ValueError, match="mode is 'under'"):
        edit_methods.learned(with_prior, "under")


def test_revealed_cells_are_shares_and_means():
    targets, weights = np.zeros((16, 16, 2), np.float32), np.zeros((16, 16), bool)
    targets[0:2, 3:5], weights[0:2, 3:5] = [0.1, -0.2], True
    cells = edit_methods.Reveals(targets, weights).cells(4)
    np.testing.assert_allclose(cells.weights[0], [2 / 16, 2 / 16, 0, 0])
    np.testing.assert_allclose(cells.ab[0, :2], np.broadcast_to([12.8, -25.6], (2, 2)), rtol=1e-4)
    assert not cells.weights[1:].any() and not cells.ab[1:].any()


def test_over_versions_the_rest_stays_theirs(colorizer, gray):
    plain, edited = colorizer.colorize(gray, samples=3), colorizer.edit(gray, [DOWN], samples=3)
    for before, after in zip(plain.rgb, edited.rgb, strict=True):
        np.testing.assert_allclose(_ab(after)[100:150].mean((0, 1)), _target(BLUE), atol=5)
        assert np.abs(_ab(after)[10:60] - _ab(before)[10:60]).mean() < 1
    np.testing.assert_array_equal(edited.unary, plain.unary)
    np.testing.assert_array_equal(edited.weights, plain.weights)


def test_without_edits_versions_are_those_of_colorize(colorizer, gray):
    plain, edited = colorizer.colorize(gray), colorizer.edit(gray, [])
    assert len(edited.rgb) == 5
    np.testing.assert_allclose(edited.field, plain.field, atol=1e-4)


@pytest.mark.parametrize(
    "shape",
    [
        {"kind": "region", "polygon": [[0, 40], [30, 40], [30, 80], [0, 80]]},
        {"kind": "stroke", "path": [[2, 60], [30, 60]], "radius": 5},
    ],
    ids=["region", "stroke"],
)
def test_what_an_edit_covers_of_a_border_takes_its_color(colorizer, gray, shape):
    scan = photo_from_array(np.pad(gray, 20, constant_values=250))
    assert scan.inside is not None
    [edited] = colorizer.edit(scan, [{**shape, "color": RED}], samples=1).rgb
    colored = np.ptp(edited.astype(int), axis=-1) > 0
    assert colored[60, 8] and colored[60, 24]
    assert not colored[:20].any() and not colored[100:, :20].any() and not colored[:, -20:].any()


def test_lightness_is_kept_and_the_same_comes_out_again(colorizer, gray):
    edits = [UP, {**DOWN, "exact": True}]
    first, second = (colorizer.edit(gray, edits, samples=2) for _ in range(2))
    for picture, again in zip(first.rgb, second.rgb, strict=True):
        np.testing.assert_array_equal(picture, again)
        error = np.abs(color.srgb_to_lab(picture / 255.0)[..., 0] - photo_from_array(gray).lightness)
        assert error.mean() < 0.3 and error.max() < 1


SIZES = [(1, 1), (1, 40), (7, 3), (30, 20), (95, 110), (96, 96), (97, 95)]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_photos_of_any_size_are_corrected(correcting, size):
    """The corrected field has 96 cells along a side: a photo may have fewer pixels than that."""
    lightness = np.random.default_rng(0).uniform(30, 70, size).astype(np.float32)
    dot = {"kind": "point", "at": [size[1] / 2, size[0] / 2], "color": RED}
    for edits in ([], [dot], [{**dot, "exact": True}]):
        edited = correcting.edit(Photo(lightness, None), edits, mode="guided")
        assert edited.rgb[0].shape == (*size, 3) and np.isfinite(edited.field).all()
    targets, weights = np.full((*size, 2), 0.1, np.float32), np.zeros(size, bool)
    weights[size[0] // 2, size[1] // 2] = True
    for mode in ("guided", "alone"):
        answer = edit_methods.learned(correcting, mode)(lightness, targets, weights)
        assert answer.shape == (*size, 2) and np.isfinite(answer).all()
        assert (answer[weights] == np.float32(0.1)).all()


def test_reveals_of_fewer_pixels_than_cells_are_told_on_the_cells_of_their_pixels():
    """Two of 3 x 2 pixels on 6 x 6 cells: a pixel has 2 x 3 of them."""
    targets, weights = np.zeros((3, 2, 2), np.float32), np.zeros((3, 2), bool)
    targets[0, 0], weights[0, 0], targets[2, 1], weights[2, 1] = [0.1, 0], True, [0, 0.2], True
    cells = edit_methods.Reveals(targets, weights).cells(6)
    expected = np.zeros((6, 6, 2))
    expected[:2, :3], expected[4:, 3:] = [12.8, 0], [0, 25.6]
    np.testing.assert_allclose(cells.ab, expected, atol=1e-5)
    np.testing.assert_array_equal(cells.weights, expected.any(axis=-1))


@pytest.mark.parametrize("scale", [1, 4])
def test_exact_pixels_come_out_as_given_at_full_size(colorizer, gray, scale):
    """One pixel, a stroke across the edge and a region, over another colour that is everywhere around."""
    photo = np.kron(gray, np.ones((scale, scale), np.uint8))
    edits = [
        {"kind": "region", "polygon": [[0, 0], [1, 0], [1, 1], [0, 1]], "color": BLUE},
        {"kind": "point", "at": [0.2, 0.2], "color": RED, "exact": True},
        {"kind": "stroke", "path": [[0.6, 0.3], [0.7, 0.8]], "radius": 0.03, "color": RED, "exact": True},
        {"kind": "region", "polygon": [[0.1, 0.6], [0.4, 0.6], [0.3, 0.9]], "color": RED, "exact": True},
    ]
    document = {"version": 1, "units": "fraction", "edits": edits}
    picture = colorizer.edit(photo, document, mode="alone").rgb[0]
    lightness = photo_from_array(photo).lightness
    lab = np.concatenate([lightness[..., None], np.broadcast_to(_target(RED), (*photo.shape, 2))], -1)
    wanted = color.gamut_map(lab)[..., 1:]
    height, width = photo.shape
    x, y = (np.arange(width) + 0.5) / width, (np.arange(height)[:, None] + 0.5) / height
    stroke = np.hypot((x - 0.65) * width, (y - 0.55) * height) < 0.03 * height
    region = (y > 0.61) & (np.abs(x - 0.275) < 0.1) & (y < 0.65)
    point = (np.arange(width) == width // 5) & (np.arange(height)[:, None] == height // 5)
    for pixels in (stroke, region, point):
        assert pixels.any()
        assert np.abs(_ab(picture) - wanted)[pixels].max() < 1
    np.testing.assert_allclose(_ab(picture)[: height // 10].mean((0, 1)), _target(BLUE), atol=5)


def test_an_erased_edit_leaves_no_trace(colorizer, gray):
    eraser = {"kind": "eraser", "path": DOWN["path"], "radius": 5}
    for exact in (False, True):
        edited = colorizer.edit(gray, [UP, {**DOWN, "exact": exact}, eraser], mode="alone")
        without = colorizer.edit(gray, [UP], mode="alone")
        np.testing.assert_array_equal(edited.rgb[0], without.rgb[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"edits": [UP, {**UP, "at": [201, 3]}]},
            r"edits\[1\] \(point\): its point 0, \[201, 3\], lies outside",
        ),
        ({"edits": [{"kind": "dot"}]}, r"edits\[0\]: its kind is 'dot'"),
        ({"mode": "under"}, "mode is 'under'; allowed are over, alone"),
        ({"mode": "alone", "samples": 2}, "samples is 2, but mode 'alone' has one answer"),
        ({"samples": 0}, "samples is 0"),
        ({"confidence": 0.0}, "confidence is 0.0"),
    ],
)
def test_mistakes_are_told(colorizer, gray, arguments, message):
    with pytest.raises(ValueError, match=message):
        colorizer.edit(gray, **{"edits": [UP], **arguments})


def test_a_model_without_a_similarity_is_told(colorizer, gray):
    blind = colorizer_of(colorizer.config, _sample)
    with pytest.raises(ValueError, match="'fake' learns no similarity"):
        blind.edit(gray, [UP])


def test_the_convenience_loads_the_papers_method(gray, tmp_path):
    model = random_model.save(tmp_path / "noise")
    edited = edit.edit(gray, [UP], 2, model=model)
    assert len(edited.rgb) == 2 and np.isfinite(edited.field).all()
    a, b = 128 * edited.field[:, 4, 4].T
    np.testing.assert_allclose([a, b], np.tile(_target(RED)[:, None], 2), atol=12)


def test_attention_variance_and_suggestions_are_those_of_the_photo(colorizer, gray):
    explained = explain.explain(colorizer, gray, [UP], at=[(30, 20), (150, 130)], suggestions=2)
    up, down = explained.attention
    np.testing.assert_allclose(explained.attention.sum((1, 2)), 1, atol=1e-5)
    assert up[:8].sum() > 0.99 and down[8:].sum() > 0.99
    # Nothing is known of the dark half, so it is the one that is open and where the next edit belongs.
    assert explained.variance[8:].min() > 5 * explained.variance[:8].max()
    assert explained.suggested[0][1] > 80
    told = colorizer.edit(gray, [UP], 1)
    np.testing.assert_array_equal(explained.versions.field, told.field)


def test_pictures_of_the_structure(colorizer, gray):
    explained = explain.explain(colorizer, gray, [{**UP, "radius": 8}], at=[(150, 130)])
    shown = explain.show(explained)
    assert tuple(shown) == explain.NAMES
    assert all(picture.dtype == np.uint8 and picture.shape[2] == 3 for picture in shown.values())
    map_ = explain.show_map(explained.attention[0], explained.photo, low=0)
    assert map_.shape == (160, 200, 3)
    assert map_[120:].mean() > map_[:40].mean() + 30
    edits = explain.show_edits(explained.photo, explained.marks)
    np.testing.assert_allclose(_ab(edits)[20, 30], _target(RED), atol=2)
    np.testing.assert_allclose(_ab(edits)[100:], 0, atol=0.1)
    ringed = explain.with_rings(edits, [(100, 80)])
    changed = (ringed != edits).any(-1)
    assert (
        changed.any()
        and not changed[80, 100]
        and np.argwhere(changed).mean(0) == pytest.approx([80, 100], abs=1)
    )


@pytest.mark.parametrize("position", [(-1, 5), (5, 161), (201, 5)])
def test_a_position_outside_the_photo_is_told(colorizer, gray, position):
    with pytest.raises(ValueError, match="outside the photo of 200x160 pixels"):
        explain.explain(colorizer, gray, at=[position])
    photo = photo_from_array(gray)
    assert explain.cell_of(explain.position_of(37, photo, SIDE), photo, SIDE) == 37
