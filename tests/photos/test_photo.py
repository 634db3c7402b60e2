"""Every kind of image to its lightness; every broken one to one line that names it; files whole or not at all."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from colorize_jax import color
from colorize_jax.data import transforms
from colorize_jax.photos import photo as photos
from colorize_jax.photos.decode import PhotoError, on_white, to_srgb
from colorize_jax.photos.photo import read_photo

pytestmark = pytest.mark.quick


@pytest.fixture(scope="module")
def rgb() -> np.ndarray:
    """37 x 53, smooth, with some of everything."""
    y, x = np.mgrid[0:37, 0:53]
    return np.stack([x * 255 / 52, y * 255 / 36, 255 - (x + y) * 255 / 88], -1).round().astype(np.uint8)


@pytest.fixture(scope="module")
def gray() -> np.ndarray:
    return np.arange(37 * 53).reshape(37, 53).astype(np.uint8)


def _lightness(rgb: np.ndarray) -> np.ndarray:
    return color.srgb_to_lab(rgb / 255)[..., 0]


def _as_rgb(gray: np.ndarray) -> np.ndarray:
    return np.repeat(gray[..., None], 3, axis=-1)


def _saved(folder: Path, array: np.ndarray | Image.Image, name: str = "photo.png", **options) -> Path:
    image = array if isinstance(array, Image.Image) else Image.fromarray(array)
    image.save(folder / name, **options)
    return folder / name


@pytest.mark.parametrize(
    ("name", "tolerance"), [("a.png", 1e-4), ("a.bmp", 1e-4), ("a.tif", 1e-4), ("a.jpg", 3), ("a.webp", 8)]
)
def test_rgb_files(tmp_path, rgb, name, tolerance):
    photo = read_photo(_saved(tmp_path, rgb, name))
    assert photo.alpha is None and photo.lightness.dtype == np.float32
    np.testing.assert_allclose(photo.lightness, _lightness(rgb), atol=tolerance)


def test_gray_is_the_lightness_of_its_rgb(tmp_path, gray):
    np.testing.assert_allclose(
        read_photo(_saved(tmp_path, gray)).lightness, _lightness(_as_rgb(gray)), atol=1e-4
    )


def test_one_bit(tmp_path):
    checks = np.indices((8, 9)).sum(0) % 2 == 1
    np.testing.assert_allclose(read_photo(_saved(tmp_path, checks)).lightness, 100.0 * checks, atol=1e-4)


def test_palette(tmp_path, rgb):
    image = Image.fromarray(rgb).quantize(32)
    np.testing.assert_allclose(
        read_photo(_saved(tmp_path, image)).lightness, _lightness(np.asarray(image.convert("RGB"))), atol=1e-4
    )


def test_transparent_palette(tmp_path, rgb):
    image = Image.fromarray(rgb).quantize(8)
    photo = read_photo(_saved(tmp_path, image, transparency=3))
    np.testing.assert_array_equal(photo.alpha, np.where(np.asarray(image) == 3, 0, 255))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_kept_and_does_not_change_lightness(tmp_path, rgb, gray, mode):
    image = Image.fromarray(rgb if mode == "RGBA" else gray)
    image.putalpha(Image.fromarray(gray))
    photo = read_photo(_saved(tmp_path, image))
    np.testing.assert_array_equal(photo.alpha, gray)
    np.testing.assert_allclose(
        photo.lightness, _lightness(rgb if mode == "RGBA" else _as_rgb(gray)), atol=1e-4
    )


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_sixteen_bit_gray_keeps_its_precision(tmp_path, name):
    values = np.linspace(20000, 22000, 40 * 50).round().astype(np.uint16).reshape(40, 50)
    if name == "a.pgm":
        (tmp_path / name).write_bytes(b"P5 50 40 65535\n" + values.astype(">u2").tobytes())
        photo = read_photo(tmp_path / name)
    else:
        photo = read_photo(_saved(tmp_path, values, name))
    expected = _lightness(_as_rgb(values / 257))
    np.testing.assert_allclose(photo.lightness, expected, atol=1e-3)
    assert len(np.unique(photo.lightness)) > 1500  # 8 bits leave 9 values


def _sixteen_bit_png(rgb: np.ndarray) -> bytes:
    """PNG of (H, W, 3) uint16; Pillow cannot write one."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    height, width = rgb.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rgb)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def test_sixteen_bit_color(tmp_path, rgb):
    (tmp_path / "a.png").write_bytes(_sixteen_bit_png(rgb.astype(np.uint16) * 257))
    np.testing.assert_allclose(read_photo(tmp_path / "a.png").lightness, _lightness(rgb), atol=0.5)


