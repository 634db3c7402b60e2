"""The page in a real browser: open, pick, paint, undo, move, delete, save, load, reload."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from served import png

from colorize_jax import color
from colorize_jax.control.document import parse_edits
from colorize_jax.photos.photo import photo_from_array

SECONDS = 1000
FIRST, SECOND, GROUND = (
    (0.25, 0.4),
    (0.75, 0.6),
    (0.5, 0.1),
)  # on one square, on the other, on the dark ground


class Page:
    """The studio's page with a photo, driven as a user would."""

    def __init__(self, page, url: str):
        self.page, self.failed, self.asked = page, [], []
        page.set_default_timeout(120 * SECONDS)
        page.on("pageerror", lambda error: self.failed.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.goto(url)

    def drop(self, content: bytes, name: str, kind: str, *others: str) -> None:
        """Drags a file onto the page, and others of the same content with it."""
        self.page.evaluate(
            """([text, type, ...names]) => {
              const data = new DataTransfer();
              const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
              for (const name of names) data.items.add(new File([bytes], name, { type }));
              const how = { dataTransfer: data, bubbles: true, cancelable: true };
              for (const event of ["dragover", "drop"]) document.body.dispatchEvent(new DragEvent(event, how));
            }""",
            [base64.b64encode(content).decode(), kind, name, *others],
        )

    def open(self, content: bytes, name: str = "squares.png") -> None:
        self.drop(content, name, "image/png")
        self.page.wait_for_selector("body[data-state=work]")
        self.settled()

    def settled(self) -> None:
        """Until the picture shows the newest edits."""
        self.page.wait_for_selector("#stage[aria-busy=false]")

    def canvas(self, name: str) -> np.ndarray:
        """RGBA bytes."""
        url = self.page.evaluate("(name) => document.getElementById(name).toDataURL()", name)
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGBA"))

    def pixels(self) -> np.ndarray:
        """CIE Lab of the preview."""
        return color.srgb_to_lab(self.canvas("picture")[..., :3] / 255)

    def at(self, position: tuple[float, float]) -> tuple[float, float]:
        box = self.page.locator("#marks").bounding_box()
        return box["x"] + position[0] * box["width"], box["y"] + position[1] * box["height"]

    def drag(self, *positions: tuple[float, float]) -> None:
        self.page.mouse.move(*self.at(positions[0]))
        self.page.mouse.down()
        for position in positions[1:]:
            self.page.mouse.move(*self.at(position), steps=6)
        self.page.mouse.up()
        self.settled()

    def shade(self, name: str) -> None:
        self.page.click(f"#presets button[title={name}]")

    def tool(self, name: str) -> None:
        self.page.click(f"[data-tool={name}]")

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)
        self.settled()

    def told(self) -> str:
        """The message that is shown."""
        self.page.wait_for_selector("#toast:visible")
        return self.page.inner_text("#toast")

    def count(self) -> int:
        return self.page.locator("#list li").count()

    def download(self, button: str) -> bytes:
        with self.page.expect_download() as waiting:
            self.page.click(button)
        with open(waiting.value.path(), "rb") as file:
            return file.read()


def ab(pixels: np.ndarray, position: tuple[float, float]) -> np.ndarray:
    """Mean CIE ab of 9 x 9 pixels around a position."""
    y, x = (round(share * size) for share, size in zip(position[::-1], pixels.shape, strict=False))
    return pixels[y - 4 : y + 5, x - 4 : x + 5, 1:].mean(axis=(0, 1))


@pytest.fixture
def empty(address, browser):
    context = browser.new_context(viewport={"width": 1100, "height": 760})
    page = Page(context.new_page(), address.url)
    yield page
    context.close()
    assert page.failed == []


@pytest.fixture
def page(empty, gray):
    empty.open(png(gray))
    return empty


def test_a_dropped_photo_shows_its_versions(page, address, gray):
    versions = page.page.locator("#versions button")
    assert versions.count() == 4 and "Version 1" in versions.first.inner_text()
    seen = []
    for index in range(4):
        versions.nth(index).click()
        page.settled()
        seen.append(page.pixels())
    means = np.array([pixels[..., 1:].mean(axis=(0, 1)) for pixels in seen])
    distances = np.linalg.norm(means[:, None] - means, axis=-1) + 1e9 * np.eye(4)
    assert distances.min() > 10 and np.linalg.norm(means[3]) < 1  # three colours, and gray
    lightness = photo_from_array(gray).lightness
    assert np.abs(seen[0][..., 0] - lightness).mean() < 0.5
    assert all(url.startswith((address.url, "blob:" + address.url)) for url in page.asked)


