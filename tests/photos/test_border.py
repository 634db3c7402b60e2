"""The border of a scan is found whatever is odd about it, and nothing else is taken for one."""

import numpy as np
import pytest

from colorize_jax.photos import border
from colorize_jax.photos.border import Inside, inside_of

HEIGHT, WIDTH = 240, 320


def picture(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """L* of a photo without any even line."""
    y, x = np.mgrid[0:height, 0:width]
    return (50 + 22 * np.sin(x / 9) + 20 * np.sin(y / 13 + x / 40)).astype(np.float32)


def bordered(tone: float, above: int, below: int, before: int, after: int, photo: np.ndarray | None = None):
    padding = ((above, below), (before, after))
    return np.pad(picture() if photo is None else photo, padding, constant_values=tone)


def inside(above: int, before: int, height: int = HEIGHT, width: int = WIDTH) -> Inside:
    return Inside(slice(above, above + height), slice(before, before + width))


@pytest.mark.parametrize("sides", [(20, 30, 10, 12), (6, 6, 6, 6), (15, 0, 12, 12), (0, 25, 12, 12)])
@pytest.mark.parametrize("tone", [93.0, 100.0, 6.0])
def test_paper_along_three_sides_or_all(sides, tone):
    assert inside_of(bordered(tone, *sides)) == inside(sides[0], sides[2])


def test_a_scan_with_grain_dust_and_a_ragged_rim():
    rng = np.random.default_rng(0)
    scan = bordered(90, 20, 24, 18, 22) + rng.normal(0, 1.5, (HEIGHT + 44, WIDTH + 40))
    scan[0], scan[:, -1] = 30, 5
    scan[8, 40:44] = 20  # dust
    assert inside_of(scan.astype(np.float32)) == inside(20, 18)


def test_paper_on_the_lid_of_a_scanner():
    assert inside_of(bordered(4, 12, 30, 14, 9, photo=bordered(91, 10, 10, 8, 8))) == inside(22, 22)


def test_the_bars_of_a_film_along_two_sides():
    assert inside_of(bordered(0, 40, 40, 0, 0)) == inside(40, 0)
    assert inside_of(bordered(0, 0, 0, 50, 50)) == inside(0, 50)
    assert inside_of(bordered(90, 40, 40, 0, 0)) is None


def test_an_edge_that_is_a_little_askew():
    scan = bordered(95, 20, 20, 20, 20)
    for row in range(len(scan)):
        scan[row] = np.roll(scan[row], row // 70)
    found = inside_of(scan)
    assert found is not None and abs(found.columns.start - 20) <= 4 and abs(found.columns.stop - 340) <= 4


def sky() -> np.ndarray:
    return np.vstack([np.full((120, WIDTH), 96, np.float32), picture(120)])


def thing_on_white() -> np.ndarray:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.where((y - 120) ** 2 + (x - 160) ** 2 < 80**2, picture(), 99).astype(np.float32)


@pytest.mark.parametrize(
    "photo",
    [
        *(picture(), sky(), sky()[::-1], thing_on_white(), 100 - thing_on_white()),
        *(np.full((50, 60), 97, np.float32), np.zeros((50, 60), np.float32), picture(2, 3)),
        *(bordered(60, 20, 20, 20, 20), bordered(93, 20, 0, 0, 0), bordered(93, 20, 0, 12, 0)),
    ],
    ids=["whole", "sky", "ground", "thing", "negative", "white", "black", "tiny", "gray", "one", "two"],
)
def test_what_is_no_border(photo):
    assert inside_of(photo) is None


def test_networks_see_the_mirror_image():
    scan = bordered(93, 20, 20, 10, 10)
    seen = border.filled(scan, inside(20, 10))
    assert seen.shape == scan.shape
    np.testing.assert_array_equal(seen[20:-20, 10:-10], picture())
    np.testing.assert_array_equal(seen[:20, 10:-10], picture()[19::-1])


def test_pixels_of_the_border_by_rows():
    whole = border.outside(inside(20, 10), slice(0, HEIGHT + 40), WIDTH + 20)
    assert whole.sum() == whole.size - HEIGHT * WIDTH
    parts = [
        border.outside(inside(20, 10), slice(start, start + 7), WIDTH + 20) for start in range(0, 280, 7)
    ]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