def test_cmyk(tmp_path, rgb):
    image = Image.fromarray(rgb).convert("CMYK")
    photo = read_photo(_saved(tmp_path, image, "a.tif"))
    np.testing.assert_allclose(photo.lightness, _lightness(np.asarray(image.convert("RGB"))), atol=1e-4)


def test_lab_and_ycbcr(tmp_path, rgb):
    image = Image.fromarray(rgb)
    transform = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    lab = read_photo(_saved(tmp_path, transform.apply(image), "lab.tif"))
    np.testing.assert_allclose(lab.lightness, _lightness(rgb), atol=2.5)  # 8-bit Lab, and D50 to D65
    ycbcr = photos.as_photo(image.convert("YCbCr"))
    np.testing.assert_allclose(ycbcr.lightness, _lightness(rgb), atol=2)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, rgb, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = read_photo(_saved(tmp_path, rgb, exif=exif))
    turned = {1: rgb, 2: rgb[:, ::-1], 3: rgb[::-1, ::-1], 4: rgb[::-1], 5: rgb.swapaxes(0, 1)}
    turned |= {6: np.rot90(rgb, -1), 7: np.rot90(rgb, 2).swapaxes(0, 1), 8: np.rot90(rgb)}
    np.testing.assert_allclose(photo.lightness, _lightness(turned[orientation]), atol=1e-4)


def test_an_srgb_profile_changes_nothing(tmp_path, rgb, gray):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for array, expected in ((rgb, rgb), (gray, _as_rgb(gray))):
        photo = read_photo(_saved(tmp_path, array, icc_profile=profile))
        np.testing.assert_allclose(photo.lightness, _lightness(expected), atol=1e-4)


