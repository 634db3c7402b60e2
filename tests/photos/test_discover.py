"""The photos of a folder: none is left out without a word."""

import os

import numpy as np
import pytest
import tifffile
from PIL import Image

from colorize_jax.photos import discover, kinds, pages
from colorize_jax.photos.errors import PhotoError
from colorize_jax.photos.photo import read_photo

pytestmark = pytest.mark.quick


def found(folder, **options):
    remarks = []
    paths = discover.photos_below(folder, remarks.append, **options)
    return sorted(path.relative_to(folder).as_posix() for path in paths), remarks


@pytest.fixture
def folder(tmp_path):
    for name in (
        "in/here.jpg",
        "nas/there.JPG",
        "nas/deep/more.jfif",
        "in/.hidden/no.jpg",
        "in/.no.jpg",
        "in/a.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path / "in"


def test_linked_folders_are_read_once_and_last(folder):
    (folder / "nas").symlink_to(folder.parent / "nas")
    (folder / "again").symlink_to(".")
    (folder / "twice").symlink_to(folder.parent / "nas" / "deep")
    paths, remarks = found(folder)
    assert paths == ["here.jpg", "nas/deep/more.jfif", "nas/there.JPG"]
    assert sorted(remark.text.split(": ")[0] for remark in remarks) == [f"{folder}/again", f"{folder}/twice"]
    assert not any(remark.is_error for remark in remarks)


def test_a_folder_that_cannot_be_read_is_an_error_and_the_others_are_read(folder, monkeypatch):
    (folder / "closed").mkdir()
    scan = os.scandir

    def refused(path):
        if path.name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refused)
    paths, remarks = found(folder)
    assert paths == ["here.jpg"] and [remark.is_error for remark in remarks] == [True]
    assert remarks[0].text == f"{folder}/closed: cannot be read (Permission denied); its photos are left out"


def test_photos_that_are_not_read_are_told_once(folder):
    for name in ("1.nef", "2.NEF", "3.jxl"):
        (folder / name).touch()
    paths, remarks = found(folder)
    assert paths == ["here.jpg"] and len(remarks) == 1
    assert remarks[0].text.startswith(f"{folder}: 1 .jxl, 2 .nef passed over, which are not read here")


def test_films_in_folders_are_told(folder):
    for name in ("1.mp4", "2.MOV"):
        (folder / name).touch()
    paths, remarks = found(folder)
    assert paths == ["here.jpg"]
    assert [remark.text for remark in remarks] == [
        f"{folder}: 2 films passed over; name a film itself to colour it"
    ]


def test_one_folder_is_left_out_whatever_it_is_called(folder):
    (folder / "link").symlink_to(folder.parent / "nas")
    assert found(folder, without=folder.parent / "nas" / ".." / "nas")[0] == ["here.jpg"]


@pytest.mark.parametrize("suffix", [".jfif", ".jpe", ".j2k", ".jp2", ".avif", ".dib", ".mpo"])
def test_photos_of_all_these_names_are_read(tmp_path, suffix):
    assert kinds.is_photo(f"a/b{suffix.upper()}")
    kind = {".jfif": "JPEG", ".jpe": "JPEG", ".mpo": "JPEG"}.get(suffix)
    Image.new("RGB", (16, 12), (90, 90, 90)).save(tmp_path / f"photo{suffix}", kind)
    assert read_photo(tmp_path / f"photo{suffix}").lightness.shape == (12, 16)


def test_what_is_no_file_is_told(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    for name, told in (
        (tmp_path / "pipe.jpg", "a pipe or a device"),
        ("https://a.b/c.jpg", "an address, .* download"),
    ):
        with pytest.raises(PhotoError, match=f"{name}: {told}"):
            read_photo(name)


def test_heic_is_read_or_says_what_reads_it(tmp_path):
    path = tmp_path / "photo.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    wanted = "photo.heic: " if kinds.prepare() else r"photo.heic: .*pip install 'colorize_jax\[heic\]'"
    with pytest.raises(PhotoError, match=wanted):
        read_photo(path)


def tiff(path, levels, reduced):
    """A page of each level; those in `reduced` are marked as reduced copies, and smaller."""
    with tifffile.TiffWriter(path) as file:
        for n, level in enumerate(levels):
            file.write(
                np.full((8, 8 if n in reduced else 16), level, np.uint8), subfiletype=int(n in reduced)
            )


@pytest.mark.parametrize(
    ("reduced", "sizes"), [((), [16] * 3), ((0,), [16] * 2), ((1, 2), [16]), ((0, 2), [16])]
)
def test_reduced_copies_are_no_pages(tmp_path, reduced, sizes):
    tiff(tmp_path / "scan.tif", (10, 120, 240), reduced)
    assert pages.look(tmp_path / "scan.tif") == (len(sizes), True)
    shapes = [read_photo(tmp_path / "scan.tif", page=page).lightness.shape[1] for page in range(len(sizes))]
    assert shapes == sizes


def test_a_file_of_nothing_but_reduced_copies_is_refused(tmp_path):
    tiff(tmp_path / "preview.tif", (10, 120), (0, 1))
    with pytest.raises(PhotoError, match=r"preview.tif: no page 1: .* develop or export the photo"):
        read_photo(tmp_path / "preview.tif")
