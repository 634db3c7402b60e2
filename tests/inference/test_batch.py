"""Many photos: names that never collide, broken ones that stop nothing, files all or none."""

import os

import numpy as np
import pytest
from PIL import Image

from colorize_jax.inference import batch
from colorize_jax.inference.colorizer import Versions
from colorize_jax.photos import results
from colorize_jax.photos.photo import Photo
from colorize_jax.photos.results import Results


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
    assert _targets(arguments, tmp_path / "out") == ["cat", "cat.png", "b/deep/dog", "cat.PNG-2"]


def test_numbers_in_names_count(tmp_path):
    for number in (1, 2, 10):
        Image.new("L", (4, 4)).save(tmp_path / f"frame{number}.png")
    by_a_shell = [str(tmp_path / f"frame{number}.png") for number in (1, 10, 2)]
    for arguments in ([str(tmp_path)], by_a_shell):
        assert _targets(arguments, tmp_path / "out") == ["frame1", "frame2", "frame10"]
    assert _targets(by_a_shell[::-1], tmp_path / "out") == ["frame2", "frame10", "frame1"]


def test_case_does_not_make_a_difference(tmp_path):
    for name in ("Cat.png", "cat.jpg"):
        Image.new("L", (4, 4)).save(tmp_path / name)
    assert _targets([str(tmp_path / "Cat.png"), str(tmp_path / "cat.jpg")], tmp_path) == ["Cat", "cat.jpg"]


def test_own_output_is_not_colored_again(photos):
    out = photos / "colorized"
    out.mkdir()
    Image.new("L", (4, 4)).save(out / "cat_1.png")
    assert all("cat_1" not in target for target in _targets([str(photos)], out))


def _run(arguments, out, capsys, **options):
    """A run of the program, without its model: how it ended, and what it told."""
    record = Results(out)
    found = batch.find_jobs([str(argument) for argument in arguments], out, results=record)
    tally = batch.run(found.jobs, _colorize, OPTIONS._replace(**{"made": "so", **options}), None, record)
    capsys.readouterr()
    return tally, [remark.text for remark in found.remarks]


def _written(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("[!.]*") if path.is_file())


def test_the_same_command_goes_on_where_it_was_stopped(photos, tmp_path, capsys):
    out = tmp_path / "out"
    (photos / "b/cat.png").rename(tmp_path / "later.png")
    assert _run([photos], out, capsys) == ((3, 0, 0), [])
    (tmp_path / "later.png").rename(photos / "b/cat.png")
    before = {name: (out / name).stat().st_mtime_ns for name in _written(out)}
    assert _run([photos], out, capsys) == ((1, 0, 3), [])
    assert all((out / name).stat().st_mtime_ns == time for name, time in before.items())
    assert _run([photos], out, capsys, resume=False)[0] == (0, 4, 0)
    assert _run([photos], out, capsys, overwrite=True)[0] == (4, 0, 0)


def test_another_photo_or_another_way_is_not_taken_for_what_is_there(photos, tmp_path, capsys):
    out, photo = tmp_path / "out", photos / "cat.PNG"
    assert _run([photo], out, capsys)[0] == (1, 0, 0)
    assert _run([photo], out, capsys, made="otherwise")[0] == (0, 1, 0)
    Image.new("L", (50, 30), 90).save(photo)
    assert _run([photo], out, capsys)[0] == (0, 1, 0)
    (out / "cat_2.png").write_bytes(b"")  # as a power cut leaves it
    assert _run([photo], out, capsys, overwrite=True)[0] == (1, 0, 0)
    (out / "cat_2.png").unlink()
    assert _run([photo], out, capsys)[0].there == 0


