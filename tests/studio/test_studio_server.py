"""The server refuses foreign pages and what is too large, answers mistakes, and goes on."""

import http.client
import io
import json
import re
import urllib.request
import zipfile

import full_photo
import numpy as np
import pytest
from PIL import Image
from served import png

client = pytest.importorskip("websockets.sync.client", reason="the studio's server is the extra [studio]")
exceptions = pytest.importorskip("websockets.exceptions")

from colorize_jax.photos.photo import photo_from_array, read_photo  # noqa: E402
from colorize_jax.studio import protocol, server  # noqa: E402

POINT = {"kind": "point", "at": [100, 120], "radius": 20, "color": {"lab": [60, 50, 20]}}


def document(*edits: dict) -> dict:
    return {"version": 1, "edits": list(edits)}


def message(id: int, *edits: dict, **fields) -> str:
    return json.dumps({"type": "edits", "id": id, "document": document(*edits), **fields})


@pytest.fixture(scope="module")
def session(address, gray) -> str:
    status, answer = address.ask("/photos", png(gray))
    assert status == 200
    return protocol.unpack(answer)[0]["session"]


def connect(address, session, origin=None):
    own = address.url if origin is None else origin
    return client.connect(f"ws://{address.host}/photos/{session}/live", origin=own, max_size=None)


def test_a_photo_is_opened(address, session, gray):
    status, answer = address.ask(f"/photos/{session}")
    header, arrays = protocol.unpack(answer)
    assert status == 200 and header["session"] == session and header["size"] == [400, 300]
    assert arrays["fields"].shape == (4, 32, 32, 2)
    lightness = photo_from_array(gray).lightness
    assert np.abs(arrays["lightness"] / 2.55 - lightness).max() < 0.3
    status, rows = address.ask(f"/photos/{session}/similarity")
    assert status == 200 and protocol.unpack(rows)[1]["rows"].shape == (1024, 1024)


def test_edits_are_answered_and_the_picture_keeps_its_lightness(address, session, gray):
    with connect(address, session) as socket:
        socket.send(message(5, POINT))
        header, arrays = protocol.unpack(socket.recv(30))
        assert header["id"] == 5 and header["solve_ms"] > 0 and "lifted" not in arrays
        assert arrays["fields"][0, 12, 8] @ [1, 0] * 128 > 35  # cell of (100, 120): a* of the point
        socket.send(message(6, POINT | {"exact": True}, version=1))
        assert protocol.unpack(socket.recv(30))[1]["lifted"].shape == (2, 150, 200)
        socket.send(json.dumps({"type": "explain", "id": 7, "document": document(POINT), "suggestions": 2}))
        header, arrays = protocol.unpack(socket.recv(30))
        assert len(header["suggested"]) == 2 and arrays["variance"].shape == (32, 32)
    status, answer = address.ask(f"/photos/{session}/picture", message(0, POINT).encode())
    picture = np.asarray(Image.open(io.BytesIO(answer)))
    assert status == 200 and picture.shape == (300, 400, 3)
    assert np.abs(photo_from_array(picture).lightness - photo_from_array(gray).lightness).max() < 1


def test_the_picture_has_the_bits_of_the_photo_and_what_its_file_says(address, tmp_path):
    photo = io.BytesIO()
    exif = Image.Exif()
    exif[270], exif[274] = "Plate 17", 3
    values = np.linspace(20_000, 40_000, 90 * 120).astype(np.uint16).reshape(90, 120)
    Image.fromarray(values).save(photo, "png", exif=exif, dpi=(600, 600))
    status, answer = address.ask("/photos", photo.getvalue())
    assert status == 200
    session = protocol.unpack(answer)[0]["session"]
    point = POINT | {"at": [60, 40]}
    status, picture = address.ask(f"/photos/{session}/picture", message(0, point, version=1).encode())
    assert status == 200
    (tmp_path / "saved.png").write_bytes(picture)
    saved = read_photo(tmp_path / "saved.png")
    assert saved.bits == 16 and b"Plate 17" in saved.about.exif
    np.testing.assert_allclose(saved.lightness, photo_from_array(values[::-1, ::-1]).lightness, atol=0.01)
    assert round(saved.about.dpi[0]) == 600
    assert b'colorize:Edits="1, over"' in saved.about.xmp and b'colorize:Version="2"' in saved.about.xmp


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
def test_exiftool_reads_in_every_format_what_the_photos_file_said(address, tmp_path, suffix):
    full_photo.write(tmp_path / "plate.jpg")
    _, answer = address.ask("/photos", (tmp_path / "plate.jpg").read_bytes())
    session = protocol.unpack(answer)[0]["session"]
    saved = f"/photos/{session}/picture?format={suffix}"
    status, picture = address.ask(saved, message(0, version=1).encode())
    assert status == 200
    (tmp_path / f"saved.{suffix}").write_bytes(picture)
    full_photo.check(tmp_path / f"saved.{suffix}", version=2)


