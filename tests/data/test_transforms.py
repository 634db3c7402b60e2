"""From encoded bytes to network units."""

import io
import subprocess
import sys

import mini_archives as archives
import numpy as np
import pytest
from PIL import Image

from colorize_jax import color
from colorize_jax.data import screening, synthetic, transforms
from colorize_jax.data.transforms import View

pytestmark = pytest.mark.quick


def saved(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def test_every_color_is_that_of_the_reference():
    rgb = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    rgb[0, :, :] = np.arange(64)[:, None]  # the straight part of the curve
    out = transforms.to_network({"rgb": rgb, "rgb_large": rgb})
    lab = color.srgb_to_lab(rgb / 255)
    np.testing.assert_allclose(out["lightness"], color.lightness_to_network(lab[..., :1]), atol=1e-4)
    np.testing.assert_allclose(out["ab"], color.ab_to_network(lab[..., 1:]), atol=1e-4)
    np.testing.assert_allclose(out["lightness_large"], out["lightness"], atol=1e-5)
    assert "ab_large" not in out
    assert {value.dtype for value in out.values()} == {np.dtype(np.float32)}


def test_pixels_are_converted_alike_wherever_they_stand():
    """Photos of a batch, chunk borders, and hosts that make other slices of the batch."""
    rgb = np.random.default_rng(1).integers(0, 256, (5, 77, 77, 3), dtype=np.uint8)
    batch = transforms.to_network({"rgb": rgb, "rgb_large": rgb})
    for number, photo in enumerate(rgb):
        alone = transforms.to_network({"rgb": photo, "rgb_large": photo})
        assert all((batch[key][number] == alone[key]).all() for key in batch)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "I;16"])
def test_any_mode_decodes(mode):
    picture = Image.fromarray(synthetic.draw(1))
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    content = saved(picture if mode == "I;16" else picture.convert(mode), "TIFF")
    decoded = np.asarray(transforms.decode(content, 96)).astype(float)
    assert decoded.shape == (96, 96, 3)
    wanted = synthetic.draw(1).mean() if mode in ("RGB", "RGBA", "P", "CMYK") else decoded.mean()
    assert abs(decoded.mean() - wanted) < 12


def test_sixteen_bits_keep_their_brightness():
    gray = np.asarray(Image.fromarray(synthetic.draw(1)).convert("L"))
    content = saved(Image.fromarray(gray.astype(np.uint16) * 257), "PNG")
    np.testing.assert_array_equal(np.asarray(transforms.decode(content, 96))[..., 0], gray)


def test_photo_is_turned_upright():
    picture = Image.fromarray(synthetic.draw(2))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = transforms.decode(saved(picture.transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif), 96)
    np.testing.assert_array_equal(np.asarray(turned), np.asarray(picture))


def test_reduced_decoding_changes_little():
    picture = Image.fromarray(synthetic.draw(3, size=256))
    sizes = transforms.decode(saved(picture, "JPEG"), 64).size
    contents = saved(picture, "JPEG", quality=95), saved(picture, "PNG")
    quick, full = (
        transforms.to_network(transforms.pixels(content, View(), None))["ab"] for content in contents
    )
    assert sizes == (64, 64)
    assert np.abs(quick - full).mean() < 0.01


def test_center_of_a_wide_photo_is_taken_whole():
    wide = np.zeros((40, 100, 3), np.uint8)
    wide[:, 30:70] = 200
    out = transforms.pixels(saved(Image.fromarray(wide)), View(image_size=40), None)["rgb"]
    assert out.min() == 200


def test_random_view_is_a_function_of_its_generator():
    content = archives.encoded(4)
    view = View(image_size=32, lightness_large=48, crop=0.5, flip=True)
    one, two = (transforms.pixels(content, view, np.random.default_rng(7)) for _ in range(2))
    other = transforms.pixels(content, view, np.random.default_rng(8))
    assert one["rgb_large"].shape == (48, 48, 3)
    np.testing.assert_array_equal(one["rgb"], two["rgb"])
    assert (one["rgb"] != other["rgb"]).any()
    small = np.asarray(Image.fromarray(one["rgb_large"]).resize((32, 32), Image.Resampling.HAMMING))
    assert np.abs(small.astype(float) - one["rgb"]).mean() < 4  # the same crop, the same side up


