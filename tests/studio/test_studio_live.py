"""An open photo gives what `Colorizer.edit` gives, quickly."""

import copy

import numpy as np
import pytest
from colorizers import colorizer_of

from colorize_jax import color
from colorize_jax.control import propagate
from colorize_jax.control.answer import Held
from colorize_jax.control.document import EditError, as_edits
from colorize_jax.control.layers import layered
from colorize_jax.control.prior import Fine, Prior
from colorize_jax.gcrf.interactive import deflated
from colorize_jax.inference import explain
from colorize_jax.methods.base import Samples
from colorize_jax.photos.border import Inside
from colorize_jax.photos.photo import Photo, photo_from_array
from colorize_jax.photos.upsample import PixelBox
from colorize_jax.studio.live import LivePhoto, in_fractions, preview_of
from colorize_jax.studio.tone import Tone

STROKE = {"kind": "stroke", "path": [[60, 80], [130, 150]], "radius": 12, "color": {"lab": [60, 50, 20]}}
REGION = {
    "kind": "region",
    "polygon": [[10, 200], [90, 210], [50, 290]],
    "color": {"lab": [60, -20, 30]},
    "exact": True,
}
LINK = {
    "kind": "link",
    "regions": [[[50, 70], [150, 70], [150, 170]], [[10, 200], [90, 210], [50, 290]]],
}

CLOSED = {"kind": "region", "polygon": REGION["polygon"], "color": {"lab": [60, -20, 30]}, "closed": True}
LOCK = {"kind": "lock", "path": [[60, 80]], "radius": 20}


@pytest.fixture(scope="module")
def photo(gray):
    return photo_from_array(gray)


@pytest.fixture(scope="module")
def live(colorizer, photo) -> LivePhoto:
    return LivePhoto(colorizer, photo, 3)


@pytest.mark.parametrize("refines", [False, True])
def test_pictures_of_a_model_with_an_s_of_its_own_for_edits(colorizer, photo, refines):
    def two_tones(variables, batch, rng, *, samples, rule):
        """Versions that no S has made: left and right differ."""
        left = (np.arange(32) < 16)[None, None, :, None]
        colors = np.linspace(-0.2, 0.2, 2 * samples).reshape(samples, 1, 1, 2)
        field = np.float32(np.broadcast_to(np.where(left, colors, -colors), (samples, 32, 32, 2)))
        return Samples(field[None] / 2, field[None], np.ones((1, samples), np.float32))

    def spread(variables, batch):
        side = 32
        row, column = np.divmod(np.arange(side**2), side)
        distance = (row[:, None] - row) ** 2 + (column[:, None] - column) ** 2
        near = np.exp(-distance / 8) * (distance > 0)
        return Prior(
            np.float32(near / near.sum(1, keepdims=True))[None],
            np.zeros((1, side, side, 2), np.float32),
            np.full((1, side, side), 1e-3, np.float32),
            Fine(rows, np.ones((1, 64, 64), np.float32)) if refines else None,
        )

    rows = np.zeros((1, 8, 64, 64), np.float32)
    rows[:, 4, :, :-1] = 1  # each fine cell leans on the next one of its row

    other = colorizer_of(colorizer.config, two_tones, spread=spread)
    wanted = other.edit(photo, [STROKE], 3).rgb
    live = LivePhoto(other, photo, 3)
    for version, picture in enumerate(wanted):
        assert np.abs(live.picture(as_edits([STROKE]), version).astype(int) - picture).max() <= 1


@pytest.mark.parametrize(
    "edits",
    [[], [STROKE], [STROKE, REGION], [STROKE, LINK], [STROKE | {"reach": "thing"}, CLOSED, LOCK, STROKE]],
    ids=["none", "stroke", "exact", "link", "layers"],
)
def test_pictures_are_those_of_the_library(colorizer, photo, live, edits):
    wanted = [*colorizer.edit(photo, edits, 3).rgb, *colorizer.edit(photo, edits, mode="alone").rgb]
    for version, picture in enumerate(wanted):
        found = live.picture(as_edits(edits), version)
        assert np.abs(found.astype(int) - picture).max() <= 1


@pytest.fixture(scope="module")
def scan(gray) -> Photo:
    """The photo on paper: 40 pixels of white around it."""
    found = photo_from_array(np.pad(gray, 40, constant_values=250))
    assert found.inside == Inside(slice(40, 340), slice(40, 440))
    return found