def test_paint_spreads_and_undo_takes_it_back(page):
    before = page.pixels()
    page.shade("Blue")
    page.drag((0.2, 0.35), (0.3, 0.5))
    painted = page.pixels()
    near, like, unlike = (np.linalg.norm(ab(painted, p) - ab(before, p)) for p in (FIRST, SECOND, GROUND))
    assert near > 25 and like > 12 and unlike < 6
    assert ab(painted, FIRST)[1] < -15 and ab(painted, SECOND)[1] < ab(before, SECOND)[1] - 10
    assert np.abs(painted[..., 0] - before[..., 0]).mean() < 0.5
    page.press("Control+z")
    np.testing.assert_array_equal(page.pixels(), before)
    page.press("Control+Shift+Z")
    np.testing.assert_array_equal(page.pixels(), painted)
    page.page.click("#undo")
    page.settled()
    assert page.page.is_disabled("#undo") and page.count() == 0


def test_the_result_follows_the_brush(page):
    before = page.pixels()
    page.shade("Blue")
    page.page.mouse.move(*page.at((0.2, 0.3)))
    page.page.mouse.down()
    page.page.mouse.move(*page.at((0.3, 0.5)), steps=6)
    page.settled()
    during = page.pixels()
    assert np.linalg.norm(ab(during, FIRST) - ab(before, FIRST)) > 25 and page.count() == 0
    page.page.mouse.up()
    page.settled()
    assert page.count() == 1
    page.page.wait_for_function(
        "performance.getEntriesByName('release to preview').length > 0"
    )  # a frame later
    measured = page.page.evaluate(
        "performance.getEntriesByName('release to preview').map((e) => [e.duration, e.detail.solve_ms])"
    )
    assert len(measured) == 1 and measured[0][0] > 0 and measured[0][1] > 0
    # The last move of the pointer has asked for what the release asks for.
    np.testing.assert_array_equal(page.pixels(), during)


def test_a_stroke_is_moved_recolored_and_deleted(page):
    before = page.pixels()
    page.shade("Red")
    page.drag((0.2, 0.4), (0.3, 0.4))
    page.tool("select")
    page.drag((0.25, 0.4), (0.5, 0.1))  # from the square onto the ground
    moved = page.pixels()
    assert ab(moved, GROUND)[0] > ab(before, GROUND)[0] + 15
    assert np.linalg.norm(ab(moved, FIRST) - ab(before, FIRST)) < 8
    page.shade("Blue")
    page.settled()
    assert ab(page.pixels(), GROUND)[1] < ab(moved, GROUND)[1] - 20
    page.press("Delete")
    assert page.count() == 0
    np.testing.assert_allclose(page.pixels(), before, atol=1e-9)


def test_points_areas_and_the_eraser(page):
    before = page.pixels()
    page.shade("Grass")
    page.tool("point")
    page.drag(FIRST)
    page.tool("region")
    page.drag((0.45, 0.02), (0.55, 0.02), (0.55, 0.15), (0.45, 0.15))
    assert page.count() == 2
    painted = page.pixels()
    for place in (FIRST, GROUND):
        assert ab(painted, place)[0] < ab(before, place)[0] - 10
    page.tool("eraser")
    page.page.locator("#radius").fill("100")
    page.drag((0.44, 0.05), (0.56, 0.05), (0.56, 0.12), (0.44, 0.12))
    erased = page.pixels()
    assert (
        np.linalg.norm(ab(erased, GROUND) - ab(before, GROUND))
        < 6
        < np.linalg.norm(ab(painted, GROUND) - ab(before, GROUND))
    )


def draw_area(page, *corners) -> None:
    """All around, back to the first corner."""
    page.tool("region")
    page.drag(*corners, corners[0])


def inside(shape, left, top, right, bottom, margin=0) -> np.ndarray:
    """The pixels of a rectangle given in fractions, and `margin` pixels more."""
    height, width = shape[:2]
    found = np.zeros((height, width), bool)
    rows = slice(round(top * height) - margin, round(bottom * height) + margin)
    found[rows, round(left * width) - margin : round(right * width) + margin] = True
    return found


CORNERS = ((0.15, 0.3), (0.35, 0.3), (0.35, 0.5), (0.15, 0.5))


def test_nothing_leaves_a_closed_area(page):
    before = page.canvas("picture")
    page.shade("Blue")
    page.tool("region")
    page.page.check("#closed")
    draw_area(page, *CORNERS)
    painted = page.canvas("picture")
    outside = ~inside(before.shape, 0.15, 0.3, 0.35, 0.5, margin=2)
    np.testing.assert_array_equal(painted[outside], before[outside])
    filled = color.srgb_to_lab(painted[inside(before.shape, 0.15, 0.3, 0.35, 0.5, margin=-2)][:, :3] / 255)
    assert np.quantile(filled[:, 2], 0.95) < -30
    assert "closed" in page.page.inner_text("#list")
    saved = np.asarray(Image.open(io.BytesIO(page.download("#save"))))
    assert np.abs(saved.astype(int) - painted[..., :3]).mean() < 2
    page.press("Control+z")
    np.testing.assert_array_equal(page.canvas("picture"), before)


