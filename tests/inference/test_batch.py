"""Many photos: names that never collide, broken ones that stop nothing, files all or none."""

import os

import numpy as np
import pytest
from PIL import Image

from colorize_jax.inference import batch
from colorize_jax.inference.colorizer import Versions
from colorize_jax.photos.photo import Photo


def _colorize(photo: Photo) -> Versions:
    shape = photo.lightness.shape
    pictures = [np.full((*shape, 3), 60 * n, np.uint8) for n in range(2)]
    if photo.alpha is not None:
        pictures = [np.dstack([picture, photo.alpha]) for picture in pictures]
    return Versions(pictures, np.array([0.7, 0.3]), np.zeros((2, 4, 4, 2)), np.zeros((2, 4, 4, 2)))


OPTIONS = batch.Options(samples=2)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    for name in ("a/cat.jpg", "b/cat.png", "cat.PNG", "b/deep/dog.webp", ".hidden/no.png", "b/.no.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (40, 30), 90).save(folder / name)
    (folder / "notes.txt").write_text("no photo")
    return folder


def _targets(arguments, out) -> list[str]:
    return [str(job.target.relative_to(out)) for job in batch.find_jobs(arguments, out).jobs]


def test_folders_keep_their_shape(photos, tmp_path):
    assert _targets([str(photos)], tmp_path / "out") == ["a/cat", "b/cat", "b/deep/dog", "cat"]


def test_one_stem_is_used_once(photos, tmp_path):
    arguments = [str(photos / "a/cat.jpg"), str(photos / "b/cat.png"), str(photos), str(photos / "cat.PNG")]
    assert _targets(arguments, tmp_path / "out") == ["cat", "cat-2", "b/deep/dog", "cat-3"]


def test_case_does_not_make_a_difference(tmp_path):
    for name in ("Cat.png", "cat.jpg"):
        Image.new("L", (4, 4)).save(tmp_path / name)
    assert _targets([str(tmp_path / "Cat.png"), str(tmp_path / "cat.jpg")], tmp_path) == ["Cat", "cat-2"]


def test_own_output_is_not_colored_again(photos):
    out = photos / "colorized"
    out.mkdir()
    Image.new("L", (4, 4)).save(out / "cat_1.png")
    assert all("cat_1" not in target for target in _targets([str(photos)], out))


def test_an_empty_folder_is_told(tmp_path):
    (tmp_path / "notes.txt").write_text("no photo")
    found = batch.find_jobs([str(tmp_path)], tmp_path / "out")
    assert not found.jobs and len(found.errors) == 1 and str(tmp_path) in found.errors[0]


def test_a_batch_goes_on_past_broken_photos(photos, tmp_path, capsys):
    (photos / "b/cat.png").write_bytes(b"nonsense")
    out = tmp_path / "out"
    jobs = batch.find_jobs([str(photos), str(photos / "missing.png")], out).jobs
    assert batch.run(jobs, _colorize, OPTIONS) == 2
    told = capsys.readouterr()
    lines = told.err.splitlines()
    assert (
        len(lines) == 2 and "b/cat.png: not an image" in lines[0] and "missing.png: no such file" in lines[1]
    )
    assert len(told.out.splitlines()) == 3 and "cat_1.png" in told.out
    written = sorted(str(path.relative_to(out)) for path in out.rglob("*.*"))
    assert written == [f"{t}_{n}.png" for t in ("a/cat", "b/deep/dog", "cat") for n in ("1", "2", "sheet")]


@pytest.mark.parametrize("error", [ValueError("two\nlines"), OSError(28, "No space left"), MemoryError()])
def test_what_coloring_raises_is_one_line(photos, tmp_path, capsys, error):
    def fail(photo):
        raise error

    jobs = batch.find_jobs([str(photos / "cat.PNG")], tmp_path / "out").jobs
    assert batch.run(jobs, fail, OPTIONS) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and "cat.PNG" in lines[0]


def test_bugs_are_not_hidden(photos, tmp_path):
    def fail(photo):
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        batch.run(batch.find_jobs([str(photos)], tmp_path).jobs, fail, OPTIONS)


def test_files_are_kept_unless_asked(photos, tmp_path, capsys):
    job = batch.Job(photos / "cat.PNG", tmp_path / "cat")
    (tmp_path / "cat_2.png").write_text("mine")
    assert batch.run([job], _colorize, OPTIONS) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert (tmp_path / "cat_2.png").read_text() == "mine" and not (tmp_path / "cat_1.png").exists()
    assert batch.run([job], _colorize, OPTIONS._replace(overwrite=True)) == 0
    assert Image.open(tmp_path / "cat_2.png").size == (40, 30)


def test_jpeg_refuses_opacity(tmp_path, capsys):
    Image.new("RGBA", (8, 8)).save(tmp_path / "a.png")
    job = batch.Job(tmp_path / "a.png", tmp_path / "out" / "a")
    assert batch.run([job], _colorize, OPTIONS._replace(suffix="jpg")) == 1
    assert "opacity" in capsys.readouterr().err
    assert batch.run([job], _colorize, OPTIONS) == 0
    assert Image.open(tmp_path / "out" / "a_1.png").mode == "RGBA"


def test_without_a_contact_sheet(photos, tmp_path):
    job = batch.Job(photos / "cat.PNG", tmp_path / "cat")
    batch.run([job], _colorize, OPTIONS._replace(suffix="jpg", contact_sheet=False))
    assert sorted(name for name in os.listdir(tmp_path) if name != "photos") == ["cat_1.jpg", "cat_2.jpg"]


@pytest.mark.parametrize("shape", [(30, 40), (2, 900), (700, 3)])
@pytest.mark.parametrize("alpha", [None, 0])
def test_contact_sheet_shows_the_photo_and_its_versions(shape, alpha):
    photo = Photo(np.full(shape, 50, np.float32), None if alpha is None else np.full(shape, alpha, np.uint8))
    sheet = batch.contact_sheet(photo, _colorize(photo))
    assert sheet.dtype == np.uint8 and sheet.shape[2] == 3
    middle = sheet[(22 + len(sheet)) // 2]  # below the captions
    shown = {tuple(pixel) for pixel in middle}
    assert (119, 119, 119) in shown  # L* = 50
    assert ((60, 60, 60) in shown) == (alpha is None)