def test_formats_that_cannot_be_are_told(address, session, gray):
    status, told = address.told(f"/photos/{session}/picture?format=bmp", message(0).encode())
    assert status == 422 and told == "format is 'bmp'; allowed are png, jpeg, jpg, tiff, tif, webp"
    _, answer = address.ask("/photos", png(np.dstack([gray, gray])))
    clear = protocol.unpack(answer)[0]["session"]
    status, told = address.told(f"/photos/{clear}/picture?format=jpeg", message(0).encode())
    assert status == 422 and "JPEG keeps no opacity" in told


def test_what_is_saved_beside_the_picture(address, session, gray):
    def saved(kind: str) -> bytes:
        status, answer = address.ask(f"/photos/{session}/picture?kind={kind}", message(0, POINT).encode())
        assert status == 200
        return answer

    picture, both, layer = (Image.open(io.BytesIO(saved(kind))) for kind in ("picture", "both", "layer"))
    assert both.size == (800, 300) and layer.mode == "RGBA"
    before = both.crop((0, 0, 400, 300))
    assert np.abs(np.asarray(before).astype(int) - gray[..., None]).max() <= 1
    np.testing.assert_array_equal(both.crop((400, 0, 800, 300)), picture)
    laid = Image.alpha_composite(before.convert("RGBA"), layer).convert("RGB")
    assert np.abs(np.asarray(laid).astype(int) - np.asarray(picture)).max() <= 1
    assert zipfile.ZipFile(io.BytesIO(saved("masks"))).namelist() == ["001_point.png"]
    wrong = f"/photos/{session}/picture?kind=sketch"
    assert address.told(wrong, message(0).encode()) == (
        422,
        "kind is 'sketch'; allowed are picture, both, layer, masks",
    )
    assert "no masks" in address.told(f"/photos/{session}/picture?kind=masks", message(0).encode())[1]


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", ""])
def test_foreign_pages_are_refused(address, session, gray, origin):
    for path in ("/photos", f"/photos/{session}/picture"):
        assert address.told(path, png(gray), origin=origin) == (403, "the request comes from another page")
    assert address.ask(f"/photos/{session}", method="DELETE", origin=origin)[0] == 403
    assert address.ask(f"/photos/{session}")[0] == 200
    with pytest.raises(exceptions.InvalidStatus, match="403"), connect(address, session, origin):
        pass


def test_a_foreign_name_for_this_machine_is_refused(address, session):
    """DNS rebinding: the browser believes that the page comes from evil.example, and so does its Origin."""
    for path in ("/", f"/photos/{session}"):
        status, told = address.told(path, host="evil.example:80", origin="http://evil.example:80")
        assert (status, told) == (403, "this server answers to its own address only")


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (b"", 422, "the photo: the file is empty"),
        (b"no image at all", 422, "the photo: not an image"),
        (png(np.random.default_rng(0).integers(0, 255, (50, 50), np.uint8))[:500], 422, "the photo:"),
        (png(np.zeros((1, 50), np.uint8)), 422, "2x2"),
        (png(np.zeros((1500, 1500), np.uint8)), 422, "allowed are at most 2,000,000"),
        (bytes(3_000_001), 413, "larger than 3 MB"),
    ],
    ids=["empty", "text", "cut", "line", "pixels", "bytes"],
)
def test_what_is_no_photo_or_too_large_is_told(address, body, status, told):
    found, text = address.told("/photos", body)
    assert found == status and told in text and "tmp" not in text