def test_two_ways_may_lie_side_by_side(photos, tmp_path, capsys):
    out, photo, plain = tmp_path / "out", photos / "cat.PNG", {"contact_sheet": False}
    assert _run([photo], out, capsys, **plain)[0] == (1, 0, 0)
    assert _run([photo], out, capsys, **plain, suffix="jpg", made="as jpg")[0] == (1, 0, 0)
    assert _run([photo], out, capsys, **plain)[0] == (0, 0, 1)
    assert _written(out) == ["cat_1.jpg", "cat_1.png", "cat_2.jpg", "cat_2.png"]
    assert _run([photo], out, capsys, **plain, overwrite=True, made="otherwise")[0] == (1, 0, 0)
    assert _run([photo], out, capsys, **plain)[0] == (0, 1, 0)  # they are no longer what they were


def test_what_a_killed_run_left_is_made_again(photos, tmp_path, capsys):
    out, photo = tmp_path / "out", photos / "cat.PNG"
    _run([photo], out, capsys)
    record = out / results.RECORD
    begun = record.read_bytes().splitlines(keepends=True)[0]
    (out / "cat_2.png").unlink()
    record.write_bytes(begun + b'{"state": "done", "tar')
    assert _run([photo], out, capsys)[0] == (1, 0, 0)
    assert _run([photo], out, capsys)[0] == (0, 0, 1)  # the line that was cut short swallowed none
    record.write_bytes(begun)
    (out / "cat_3.png").write_bytes(b"somebody's")
    assert _run([photo], out, capsys, samples=3)[0] == (0, 1, 0)
    assert (out / "cat_3.png").read_bytes() == b"somebody's"


@pytest.mark.parametrize("out", [".", "deep/results"])
def test_results_are_never_colored_again(photos, capsys, out):
    out = photos / out
    assert _run([photos], out, capsys)[0] == (4, 0, 0)
    before = _written(photos)
    tally, told = _run([photos], out, capsys)
    assert tally == (0, 0, 4) and _written(photos) == before
    elsewhere = photos.with_name("elsewhere")
    tally, told = _run([photos], elsewhere, capsys)
    assert tally == (4, 0, 0) and told == [f"{photos}: 12 results of earlier runs are no photos; passed over"]


def test_results_that_a_shell_names_are_never_colored_again(photos, capsys):
    folder = photos / "b"
    _run(folder.glob("c*.png"), folder, capsys)
    before = _written(folder)
    tally, told = _run(sorted(folder.glob("c*.png")), folder, capsys)
    assert tally == (0, 0, 1) and _written(folder) == before and len(told) == 1
    assert f"3 of the files that are named, such as {folder / 'cat_1.png'}, are results" in told[0]


def test_a_photo_keeps_its_name_when_neighbors_come(tmp_path, capsys):
    folder, out = tmp_path / "all" / "in", tmp_path / "all" / "out"
    folder.mkdir(parents=True)
    Image.new("L", (40, 30)).save(folder / "cat.png")
    _run([folder], out, capsys)
    Image.new("L", (20, 10)).save(folder / "cat.jpg")
    assert _run([folder], out, capsys)[0] == (1, 0, 1)
    sizes = {name: Image.open(out / name).size for name in _written(out) if name.endswith("_1.png")}
    assert sizes == {"cat_1.png": (40, 30), "cat.jpg_1.png": (20, 10)}
    (folder / "cat.png").unlink()
    assert _run([folder], out, capsys)[0] == (0, 0, 1)
    (tmp_path / "all").rename(tmp_path / "moved")
    assert _run([tmp_path / "moved" / "in"], tmp_path / "moved" / "out", capsys)[0] == (0, 0, 1)


def test_photos_are_not_overwritten_by_results(tmp_path, capsys):
    for name, level in (("cat.jpg", 10), ("cat_1.png", 200)):
        Image.new("L", (8, 8), level).save(tmp_path / name)
    assert _run([tmp_path], tmp_path, capsys, overwrite=True)[0] == (1, 1, 0)
    assert Image.open(tmp_path / "cat_1.png").getpixel((0, 0)) == 200


