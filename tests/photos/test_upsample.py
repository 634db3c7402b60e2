"""Lifting a field: alignment, exactness, and what the photo's lightness is worth."""

import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorize_jax import color
from colorize_jax.photos import upsample


@pytest.fixture(scope="module")
def lab() -> np.ndarray:
    """Astronaut, 250 x 300: sides that 32 does not divide."""
    return color.srgb_to_lab((data.astronaut()[:250, 50:350] / 255).astype(np.float32))


def _field(plane: np.ndarray, side: int = 32) -> np.ndarray:
    return np.stack(
        [upsample.cell_means(np.ascontiguousarray(x), side) for x in np.moveaxis(plane, -1, 0)], -1
    )


def _psnr(lab: np.ndarray, ab: np.ndarray) -> float:
    shown, true = (
        color.lab_to_srgb(np.concatenate([lab[..., :1], x], -1)).clip(0, 1) for x in (ab, lab[..., 1:])
    )
    return float(-10 * np.log10(np.square(shown - true).mean()))


def test_guided_beats_bicubic_beats_nearest(lab):
    field = _field(lab[..., 1:])
    rows, columns = ((np.arange(n) + 0.5) * 32 / n for n in lab.shape[:2])
    nearest = field[rows.astype(int)][:, columns.astype(int)]
    bicubic, guided = (upsample.lift(field, lab[..., 0], method=m) for m in ("bicubic", "jbu"))
    assert _psnr(lab, guided) > _psnr(lab, bicubic) + 0.5
    assert _psnr(lab, bicubic) > _psnr(lab, nearest) + 0.5


@pytest.mark.parametrize("box", [(0, 40, 0, 300), (37, 181, 91, 207), (249, 250, 299, 300)], ids=str)
def test_a_window_is_a_part_of_the_whole(lab, box):
    field, (top, bottom, left, right) = _field(lab[..., 1:]), box
    whole = upsample.lift(field, lab[..., 0])[top:bottom, left:right]
    found = upsample.lift_window(
        field, lab[..., 0], upsample.PixelBox(slice(top, bottom), slice(left, right))
    )
    np.testing.assert_allclose(np.moveaxis(found, 0, -1), whole, atol=1e-3)


@pytest.mark.parametrize("method", upsample.METHODS)
@pytest.mark.parametrize("shape", [(100, 77), (32, 32), (31, 200), (2, 3), (64, 64)])
def test_constants_stay(method, shape):
    lightness = np.random.default_rng(0).uniform(0, 100, shape).astype(np.float32)
    field = np.full((32, 32, 2), [0.25, -0.75], np.float32)
    lifted = upsample.lift(field, lightness, method=method)
    assert lifted.dtype == np.float32
    np.testing.assert_allclose(lifted, np.broadcast_to(field[0, 0], (*shape, 2)), atol=2e-6)


@pytest.mark.parametrize("method", upsample.METHODS)
def test_columns_do_not_mix(method):
    rng = np.random.default_rng(1)
    field, lightness = rng.normal(size=(32, 32, 6)).astype("f4"), rng.uniform(0, 100, (90, 70)).astype("f4")
    together = upsample.lift(field, lightness, method=method)
    for k in range(6):
        alone = upsample.lift(field[..., k : k + 1], lightness, method=method)
        np.testing.assert_allclose(together[..., k : k + 1], alone, atol=1e-5)


@pytest.mark.parametrize("method", upsample.METHODS)
@pytest.mark.parametrize("shape", [(130, 75), (320, 96), (100, 77)])
def test_pixel_centers_are_aligned(method, shape):
    """A ramp over the photo, averaged to the field, comes back as the same ramp, away from the border."""
    y, x = ((np.arange(n) + 0.5) / n for n in shape)
    ramps = np.stack(np.broadcast_arrays(y[:, None], x[None, :]), -1).astype("f4")
    centers = (np.arange(32) + 0.5) / 32
    field = np.stack(np.broadcast_arrays(centers[:, None], centers[None, :]), -1).astype("f4")
    lifted = upsample.lift(field, np.full(shape, 50, np.float32), method=method)
    inner = tuple(slice(n // 8, -(n // 8)) for n in shape)
    # Bilateral weights of a 5 x 5 window interpolate a ramp up to a fraction of a cell.
    np.testing.assert_allclose(lifted[inner], ramps[inner], atol=1e-5 if method == "bicubic" else 0.006)


def test_back_projection_keeps_the_mean_of_each_cell(lab):
    field = _field(lab[..., 1:])
    missed = {
        m: np.abs(_field(upsample.lift(field, lab[..., 0], method=m)) - field).mean()
        for m in upsample.METHODS
    }
    assert missed["jbu"] < 0.6 * missed["bicubic"]


def test_an_edge_of_the_photo_is_an_edge_of_the_colors():
    lightness = np.full((256, 256), 20, np.float32)
    lightness[:, 101:] = 80  # inside a cell
    true = np.where(lightness[..., None] > 50, 0.5, -0.5).astype("f4")
    lifted = upsample.lift(_field(true), lightness, method="jbu")
    assert np.abs(lifted - true)[8:-8, 97:105].mean() < 0.1
    assert np.abs(upsample.lift(_field(true), lightness, method="bicubic") - true)[8:-8, 97:105].mean() > 0.2


@pytest.mark.parametrize("method", upsample.METHODS)
def test_tiles_are_the_whole(method):
    rng = np.random.default_rng(2)
    field, lightness = rng.normal(size=(32, 32, 4)).astype("f4"), rng.uniform(0, 100, (600, 500)).astype("f4")
    tiles = list(upsample.lift_tiles(field, lightness, method=method))
    assert [t[0].start for t in tiles[1:]] == [t[0].stop for t in tiles[:-1]] and tiles[-1][0].stop == 600
    whole = np.concatenate([np.moveaxis(tile, 0, -1) for _, tile in tiles])
    np.testing.assert_array_equal(whole, upsample.lift(field, lightness, method=method))


def test_resize_keeps_constants_and_agrees_with_pillow():
    plane = np.random.default_rng(3).random((91, 130)).astype("f4")
    for size in ((64, 64), (200, 150)):
        by_pillow = Image.fromarray(plane).resize(size[::-1], Image.Resampling.BICUBIC)
        np.testing.assert_allclose(upsample.resize(plane, *size), by_pillow, atol=1e-5)
    np.testing.assert_allclose(upsample.resize(np.ones((7, 5), "f4"), 64, 64), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("field", "method", "message"),
    [
        ((32, 31, 2), "jbu", "field"),
        ((32, 32), "jbu", "field"),
        ((32, 32, 2), "guided", "jbu, bicubic"),
    ],
)
def test_mistakes_are_told(field, method, message):
    with pytest.raises((ValueError, TypeError), match=message):
        upsample.lift(np.zeros(field, "f4"), np.zeros((40, 40), "f4"), method=method)
