"""Pictures side by side: what lies where, and what is refused."""

import numpy as np
import pytest
from PIL import Image, ImageFont

from colorize_jax.photos.sheet import captioned, fitting, grid

pytestmark = pytest.mark.quick

RED, GREEN, BLUE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0)


def plain(color, height=8, width=6):
    return np.full((height, width, 3), color, np.uint8)


def dark(region) -> bool:
    return bool((np.asarray(region) < 128).all(-1).any())


def test_a_grid_has_pictures_in_rows_and_columns():
    rows = [[plain(RED), plain(GREEN)], [plain(BLUE), plain(BLACK)]]
    sheet = np.asarray(grid(rows, scale=1, gap=2))
    assert sheet.shape == (2 + 2 * 10, 4 + 2 * 8, 3)
    seen = [tuple(sheet[y, x]) for y, x in ((3, 5), (3, 13), (13, 5), (13, 13))]
    assert seen == [RED, GREEN, BLUE, BLACK]


def test_each_row_is_as_high_as_its_highest_picture():
    sheet = np.asarray(
        grid([[plain(RED), plain(GREEN, height=4)], [plain(BLUE), plain(BLACK)]], scale=2, gap=1)
    )
    assert sheet.shape == (1 + 2 * 17, 2 + 2 * 13, 3)
    assert tuple(sheet[1 + 17, 2]) == BLUE and tuple(sheet[1 + 9, 2 + 13]) == (255, 255, 255)


def test_titles_stand_above_and_labels_to_the_left():
    sheet = np.asarray(
        grid([[plain(RED)], [plain(RED)]], columns=["l"], labels=["", "a\nbb"], gap=4, text=12)
    )
    top, left = 19, int(ImageFont.load_default(size=12).getlength("bb")) + 8
    assert sheet.shape == (top + 2 * 20, left + 16, 3)
    assert dark(sheet[:top, left:]) and not dark(sheet[:top, :left])
    assert dark(sheet[top + 20 :, :left]) and not dark(sheet[top : top + 20, :left])


def test_a_grid_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="rows of one length"):
        grid([[plain(RED)], []])
    with pytest.raises(ValueError, match="2 columns for 1"):
        grid([[plain(RED)]], columns=["a", "b"])
    with pytest.raises(ValueError, match="1 labels for 2"):
        grid([[plain(RED)], [plain(RED)]], labels=["a"])


def test_captions_stand_over_their_pictures():
    pictures = [Image.new("RGB", (200, 10), color) for color in (RED, GREEN, BLUE)]
    sheet = captioned(pictures, ["one", "", "two"], columns=2)
    assert sheet.size == (2 * 204, 2 * 32)
    places = [(2, 22), (206, 22), (2, 54)]
    assert [sheet.getpixel(place) for place in places] == [RED, GREEN, BLUE]
    captions = [dark(sheet.crop((x, y - 22, x + 200, y))) for x, y in places]
    assert captions == [True, False, True]
    assert sheet.getpixel((206, 54)) == (255, 255, 255)


def test_narrow_pictures_have_room_for_their_captions():
    assert captioned([Image.new("RGB", (3, 10))] * 2, ["one", "two"], columns=6).size == (240, 32)
    with pytest.raises(ValueError, match="1 captions for 2 pictures"):
        captioned([Image.new("RGB", (3, 10))] * 2, ["one"], columns=6)


def test_a_title_is_cut_where_it_does_not_fit():
    width = ImageFont.load_default(size=13).getlength("ver")
    assert fitting("version", int(width) + 1) == "ver"
    assert fitting("version", 500) == "version" and fitting("version", 1) == ""