def test_each_page_is_a_photo_and_an_animation_is_told(tmp_path, capsys):
    scans = [Image.new("L", (8 + n, 8), 50 * n) for n in range(3)]
    scans[0].save(tmp_path / "album.tif", save_all=True, append_images=scans[1:])
    frames = [Image.new("L", (8, 8), 50 * n) for n in range(3)]
    frames[0].save(tmp_path / "clip.gif", save_all=True, append_images=frames[1:])
    tally, told = _run([tmp_path], tmp_path / "out", capsys, contact_sheet=False)
    assert tally == (4, 0, 0)
    assert told == [f"{tmp_path / 'clip.gif'}: 3 frames, of which the first is coloured"]
    targets = ["album", "album-page2", "album-page3", "clip"]
    assert _written(tmp_path / "out") == sorted(f"{target}_{n}.png" for target in targets for n in (1, 2))
    assert Image.open(tmp_path / "out" / "album-page3_1.png").size == (10, 8)


def test_names_of_any_bytes_and_lengths(tmp_path, capsys):
    for name in (b"caf\xe9.png", b"x" * 246 + b".png", b"y" * 251 + b".png", b"two\nlines.png"):
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as file:
            Image.new("L", (8, 8)).save(file, "PNG")
    out = tmp_path / "out"
    jobs = batch.find_jobs([str(tmp_path), "z" * 5000], out).jobs
    tally = batch.run(jobs, _colorize, OPTIONS._replace(contact_sheet=False))
    told = capsys.readouterr()
    assert tally == (3, 2, 0) and len(os.listdir(out)) == 6
    assert r"caf\xe9.png ->" in told.out and r"two\x0alines.png ->" in told.out
    errors = told.err.splitlines()
    assert len(errors) == 2 and "its name is too long for this disk; rename it" in errors[0]


def test_links_that_go_round_stop_nothing(tmp_path, capsys):
    Image.new("L", (8, 8)).save(tmp_path / "good.jpg")
    for link, target in (("again", "."), ("round.jpg", "round.jpg"), ("dangling.jpg", "nowhere.jpg")):
        (tmp_path / link).symlink_to(target)
    tally, told = _run([tmp_path], tmp_path / "out", capsys)
    assert tally == (1, 2, 0) and len(told) == 1 and "again: a link to a folder" in told[0]


def test_an_empty_folder_is_told(tmp_path):
    (tmp_path / "notes.txt").write_text("no photo")
    found = batch.find_jobs([str(tmp_path)], tmp_path / "out")
    assert not found.jobs and len(found.errors) == 1 and str(tmp_path) in found.errors[0]


def test_a_batch_goes_on_past_broken_photos(photos, tmp_path, capsys):
    (photos / "b/cat.png").write_bytes(b"nonsense")
    out = tmp_path / "out"
    jobs = batch.find_jobs([str(photos), str(photos / "missing.png")], out).jobs
    assert batch.run(jobs, _colorize, OPTIONS) == (3, 2, 0)
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
    assert batch.run(jobs, fail, OPTIONS).failed == 1
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
    assert batch.run([job], _colorize, OPTIONS).failed == 1
    assert "--overwrite" in capsys.readouterr().err
    assert (tmp_path / "cat_2.png").read_text() == "mine" and not (tmp_path / "cat_1.png").exists()
    assert batch.run([job], _colorize, OPTIONS._replace(overwrite=True)) == (1, 0, 0)
    assert Image.open(tmp_path / "cat_2.png").size == (40, 30)


def test_jpeg_refuses_opacity(tmp_path, capsys):
    Image.new("RGBA", (8, 8)).save(tmp_path / "a.png")
    job = batch.Job(tmp_path / "a.png", tmp_path / "out" / "a")
    assert batch.run([job], _colorize, OPTIONS._replace(suffix="jpg")).failed == 1
    assert "opacity" in capsys.readouterr().err
    assert batch.run([job], _colorize, OPTIONS) == (1, 0, 0)
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
