"""The studio under the hand and under load: `python benchmarks/studio.py [--latency] [--load]`, by default both.

`--picture=docs/images/studio.png` makes the README's picture of the page instead.

Latency: in a headless chromium with a photo of one megapixel, `--strokes` strokes are painted with the mouse. Measured
by the page's own clock: from the release of the button to the frame that follows the repainted preview. Beside it, what
the server says it needed to draw the strokes on the cells and to solve for all versions.

Load: `--sessions` sessions at once, each painting `--edits` times as fast as it is answered; a thousand malformed
messages; a stroke of 100,000 points. Times from a message to its answer, and the server's resident memory.

The server is a process of its own, started as a user starts it. Needs the extras [studio] and, for the latency, [test]
and a chromium.
"""

import contextlib
import io
import json
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from absl import app, flags
from PIL import Image
from websockets.sync.client import connect

from colorize_jax.studio import protocol

_LATENCY = flags.DEFINE_bool("latency", False, "In the browser alone.")
_LOAD = flags.DEFINE_bool("load", False, "Under load alone.")
_PICTURE = flags.DEFINE_string(
    "picture", None, "Where to write a picture of the page at work, and nothing else."
)
_STROKES = flags.DEFINE_integer("strokes", 60, "Painted in the browser.")
_SESSIONS = flags.DEFINE_integer("sessions", 10, "At once.")
_EDITS = flags.DEFINE_integer("edits", 30, "Messages of each session.")
_PHOTOS = flags.DEFINE_integer("photos", 30, "Opened at the end, one after the other.")

_PHOTO = Path(__file__).parents[1] / "examples" / "coffee_gray.jpg"
_MEGAPIXEL = (1224, 816)
_UNDO_ABOVE = 12  # strokes: as many as a user has on a photo
_PAINTED = {  # of the picture: a saucer, a cup, and a table
    "Blue": [[0.22, 0.5], [0.24, 0.65], [0.3, 0.75]],
    "Orange": [[0.42, 0.58], [0.5, 0.62]],
    "Wood": [[0.8, 0.25], [0.92, 0.5]],
}
_MALFORMED = ("{", "[]", '{"id": 1}', '{"type": "edits", "id": 2, "document": {"version": 7}}', "\x00" * 1000)