@pytest.fixture(scope="module")
def scanned(colorizer, scan) -> LivePhoto:
    return LivePhoto(colorizer, scan, 2)


ON_THE_BORDER = {
    "kind": "stroke",
    "path": [[20, 20], [20, 300]],
    "radius": 12,
    "color": {"lab": [60, 50, 20]},
}


@pytest.mark.parametrize(
    "edits",
    [[], [ON_THE_BORDER], [STROKE, REGION], [CLOSED, STROKE]],
    ids=["none", "on it", "exact", "closed"],
)
def test_the_border_of_a_scan_takes_no_color_but_of_edits(colorizer, scan, scanned, edits):
    wanted = colorizer.edit(scan, edits, 2).rgb
    for version, picture in enumerate(wanted):
        found = scanned.picture(as_edits(edits), version)
        assert np.abs(found.astype(int) - picture).max() <= 1
    window = scanned.window(as_edits(edits), 1, 0, PixelBox(slice(0, 300), slice(0, 400)))[..., :3]
    difference = np.abs(window.astype(int) - wanted[1][:300, :400])
    assert difference.mean() < 0.5 and np.quantile(difference, 0.99) <= 5
    border = np.ones(scan.lightness.shape, bool)
    border[scan.inside] = False
    colored = np.ptp(window.astype(int), axis=-1) > 3
    assert colored[border[:300, :400]].any() == (ON_THE_BORDER in edits or REGION in edits or CLOSED in edits)


def test_the_preview_shows_the_border_gray(scanned):
    """Its last answer is gray, and shown on the border but where an edit lies."""
    for edits, shown_at in (([], 0), ([ON_THE_BORDER], 1)):
        drawn = scanned.layers(as_edits(edits))
        fields, plane = scanned.shown([marks.cells(32) for marks in drawn.marks], drawn, 0)
        assert len(fields) == 2 and not fields[1].any()
        border = np.ones(plane.shape, bool)
        border[40:340, 40:440] = False
        assert not plane[~border].any()
        assert 0.6 < plane[border].mean() <= 1 and (plane[border] == 0).any() == bool(shown_at)
        assert plane[150, 20] == 1 - shown_at
    small = scanned.fields(as_edits([]))
    assert not small[:, 0].any() and small[:2, 16, 16].any()


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (31, 33)], ids=str)
def test_photos_of_fewer_pixels_than_cells_are_edited_as_by_the_library(colorizer, size):
    small = Photo(np.random.default_rng(0).uniform(30, 70, size).astype(np.float32), None)
    edits = [{"kind": "point", "at": [size[1] / 2, size[0] / 2], "color": "#b07070", "exact": True}]
    live = LivePhoto(colorizer, small, 2)
    for version, picture in enumerate(colorizer.edit(small, edits, 2).rgb):
        assert np.abs(live.picture(as_edits(edits), version).astype(int) - picture).max() <= 1
    assert np.isfinite(live.fields(as_edits(edits))).all()


def test_fields_on_the_preview_are_those_of_the_photo_nearly(colorizer, photo, live):
    wanted = colorizer.edit(photo, [STROKE], 3).field
    fields = live.fields(as_edits([STROKE]))
    assert fields.shape == (4, 32, 32, 2)
    assert np.abs(fields[:3] - wanted).mean() * 128 < 0.5
    assert np.abs(fields[:3] - live.versions.unary).max() * 128 > 20  # the stroke does something


def test_many_cells_are_solved_as_few_are(live):
    """Up to a third of the cells come of the kept inverse, more of conjugate gradients."""
    rng = np.random.default_rng(0)
    for count in (5, 340, 350, 1024):
        weights, right = np.full((1024, 1), live._solver.floor), np.zeros((1024, 2))
        at = rng.choice(1024, count, replace=False)
        weights[at] += rng.uniform(0.5, 5, (count, 1))
        right[at] = rng.normal(size=(count, 2))
        difference = np.eye(1024) - live.similarity.astype(np.float64)
        wanted = np.linalg.solve(difference.T @ difference + np.diag(weights[:, 0]), right)
        np.testing.assert_allclose(live._inverse(live.similarity, right, weights), wanted, atol=2e-3)


def test_what_conjugate_gradients_do_not_reach_is_solved_directly(live, monkeypatch):
    everywhere = [STROKE | {"path": [[20, 20], [380, 20], [20, 280], [380, 280]], "radius": 60}]
    wanted = live.fields(as_edits(everywhere))
    monkeypatch.setattr(deflated, "_MOST_STEPS", 1)
    np.testing.assert_allclose(live.fields(as_edits(everywhere)), wanted, atol=2e-3)


