"""`colorize` as a program: one command, flags before and after the photos, exit codes, one line an error."""

import io
import os
import subprocess
import sys
from pathlib import Path

import full_photo
import mini_films
import numpy as np
import pytest
import random_model
from PIL import Image

from colorize_jax import bundle
from colorize_jax.photos import film, ifd
from colorize_jax.photos.encode import encode
from colorize_jax.photos.errors import WITHOUT_SOME
from colorize_jax.photos.metadata import Metadata
from colorize_jax.photos.photo import read_photo


def _run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "colorize_jax.apps.colorize", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


def _visible(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if not name.startswith("."))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("app")
    random_model.save(folder / "model")
    (folder / "photos").mkdir()
    Image.linear_gradient("L").resize((60, 45)).save(folder / "photos" / "gray.png")
    Image.radial_gradient("L").convert("RGBA").resize((50, 50)).save(folder / "clear.png")
    (folder / "photos" / "broken.jpg").write_bytes(b"\xff\xd8\xff nonsense")
    (folder / "file").touch()
    return folder


def test_photos_folders_and_a_broken_file(folder):
    done = _run(
        "photos", "--samples=3", "clear.png", "--model=./model", "missing.png", "--out=new/out", cwd=folder
    )
    assert done.returncode == WITHOUT_SOME
    errors = done.stderr.splitlines()
    assert len(errors) == 2, done.stderr
    assert "photos/broken.jpg: " in errors[0] and "missing.png: no such file" in errors[1]
    assert "2 of 4 photos" in done.stdout
    names = [f"{stem}_{n}.png" for stem in ("clear", "gray") for n in (1, 2, 3, "sheet")]
    assert _visible(folder / "new" / "out") == names
    assert Image.open(folder / "new" / "out" / "gray_3.png").size == (60, 45)
    assert Image.open(folder / "new" / "out" / "clear_1.png").mode == "RGBA"


def test_a_reference_lends_its_colors_without_any_model(folder):
    Image.new("RGB", (40, 30), (200, 60, 40)).save(folder / "red.png")
    done = _run("photos/gray.png", "--reference=red.png", "--out=lent", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert _visible(folder / "lent") == ["gray_1.png", "gray_sheet.png"]
    picture = np.asarray(Image.open(folder / "lent" / "gray_1.png")).astype(int)
    middle = picture[22, 30]
    assert middle[0] > middle[1] + 20 and middle[0] > middle[2] + 20


@pytest.mark.parametrize("kind", ["jpeg", "tiff"])
def test_exiftool_reads_what_the_photos_file_said(folder, kind):
    full_photo.write(folder / "plate.jpg")
    Image.new("RGB", (40, 30), (200, 60, 40)).save(folder / "red.png")
    done = _run("plate.jpg", "--reference=red.png", f"--format={kind}", f"--out=full_{kind}", cwd=folder)
    assert done.returncode == 0, done.stderr
    full_photo.check(next((folder / f"full_{kind}").glob("plate_1.*")), version=1)


def test_the_same_command_goes_on_and_another_one_is_told(folder):
    command = ("clear.png", "--model=./model", "--samples=2", "--out=again")
    assert _run(*command, cwd=folder).stdout.splitlines()[-1].startswith("1 of 1 photos coloured in ")
    done = _run(*command, cwd=folder)
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.endswith("; 1 were there already (--overwrite colours them again)\n")
    other = _run(*command, "--rule=random", cwd=folder)
    assert other.returncode == WITHOUT_SOME and "exists already" in other.stderr


def test_a_film_and_a_photo_in_one_command(folder):
    mini_films.write(folder / "clip.mp4")
    (folder / "empty.mov").touch()
    command = ("clip.mp4", "clear.png", "empty.mov", "--model=./model", "--out=filmed")
    done = _run(*command, cwd=folder)
    assert done.returncode == WITHOUT_SOME and done.stderr.startswith(
        "error: empty.mov: the film cannot be read"
    )
    assert len(done.stderr.splitlines()) == 1
    assert "1 of 1 photos coloured" in done.stdout and "1 of 2 films coloured" in done.stdout
    names = [name for name in _visible(folder / "filmed") if not name.startswith("clear")]
    assert names == ["clip_1.mp4"] and film.look(folder / "filmed" / names[0]).length == 12
    again = _run(*command, cwd=folder)
    assert "0 of 2 films coloured" in again.stdout and "1 were there already" in again.stdout


def test_a_pipe_in_and_a_pipe_out(folder):
    command = [
        sys.executable,
        "-m",
        "colorize_jax.apps.colorize",
        "-",
        "--out=-",
        "--reference=clear_red.png",
    ]
    Image.new("RGB", (40, 30), (200, 60, 40)).save(folder / "clear_red.png")
    photo = (folder / "photos" / "gray.png").read_bytes()
    done = subprocess.run(command, cwd=folder, input=photo, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert Image.open(io.BytesIO(done.stdout)).size == (60, 45)
    assert b"- -> " in done.stderr and b"1 of 1 photos coloured" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "usage: colorize"),
        (("clear.png", "--out=file"), "file: cannot be written"),
        (("clear.png", "--out=refused", "--model=nowhere"), "nowhere"),
        (("clear.png", "--out=new", "--reference=clear.png"), "clear.png: a gray photo lends no colours"),
        (("clear.png", "--reference=red.png", "--samples=3"), "--reference is given with --samples"),
        (("clear.png", "--quality=80"), "--quality is of jpeg and webp"),
        (("clear.png", "--edits_mode=guided"), "--edits_mode says what --edits do, which are not given"),
        (("clear.png", "--batch_size=4"), "--batch_size is of bulk work; add --multihost or --manifest"),
        (("clear.png", "--out=-", "--samples=2"), "--samples is 2, but --out=- has one version"),
        (("clear.png", "--out=-", "--explain"), "--out=- takes one version of one photo"),
        (("clear.png", "--series", "--explain"), "--explain is for single photos, and --series for frames"),
        (("photos", "--series", "--multihost"), "--series are for photos that are looked at"),
        (("clip.mp4", "--explain"), "--explain is for photos, and clip.mp4 is a film"),
        (("clip.mp4", "--reference=red.png"), "--reference is for photos, and clip.mp4 is a film"),
        (("clip.mp4", "--noseries"), "--noseries colours every photo as alone, and clip.mp4 is a film"),
    ],
)
def test_mistakes_are_told_before_work_starts(folder, arguments, message):
    done = _run(*arguments, cwd=folder)
    assert done.returncode != 0
    assert message in done.stderr and "Traceback" not in done.stderr
    assert not {"colorized", "refused"} & set(os.listdir(folder))