def _linear_profile() -> bytes:
    """sRGB's primaries with a linear tone curve: the curve tags of Pillow's sRGB profile, rewritten."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for n in range(struct.unpack_from(">I", profile, 128)[0]):
        tag, offset, _ = struct.unpack_from(">4sII", profile, 132 + 12 * n)
        if tag in (b"rTRC", b"gTRC", b"bTRC"):
            profile[offset : offset + 12] = b"curv" + bytes(8)  # no points: the identity
        if tag == b"desc":
            name = profile.find("sRGB".encode("utf-16-be"), offset)
            profile[name : name + 8] = "Flat".encode("utf-16-be")
    return bytes(profile)


@pytest.mark.parametrize("kind", ["RGB", "L"])
def test_a_profile_is_converted_to_srgb(tmp_path, rgb, gray, kind):
    array, values = (rgb, rgb) if kind == "RGB" else (gray, _as_rgb(gray))
    photo = read_photo(_saved(tmp_path, array, icc_profile=_linear_profile()))
    expected = color.linear_to_lightness(values / 255)[..., 0]
    bright = expected > 30  # next to black 8-bit sRGB is coarse
    np.testing.assert_allclose(photo.lightness[bright], expected[bright], atol=1)


def _contents(rgb: np.ndarray, gray: np.ndarray) -> dict[str, bytes]:
    """A photo of each kind in which a decoder can go wrong."""
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {
        "plain": (rgb, {}),
        "gray": (gray, {}),
        "sixteen_bits": (gray.astype(np.uint16) * 257, {}),
        "profile": (rgb, {"icc_profile": _linear_profile()}),
        "gray_with_a_profile": (gray, {"icc_profile": _linear_profile()}),
        "turned_with_a_profile": (rgb, {"icc_profile": _linear_profile(), "exif": exif}),
    }
    targets = {name: io.BytesIO() for name in options}
    for name, (array, wanted) in options.items():
        Image.fromarray(array).save(targets[name], "png", **wanted)
    return {name: target.getvalue() for name, target in targets.items()}


def test_training_sees_the_photo_that_colorizing_sees(tmp_path, rgb, gray):
    for name, content in _contents(rgb, gray).items():
        (tmp_path / name).write_bytes(content)
        trained = np.asarray(transforms.decode(content, 16))
        np.testing.assert_allclose(
            _lightness(trained), read_photo(tmp_path / name).lightness, atol=1e-3, err_msg=name
        )


def test_transparent_parts_are_trained_as_white(rgb):
    image = Image.fromarray(rgb)
    image.putalpha(Image.fromarray(np.where(np.arange(53) < 20, 0, 255).astype(np.uint8)[None].repeat(37, 0)))
    shown = np.asarray(on_white(to_srgb(image)))
    assert (shown[:, :20] == 255).all()
    np.testing.assert_array_equal(shown[:, 20:], rgb[:, 20:])


def test_a_broken_profile_is_told_and_ignored(tmp_path, rgb, caplog):
    photo = read_photo(_saved(tmp_path, rgb, icc_profile=b"nonsense"))
    np.testing.assert_allclose(photo.lightness, _lightness(rgb), atol=1e-4)
    assert "photo.png" in caplog.text and "profile" in caplog.text


def _broken(folder: Path, rgb: np.ndarray) -> dict[str, tuple[bytes | None, str]]:
    whole = {kind: io.BytesIO() for kind in ("png", "jpeg", "gif", "tiff", "webp", "bmp")}
    for kind, target in whole.items():
        Image.fromarray(rgb).save(target, kind)
    cut = {
        f"cut.{kind}": (target.getvalue()[: int(target.getbuffer().nbytes * 0.6)], "truncated|cut off")
        for kind, target in whole.items()
    }
    one = io.BytesIO()
    Image.new("L", (1, 1)).save(one, "png")
    line = io.BytesIO()
    Image.new("L", (1, 90)).save(line, "png")
    return {
        "missing.png": (None, "no such file"),
        "empty.jpg": (b"", "0 bytes"),
        "text.jpg": (b"this is not an image", "not an image"),
        "header.png": (whole["png"].getvalue()[:20], "not an image|truncated"),
        "one.png": (one.getvalue(), "1x1 pixels"),
        "line.png": (line.getvalue(), "1x90 pixels"),
        "float.tif": (_tiff(np.zeros((4, 4), np.float32)), "32-bit floats"),
        "wide.tif": (_tiff(np.full((4, 4), 100_000, np.int32)), "32-bit integers"),
        **cut,
    }


def _tiff(array: np.ndarray) -> bytes:
    target = io.BytesIO()
    Image.fromarray(array).save(target, "tiff")
    return target.getvalue()


def test_broken_files_are_one_line_each(tmp_path, rgb, recwarn):
    for name, (content, message) in _broken(tmp_path, rgb).items():
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(PhotoError, match=message) as caught:
            read_photo(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value), name
    assert not recwarn.list


def test_a_folder_is_not_an_image(tmp_path):
    with pytest.raises(PhotoError, match="folder"):
        read_photo(tmp_path)


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path):
    """A PNG header of 60,000 x 60,000 pixels over one row of data."""
    content = _sixteen_bit_png(np.zeros((1, 1, 3), np.uint16))
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    forged = content[:16] + header + struct.pack(">I", zlib.crc32(b"IHDR" + header)) + content[33:]
    (tmp_path / "bomb.png").write_bytes(forged)
    limit = Image.MAX_IMAGE_PIXELS
    with pytest.raises(PhotoError, match=r"bomb\.png: 60000x60000 pixels"):
        read_photo(tmp_path / "bomb.png")
    assert limit == Image.MAX_IMAGE_PIXELS


def test_a_jpeg_that_cannot_hold_its_pixels_is_damaged(tmp_path, gray):
    """Pillow fills up with gray what a header tells beyond the data."""
    path = tmp_path / "tall.jpg"
    Image.fromarray(gray).save(path)
    content = bytearray(path.read_bytes())
    place = content.index(b"\xff\xc0") + 5
    content[place : place + 2] = b"\xff\x00"
    path.write_bytes(content)
    with pytest.raises(PhotoError, match="bytes cannot hold"):
        read_photo(path)


def test_max_pixels(tmp_path, rgb):
    path = _saved(tmp_path, rgb)
    assert read_photo(path, max_pixels=rgb[..., 0].size).lightness.shape == rgb.shape[:2]
    with pytest.raises(PhotoError, match="allowed are at most 100"):
        read_photo(path, max_pixels=100)


def test_arrays(rgb, gray):
    expected = _lightness(rgb)
    for array in (rgb, rgb.astype(np.uint16) * 257, rgb / 255, (rgb / 255).astype(np.float32)):
        np.testing.assert_allclose(photos.as_photo(array).lightness, expected, atol=1e-3)
    np.testing.assert_allclose(photos.as_photo(gray[..., None]).lightness, photos.as_photo(gray).lightness)
    with_alpha = np.concatenate([rgb, gray[..., None]], -1)
    np.testing.assert_array_equal(photos.as_photo(with_alpha).alpha, gray)
    np.testing.assert_array_equal(photos.as_photo(with_alpha / 255).alpha, gray)
    assert photos.as_photo(gray > 9).lightness.max() == pytest.approx(100)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 4, 5), np.uint8), "allowed are"),
        (np.zeros(4, np.uint8), "array"),
        (np.zeros((4, 4), np.int64), "int64"),
        (np.full((4, 4), 2.0), "outside"),
        (np.full((4, 4), np.nan), "outside"),
        (np.zeros((1, 4), np.uint8), "4x1 pixels"),
    ],
)
def test_arrays_that_are_no_photo(array, message):
    with pytest.raises((PhotoError, TypeError), match=message):
        photos.as_photo(array)


def test_other_types_are_refused():
    with pytest.raises(TypeError, match=r"int|3"):
        photos.as_photo(3)


def test_pictures_are_written_whole(tmp_path, rgb, gray):
    rgba = np.concatenate([rgb, gray[..., None]], -1)
    paths = [tmp_path / "sub" / "a.png", tmp_path / "b.png", tmp_path / "c.jpg"]
    photos.write_pictures(dict(zip(paths, (rgb, rgba, rgb), strict=True)))
    np.testing.assert_array_equal(np.asarray(Image.open(paths[0])), rgb)
    np.testing.assert_array_equal(np.asarray(Image.open(paths[1])), rgba)
    assert Image.open(paths[2]).format == "JPEG"
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.png", "b.png", "c.jpg", "sub"]


def test_nothing_is_overwritten_unasked(tmp_path, rgb):
    (tmp_path / "b.png").write_text("mine")
    with pytest.raises(PhotoError, match=r"b\.png: exists"):
        photos.write_pictures({tmp_path / "a.png": rgb, tmp_path / "b.png": rgb})
    assert (tmp_path / "b.png").read_text() == "mine" and len(os.listdir(tmp_path)) == 1
    photos.write_pictures({tmp_path / "b.png": rgb}, overwrite=True)
    assert Image.open(tmp_path / "b.png").size == (53, 37)


@pytest.mark.parametrize("suffix", ["unknown", "jpg"])
def test_a_failed_write_leaves_nothing(tmp_path, rgb, gray, suffix):
    rgba = np.concatenate([rgb, gray[..., None]], -1)
    with pytest.raises(PhotoError, match=f"b.{suffix}"):
        photos.write_pictures({tmp_path / "a.png": rgb, tmp_path / f"b.{suffix}": rgba})
    assert os.listdir(tmp_path) == []


def test_a_disk_that_fills_up_leaves_nothing(tmp_path, rgb, monkeypatch):
    def full(path, content):
        with path.open("wb") as file:
            file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(PhotoError, match="No space left"):
        photos.write_pictures({tmp_path / "a.png": rgb})
    assert os.listdir(tmp_path) == []


def test_unwritable_folders_are_told(tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(PhotoError, match="cannot be written"):
            photos.check_writable(folder)
    photos.check_writable(tmp_path / "new" / "folder")
    assert os.listdir(tmp_path) == ["file"]