@pytest.mark.parametrize("edits", [[], [STROKE], [STROKE | {"radius": 90}]], ids=["none", "few", "many"])
def test_a_version_has_the_same_bits_alone_and_among_all(live, edits):
    """So undo gives back what was shown when the photo was opened, though some take more steps than others."""
    live = copy.copy(live)
    noise = np.random.default_rng(2).normal(size=live.versions.unary.shape).astype(np.float32)
    small = np.float32([[[0.1]], [[0.01]], [[1e-5]]])[..., None]
    live.versions = Held(*(small * noise + each for each in live.versions))
    cells = live.layers(as_edits(edits)).marks[0].cells(32)
    every = live.fields_of(cells)
    for version in range(4):
        [alone] = live.fields_of(cells, version)
        np.testing.assert_array_equal(alone, every[version])


def test_previews_of_many_edits_are_the_exact_solution(colorizer, photo, live):
    """To a quarter of a unit of a* and b*, which no one sees: by conjugate gradients, and with added rows."""
    rng = np.random.default_rng(1)
    for radius in (8, 40):
        strokes = [
            STROKE | {"path": rng.uniform(50, 250, (4, 2)).tolist(), "radius": radius} for _ in range(8)
        ]
        cells = live.layers(as_edits(strokes)).marks[0].cells(32)
        difference = np.eye(1024) - live.similarity.astype(np.float64)

        def exactly(similarity, right, weights, quadratic=difference.T @ difference):
            return np.linalg.solve(quadratic + np.diag(weights[:, 0]), right)

        pulls = {"weight": 5.0, "floor": 1e-3}
        over = propagate.over(live.similarity, cells, **pulls, confidence=5.0, inverse=exactly)
        wanted = propagate.solve(over, live.versions.unary, exactly)
        assert np.abs(live.fields_of(cells)[:3] - wanted).max() * 128 < 0.25


def test_explained_as_the_library_explains(colorizer, photo, live):
    wanted = explain.explain(colorizer, photo, [], suggestions=1)
    unedited = live.explain(as_edits([]), 1)
    np.testing.assert_allclose(unedited.variance, wanted.variance, rtol=1e-2)
    np.testing.assert_allclose(unedited.suggested[0] * (400, 300), wanted.suggested[0])


def test_variance_under_edits_is_the_diagonal_of_the_inverse(live):
    cells = live.layers(as_edits([STROKE])).marks[0].cells(32)
    difference = np.eye(1024) - live.similarity.astype(np.float64)
    weights = 5 * cells.weights.reshape(-1) + 1e-3
    wanted = np.diag(np.linalg.inv(difference.T @ difference + np.diag(weights)))
    found = live.explain(as_edits([STROKE]), 3)
    np.testing.assert_allclose(found.variance.reshape(-1), wanted, rtol=1e-3)
    assert (found.suggested > 0).all() and (found.suggested < 1).all()
    assert found.reduction[0] > 0 and (np.diff(found.reduction) <= 1e-9).all()


def test_a_tone_of_all_colors_changes_no_bit(live):
    edits, tones = as_edits([STROKE, REGION, CLOSED]), {0: Tone(1, 1)}
    np.testing.assert_array_equal(live.picture(edits, 0, tones), live.picture(edits, 0))
    np.testing.assert_array_equal(live.fields(edits, tones), live.fields(edits))
    assert live.about(edits, 0, tones) == live.about(edits, 0)


def test_saturation_is_of_the_whole_picture_and_strength_of_the_models_colors(live):
    edits = as_edits([STROKE])
    plain = live.fields(edits)
    saturated = live.fields(edits, {1: Tone(saturation=0.5)})
    np.testing.assert_array_equal(saturated[1], plain[1] / 2)
    np.testing.assert_array_equal(saturated[[0, 2, 3]], plain[[0, 2, 3]])
    [gray] = live.fields(edits, {1: Tone(strength=0)})[[1]] * 128
    np.testing.assert_allclose(gray[11, 8], plain[1, 11, 8] * 128, atol=8)  # under the stroke
    assert np.linalg.norm(gray[2, 16]) < 3 < np.linalg.norm(plain[1, 2, 16] * 128)  # on the ground
    assert "Tone" not in live.about(edits, 0).provenance
    assert live.about(edits, 0, {0: Tone(0.5, 1.2)}).provenance["Tone"] == "strength 0.5, saturation 1.2"


