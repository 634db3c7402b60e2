"""Films: what is kept of them, that nothing flickers, and that a stopped run goes on to the same bits."""

from fractions import Fraction
from itertools import pairwise

import mini_films
import numpy as np
import pytest
from flickering import COLORS, Flickering

from colorize_jax import color
from colorize_jax.inference import batch, films
from colorize_jax.inference.series import Series
from colorize_jax.photos import film
from colorize_jax.photos.errors import PhotoError
from colorize_jax.photos.results import Results

pytestmark = pytest.mark.quick


class Stopped(Exception):
    """In place of a kill."""


class Mortal(Flickering):
    """Is stopped before it colours another frame than the first `most`."""

    identity = {"Method": "flickering"}  # noqa: RUF012 (of the class that it is made of)

    def __init__(self, most=1000, **options):
        super().__init__(**options)
        self._most = most

    def versions(self, photo, samples=None, **how):
        if self.calls >= self._most:
            raise Stopped
        return super().versions(photo, samples, **how)


def color_film(path, out, *, samples=1, **model):
    """Films of `path`, by another model than the program's."""
    options = batch.Options(samples, film.suffix_of(path), contact_sheet=False, made="so")
    (job,) = batch.find_jobs([str(path)], out).jobs
    frames = Series(Mortal(**model), samples=samples, candidates=5)
    return films.colorize_film(job, frames, options, Results(out))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return mini_films.write(tmp_path_factory.mktemp("films") / "clip.mp4")


@pytest.fixture(scope="module")
def colored(clip):
    return color_film(clip, clip.parent / "out", samples=2)


def test_there_is_one_film_a_version_and_nothing_else(colored):
    assert [path.name for path in colored] == ["clip_1.mp4", "clip_2.mp4"]
    left = sorted(path.name for path in colored[0].parent.iterdir())
    assert left == [".colorized.jsonl", "clip_1.mp4", "clip_2.mp4"]


def test_times_sizes_and_aspect_are_kept(clip, colored):
    before, after = film.look(clip), film.look(colored[1])
    assert (after.shape, after.aspect, after.length) == ((48, 64), Fraction(4, 3), 12)
    times = [frame.time * before.time_base for frame in film.frames(clip)]
    assert [frame.time * after.time_base for frame in film.frames(colored[1])] == times
    assert np.diff([float(time * 600) for time in times]).tolist() == np.diff(mini_films.TIMES).tolist()


def test_sound_and_words_are_kept(clip, colored):
    before, after = (mini_films.packets(path, "audio") for path in (clip, colored[0]))
    assert len(before) >= 4 and after == before
    with film._opened(colored[1]) as (container, video):
        assert container.metadata["title"] == "Squares"
        assert "Method: flickering" in container.metadata["comment"]
        assert "Version: 2" in container.metadata["comment"]
        assert (video.codec_context.name, video.pix_fmt) == ("h264", "yuv420p")


def lab(path):
    return np.array([color.srgb_to_lab(frame.rgb / 255.0) for frame in film.frames(path)])


def test_lightness_is_kept(clip, colored):
    assert np.abs(lab(colored[0])[..., 0] - lab(clip)[..., 0]).mean() < 1


def test_nothing_that_stays_flickers(colored):
    still = lab(colored[0])[:, 24:, :, 1:].reshape(12, 3, 8, 8, 8, 2).mean((2, 4))  # below the square
    steps = [np.linalg.norm(b - a, axis=-1).max() for a, b in pairwise(still)]
    del steps[mini_films.CUT - 1]
    assert max(steps) < 2  # the model jumps by 12, and its versions change places
    ab = lab(colored[0])[..., 1:].mean((1, 2))
    assert np.linalg.norm(ab[: mini_films.CUT] - COLORS[0], axis=-1).max() < 12


@pytest.fixture
def parts_of_three(monkeypatch):
    monkeypatch.setattr(films, "_FRAMES", 3)


def visible(folder):
    return [path.name for path in folder.glob("[!.]*")]


@pytest.fixture(scope="module")
def whole(clip):
    """Films of a run that was not stopped, in parts of three frames."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(films, "_FRAMES", 3)
        return [path.read_bytes() for path in color_film(clip, clip.parent / "whole", samples=2)]


@pytest.mark.parametrize("most", [0, 4, 8])
def test_a_stopped_run_goes_on_to_the_same_bits(clip, whole, tmp_path, parts_of_three, most):
    with pytest.raises(Stopped):
        color_film(clip, tmp_path, samples=2, most=most)
    assert not visible(tmp_path)
    made = color_film(clip, tmp_path, samples=2, calls=most - most % 3)
    assert [path.read_bytes() for path in made] == whole


def test_a_run_that_was_stopped_at_the_end_colors_nothing_again(clip, whole, tmp_path, parts_of_three):
    def refuse(*_):
        raise Stopped

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(film, "join", refuse)
        color_film(clip, tmp_path, samples=2)
    assert not visible(tmp_path)
    assert [path.read_bytes() for path in color_film(clip, tmp_path, samples=2, most=0)] == whole


def test_parts_do_not_show(clip, colored, tmp_path, monkeypatch):
    monkeypatch.setattr(films, "_FRAMES", 5)
    in_parts = color_film(clip, tmp_path, samples=2)
    assert np.abs(lab(in_parts[0]) - lab(colored[0])).mean() < 1
    times = [[frame.time for frame in film.frames(path)] for path in (in_parts[0], colored[0])]
    assert times[0] == times[1]


@pytest.mark.parametrize("turned", [90, -90, 180])
def test_films_of_phones_are_upright(tmp_path, turned):
    path = mini_films.write(tmp_path / "phone.mov", turned=turned, audio=None)
    (made,) = color_film(path, tmp_path / "out")
    upright = np.rot90(mini_films.gray_frames()[0], turned // 90).astype(float)
    assert made.name == "phone_1.mov" and film.look(made).shape == upright.shape
    assert film.look(made).aspect == (Fraction(3, 4) if turned % 180 else Fraction(4, 3))
    shown = next(film.frames(made)).rgb.mean(-1)
    assert np.corrcoef(shown.ravel(), upright.ravel())[0, 1] > 0.95


def test_odd_sizes_and_sound_of_any_kind(tmp_path):
    path = mini_films.write(tmp_path / "odd.avi", shape=(45, 51), audio="pcm_s16le", aspect=Fraction(1))
    (made,) = color_film(path, tmp_path / "out")
    assert made.name == "odd_1.mkv" and film.look(made).shape == (45, 51)
    before, after = (mini_films.packets(each, "audio") for each in (path, made))
    assert b"".join(data for _, data in after) == b"".join(data for _, data in before)


def test_a_film_that_is_there_is_not_replaced(clip, colored):
    with pytest.raises(PhotoError, match="exists already"):
        color_film(clip, clip.parent / "out", samples=2)


def test_what_is_no_film_is_told(tmp_path, clip):
    (tmp_path / "no.mp4").write_bytes(b"nonsense")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(clip.read_bytes()[:900])
    for name in ("no.mp4", "cut.mp4", "missing.mp4"):
        with pytest.raises(PhotoError, match=name):
            color_film(tmp_path / name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_without_pyav_the_extra_is_told(clip, monkeypatch):
    def missing(name):
        raise ImportError(name)

    film._av.cache_clear()
    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(PhotoError, match=r"pip install 'colorize_jax\[video\]'"):
        film.look(clip)
    monkeypatch.undo()
    film._av.cache_clear()