def test_an_upload_of_no_declared_length_is_cut_off(address):
    """Chunks without an end: refused once it is too large."""
    connection = http.client.HTTPConnection(address.host, timeout=30)
    headers = {"Origin": address.url, "Transfer-Encoding": "chunked"}
    connection.request("POST", "/photos", iter([bytes(1 << 20)] * 5), headers, encode_chunked=True)
    assert connection.getresponse().status == 413


BAD = [
    ("nonsense", None, "not JSON"),
    (b"\x00\x01", None, "not JSON"),
    ('{"type": "delete", "id": 1}', 1, "type"),
    (message(2, {"kind": "circle"}), 2, "circle"),
    (message(3, POINT | {"at": [1e9, 0]}), 3, "outside the photo"),
    (message(4, {"kind": "stroke", "path": [[1, 1]] * 100_000, "radius": 3, "color": "#fff"}), 4, "too many"),
    (message(5, version=99), 5, "version"),
]


def test_malformed_messages_are_answered_and_the_conversation_goes_on(address, session):
    with connect(address, session) as socket:
        for text, id, told in BAD:
            socket.send(text)
            answer = json.loads(socket.recv(30))
            assert answer["type"] == "error" and answer["id"] == id and told in answer["message"]
        socket.send(message(6, POINT))
        assert protocol.unpack(socket.recv(30))[0]["id"] == 6


def test_what_takes_longest_is_answered_beside_the_rest(address, session):
    box = {"level": 0, "box": [100, 60, 200, 160]}
    with connect(address, session) as socket:
        told = json.loads(message(1, POINT, **box)) | {"type": "finish"}
        socket.send(json.dumps(told))
        header, arrays = protocol.unpack(socket.recv(30))
        assert (header["type"], header["id"]) == ("window", 1) and arrays["pixels"].shape == (100, 100, 4)
        socket.send(json.dumps(told | {"id": 2, "type": "window"}))
        header, quick = protocol.unpack(socket.recv(30))
        assert (header["type"], header["id"]) == ("window", 2)
        assert (
            np.abs(quick["pixels"].astype(int) - arrays["pixels"]).mean() < 2
        )  # of a model that refines nothing


def test_the_newest_edits_win(address, session):
    with connect(address, session) as socket:
        for id in range(60):
            socket.send(message(id, POINT))
        answered = []
        while not answered or answered[-1] != 59:
            answered.append(protocol.unpack(socket.recv(30))[0]["id"])
        assert answered == sorted(answered) and len(answered) < 60


def test_a_session_that_is_gone(address, gray):
    session = protocol.unpack(address.ask("/photos", png(gray))[1])[0]["session"]
    with connect(address, session) as socket:
        assert address.ask(f"/photos/{session}", method="DELETE")[0] == 204
        socket.send(message(1))
        with pytest.raises(exceptions.ConnectionClosed) as closed:
            socket.recv(30)
        assert closed.value.rcvd.code == server.CLOSED
    with connect(address, session) as socket, pytest.raises(exceptions.ConnectionClosed):
        socket.recv(30)
    for path in (f"/photos/{session}", f"/photos/{session}/similarity"):
        assert address.told(path)[0] == 404
    assert address.told(f"/photos/{session}/picture", message(0).encode())[0] == 404


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", message(0, POINT | {"color": "red"}).encode()])
def test_a_picture_of_malformed_edits_is_refused(address, session, body):
    assert address.told(f"/photos/{session}/picture", body)[0] == 422


def test_the_page_asks_for_nothing_from_elsewhere(address):
    for path in sorted(server.PAGE.iterdir()):
        if path.suffix == ".jpg":
            continue
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")  # a name, never asked for
        assert not re.search(r"https?://|@import|url\(", text), path.name
    with urllib.request.urlopen(address.url + "/") as answer:
        assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert address.ask("/../server.py")[0] == 404 and address.ask("/%2e%2e/server.py")[0] == 404
