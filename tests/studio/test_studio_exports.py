"""Files beside the picture: their parts give the picture again."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from colorize_jax.control.document import EditError, as_edits
from colorize_jax.photos.photo import Photo
from colorize_jax.studio import exports

pytestmark = pytest.mark.quick

POINT = {"kind": "point", "at": [30, 10], "radius": 6, "color": "#f00"}
LINK = {
    "kind": "link",
    "regions": [[[0, 0], [8, 0], [8, 8], [0, 8]], [[50, 30], [60, 30], [60, 40], [50, 40]]],
}


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_layer_over_the_gray_photo_is_the_picture(kind):
    rng, most = np.random.default_rng(0), np.iinfo(kind).max
    gray = np.repeat(rng.integers(0, most, (300, 40, 1), endpoint=True).astype(kind), 3, axis=2)
    picture = rng.integers(0, most, (300, 40, 3), endpoint=True).astype(kind)
    picture[:20], gray[40], picture[41] = gray[:20], most, 0
    layer = exports.color_layer(gray, picture)
    assert layer.dtype == kind and (layer[:20, :, 3] == 0).all() and layer[..., 3].max() == most
    opacity = layer[..., 3:] / most
    laid = layer[..., :3] * opacity + gray * (1 - opacity)
    assert np.abs(laid - picture).max() <= 1


def test_pillow_lays_it_as_other_programs_do():
    gray = np.full((4, 4, 3), 90, np.uint8)
    picture = gray + np.uint8([60, 0, 20])
    under, layer = (Image.fromarray(each) for each in (gray, exports.color_layer(gray, picture)))
    laid = np.asarray(Image.alpha_composite(under.convert("RGBA"), layer).convert("RGB"))
    assert np.abs(laid.astype(int) - picture).max() <= 1
    assert np.asarray(layer)[0, 0, 3] < 100  # 60 of the 165 levels up to white


def test_a_layer_is_no_more_opaque_than_its_photo():
    gray = np.full((2, 2, 4), 90, np.uint8)
    gray[..., 3] = picture = np.uint8([[0, 10], [200, 255]])
    picture = np.dstack([gray[..., :3] + np.uint8(100), picture])
    layer = exports.color_layer(gray, picture)
    assert layer[0].tolist() == [[255, 255, 255, 0], [255, 255, 255, 10]] and layer[1, 1, 3] == 155


@pytest.mark.parametrize("bits", [8, 16])
def test_the_gray_photo_has_no_color_and_its_own_lightness(bits):
    lightness = np.linspace(0, 100, 600 * 3, dtype=np.float32).reshape(600, 3)
    gray = exports.gray_of(Photo(lightness, None, bits))
    assert gray.dtype == (np.uint16 if bits == 16 else np.uint8)
    assert np.ptp(gray.astype(int), axis=2).max() <= bits // 16
    assert (np.diff(gray[..., 0].ravel().astype(int)) >= 0).all()


def test_masks_are_where_the_edits_lie():
    archive = zipfile.ZipFile(io.BytesIO(exports.masks(as_edits([POINT, LINK]), 40, 60)))
    assert archive.namelist() == ["001_point.png", "002_link.png"]
    point, link = (Image.open(archive.open(name)) for name in archive.namelist())
    assert (point.mode, point.size) == ("L", (60, 40))
    point, link = np.asarray(point), np.asarray(link)
    assert point[10, 30] == 255 and point[10, 37] == 0 and set(np.unique(point)) == {0, 255}
    assert (link == 255).sum() == 64 + 100 and link[7, 7] == link[35, 55] == 255


def test_masks_of_no_edits_are_refused():
    with pytest.raises(EditError, match="no edits"):
        exports.masks(as_edits([]), 40, 60)