def test_a_lock_keeps_a_region_as_it_is(page):
    before = page.canvas("picture")
    page.tool("lock")
    page.drag(*CORNERS, CORNERS[0])
    page.shade("Blue")
    page.tool("stroke")
    page.drag((0.7, 0.5), (0.8, 0.6))
    after = page.canvas("picture")
    kept, free = (
        inside(before.shape, 0.15, 0.3, 0.35, 0.5, margin=-2),
        inside(before.shape, 0.12, 0.22, 0.38, 0.27),
    )
    np.testing.assert_array_equal(after[kept], before[kept])
    assert np.abs(after[free].astype(int) - before[free]).mean() > 5


def test_reach_and_strength_are_the_users_for_the_next_stroke_and_for_a_chosen_one(page):
    before = page.pixels()
    page.shade("Blue")
    page.drag((0.2, 0.35), (0.3, 0.5))
    alike = page.pixels()
    page.tool("select")
    page.drag((0.25, 0.42))
    page.page.click("#reach [data-reach=thing]")
    page.settled()
    thing = page.pixels()
    moved = [np.linalg.norm(ab(shown, SECOND) - ab(before, SECOND)) for shown in (alike, thing)]
    assert moved[0] > 12 and moved[1] < 3
    assert np.linalg.norm(ab(thing, FIRST) - ab(before, FIRST)) > 25
    page.press("r")
    assert page.page.locator("#reach [aria-checked=true]").inner_text() == "this spot"
    page.page.locator("#strength").fill("0")
    page.settled()
    weak = page.pixels()
    assert np.linalg.norm(ab(weak, FIRST) - ab(before, FIRST)) < np.linalg.norm(
        ab(thing, FIRST) - ab(before, FIRST)
    )
    [edit] = json.loads(page.download("#save-edits"))["edits"]
    assert (edit["reach"], edit["strength"]) == ("spot", 0.01)


def test_strength_and_saturation_of_a_version_are_seen_saved_and_taken_back(page):
    page.shade("Blue")
    page.drag((0.2, 0.35), (0.3, 0.5))
    before = page.pixels()
    page.page.locator("#amount").fill("0")
    page.page.locator("#saturation").fill("50")
    page.settled()
    shown = page.pixels()
    assert np.linalg.norm(ab(shown, GROUND)) < 3 < np.linalg.norm(ab(before, GROUND))
    assert -40 < ab(shown, FIRST)[1] < -18  # a stroke keeps its colour, at half the chroma
    saved = color.srgb_to_lab(np.asarray(Image.open(io.BytesIO(page.download("#save")))) / 255)
    assert np.abs(shown - saved).mean() < 0.5
    page.press("2")
    assert page.page.input_value("#saturation") == "100"
    page.page.reload()
    page.page.wait_for_selector("body[data-state=work]")
    page.press("1")
    np.testing.assert_array_equal(page.pixels(), shown)
    page.page.locator("#saturation").dblclick()
    page.settled()
    assert (page.page.input_value("#saturation"), page.page.input_value("#amount")) == ("100", "0")
    page.press("d")
    np.testing.assert_array_equal(page.pixels(), before)
    page.page.locator("#versions button").last.click()
    assert page.page.is_disabled("#amount")


def test_what_is_saved_is_what_is_shown_and_can_be_loaded_again(page, gray, colorizer):
    page.shade("Red")
    page.drag((0.2, 0.35), (0.3, 0.5))
    page.page.check("#exact")
    page.shade("Sky")
    page.drag((0.7, 0.55), (0.8, 0.65))
    page.page.locator("#versions button").nth(1).click()
    page.settled()
    shown = page.pixels()
    picture = np.asarray(Image.open(io.BytesIO(page.download("#save"))))
    document = json.loads(page.download("#save-edits"))
    assert picture.shape == (*gray.shape, 3)
    lab = color.srgb_to_lab(picture / 255)
    assert np.abs(lab[..., 0] - photo_from_array(gray).lightness).max() < 1
    assert np.abs(shown - lab).mean() < 1
    assert [edit.kind for edit in parse_edits(document).edits] == ["stroke", "stroke"]
    wanted = colorizer.edit(gray, document, 3).rgb[1]
    assert np.abs(wanted.astype(int) - picture).max() <= 1
    page.page.select_option("#format", "tif")
    assert Image.open(io.BytesIO(page.download("#save"))).format == "TIFF"
    assert page.told() == "Saved: squares_coloured.tif"
    page.page.select_option("#format", "both")
    assert Image.open(io.BytesIO(page.download("#save"))).size == (800, 300)
    assert page.told() == "Saved: squares_before_and_after.jpg"
    page.page.select_option("#format", "masks")
    assert page.download("#save")[:2] == b"PK" and page.told() == "Saved: squares_masks.zip"
    page.page.click("#clear")
    page.settled()
    assert np.abs(page.pixels() - shown).max() > 20
    page.drop(json.dumps(document).encode(), "edits.json", "application/json")
    page.page.wait_for_selector("#list li")
    page.settled()
    np.testing.assert_array_equal(page.pixels(), shown)