@contextlib.contextmanager
def studio() -> Iterator[tuple[str, int]]:
    """(host and port, process id) of a server."""
    command = [sys.executable, "-m", "colorize_jax.apps.studio", "--port=0", "--open_browser=false"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        found = next(filter(None, (re.search(r"http://([\d.:]+)/", line) for line in process.stdout)))
        yield found[1], process.pid
    finally:
        process.terminate()
        process.wait(20)


def resident(pid: int) -> float:
    """Megabytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1000


def megapixel() -> bytes:
    file = io.BytesIO()
    Image.open(_PHOTO).resize(_MEGAPIXEL, Image.Resampling.LANCZOS).save(file, "jpeg", quality=92)
    return file.getvalue()


def row(name: str, milliseconds: Sequence[float]) -> None:
    p50, p95 = np.percentile(milliseconds, [50, 95])
    print(f"{name:48s}{p50:10.1f}{p95:10.1f}{max(milliseconds):10.1f}{len(milliseconds):8d}", flush=True)


def head(title: str) -> None:
    print(f"{title:48s}{'p50':>10}{'p95':>10}{'max':>10}{'n':>8}   milliseconds")


@contextlib.contextmanager
def opened_page(host: str) -> Iterator[Any]:
    """The studio's page in a headless chromium, with the photo open."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(180_000)
        page.goto(f"http://{host}/")
        photo = {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": megapixel()}
        page.set_input_files("#photo-file", photo)
        page.wait_for_selector("body[data-state=work]")
        page.wait_for_timeout(3000)
        yield page
        browser.close()


def painted(page: Any, path: np.ndarray) -> None:
    """Drags the mouse along a path, in fractions of the photo."""
    box = page.locator("#marks").bounding_box()
    places = (box["x"], box["y"]) + path * (box["width"], box["height"])
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=3)
    page.mouse.up()


def picture(path: str) -> None:
    """Paints a few strokes and keeps what the page looks like."""
    with studio() as (host, _), opened_page(host) as page:
        page.locator("#versions button").nth(2).click()
        for title, stroke in _PAINTED.items():
            page.click(f"#presets button[title={title}]")
            painted(page, np.array(stroke))
            page.wait_for_timeout(1000)
        page.screenshot(path=path)


def latency() -> None:
    """Paints in a browser."""
    rng = np.random.default_rng(0)
    with studio() as (host, _), opened_page(host) as page:
        for index in range(_STROKES.value):
            start, along = rng.uniform(0.1, 0.9, 2), rng.normal(0, 0.08, 2)
            path = (start + np.linspace(0, 1, 6)[:, None] * along).clip(0.02, 0.98)
            page.locator("#presets button").nth(int(rng.integers(14))).click()
            painted(page, path)
            page.wait_for_function(
                "(n) => performance.getEntriesByName('release to preview').length > n", arg=index
            )
            page.wait_for_timeout(400)
            if index >= _UNDO_ABOVE:
                page.locator("#list .delete").first.click()
                page.wait_for_timeout(400)
        entries = page.evaluate(
            "performance.getEntriesByName('release to preview').map((e) => ({ ...e.detail, all: e.duration }))"
        )
        width, height = _MEGAPIXEL
        head(f"a photo of {width}x{height} pixels")
        row("from the button's release to the new preview", [entry["all"] for entry in entries])
        row("of which the server solved", [entry["solve_ms"] for entry in entries])
        row("and drew the strokes", [entry["draw_ms"] for entry in entries])


def opened(host: str) -> str:
    request = urllib.request.Request(
        f"http://{host}/photos", megapixel(), {"Origin": f"http://{host}"}, method="POST"
    )
    with urllib.request.urlopen(request) as answer:
        return protocol.unpack(answer.read())[0]["session"]


def talk(host: str, session: str):
    return connect(f"ws://{host}/photos/{session}/live", origin=f"http://{host}", max_size=None)


def message(id: int, *edits: dict) -> str:
    document = {"version": 1, "units": "fraction", "edits": list(edits)}
    return json.dumps({"type": "edits", "id": id, "document": document})


def stroke(points: np.ndarray) -> dict:
    return {"kind": "stroke", "path": points.tolist(), "radius": 0.01, "color": {"lab": [60, 40, 30]}}


def asked(socket, text: str) -> tuple[float, str | bytes]:
    """Milliseconds to the answer, and the answer."""
    start = time.perf_counter()
    socket.send(text)
    answer = socket.recv(120)
    return 1e3 * (time.perf_counter() - start), answer


def paint(host: str, session: str, seed: int) -> list[float]:
    """Times of the answers to a growing number of strokes."""
    rng = np.random.default_rng(seed)
    strokes = [stroke(rng.uniform(0.1, 0.9, (4, 2))) for _ in range(_UNDO_ABOVE)]
    with talk(host, session) as socket:
        answers = [asked(socket, message(i, *strokes[: 1 + i % len(strokes)])) for i in range(_EDITS.value)]
    assert all(protocol.unpack(answer)[0]["id"] == i for i, (_, answer) in enumerate(answers))
    return [milliseconds for milliseconds, _ in answers]


def load() -> None:
    """Ten sessions, malformed messages, an endless stroke."""
    with studio() as (host, pid):
        opened(host)
        memory = [("one photo open", resident(pid))]
        head("answers of the server")
        with ThreadPoolExecutor(_SESSIONS.value) as pool:
            sessions = list(pool.map(opened, [host] * _SESSIONS.value))
            memory.append((f"{_SESSIONS.value} more", resident(pid)))
            times = pool.map(paint, [host] * len(sessions), sessions, range(len(sessions)))
            row(f"an edit, {len(sessions)} sessions at once", [each for one in times for each in one])
        memory.append(("after their edits", resident(pid)))
        with talk(host, sessions[0]) as socket:
            answers = [asked(socket, _MALFORMED[i % len(_MALFORMED)]) for i in range(1000)]
            assert all(json.loads(answer)["type"] == "error" for _, answer in answers)
            row("a malformed message", [milliseconds for milliseconds, _ in answers])
            memory.append(("after 1000 malformed messages", resident(pid)))
            endless = message(1, stroke(np.random.default_rng(0).uniform(0, 1, (100_000, 2)).round(5)))
            answers = [asked(socket, endless) for _ in range(5)]
            row(f"a stroke of 100,000 points, {len(endless) / 1e6:.1f} MB", [each for each, _ in answers])
            print(f"  answered: {json.loads(answers[0][1])['message']}")
            memory.append(("after five such strokes", resident(pid)))
            row("an edit afterwards", [asked(socket, message(2, stroke(np.full((1, 2), 0.5))))[0]])
        for _ in range(_PHOTOS.value):
            opened(host)
        memory.append((f"after {_PHOTOS.value} more photos", resident(pid)))
    print("\n".join(f"resident memory, {when:34s}{megabytes:8.0f} MB" for when, megabytes in memory))


def main(_: list[str]) -> None:
    if _PICTURE.value:
        return picture(_PICTURE.value)
    both = _LATENCY.value == _LOAD.value
    if both or _LATENCY.value:
        latency()
    if both or _LOAD.value:
        load()


if __name__ == "__main__":
    app.run(main)
