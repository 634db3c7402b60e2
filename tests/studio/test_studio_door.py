"""Others in the network enter by a link that works once; this machine alone needs none."""

import http.client
import re
import socket
from collections.abc import Iterator

import pytest
from served import Address, png, running

client = pytest.importorskip("websockets.sync.client", reason="the studio's server is the extra [studio]")
exceptions = pytest.importorskip("websockets.exceptions")

from colorize_jax.studio import protocol, serve  # noqa: E402
from colorize_jax.studio.door import Door  # noqa: E402


@pytest.fixture(scope="module")
def links() -> list[str]:
    """The links of the door, in the order in which they were told."""
    return []


@pytest.fixture(scope="module")
def guarded(colorizer, links) -> Iterator[Address]:
    """A studio that answers at every address of this machine."""
    listening = serve.listen(0, "0.0.0.0")
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
    door = Door(url, links.append)
    links.append(door.link)
    studio = serve.make(colorizer, samples=1)
    with running(serve.server(studio, listening, door), listening):
        yield Address(url[7:-1], studio)


def visit(address: Address, link: str) -> tuple[int, str]:
    """(status, cookie) of a browser's first request."""
    connection = http.client.HTTPConnection(address.host)
    connection.request("GET", link.removeprefix(address.url))
    answer = connection.getresponse()
    cookie = answer.getheader("Set-Cookie", "")
    assert not cookie or {"HttpOnly", "SameSite=lax"} <= set(cookie.split("; "))
    connection.close()
    return answer.status, cookie.split(";")[0]


@pytest.mark.parametrize(
    "path", ["/", "/app.js", "/photos/x", "/?token=", "/?token=guessed", "/photos/x?token=guessed"]
)
def test_without_a_link_nothing_is_answered(guarded, path):
    status, answer = guarded.ask(path)
    assert status == 403 and b"link in its terminal" in answer


def test_without_a_link_nothing_is_taken(guarded, gray):
    assert guarded.ask("/photos", png(gray))[0] == 403
    assert len(guarded.studio.sessions) == 0
    with pytest.raises(exceptions.InvalidStatus, match="403"):
        client.connect(f"ws://{guarded.host}/photos/x/live", origin=guarded.url)


def test_a_link_lets_in_one_browser(guarded, links, gray):
    link = links[-1]
    assert guarded.ask(link.removeprefix(guarded.url).replace("/?", "/app.js?"))[0] == 403  # uses nothing up
    status, cookie = visit(guarded, link)
    assert status == 303 and cookie
    assert visit(guarded, link) == (403, "")
    assert links[-1] != link and re.fullmatch(re.escape(guarded.url) + r"/\?token=[\w-]{24}", links[-1])
    own = {"cookie": f"other=1; {cookie}"}
    assert guarded.ask("/", **own)[0] == guarded.ask("/app.js", **own)[0] == 200
    status, answer = guarded.ask("/photos", png(gray), **own)
    assert status == 200
    session = protocol.unpack(answer)[0]["session"]
    headers = {"Cookie": cookie}
    url = f"ws://{guarded.host}/photos/{session}/live"
    with client.connect(url, origin=guarded.url, additional_headers=headers) as line:
        line.send("{}")
        assert '"error"' in line.recv(30)
    second = visit(guarded, links[-1])
    assert second[0] == 303 and second[1] != cookie
    assert guarded.ask("/", cookie=cookie)[0] == 200


def test_a_foreign_page_stays_out_though_its_browser_has_a_cookie(guarded, links, gray):
    _, cookie = visit(guarded, links[-1])
    status, told = guarded.told("/photos", png(gray), origin="http://elsewhere.example", cookie=cookie)
    assert status == 403 and "another page" in told
    assert guarded.told("/", host="elsewhere.example", cookie=cookie)[0] == 403


def test_this_machine_alone_needs_no_door():
    with serve.listen(0) as listening:
        assert serve.door_of(listening) is None
        port = listening.getsockname()[1]
        assert serve.hosts(listening) == {f"127.0.0.1:{port}", f"localhost:{port}"}


def test_the_network_comes_by_the_address_that_it_knows(capsys):
    with serve.listen(0, "0.0.0.0") as listening:
        door = serve.door_of(listening)
        assert door is not None and serve.url_of(listening)[7:-1] in serve.hosts(listening)
        assert door.link.startswith(serve.url_of(listening)) and "0.0.0.0" not in door.link
        door.enter(door.link.split("=")[1])
        assert capsys.readouterr().out == f"for the next browser: {door.link}\n"


@pytest.mark.parametrize("host", ["203.0.113.7", "no.such.name.invalid"])
def test_an_address_that_this_machine_does_not_have_is_told(host, monkeypatch):
    if not host[0].isdigit():  # asks no server of names

        def unknown(*_):
            raise socket.gaierror(-2, "Name or service not known")

        monkeypatch.setattr(socket.socket, "bind", unknown)
    with pytest.raises(ValueError, match=rf"--host is '{re.escape(host)}'.*0\.0\.0\.0"):
        serve.listen(0, host)