def test_the_preview_agrees_with_the_download(page):
    """Without exact edits the page lifts the colours itself."""
    page.shade("Violet")
    page.drag((0.2, 0.35), (0.3, 0.5))
    picture = np.asarray(Image.open(io.BytesIO(page.download("#save"))))
    difference = np.abs(color.srgb_to_lab(picture / 255) - page.pixels())
    assert difference.mean() < 1 and np.quantile(difference, 0.99) < 8


def test_bands_that_are_lifted_apart_are_one_picture(empty):
    """Of an odd number of rows, whose bands cut cells; a band of one row among them."""
    difference, span = empty.page.evaluate(
        """async () => {
          const { Lift } = await import("./lift.js");
          const [width, height, side] = [70, 131, 32];
          const guide = Uint8Array.from({ length: width * height }, (_, p) => (p * 7919) % 251);
          const field = Float32Array.from({ length: 2 * side * side }, (_, i) => 60 * Math.sin(i * i));
          const lifted = (band) => {
            const lift = new Lift(guide, width, height, side, band);
            lift.begin(field);
            return [...lift.upTo(band[1]).a];
          };
          const whole = lifted([0, height]);
          const parts = [[0, 43], [43, 44], [44, height]].flatMap(lifted);
          return [Math.max(...whole.map((v, p) => Math.abs(v - parts[p]))), Math.max(...whole) - Math.min(...whole)];
        }"""
    )
    assert difference < 1e-3 and span > 50


def test_the_table_of_chroma_limits_is_the_exact_gamut_mapping(empty):
    """In and out of gamut: within what the exact one's own steps leave open, 1/256 of the chroma, and a byte's."""
    rng = np.random.default_rng(0)
    lightness, ab = rng.integers(5, 250, 3000).tolist(), rng.uniform(-110, 110, (2, 3000)).tolist()
    found = empty.page.evaluate(
        """async ([lightness, [a, b]]) => {
          const { compose, labToRgb } = await import("./lab.js");
          const size = lightness.length;
          const pixels = new Uint32Array(size);
          compose(Uint8Array.from(lightness), null, size, 1, { a, b, width: size, height: 1 }, pixels);
          const bytes = Array.from(new Uint8Array(pixels.buffer));
          return [bytes, lightness.map((v, i) => labToRgb(v / 2.55, a[i], b[i]))];
        }""",
        [lightness, ab],
    )
    composed, exact = (
        color.srgb_to_lab(each / 255) for each in (np.reshape(found[0], (-1, 4))[:, :3], np.array(found[1]))
    )
    difference = np.linalg.norm(composed - exact, axis=-1)
    assert difference.mean() < 0.3 and difference.max() < 2


def test_a_reload_keeps_the_photo_and_its_edits(page):
    page.shade("Red")
    page.drag((0.2, 0.35), (0.3, 0.5))
    painted = page.pixels()
    page.page.reload()
    page.page.wait_for_selector("body[data-state=work]")
    page.settled()
    assert page.count() == 1
    np.testing.assert_array_equal(page.pixels(), painted)


def test_a_session_that_expired_is_opened_again(page, address):
    page.shade("Red")
    page.drag((0.2, 0.35), (0.3, 0.5))
    painted = page.pixels()
    session = page.page.evaluate("JSON.parse(sessionStorage.getItem('colorize-studio')).session")
    address.studio.sessions.close(session)
    page.page.keyboard.press("2")  # finds out
    page.page.wait_for_function(
        "(old) => JSON.parse(sessionStorage.getItem('colorize-studio')).session !== old", arg=session
    )
    page.settled()
    page.page.keyboard.press("1")
    page.settled()
    assert page.count() == 1
    np.testing.assert_array_equal(page.pixels(), painted)


def test_a_reload_after_the_session_expired_begins_cleanly(page, address):
    session = page.page.evaluate("JSON.parse(sessionStorage.getItem('colorize-studio')).session")
    address.studio.sessions.close(session)
    page.page.reload()
    assert "Open it again." in page.told()
    assert page.page.evaluate("sessionStorage.getItem('colorize-studio')") is None
    assert page.page.is_visible("#drop") and not page.page.is_visible("#work")