def test_crops_are_as_large_and_as_stretched_as_the_view_says():
    view, rng = View(crop=0.6, crop_largest=1.4, stretch=1.5), np.random.default_rng(0)
    boxes = np.array([transforms.random_box(120, 80, view, rng) for _ in range(2000)])
    wide, high = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    sides, ratios = np.sqrt(wide * high) / 80, wide / high
    np.testing.assert_allclose([sides.min(), sides.max()], [0.6, 1.4], atol=0.01)
    np.testing.assert_allclose([ratios.min(), ratios.max()], [1 / 1.5, 1.5], atol=0.01)
    for low, high, length in ((boxes[:, 0], boxes[:, 2], 120), (boxes[:, 1], boxes[:, 3], 80)):
        inside = high - low <= length
        assert (low[inside] >= 0).all() and (high[inside] <= length).all()
        assert (low[~inside] <= 0).all() and (high[~inside] >= length).all()  # around the photo


def test_what_lies_outside_of_a_photo_is_its_mirror_image():
    picture = Image.fromarray(synthetic.draw(3))
    around, box = transforms._around(picture, transforms.Box(-10.5, 4, 100, 99))
    inside, mirrored = np.asarray(picture), np.asarray(around)
    assert mirrored.shape == (99, 96 + 11 + 4, 3) and box == transforms.Box(0.5, 4, 111, 99)
    np.testing.assert_array_equal(mirrored[:96, 11:107], inside)
    np.testing.assert_array_equal(mirrored[:96, :11], inside[:, 10::-1])
    np.testing.assert_array_equal(mirrored[96:, 11:107], inside[:92:-1])
    assert transforms._around(picture, transforms.Box(0, 0, 96, 96))[0] is picture


def test_a_stretched_crop_is_squashed_to_a_square():
    content = saved(Image.fromarray(synthetic.draw(4)))
    view = View(image_size=32, crop=0.5, crop_largest=1.5, stretch=2.0)
    shown = [transforms.pixels(content, view, np.random.default_rng(seed))["rgb"] for seed in range(8)]
    assert {image.shape for image in shown} == {(32, 32, 3)}
    assert len({image.tobytes() for image in shown}) == 8
    np.testing.assert_array_equal(
        transforms.pixels(content, view, None)["rgb"], transforms.pixels(content, View(32), None)["rgb"]
    )


def test_half_of_the_images_are_mirrored():
    content = saved(Image.fromarray(synthetic.draw(5)))
    upright = transforms.pixels(content, View(), None)["rgb"]
    rng = np.random.default_rng(0)
    shown = [transforms.pixels(content, View(flip=True), rng)["rgb"] for _ in range(40)]
    mirrored = sum(bool((image == upright[:, ::-1]).all()) for image in shown)
    assert sum(bool((image == upright).all()) for image in shown) == 40 - mirrored
    assert 10 < mirrored < 30


@pytest.mark.parametrize("content", [b"", archives.CORRUPT, archives.encoded(0)[:900]])
def test_corrupt_photos_are_told(content):
    assert screening.look(content).reason.startswith("corrupt: ")


def test_pixels_without_a_range_are_told():
    content = saved(Image.fromarray(synthetic.draw(1)).convert("F"), "TIFF")
    assert "32-bit floats" in screening.look(content).reason


def test_gray_is_told_from_color():
    toned = np.clip(synthetic.draw(6).mean(axis=-1, keepdims=True) + np.array([6, 0, -6]), 0, 255)
    assert screening.look(saved(Image.fromarray(toned.astype(np.uint8)))).reason == "gray"
    assert screening.look(saved(Image.fromarray(synthetic.draw(6)).convert("L"))).reason == "gray"
    assert screening.look(archives.gray(6)).reason == "gray"
    assert screening.look(archives.encoded(6)).reason is None


def test_neither_jax_nor_tensorflow_is_imported(tmp_path):
    """Preparing, reading records and decoding them: what a data worker would do."""
    archives.write_folder(tmp_path / "photos", archives.files(4, "{}.jpg"))
    program = f"""
import sys
from colorize_jax.data import prepare, prepared, transforms
prepare.prepare("folder", directory={str(tmp_path)!r}, source={str(tmp_path / "photos")!r}, name="mine")
photo = prepared.PhotoSource({str(tmp_path)!r}, "mine", "train")[0]
transforms.to_network(transforms.pixels(photo.image, transforms.View(), None))
assert not {{"jax", "tensorflow"}} & set(sys.modules), "imported"
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_synthetic_pictures_are_reproducible(tmp_path):
    one = synthetic.write_images(tmp_path / "one", 2, seed=3)
    two = synthetic.write_images(tmp_path / "two", 2, seed=3)
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    assert one[0].read_bytes() != one[1].read_bytes()