def _full(folder: Path) -> Path:
    """A photo with all that a file can say, lying on its side, gray with a profile of its own."""
    about = Metadata(
        xmp=b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description rdf:about="" xmlns:a="a" a:b="PLATE-17"/></rdf:RDF></x:xmpmeta>',
        iptc=b"\x1c\x02\x78\x00\x06Family" + b"\x1c\x02\x74\x00\x07Archive",
        dpi=(600.0, 600.0),
    )
    ramp = np.linspace(20_000, 50_000, 45 * 60).astype(np.uint16).reshape(45, 60, 1).repeat(3, -1)
    content = encode(ramp, "tif", about)
    tags = {270: ifd.text(ifd.ASCII, b"Am See, 1931\0"), 274: ifd.entry("<", ifd.SHORT, 6)}
    (folder / "full.tif").write_bytes(ifd.amended(content, tags))
    return folder / "full.tif"


def test_what_the_photos_file_says_is_in_its_pictures(folder):
    photo = read_photo(_full(folder))
    for kind, suffix in (("tiff", "tif"), ("webp", "webp")):
        arguments = ("full.tif", "--samples=2", "--model=./model", f"--format={kind}", f"--out={kind}")
        done = _run(*arguments, cwd=folder)
        assert done.returncode == 0, done.stderr
        saved = read_photo(folder / kind / f"full_2.{suffix}")
        tolerance = 0.01 if kind == "tiff" else 3
        np.testing.assert_allclose(saved.lightness, photo.lightness, atol=tolerance)
        assert saved.bits == (16 if kind == "tiff" else 8)
        assert b"Am See, 1931" in saved.about.exif and round(saved.about.dpi[0]) == 600
        assert b"Family" in saved.about.iptc + saved.about.xmp and b"PLATE-17" in saved.about.xmp
        weights = bundle.weights_sha256(folder / "model")
        for said in (
            'Version="2"',
            'Versions="2"',
            'Rule="modes"',
            'Model="model"',
            f'WeightsSHA256="{weights}"',
        ):
            assert f"colorize:{said}".encode() in saved.about.xmp


def test_help_lists_the_flags(folder):
    done = _run("--help", cwd=folder)
    assert all(f"{flag}:" in done.stdout for flag in ("--out", "--samples", "--rule", "--[no]contact_sheet"))