def test_strokes_outlive_the_session_of_a_reloaded_page(page, address, gray):
    page.shade("Red")
    page.drag((0.2, 0.35), (0.3, 0.5))
    painted = page.pixels()
    page.page.reload()
    page.page.wait_for_selector("body[data-state=work]")
    session = page.page.evaluate("JSON.parse(sessionStorage.getItem('colorize-studio')).session")
    address.studio.sessions.close(session)
    page.page.keyboard.press("2")  # finds out, if it has not yet
    page.page.wait_for_function(
        "(old) => JSON.parse(sessionStorage.getItem('colorize-studio')).session !== old", arg=session
    )
    page.settled()
    page.press("1")
    assert page.count() == 1
    np.testing.assert_array_equal(page.pixels(), painted)


def test_work_survives_a_closed_tab_and_a_server_that_begins_anew(page, address):
    page.page.fill("#name", "Aunt Ida")
    page.shade("Red")
    page.drag((0.2, 0.35), (0.3, 0.5))
    painted = page.pixels()
    page.page.wait_for_timeout(300)
    for session in list(address.studio.sessions._open):
        address.studio.sessions.close(session)
    tab = Page(page.page.context.new_page(), address.url)
    page.page.close()
    tab.page.click("#project-list .name:has-text('Aunt Ida, 1 stroke')")
    tab.page.wait_for_selector("body[data-state=work]")
    tab.settled()
    assert tab.count() == 1 and tab.page.input_value("#name") == "Aunt Ida"
    np.testing.assert_array_equal(tab.pixels(), painted)
    tab.page.click("#leave")
    tab.page.click("#project-list .delete")
    tab.page.wait_for_selector("#projects", state="hidden")
    assert tab.failed == []


def test_a_photo_that_this_browser_does_not_keep_is_asked_for(page, address, gray):
    page.shade("Red")
    page.drag((0.2, 0.35), (0.3, 0.5))
    painted = page.pixels()
    page.page.wait_for_timeout(300)
    page.page.evaluate(
        """async () => {
          const { forget, projects } = await import("./projects.js");
          for (const { id } of await projects()) await forget(id);
        }"""
    )
    session = page.page.evaluate("JSON.parse(sessionStorage.getItem('colorize-studio')).session")
    address.studio.sessions.close(session)
    page.page.reload()
    assert "your strokes are kept" in page.told()
    page.open(png(gray))
    assert page.count() == 1
    np.testing.assert_array_equal(page.pixels(), painted)


def test_another_photo_takes_no_strokes_unasked(page, gray):
    page.shade("Red")
    page.drag((0.2, 0.35), (0.3, 0.5))
    asked = []
    page.page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    page.drop(png(gray), "other.png", "image/png")
    page.page.wait_for_timeout(500)
    assert "squares" in asked[0] and page.count() == 1
    page.download("#save")
    assert "squares_coloured.png" in page.told()
    page.drop(png(gray), "other.png", "image/png")
    page.page.wait_for_selector("#empty:visible")
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"no image", "not an image"), (bytes(3_000_001), "larger than 3 MB")],
    ids=["text", "large"],
)
def test_a_bad_file_is_told_and_another_can_be_opened(empty, gray, content, told):
    empty.drop(content, "bad.png", "image/png")
    assert told in empty.told()
    empty.open(png(gray))
    assert empty.page.locator("#versions button").count() == 4


def test_what_is_no_photo_is_told(empty):
    empty.drop(b"words", "words.txt", "text/plain")
    assert "words.txt" in empty.told() and not empty.asked[-1].endswith("photos")


def test_several_photos_are_a_series_that_takes_the_same_strokes(empty, gray):
    def opened(name: str) -> None:
        empty.page.wait_for_selector(f"#series-list [aria-current=true]:text-is('{name}')")
        empty.settled()

    empty.drop(png(gray), "page 10.png", "image/png", "page 9.png", "page 1.png")
    opened("page 1")
    assert empty.page.locator("#series-list li").all_inner_texts() == ["page 1", "page 9", "page 10"]
    before = empty.pixels()
    empty.shade("Blue")
    empty.drag((0.2, 0.35), (0.3, 0.5))
    painted = empty.pixels()
    empty.page.click("#to-next")
    opened("page 9")
    assert empty.count() == 1
    np.testing.assert_array_equal(empty.pixels(), painted)
    empty.page.click("#series-list button:text-is('page 10')")
    opened("page 10")
    assert empty.count() == 0 and empty.page.is_disabled("#to-next")
    np.testing.assert_array_equal(empty.pixels(), before)
    empty.page.click("#series-list button:text-is('page 9')")
    opened("page 9")
    empty.page.click("#to-all")
    assert empty.told() == "On 2 other photos, too."
    empty.page.click("#series-list button:text-is('page 1')")
    opened("page 1")
    assert empty.count() == 1  # it had the stroke already


