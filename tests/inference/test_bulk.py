"""Photos by the million: which process has which, what a killed run leaves, and that nothing depends on neighbours."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import random_model
from PIL import Image

from colorize_jax.inference import batch, bulk
from colorize_jax.inference.colorizer import Colorizer, network_input
from colorize_jax.inference.ledger import Ledger, hash64
from colorize_jax.methods.base import Samples
from colorize_jax.photos.photo import photo_from_array

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "bulk.py"


class Model(Colorizer):
    """Colours by mean lightness, and counts what it sees."""

    config = SimpleNamespace(data=SimpleNamespace(image_size=8, lightness_large=0))

    def __init__(self):
        self.sizes = []

    def sample_many(self, inputs, *, samples, seed, rule):
        self.sizes.append(len(inputs["lightness"]))
        level = inputs["lightness"].mean((1, 2, 3))[:, None, None, None, None]
        field = np.broadcast_to(level, (len(level), samples, 4, 4, 2)).astype(np.float32) / 4
        return Samples(field, field, np.ones((len(level), samples), np.float32))


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    for number in range(11):
        path = folder / f"{number % 3}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (9 + number, 12), 20 * number).save(path)
    return folder


def how(out, **changes):
    options = batch.Options(samples=2, contact_sheet=False, overwrite=changes.pop("overwrite", False))
    return bulk.BulkOptions(out, options, changes.pop("rule", "modes"), batch_size=4, threads=2, **changes)


def go(photos, out, part=None, model=None, **changes):
    works = bulk.in_folder(photos, out) if photos.is_dir() else bulk.in_manifest(photos)
    return bulk.run(works, model or Model(), how(out, **changes), part or bulk.Share(), {})


def contents(out):
    found = {path.relative_to(out).as_posix(): path for path in out.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if not name.startswith(bulk.FOLDER)}


def ledger_lines(out):
    paths = (out / bulk.FOLDER).glob("ledger-*.jsonl")
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def test_a_photo_keeps_its_process_for_ever():
    assert hash64("a/cat.jpg") == 16648647130807001745
    parts = [bulk.Share(i, 3) for i in range(3)]
    owners = [[part.process for part in parts if part.has(f"{n}.jpg")] for n in range(300)]
    assert all(len(each) == 1 for each in owners)
    assert min(np.bincount(np.concatenate(owners))) > 70


def test_every_photo_is_colored_once_by_one_of_the_processes(photos, tmp_path):
    single = go(photos, tmp_path / "single")
    tallies = [go(photos, tmp_path / "double", bulk.Share(i, 2)) for i in range(2)]
    assert single[:4] == (11, 0, 0, 11)
    assert sum(tally.done for tally in tallies) == 11 and all(tally.done for tally in tallies)
    whole = contents(tmp_path / "single")
    assert sorted(whole) == sorted(f"{n % 3}/{n}.png_{v}.png" for n in range(11) for v in (1, 2))
    assert contents(tmp_path / "double") == whole
    assert Image.open(tmp_path / "single" / "1" / "4.png_2.png").size == (13, 12)


def test_the_networks_always_see_batches_of_one_size(photos, tmp_path):
    model = Model()
    go(photos, tmp_path / "out", model=model)
    assert model.sizes == [4, 4, 4]


def test_what_is_done_is_skipped_whatever_the_number_of_processes(photos, tmp_path):
    out = tmp_path / "out"
    for i in range(2):
        go(photos, out, bulk.Share(i, 2))
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    model = Model()
    assert go(photos, out, model=model)[:4] == (0, 0, 11, 11) and not model.sizes
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.png")} == before
    (out / "0" / "3.png_2.png").unlink()
    (out / "1" / "1.png_1.png").write_bytes(b"")  # as a power cut leaves it
    assert go(photos, out)[:3] == (2, 0, 9)
    assert (out / "1" / "1.png_1.png").stat().st_size > 0


LEFT = "0a1b2c3d.tmp.png"  # how the name of a temporary file ends, see `files`


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_killed_run_goes_on_from_any_line_of_its_ledger(photos, tmp_path, cut):
    """The ledger is cut in the middle of a line, where a kill may leave it; files after that point are our own."""
    go(photos, tmp_path / "whole")
    out = tmp_path / "out"
    shutil.copytree(tmp_path / "whole", out)
    (ledger,) = (out / bulk.FOLDER).glob("ledger-*.jsonl")
    raw = ledger.read_bytes()
    size = len(raw) * cut // 60
    ledger.write_bytes(raw[:size])
    begun = {name for line in raw[:size].split(b"\n")[:-1] for name in json.loads(line).get("begun", [])}
    for name in (f"{n % 3}/{n}.png" for n in range(11)):
        if name not in begun:  # a kill here means that its files were not there yet
            for version in (1, 2):
                (out / f"{name}_{version}.png").unlink()
    for name in begun:
        (out / name).with_name(f".{Path(name).name}_1.{LEFT}").write_bytes(b"half a fi")
    interrupted = begun - {
        line["done"] for line in map(json.loads, raw[:size].split(b"\n")[:-1]) if "done" in line
    }
    tally = go(photos, out)
    assert tally.failed == 0 and tally.done + tally.skipped == 11
    for name in begun - interrupted:  # they were whole: nobody looks for what they left
        (out / name).with_name(f".{Path(name).name}_1.{LEFT}").unlink()
    assert contents(out) == contents(tmp_path / "whole")
    assert sorted(line["done"] for line in ledger_lines(out) if "done" in line) == sorted(
        f"{n % 3}/{n}.png" for n in range(11)
    )


def test_files_of_others_are_kept(photos, tmp_path):
    out = tmp_path / "out"
    (out / "2").mkdir(parents=True)
    (out / "2" / "5.png_2.png").write_text("mine")
    for _ in range(2):  # a second run does not take it for its own
        tally = go(photos, out)
        assert tally.failed == 1 and (out / "2" / "5.png_2.png").read_text() == "mine"
        assert not (out / "2" / "5.png_1.png").exists()
    assert go(photos, out, overwrite=True)[:3] == (1, 0, 10)
    assert Image.open(out / "2" / "5.png_2.png").size == (14, 12)


def test_errors_are_collected_and_tried_again(photos, tmp_path, capsys):
    good = (photos / "1" / "4.png").read_bytes()
    (photos / "1" / "4.png").write_bytes(good[:40])
    tally = go(photos, tmp_path / "out")
    assert tally[:3] == (10, 1, 0)
    (line,) = map(json.loads, tally.report.read_text().splitlines())
    assert line["photo"] == str(photos / "1" / "4.png") and "4.png" in line["error"]
    assert line["error"] in capsys.readouterr().err
    (photos / "1" / "4.png").write_bytes(good)
    tally = go(photos, tmp_path / "out")
    assert tally[:3] == (1, 0, 10) and tally.report.read_text() == ""


def test_colors_that_are_not_finite_are_that_photos_error(photos, tmp_path):
    class Broken(Model):
        def sample_many(self, inputs, **kwargs):
            drawn = super().sample_many(inputs, **kwargs)
            # -1 but for rounding, which is the machine's.
            darkest = inputs["lightness"].mean((1, 2, 3)) < -0.99
            return drawn._replace(field=np.where(darkest[:, None, None, None, None], np.nan, drawn.field))

    tally = go(photos, tmp_path / "out", model=Broken())
    assert tally[:3] == (10, 1, 0) and "not finite" in tally.report.read_text()


def test_a_manifest_names_photos_and_outputs(photos, tmp_path):
    one, two = photos / "0" / "0.png", photos / "1" / "1.png"
    manifest, out = tmp_path / "photos.txt", tmp_path / "out"
    manifest.write_text(f"{one}\n\n{two}\tx/second\n{two}\tx/second\n{two}\t../out\n{two}\t/abs\n{two}\t\n")
    tally = go(manifest, out)
    assert tally[:3] == (2, 4, 0)
    own = str(one).lstrip("/")
    assert sorted(contents(out)) == sorted(f"{n}_{v}.png" for n in (own, "x/second") for v in (1, 2))
    told = [json.loads(line)["error"] for line in tally.report.read_text().splitlines()]
    assert sum("named twice" in error for error in told) == 1
    assert [f"line {n}" in error for n, error in zip((5, 6, 7), told[1:], strict=True)] == [True] * 3


def test_a_folder_is_streamed_without_hidden_files_and_results(photos):
    out = photos / "out"
    go(photos, out)
    (photos / ".hidden.png").touch()
    (photos / ".cache").mkdir()
    (photos / ".cache" / "a.png").touch()
    (photos / "notes.txt").touch()
    works = list(bulk.in_folder(photos, out))
    assert sorted(work.name for work in works) == sorted(f"{n % 3}/{n}.png" for n in range(11))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_manifest_from_windows(photos, tmp_path, encoding):
    (tmp_path / "list.txt").write_bytes(
        f"{photos / '0' / '0.png'}\r\n{photos / '1' / '1.png'}\r\n".encode(encoding)
    )
    assert go(tmp_path / "list.txt", tmp_path / "out")[:3] == (2, 0, 0)


def test_a_manifest_that_is_no_text_is_told(photos, tmp_path):
    (tmp_path / "list.txt").write_bytes("a.png\r\n".encode("utf-16-le"))
    with pytest.raises(
        ValueError, match=r"list.txt: not text, or UTF-16 without its byte order mark; save it"
    ):
        go(tmp_path / "list.txt", tmp_path / "out")


def test_results_among_the_photos_are_never_photos(photos, capsys):
    Image.new("L", (9, 9)).save(photos / "v1.2_1.png")  # a photo, though it looks like a result
    assert go(photos, photos)[:3] == (12, 0, 0)
    assert go(photos, photos)[:3] == (0, 0, 12)
    assert go(photos, photos.with_name("out"))[:3] == (12, 0, 0)
    assert "24 results of earlier runs are no photos" in capsys.readouterr().err


def test_folders_that_cannot_be_read_and_further_pages_are_told(photos, tmp_path, capsys, monkeypatch):
    closed, scan = photos / "closed", os.scandir
    closed.mkdir()
    pages = [Image.new("L", (9, 9), 50 * n) for n in range(3)]
    pages[0].save(photos / "album.tif", save_all=True, append_images=pages[1:])

    def refused(path):
        if path == closed:
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refused)
    tally = go(photos, tmp_path / "out")
    assert (
        tally[:3] == (12, 1, 0) and "closed: cannot be read (Permission denied)" in tally.report.read_text()
    )
    assert f"note: {photos}/album.tif: 3 pages, of which the first is coloured" in capsys.readouterr().err


def test_another_way_of_coloring_needs_another_ledger(photos, tmp_path):
    go(photos, tmp_path / "out")
    with pytest.raises(ValueError, match=r"rule was 'modes' and is 'random'.*another --out"):
        go(photos, tmp_path / "out", rule="random")


def test_a_damaged_ledger_is_told(photos, tmp_path):
    go(photos, tmp_path / "out")
    (path,) = (tmp_path / "out" / bulk.FOLDER).glob("ledger-*.jsonl")
    for damage in ("{nonsense}", '{"other": 1}'):
        path.write_text(f"{damage}\n")
        with pytest.raises(ValueError, match="line 1: "):
            go(photos, tmp_path / "out")


def test_a_part_belongs_to_one_process(tmp_path):
    running = Ledger(tmp_path, 1, 2, {})
    with running, pytest.raises(ValueError, match="belongs to a process that is running"):
        Ledger(tmp_path, 1, 2, {})
    with Ledger(tmp_path, 1, 2, {}):
        pass


def test_bugs_are_not_hidden(photos, tmp_path):
    class Buggy(Model):
        def sample_many(self, inputs, **kwargs):
            raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        go(photos, tmp_path / "out", model=Buggy())


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return random_model.save(tmp_path_factory.mktemp("bulk_model"))


@pytest.mark.parametrize("rule", ["modes", pytest.param("random", marks=pytest.mark.slow)])
def test_a_photo_does_not_depend_on_its_neighbors(model, rule):
    colorizer = Colorizer.load(model)
    draw = np.random.default_rng(0)
    inputs = [network_input(photo_from_array(draw.random((64, 64))), 64)["lightness"] for _ in range(5)]

    def field(order):
        stacked = {"lightness": np.concatenate([inputs[i] for i in order])}
        return np.asarray(colorizer.sample_many(stacked, samples=2, seed=3, rule=rule).field)

    straight, other = field([0, 1, 2]), field([4, 0, 3])
    np.testing.assert_array_equal(straight[0], other[1])
    assert np.abs(straight[0] - straight[1]).max() > 1e-3
    alone = colorizer.sample(
        photo_from_array(np.random.default_rng(0).random((64, 64))), samples=2, seed=3, rule=rule
    )
    np.testing.assert_allclose(straight[0], np.asarray(alone.field)[0], atol=1e-5)


def test_a_photo_of_the_released_model_is_the_same_in_every_place():
    # Found with 10,000 photos: in a batch, the last place of 16 gave other last bits, and five files differed.
    colorizer, draw = Colorizer.load(), np.random.default_rng(0)
    large = colorizer.config.data.lightness_large
    inputs = [network_input(photo_from_array(draw.random((64, 64))), 64, large) for _ in range(16)]

    def fields(order):
        stacked = {name: np.concatenate([inputs[i][name] for i in order]) for name in inputs[0]}
        return np.asarray(colorizer.sample_many(stacked, samples=1, seed=0, rule="modes").field)

    straight, turned = fields(list(range(16))), fields(list(range(15, -1, -1)))
    np.testing.assert_array_equal(straight, turned[::-1])


def _app(*arguments, cwd):
    command = [sys.executable, "-m", "colorize_jax.apps.colorize", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("photos", "--multihost", "--processes=2", "--process_id=2"), "--process_id is 2; allowed are 0..1"),
        (("photos", "--processes=2"), "--processes is given without --multihost"),
        (("--multihost", "--processes=1", "--process_id=0"), "bulk work takes one folder"),
        (("--manifest=m.txt", "--explain"), "--edits, --explain and --series"),
    ],
)
def test_mistakes_are_told_before_work_starts(tmp_path, arguments, message):
    (tmp_path / "photos").mkdir()
    done = _app(*arguments, cwd=tmp_path)
    assert done.returncode == 1 and message in done.stderr and "Traceback" not in done.stderr


def _compiled_once(folder):
    """The four processes have the same programs."""
    return {
        "JAX_COMPILATION_CACHE_DIR": str(folder / "cache"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }


@pytest.mark.slow
def test_killed_and_resumed_by_the_program_itself(model, tmp_path):
    flags = ("--photos=24", "--samples=1", "--batch_size=2", "--nocontact_sheet", f"--model={model}")
    run = subprocess.run(
        [sys.executable, BENCHMARK, f"--out={tmp_path / 'bulk'}", *flags],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | _compiled_once(tmp_path),
    )
    assert run.returncode == 0, run.stdout + run.stderr
    result = json.loads(run.stdout.splitlines()[-1])
    assert result["photos"] == result["files"] == 24 and 0 < result["killed_after"] < 24
