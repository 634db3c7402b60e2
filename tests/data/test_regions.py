"""What people divided a photo into goes with the photo: into records, through crops, into batches."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image
from test_bsds import mat

from colorize_jax.data import pipeline, regions
from colorize_jax.data.pipeline import MixturePart, Training
from colorize_jax.data.prepare import prepare
from colorize_jax.data.prepared import PhotoSource
from colorize_jax.data.transforms import View, pixels

VIEW = View(image_size=32, regions=16, crop=0.6, crop_largest=1.3, stretch=1.35, flip=True)


def divided(height: int = 240, width: int = 360) -> np.ndarray:
    """Regions of three sizes: a disc, the left part and the rest."""
    y, x = np.mgrid[0:height, 0:width]
    labels = np.where(x < 0.4 * width, 700, 3)
    labels[np.hypot(y - 0.5 * height, x - 0.7 * width) < 0.2 * height] = 41
    return labels


def painted(labels: np.ndarray, kind: str = "PNG") -> bytes:
    """A photo whose red and blue tell the region."""
    rgb = np.stack([np.where(labels == value, 200, 30) for value in (700, 3, 41)], axis=-1)
    buffer = io.BytesIO()
    Image.fromarray(rgb.astype(np.uint8)).save(buffer, kind, quality=95)
    return buffer.getvalue()


def test_labels_are_kept():
    people = [divided(), divided()[::-1]]
    content = regions.packed(people)
    np.testing.assert_array_equal(regions.of_one(content, None), people[0])
    seen = [regions.of_one(content, np.random.default_rng(seed)) for seed in range(8)]
    assert {bytes(each) for each in seen} == {bytes(each.astype(np.uint16)) for each in people}


def test_the_largest_region_comes_first():
    found = regions.by_size(np.array([[7, 7, 9], [7, 2, 9], [7, 9, 7]], np.uint16))
    np.testing.assert_array_equal(found, [[0, 0, 1], [0, 2, 1], [0, 1, 0]])


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("seed", range(6))
def test_regions_lie_where_the_photo_shows_them(seed, kind):
    labels = (
        divided(960, 1440) if kind == "JPEG" else divided()
    )  # a large JPEG is decoded at a part of its size
    found = pixels(painted(labels, kind), VIEW, np.random.default_rng(seed), regions.packed([labels]))
    shown = found["rgb"].reshape(16, 2, 16, 2, 3).mean(axis=(1, 3))
    is_clear = shown.max(axis=-1) > 150
    told = [{*found["regions"][is_clear & (shown.argmax(axis=-1) == channel)]} for channel in range(3)]
    assert is_clear.mean() > 0.6 and all(len(labels) <= 1 for labels in told)
    assert len(set.union(*told)) == sum(map(len, told))


def test_a_photo_that_nobody_divided_has_no_regions():
    found = pixels(painted(divided()), VIEW, np.random.default_rng(0))
    assert (found["regions"] == regions.NOBODY).all() and found["regions"].shape == (16, 16)
    assert "regions" not in pixels(painted(divided()), VIEW._replace(regions=0), None)


def test_regions_change_no_crop():
    views = VIEW, VIEW._replace(regions=0)
    with_them, without = (
        pixels(painted(divided()), view, np.random.default_rng(3), regions.packed([divided()]))["rgb"]
        for view in views
    )
    np.testing.assert_array_equal(with_them, without)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """`bsds_people` of two archives, three photos of its train and one of its val, and a set that nobody divided."""
    root = tmp_path_factory.mktemp("people")
    source = root / "archives"
    source.mkdir()
    with zipfile.ZipFile(source / "bsds500-photos.zip", "w") as opened:
        for n in range(4):
            photo = painted(np.roll(divided(), 30 * n, axis=1), "JPEG")
            opened.writestr(f"images/{'val' if n == 3 else 'train'}/{n}.jpg", photo)
    with zipfile.ZipFile(source / "bsds500-drawn.zip", "w") as opened:
        for n in range(4):
            content = mat([np.roll(divided(), 30 * n, axis=1), np.ones((240, 360), int)])
            opened.writestr(f"groundTruth/{'val' if n == 3 else 'train'}/{n}.mat", content)
    plain = root / "plain"
    plain.mkdir()
    for n in range(3):
        (plain / f"{n}.png").write_bytes(painted(np.roll(divided(), 70 * n + 9, axis=1)))
    prepare("bsds_people", directory=root, source=source)
    prepare("folder", directory=root, source=plain, name="plain", test_images=1)
    return root


def test_records_have_what_people_divided(directory):
    train, test = (PhotoSource(directory, "bsds_people", split) for split in ("train", "test"))
    assert (len(train), len(test)) == (3, 1)
    assert np.load(io.BytesIO(test[0].regions))["people"].shape == (2, 240, 360)
    assert PhotoSource(directory, "plain", "train")[0].regions == b""


def test_batches_of_a_mixture_have_regions_where_there_are_some(directory):
    parts = [MixturePart(PhotoSource(directory, name, "train"), 1.0) for name in ("bsds_people", "plain")]
    batch = Training(parts, batch_size=8, view=VIEW, seed=0).batch_at(0)
    assert batch["regions"].shape == (8, 16, 16) and batch["regions"].dtype == np.int16
    are_divided = (batch["regions"] >= 0).all(axis=(1, 2))
    assert are_divided.sum() == 4 and (batch["regions"][~are_divided] == regions.NOBODY).all()
    [evaluated] = pipeline.evaluation_batches(parts[0].photos, batch_size=4, view=VIEW)
    assert (evaluated["regions"] >= 0).all()