def test_the_panel_stays_where_it_is_and_marks_the_chosen_color(page):
    """Whatever lies under the pointer on its way from the photo to a colour."""
    blue = page.page.locator("#presets button[title=Blue]")
    places = []
    for position in (GROUND, FIRST, (0.99, 0.99)):
        page.page.mouse.move(*page.at(position))
        places.append(blue.bounding_box())
    assert places[0] == places[1] == places[2]
    blue.click()
    assert page.page.locator("#panel [aria-pressed=true]").get_attribute("title") == "Blue"


def test_the_eraser_on_nothing_says_so(page):
    page.tool("eraser")
    page.drag((0.2, 0.35), (0.3, 0.5))
    assert "no stroke" in page.told() and page.count() == 0
    page.tool("stroke")
    assert not page.page.is_visible("#toast")


def test_comparing_moves_the_divider_and_paints_nothing(page):
    page.page.check("#compare")
    page.drag((0.5, 0.5), (0.2, 0.4))
    assert page.count() == 0
    assert float(page.page.input_value("#split")) == pytest.approx(20, abs=1)
    page.shade("Blue")
    assert not page.page.is_checked("#compare")
    page.drag((0.2, 0.35), (0.3, 0.5))
    assert page.count() == 1


def test_views(page):
    def overlay() -> np.ndarray:
        page.page.wait_for_timeout(300)
        return page.canvas("marks")

    page.page.click("summary")
    page.page.check("#attention")
    page.page.wait_for_timeout(500)
    page.page.mouse.move(*page.at(FIRST))
    heat = overlay().astype(int).sum(axis=-1)
    height, width = heat.shape
    bright = [heat[int(y * height) + 15, int(x * width) + 15] for x, y in (SECOND, GROUND)]
    assert bright[0] > bright[1]  # the squares are alike
    page.page.check("#uncertainty")
    assert not page.page.is_checked("#attention")
    page.page.check("#suggest")
    page.page.wait_for_timeout(1500)
    assert overlay()[..., 3].min() > 100
    page.page.uncheck("#uncertainty")
    rings, count = ndimage.label(overlay()[..., 3] > 100)
    assert count == 3
    y, x = ndimage.center_of_mass(rings == 1)
    page.drag((x / rings.shape[1], y / rings.shape[0]))
    assert page.count() == 1 and page.page.locator("#list li.selected").count() == 1
    page.page.check("#compare")
    page.page.locator("#split").fill("30")
    assert page.page.evaluate("getComputedStyle(document.getElementById('picture')).clipPath") == (
        "inset(0px 0px 0px 30%)"
    )


def test_the_keyboard_alone_paints(page):
    before = page.pixels()
    page.shade("Blue")
    page.page.keyboard.press("p")
    page.page.focus("#marks")
    assert "Arrow keys" in page.page.inner_text("#hint")
    for _ in range(12):
        page.page.keyboard.press("ArrowLeft")
    page.press("Enter")
    assert page.count() == 1 and np.abs(page.pixels() - before).max() > 20
    page.press("Control+z")
    assert page.count() == 0
    page.page.keyboard.press("2")
    assert page.page.locator("#versions button").nth(1).get_attribute("aria-checked") == "true"


def test_the_keyboard_alone_draws_an_area(page):
    def said() -> str:
        return page.page.inner_text("#said")

    def go(key: str, times: int) -> None:
        for _ in range(times):
            page.page.keyboard.press(key)

    page.page.keyboard.press("a")
    page.page.focus("#marks")
    assert "corner" in page.page.inner_text("#hint")
    page.page.keyboard.press("Enter")
    page.page.keyboard.press("Enter")
    assert said() == "An area has three corners or more." and page.count() == 0
    go("ArrowRight", 6)
    page.page.keyboard.press("Enter")
    assert re.fullmatch("Corner 2 6[23] % from the left, 50 % from the top.", said())
    page.page.keyboard.press("Escape")
    assert said() == "The area is given up."
    for key in ("ArrowRight", "ArrowUp", "ArrowLeft"):
        page.page.keyboard.press("Enter")
        go(key, 6)
    page.press("Space")
    go("ArrowDown", 6)
    page.press("Enter")  # on the first corner
    assert said() == "Area 1 closed with 4 corners." and page.count() == 1
    [area] = json.loads(page.download("#save-edits"))["edits"]
    np.testing.assert_allclose(
        area["polygon"], [[0.625, 0.5], [0.75, 0.5], [0.75, 1 / 3], [0.625, 1 / 3]], atol=1e-3
    )
    page.page.keyboard.press("p")
    page.page.focus("#marks")
    page.press("Enter")
    assert said().startswith("Point 2 put 50 % from the left") and page.count() == 2


def zoomed(page) -> float:
    """How wide the photo is, beside the room that it has."""
    widths = "[stage, space].map((part) => part.getBoundingClientRect().width)"
    stage, space = page.page.evaluate(widths)
    return stage / space