@pytest.mark.parametrize("edits", [[STROKE], [STROKE, REGION, CLOSED]], ids=["soft", "layers"])
def test_a_tone_is_the_same_in_the_picture_and_in_its_windows(live, edits):
    asked, tones = as_edits(edits), {1: Tone(0.6, 0.5)}
    whole, box = live.picture(asked, 1, tones), PixelBox(slice(150, 290), slice(20, 330))
    found = live.window(asked, 1, 0, box, tones)
    assert np.abs(found[..., :3].astype(int) - whole[box]).mean() < 0.5
    assert np.abs(live.picture(asked, 1)[box].astype(int) - whole[box]).mean() > 2


def test_a_closed_area_changes_no_pixel_outside_it(live):
    before, after = (live.picture(as_edits(edits), 0) for edits in ([STROKE], [STROKE, CLOSED]))
    inside = layered(as_edits([CLOSED]), 300, 400).plane == 1
    np.testing.assert_array_equal(before[~inside], after[~inside])
    ab = color.srgb_to_lab(after[inside] / 255)[:, 1:]
    assert np.quantile(np.linalg.norm(ab - [-20, 30], axis=-1), 0.95) < 6


@pytest.mark.parametrize(
    "edits", [[STROKE], [STROKE, REGION], [CLOSED, LOCK, STROKE]], ids=["soft", "exact", "layers"]
)
def test_a_window_is_a_part_of_the_picture(live, edits):
    whole = live.picture(as_edits(edits), 1)
    box = PixelBox(slice(150, 290), slice(20, 330))
    found = live.window(as_edits(edits), 1, 0, box)
    difference = np.abs(found[..., :3].astype(int) - whole[box])
    assert (
        difference.mean() < 0.5 and np.quantile(difference, 0.99) <= 4
    )  # marks of the preview and of the photo
    half = live.window(as_edits(edits), 1, 1, PixelBox(slice(0, 150), slice(0, 999)))
    assert half.shape == (150, 200, 4) and (half[..., 3] == 255).all()


def test_small_pictures_have_the_closed_areas_too(live):
    plain, closed = (live.fields(as_edits(edits)) for edits in ([], [CLOSED]))
    np.testing.assert_allclose(closed[:, 26, 4] * 128, 4 * [[-20, 30]], atol=5)
    np.testing.assert_array_equal(closed[:, 5], plain[:, 5])


def test_exact_colors_are_on_the_preview(live):
    marks = live.layers(as_edits([REGION])).marks[0]
    lifted = live.lifted(live.fields(as_edits([REGION]))[0], marks)
    np.testing.assert_allclose(lifted[:, marks.exact == 0].T, [[-20, 30]] * (marks.exact == 0).sum())


def test_a_finished_field_is_kept_until_its_edits_change(live):
    along = live.preview.guide
    stroke = STROKE | {"strength": 1.0}
    first = live.finished(live.layers(as_edits([stroke])).marks[0], 0, along)
    assert live.finished(live.layers(as_edits([stroke])).marks[0], 0, along) is first
    changes = ({"strength": 2.0}, {"color": {"lab": [60, 50, 21]}}, {"reach": "spot"}, {"radius": 14})
    for changed in changes:
        marks = live.layers(as_edits([stroke | changed])).marks[0]
        assert not np.array_equal(live.finished(marks, 0, along), first), changed


def test_edits_of_another_photo_are_refused(live):
    with pytest.raises(EditError, match="50x40"):
        live.fields(as_edits({"version": 1, "size": [50, 40], "edits": []}))


def test_pixels_become_fractions():
    edits = in_fractions(as_edits([STROKE]), 300, 400)
    (shape,) = edits.edits[0].shapes
    np.testing.assert_allclose(shape.points, [[0.15, 80 / 300], [0.325, 0.5]])
    assert edits.units == "fraction" and shape.radius == pytest.approx(0.04)


@pytest.mark.parametrize(
    ("size", "preview", "guide"),
    [
        ((300, 400), (300, 400), (150, 200)),
        ((3000, 4000), (576, 768), (288, 384)),
        ((2, 900), (64, 768), (64, 384)),
        ((20, 30), (64, 64), (64, 64)),
    ],
)
def test_previews_are_bounded_from_above_and_below(size, preview, guide):
    made = preview_of(photo_from_array(np.full(size, 100, np.uint8)))
    assert (made.lightness.shape, made.guide.shape) == (preview, guide)
    assert made.alpha is None and np.ptp(made.lightness) < 1e-3
