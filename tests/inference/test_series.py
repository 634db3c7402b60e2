"""Photos that follow each other: versions keep their places and colours, and a cut begins anew."""

import numpy as np
import pytest
from flickering import COLORS, SIDE, Flickering
from PIL import Image

from colorize_jax import color
from colorize_jax.inference import batch, series
from colorize_jax.inference.series import Memory, Series
from colorize_jax.photos.photo import photo_from_array, read_rgb
from colorize_jax.photos.results import Results

pytestmark = pytest.mark.quick


def scene(seed, shape=(48, 64)):
    """L* of something with large and small parts."""
    coarse = np.random.default_rng(seed).uniform(20, 90, (6, 8))
    return np.kron(coarse, np.ones((shape[0] // 6, shape[1] // 8))).astype(np.float32)


def grainy(seed, grain):
    return scene(seed) + np.random.default_rng(grain).normal(0, 3, (48, 64)).astype(np.float32)


def on_cells(lightness):
    return series.cells(lightness, 32)


def test_likeness_is_of_scenes_and_not_of_brightness():
    one = on_cells(grainy(0, 1))
    assert series.likeness(one, one) == pytest.approx(1, abs=1e-6)
    assert series.likeness(one, on_cells(grainy(0, 2))) > series.NEARLY_THE_SAME
    assert series.likeness(one, on_cells(0.3 * scene(0) + 5)) > series.NEARLY_THE_SAME
    assert series.likeness(one, on_cells(scene(1))) < series.SCENE
    even = np.full((32, 32), 40, np.float32)
    assert series.likeness(even, even + np.random.default_rng(0).normal(0, 1, (32, 32))) > series.SCENE
    assert series.likeness(even, one) < series.SCENE


def test_versions_find_their_places_among_more():
    fields = np.random.default_rng(0).normal(0, 0.2, (5, 4, 4, 2)).astype(np.float32)
    places = np.array([3, 0, 4])
    assert series.order(fields[places] + 0.01, fields).tolist() == places.tolist()


def test_all_versions_together_are_nearest():
    before = np.zeros((2, 1, 1, 2), np.float32) + np.array([0.0, 0.3], np.float32)[:, None, None, None]
    found = np.zeros((2, 1, 1, 2), np.float32) + np.array([0.2, -0.9], np.float32)[:, None, None, None]
    # Both are nearest to the first one, which only one of them can become.
    assert series.order(before, found).tolist() == [1, 0]


@pytest.mark.parametrize("jump", [0.5, 5, 200])
def test_where_nothing_moves_colors_go_a_tenth_and_not_far(jump):
    before = np.zeros((1, 4, 4, 2), np.float32)
    found = color.ab_to_network(np.tile(np.float32([0.6 * jump, -0.8 * jump]), (1, 4, 4, 1)))
    new = color.network_to_ab(series.settled(before, found, np.zeros((4, 4), np.float32)))
    assert np.linalg.norm(new, axis=-1) == pytest.approx(min(0.1 * jump, 0.6), rel=1e-4)
    assert (new[..., 0] > 0).all() and (new[..., 1] < 0).all()


def test_what_moves_has_its_new_color_at_once():
    before, after = scene(0), scene(0)
    after[8:24, 8:24] = 100 - after[8:24, 8:24]
    motion = series.motion(on_cells(before), on_cells(after + 4))  # the whole is brighter, too
    assert motion[30:].max() < 0.01 and motion[:, 20:].max() < 0.01
    assert motion[7:14, 6:10].mean() > 0.8
    found = np.full((1, 32, 32, 2), 0.3, np.float32)
    new = series.settled(np.zeros_like(found), found, motion)[0, ..., 0]
    assert new[motion > 0.99] == pytest.approx(0.3, abs=0.003)
    assert new[motion < 0.01].max() < 0.04


def _field(colors):
    return np.tile(color.ab_to_network(colors)[:, None, None], (1, SIDE, SIDE, 1)).astype(np.float32)


def test_a_cut_begins_anew_with_the_first_versions():
    found = Flickering().versions(None)
    memory = Memory(series.cells(scene(0), SIDE), _field(COLORS[[2, 4]]))
    went_on = series.follow(memory, series.cells(scene(0), SIDE), found, 2, series.SCENE)
    assert went_on.field == pytest.approx(memory.field, abs=1e-6)
    cut = series.follow(memory, series.cells(scene(1), SIDE), found, 2, series.SCENE)
    assert (cut.field == found.field[:2]).all() and cut.weights.shape == (2,)


def _photo(lightness):
    gray = color.lab_to_srgb_bytes(np.stack([lightness, 0 * lightness, 0 * lightness], axis=-1))
    return photo_from_array(gray)


def _means(pictures):
    """Mean ab of each picture."""
    return np.array([color.srgb_to_lab(np.asarray(p) / 255.0)[..., 1:].mean((0, 1)) for p in pictures])


@pytest.mark.parametrize("options", [{}, {"samples": 2, "candidates": 5}, {"least": series.NEARLY_THE_SAME}])
def test_versions_keep_places_and_colors_in_a_series(options):
    frames = Series(Flickering(jump=3), **options)
    means = np.array([_means(frames.colorize(_photo(grainy(0, n))).rgb) for n in range(6)])
    assert np.linalg.norm(means - means[0], axis=-1).max() < 2  # versions are 30 apart and more
    assert np.linalg.norm(means[0] - COLORS[: means.shape[1]], axis=-1).max() < 12


def test_a_photo_that_is_not_like_the_one_before_is_colored_as_alone():
    frames = Series(Flickering(), least=series.NEARLY_THE_SAME)
    frames.colorize(_photo(scene(0)))
    after = frames.colorize(_photo(scene(1)))
    assert (after.field == Flickering(calls=1).versions(None).field).all()


OPTIONS = batch.Options(samples=5, contact_sheet=False, made="so")


def _run(photos, out, calls=0):
    """A run of the program with another model; the files' mean colours, by photo and version."""
    results, frames = Results(out), Series(Flickering(calls=calls))
    jobs = batch.find_jobs([str(photo) for photo in photos], out, results=results).jobs

    def pass_over(job, files):
        frames.pass_over(job.photo, job.page, files)

    tally = batch.run(jobs, frames.colorize, OPTIONS, None, results, pass_over)
    assert tally.failed == 0
    return np.array([_means(map(read_rgb, batch.outputs(job, OPTIONS))) for job in jobs])


def test_a_stopped_series_goes_on_with_the_colors_of_its_files(tmp_path):
    photos = [tmp_path / f"frame_{n}.png" for n in range(5)]
    for number, path in enumerate(photos):
        Image.fromarray((2.5 * grainy(0, number)).clip(0, 255).astype(np.uint8)).save(path)
    whole = _run(photos, tmp_path / "whole")
    _run(photos[:3], tmp_path / "out")
    resumed = _run(photos, tmp_path / "out", calls=2)
    assert np.abs(resumed[:3] - whole[:3]).max() == 0
    steps = np.linalg.norm(np.diff(resumed, axis=0), axis=-1)
    assert steps.max() < 1.5
    assert np.linalg.norm(resumed - whole, axis=-1).max() < 3