def test_wheel_keys_and_a_double_click_zoom_and_keep_the_place_under_the_pointer(page):
    whole = zoomed(page)
    page.page.mouse.move(*page.at(FIRST))
    spot = page.at(FIRST)
    page.page.mouse.wheel(0, -400)
    page.page.wait_for_function(
        "stage.getBoundingClientRect().width > 1.5 * space.getBoundingClientRect().width"
    )
    box = page.page.locator("#stage").bounding_box()
    assert box["x"] + FIRST[0] * box["width"] == pytest.approx(spot[0], abs=2)
    page.page.mouse.wheel(0, 4000)
    assert zoomed(page) == pytest.approx(whole, rel=0.01)
    page.page.keyboard.press("+")
    assert zoomed(page) == pytest.approx(1.25 * whole, rel=0.02)
    page.page.click("#whole")
    page.tool("select")
    page.page.mouse.dblclick(*spot)
    assert zoomed(page) == pytest.approx(2 * whole, rel=0.02)
    page.page.keyboard.press("0")
    assert zoomed(page) == pytest.approx(whole, rel=0.01)


def test_a_stroke_on_a_zoomed_photo_is_where_the_pointer_is(page):
    page.page.mouse.move(*page.at(FIRST))
    page.page.mouse.wheel(0, -500)
    page.shade("Blue")
    page.page.mouse.click(*page.at((0.5, 0.5)))  # of the marks, which lie over what is seen
    page.settled()
    left, top, right, bottom = page.page.evaluate(
        """() => {
          const [photo, seen] = [stage, marks].map((part) => part.getBoundingClientRect());
          return [(seen.left - photo.left) / photo.width, (seen.top - photo.top) / photo.height,
            (seen.right - photo.left) / photo.width, (seen.bottom - photo.top) / photo.height];
        }"""
    )
    assert right - left < 0.6
    [edit] = json.loads(page.download("#save-edits"))["edits"]
    np.testing.assert_allclose(edit["path"][0], [(left + right) / 2, (top + bottom) / 2], atol=0.01)


def test_a_zoomed_photo_is_as_sharp_as_its_file(empty):
    noise = np.random.default_rng(3).integers(60, 190, (1100, 1500), np.uint8)
    empty.open(png(noise))
    empty.shade("Blue")
    empty.drag((0.4, 0.5), (0.6, 0.5))
    empty.tool("select")
    empty.page.mouse.dblclick(*empty.at((0.9, 0.9)))
    empty.page.wait_for_selector("#detail:visible")
    empty.page.wait_for_timeout(500)
    detail = empty.canvas("detail")
    lefts = empty.page.evaluate("[detail.style.left, detail.style.top].map(parseFloat)")
    left, top = (round(v / 100 * size) for v, size in zip(lefts, (1500, 1100), strict=True))
    saved = np.asarray(Image.open(io.BytesIO(empty.download("#save"))))
    own = saved[top : top + len(detail), left : left + detail.shape[1]]
    assert detail.shape[:2] == own.shape[:2] and len(own) > 300
    assert np.abs(own.astype(int) - detail[..., :3]).max() <= 3


