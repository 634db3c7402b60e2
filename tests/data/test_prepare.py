"""Preparing once, again, over, and being killed while at it."""

import io
import os
import subprocess
import sys
import time

import mini_archives as archives
import pytest
from PIL import Image

from colorize_jax.data import prepared
from colorize_jax.data.prepare import prepare


@pytest.fixture
def photos(tmp_path):
    return archives.write_folder(tmp_path / "photos", archives.files(6, "{}.jpg"))


def test_prepared_again_only_when_asked_to(tmp_path, photos):
    first, written = prepare("folder", directory=tmp_path, source=photos, name="mine")
    same, again = prepare("folder", directory=tmp_path, source=tmp_path / "gone", name="mine")
    assert (written, again) == (True, False)
    assert first == same
    (photos / "0.jpg").unlink()
    new, over = prepare("folder", directory=tmp_path, source=photos, name="mine", overwrite=True)
    assert over
    assert sum(new.images.values()) == 5


def test_failed_overwrite_keeps_what_was_there(tmp_path, photos):
    first, _ = prepare("folder", directory=tmp_path, source=photos, name="mine")
    bad = archives.write_folder(tmp_path / "bad", {"a.jpg": archives.CORRUPT})
    with pytest.raises(ValueError, match="none of the 1"):
        prepare("folder", directory=tmp_path, source=bad, name="mine", overwrite=True)
    assert prepared.summary(tmp_path, "mine") == first
    assert [path.name for path in (tmp_path / "mine").iterdir()] == [prepared.VERSION]


def test_killed_preparation_is_not_taken_for_complete(tmp_path, photos):
    program = f"""
import os
from colorize_jax.data import builder, prepare
builder.splits.split_hash = lambda names: os.kill(os.getpid(), 9)
prepare.prepare("folder", directory={str(tmp_path)!r}, source={str(photos)!r}, name="mine")
"""
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == -9
    assert prepared.prepared_names(tmp_path) == []
    assert list((tmp_path / "mine").iterdir())  # the torso
    summary, written = prepare("folder", directory=tmp_path, source=photos, name="mine")
    assert written
    assert sum(summary.images.values()) == 6
    assert [path.name for path in (tmp_path / "mine").iterdir()] == [prepared.VERSION]


def test_names_that_are_no_utf8_links_and_all_kinds_of_photos(tmp_path, photos, capsys):
    (photos / os.fsdecode(b"caf\xe9.jpg")).write_bytes(archives.encoded(9))
    (photos / "phone.jfif").write_bytes(archives.encoded(10))
    (photos / os.fsdecode(b"b\xe4d.jpg")).write_bytes(archives.CORRUPT)
    (photos / "raw.nef").touch()
    scans = [Image.open(io.BytesIO(archives.encoded(n))) for n in (20, 21, 22)]
    scans[0].save(photos / "scans.tif", save_all=True, append_images=scans[1:])
    archives.write_folder(tmp_path / "disk", {"more.png": archives.encoded(11, "PNG")})
    (photos / "disk").symlink_to(tmp_path / "disk")
    (photos / "again").symlink_to(".")
    summary, _ = prepare("folder", directory=tmp_path / "data", source=photos, name="mine", test_images=2)
    assert sum(summary.images.values()) == 10
    stored = [prepared.PhotoSource(tmp_path / "data", "mine", split) for split in summary.images]
    names = {source[i].name for source in stored for i in range(len(source))}
    assert {r"caf\xe9.jpg", "phone.jfif", "disk/more.png"} < names
    skipped = prepared.skipped(tmp_path / "data", "mine")
    assert [entry["name"] for entry in skipped] == [r"b\xe4d.jpg", "scans.tif, pages after the first"]
    told = capsys.readouterr().err
    assert "again: a link to a folder" in told and "1 .nef passed over" in told


def test_unknown_names_and_splits_list_what_there_is(tmp_path, photos):
    prepare("folder", directory=tmp_path, source=photos, name="mine")
    with pytest.raises(ValueError, match="prepared are: mine"):
        prepared.PhotoSource(tmp_path, "yours", "train")
    with pytest.raises(ValueError, match="its splits are train, test"):
        prepared.PhotoSource(tmp_path, "mine", "validation")


@pytest.mark.real_data
def test_real_churches(tmp_path, real_data):
    summary, _ = prepare("lsun_church", directory=tmp_path, source=real_data)
    assert summary.images["train"] > 900
    assert summary.images["test"] == 150


@pytest.mark.real_data
def test_real_faces_prepare_within_a_minute(tmp_path, real_data):
    start = time.process_time()
    source = real_data / "lfw-deepfunneled.tgz"
    summary, _ = prepare("lfw_deepfunneled", directory=tmp_path, source=source)
    assert time.process_time() - start < 60
    assert summary.images["test"] == 1000
    assert summary.images["train"] > 11_000
    assert summary.skipped < 100