def test_two_fingers_zoom_and_paint_nothing(address, browser, gray):
    context = browser.new_context(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    page = Page(context.new_page(), address.url)
    page.open(png(gray))
    whole = zoomed(page)
    (x, y), send = page.at((0.5, 0.5)), context.new_cdp_session(page.page).send
    for name, apart in [("touchStart", 20), ("touchMove", 40), ("touchMove", 60), ("touchEnd", None)]:
        points = (
            [] if apart is None else [{"x": x - apart, "y": y, "id": 0}, {"x": x + apart, "y": y, "id": 1}]
        )
        send("Input.dispatchTouchEvent", {"type": name, "touchPoints": points})
    page.settled()
    assert zoomed(page) > 2 * whole and page.count() == 0
    context.close()
    assert page.failed == []


def test_versions_stand_in_order_of_likelihood_and_say_it(empty):
    told = empty.page.evaluate(
        """async () => {
          const { check, paintVersions, showVersions } = await import("./panel.js");
          const [root, chosen] = [document.createElement("div"), []];
          showVersions(root, [0.31, 0.004, 0.52], (version) => chosen.push(version));
          const pictures = [10, 20, 30, 40].map((v) => new Uint8Array([v, v, v, 255]).buffer);
          paintVersions(root, { pictures, width: 1, height: 1 });
          check(root, (button) => button.dataset.version === "2");
          return [...root.children].map((button) => {
            button.click();
            const level = button.firstChild.getContext("2d").getImageData(0, 0, 1, 1).data[0];
            return [button.ariaLabel, button.textContent, button.ariaChecked, level, chosen.at(-1)];
          });
        }"""
    )
    assert told == [
        ["Version 3, 52 % likely", "Version 352 %", "true", 30, 2],
        ["Version 1, 31 % likely", "Version 131 %", "false", 10, 0],
        ["Version 2, less than 1 % likely", "Version 2< 1 %", "false", 20, 1],
        ["Only my colours, gray where you paint nothing", "Only my colours", "false", 40, 3],
    ]


def test_keys_and_their_help_come_from_one_table(empty):
    table = empty.page.evaluate(
        """async () => {
          const { COMMANDS } = await import("./commands.js");
          const helpOf = (control) => document.querySelector(control).closest("button, label, [title]").title;
          return COMMANDS.map(({ name, keys, control }) => [name, keys, control ? helpOf(control) : null]);
        }"""
    )
    keys = [key for _, keys, _ in table for key in keys]
    assert len(set(keys)) == len(keys) > 33
    told = {name: help for name, _, help in table}
    assert told["undo"] == "Undo (Ctrl+Z)" and told["point"] == "Point (P): one click of colour"
    assert told["show-marks"] == "Outlines of your strokes (M)"
    assert empty.page.locator("#tools button[title*='(']").count() == 7


def test_every_key_is_told_in_a_dialog_that_escape_closes(page):
    page.page.focus("#save")
    page.page.keyboard.press("?")
    dialog = page.page.get_by_role("dialog", name="Keys")
    dialog.wait_for()
    keys = page.page.evaluate("import('./commands.js').then((m) => m.COMMANDS.flatMap(({ keys }) => keys))")
    told = dialog.locator("kbd").all_inner_texts()
    assert set(keys) <= set(told) and len(set(told)) == len(told)
    assert "Undo" in dialog.locator("div", has=page.page.locator("kbd", has_text="Ctrl+Z").first).inner_text()
    page.page.keyboard.press("2")  # is not the page's while the dialog is open
    page.page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert page.page.evaluate("document.activeElement.id") == "save"
    assert page.page.locator("#versions button").first.get_attribute("aria-checked") == "true"
    page.page.click("#help")
    dialog.get_by_role("button", name="Close").click()
    dialog.wait_for(state="hidden")


CUT_OFF = """() => {
  const found = [];
  for (const part of document.querySelectorAll("header *, #work *")) {
    if (!part.matches("button, input, select, summary, canvas[tabindex]") || !part.checkVisibility()) continue;
    if (getComputedStyle(part).visibility === "hidden") continue;
    part.scrollIntoView({ block: "center", inline: "center" });
    const { left, top, right, bottom } = part.getBoundingClientRect();
    const whole = left >= 0 && top >= 0 && right <= innerWidth + 0.5 && bottom <= innerHeight + 0.5;
    const hit = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
    const fits = part.scrollWidth <= part.clientWidth + 1 || part.matches("input, select");
    if (!whole || !fits || !(hit && (part.contains(hit) || hit.closest("label")?.control === part))) {
      found.push([part.id || part.textContent, left, top, right, bottom, hit?.id ?? hit?.tagName ?? null]);
    }
  }
  scrollTo(0, 0);
  return found;
}"""
PHONE_UPRIGHT, PHONE_SIDEWAYS, AT_200_PERCENT = (390, 844), (844, 390), (640, 400)


@pytest.mark.parametrize("size", [PHONE_UPRIGHT, PHONE_SIDEWAYS, AT_200_PERCENT], ids=str)
def test_small_views_cut_no_control_off_and_leave_the_photo_its_room(address, browser, gray, size):
    context = browser.new_context(viewport=dict(zip(("width", "height"), size, strict=True)))
    page = Page(context.new_page(), address.url)
    page.open(png(gray))
    page.drag((0.3, 0.35), (0.4, 0.5))
    page.page.click("#tools [data-tool=region]")  # so that all of the panel is there
    page.page.evaluate("document.querySelector('details').open = true")
    assert page.page.evaluate(CUT_OFF) == []
    width, height = page.page.evaluate("[space.clientWidth, space.clientHeight]")
    assert width * height >= 0.4 * size[0] * size[1]
    assert page.page.evaluate("document.documentElement.scrollWidth") <= size[0]
    context.close()
    assert page.failed == []


def test_a_finger_paints_on_a_phone(address, browser, gray):
    context = browser.new_context(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    page = Page(context.new_page(), address.url)
    page.open(png(gray))
    before = page.pixels()
    page.shade("Blue")
    page.tool("point")
    page.page.locator("#marks").scroll_into_view_if_needed()
    page.page.touchscreen.tap(*page.at(FIRST))
    page.settled()
    assert page.count() == 1
    assert np.linalg.norm(ab(page.pixels(), FIRST) - ab(before, FIRST)) > 20
    assert page.page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
    assert page.failed == []
