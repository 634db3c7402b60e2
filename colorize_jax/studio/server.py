"""HTTP and WebSockets of the studio, for pages that this server itself has sent.

| request | answer |
|---|---|
| `GET /` and its files | the page |
| `POST /photos`, an image file as the body | `opened`: a session |
| `GET /photos/{id}` | the same, of a session that is open still |
| `GET /photos/{id}/similarity` | S, a byte for each pair of cells |
| `POST /photos/{id}/picture?format=png`, a message of type edits | a file of a format of `encode.SUFFIXES` |
| the same with `&kind=layer` | another of `exports.KINDS` |
| `DELETE /photos/{id}` | closes it |
| WebSocket `/photos/{id}/live` | `protocol` |

**Who may ask.** Any page of the web may send requests to 127.0.0.1. So the server checks two things. The name that a
request calls it by (Host) must be one of its own: a foreign name may resolve to 127.0.0.1, too. What changes something,
and every WebSocket, must come from a page of its own (Origin). Ids cannot be guessed. Where other machines reach it,
all must have come through the `door`.
"""

import asyncio
import contextlib
import functools
import logging
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Lifespan, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from colorize_jax.control.document import MAX_BYTES, EditDocument
from colorize_jax.inference.colorizer import Colorizer
from colorize_jax.photos.decode import PhotoError
from colorize_jax.photos.encode import SUFFIXES
from colorize_jax.photos.photo import read_photo
from colorize_jax.photos.upsample import PixelBox
from colorize_jax.studio import exports, protocol
from colorize_jax.studio.door import Door, Doorkeeper
from colorize_jax.studio.live import LivePhoto, merged
from colorize_jax.studio.sessions import Sessions
from colorize_jax.studio.tone import tone_of

PAGE = Path(__file__).with_name("page")
CLOSED = 4404
"""Of a WebSocket whose session is not open, or no longer."""

_SWEEP_SECONDS = 30.0
_BYTE = 255.0
_LIFTED_STEP = 128.0  # of CIE a* and b* in an int16
_WORDS = (-(1 << 15), (1 << 15) - 1)
_MEDIA_TYPES = {"png": "image/png", "jpg": "image/jpeg", "tif": "image/tiff", "webp": "image/webp"}
_SAFE = {
    "content-security-policy": "default-src 'self'; img-src 'self' blob: data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class StudioLimits(NamedTuple):
    """Of what a photo may be, and how many versions it gets."""

    max_bytes: int = 40_000_000
    max_pixels: int = 30_000_000
    samples: int = 5


class Studio:
    """What the requests share. Networks, decoding and full-size pictures run one at a time, edits beside them.

    Where `borders` are respected, those of scans take no colour.
    """

    def __init__(
        self, colorizer: Colorizer, sessions: Sessions, limits: StudioLimits, *, borders: bool = True
    ):
        self.colorizer, self.sessions, self.limits, self.borders = colorizer, sessions, limits, borders
        self._heavy = ThreadPoolExecutor(1, "studio-heavy")
        self._quick = ThreadPoolExecutor(os.cpu_count(), "studio-quick")

    async def heavily(self, function: Callable, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._heavy, function, *arguments)

    async def quickly(self, function: Callable, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._quick, function, *arguments)

    def soon(self, function: Callable, *arguments: Any) -> None:
        """Does what nobody waits for yet; what fails, fails again where it is asked for."""
        self._quick.submit(function, *arguments)

    def open(self, path: str) -> dict[str, Any]:
        photo = read_photo(path, max_pixels=self.limits.max_pixels)
        if not self.borders:
            photo = photo._replace(inside=None)
        live = LivePhoto(self.colorizer, photo, self.limits.samples)
        return {"session": self.sessions.add(live), "live": live}

    def close(self) -> None:
        self._heavy.shutdown(wait=False, cancel_futures=True)
        self._quick.shutdown(wait=False, cancel_futures=True)


def application(studio: Studio, hosts: set[str], door: Door | None = None) -> Starlette:
    """The server.

    Args:
      studio: what its requests share.
      hosts: the names, with ports, that it may be called by: '127.0.0.1:8000'.
      door: who has not come through it gets no answer; None lets in all.
    """
    photo = "/photos/{session}"
    routes = [
        Route("/photos", _open, methods=["POST"]),
        Route(photo, _show, methods=["GET"]),
        Route(photo, _close, methods=["DELETE"]),
        Route(f"{photo}/similarity", _similarity, methods=["GET"]),
        Route(f"{photo}/picture", _picture, methods=["POST"]),
        WebSocketRoute(f"{photo}/live", _live),
        Mount("/", StaticFiles(directory=PAGE, html=True)),
    ]
    made = guarded(routes, hosts, _lifespan, door)
    made.state.studio = studio
    return made


def guarded(
    routes: Sequence[BaseRoute], hosts: set[str], lifespan: Lifespan[Starlette], door: Door | None = None
) -> Starlette:
    """An application that only its own pages may ask, and that tells mistakes in JSON; see `application`."""
    keeper = [] if door is None else [Middleware(Doorkeeper, door=door)]
    return Starlette(
        routes=routes,
        middleware=[Middleware(OwnPages, hosts=hosts), *keeper],
        exception_handlers={HTTPException: _told, Exception: _broken},
        lifespan=lifespan,
    )


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    async def sweep() -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            app.state.studio.sessions.close_expired()

    sweeping = asyncio.create_task(sweep())
    yield
    sweeping.cancel()
    app.state.studio.close()


class OwnPages:
    """Refuses requests of foreign pages, and adds the headers that keep the page to this server."""

    def __init__(self, app: ASGIApp, hosts: set[str]):
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        refused = self._refused(scope)
        if refused is None:
            return await self._app(scope, receive, functools.partial(_send_safely, send))
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008, "reason": refused})
        await _mistake(refused, 403)(scope, receive, send)

    def _refused(self, scope: Scope) -> str | None:
        headers = Headers(scope=scope)
        if headers.get("host", "").lower() not in self._hosts:
            return "this server answers to its own address only"
        reads = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        origin = headers.get("origin")
        if origin is None and reads:
            return None
        own = {f"http://{host}" for host in self._hosts}
        return None if origin is not None and origin.lower() in own else "the request comes from another page"


async def _send_safely(send: Send, message: Message) -> None:
    if message["type"] == "http.response.start":
        given = {name for name, _ in message["headers"]}
        added = [(k.encode(), v.encode()) for k, v in _SAFE.items() if k.encode() not in given]
        message = {**message, "headers": [*message["headers"], *added]}
    await send(message)


def _mistake(message: str, status: int = 400) -> JSONResponse:
    return JSONResponse({"type": "error", "message": message}, status)


async def _told(request: Request, error: Any) -> Response:
    return _mistake(error.detail, error.status_code)


async def _broken(request: Request, error: Exception) -> Response:
    logging.getLogger(__name__).error("%s", error, exc_info=error)
    return _mistake("the server failed on this; its terminal tells more", 500)


def _studio(request: Request | WebSocket) -> Studio:
    return request.app.state.studio


def _session(request: Request | WebSocket) -> LivePhoto | None:
    return _studio(request).sessions.get(request.path_params["session"])


async def _open(request: Request) -> Response:
    studio = _studio(request)
    with tempfile.TemporaryDirectory(prefix="colorize-studio-") as folder:
        path = os.path.join(folder, "photo")
        if not await _received(request, path, studio.limits.max_bytes):
            return _mistake(f"the file is larger than {studio.limits.max_bytes / 1e6:g} MB", 413)
        try:
            opened = await studio.heavily(studio.open, path)
        except PhotoError as error:
            return _mistake(str(error).replace(path, "the photo"), 422)
        except ValueError as error:
            return _mistake(str(error), 422)
    return _opened(opened["session"], opened["live"])


_HEARD_OUT = 4
"""Times the allowed bytes: a sender that hears an answer only when it is done is heard out so far, and cut off then."""


async def _received(request: Request, path: str, most: int) -> bool:
    """Writes the body to a file, at most `most` bytes of it; False where it is larger."""
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > _HEARD_OUT * most:
        return False
    size = 0
    with open(path, "wb") as file:
        async for chunk in request.stream():
            size += len(chunk)
            if size > _HEARD_OUT * most:
                return False
            if size <= most:
                file.write(chunk)
    return size <= most


async def _show(request: Request) -> Response:
    live = _session(request)
    return _gone() if live is None else _opened(request.path_params["session"], live)


def _gone() -> Response:
    return _mistake("this session is not open any more", 404)


def _opened(session: str, live: LivePhoto) -> Response:
    """A session as the page needs it to begin: sizes, the preview, the versions without edits."""
    height, width = live.photo.lightness.shape
    header = {
        "type": "opened",
        "session": session,
        "size": [width, height],
        "weights": live.weights.tolist(),
        "bordered": live.preview.inside is not None,
    }
    arrays = {
        "lightness": _as_bytes(live.preview.lightness / 100),
        "guide": _as_bytes(live.preview.guide / 100),
        "fields": live.fields(EditDocument(())),
    }
    if live.preview.alpha is not None:
        arrays["alpha"] = live.preview.alpha
    return Response(protocol.pack(header, arrays), media_type="application/octet-stream")


def _as_bytes(shares: np.ndarray) -> np.ndarray:
    return np.round(shares * _BYTE).astype(np.uint8)


async def _close(request: Request) -> Response:
    _studio(request).sessions.close(request.path_params["session"])
    return Response(status_code=204)


async def _similarity(request: Request) -> Response:
    live = _session(request)
    if live is None:
        return _gone()
    rows = live.similarity / live.similarity.max(axis=1, keepdims=True)
    header = {"type": "similarity", "side": live.side}
    return Response(protocol.pack(header, {"rows": _as_bytes(rows)}), media_type="application/octet-stream")


async def _picture(request: Request) -> Response:
    live, studio = _session(request), _studio(request)
    if live is None:
        return _gone()
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            return _mistake(f"the edits are larger than {MAX_BYTES / 1e6:g} MB", 413)
    suffix = SUFFIXES.get(wanted := request.query_params.get("format", "png"))
    if suffix is None:
        return _mistake(f"format is {wanted[:40]!r}; allowed are {', '.join(SUFFIXES)}", 422)
    kind = request.query_params.get("kind", "picture")
    if kind not in exports.KINDS:
        return _mistake(f"kind is {kind[:40]!r}; allowed are {', '.join(exports.KINDS)}", 422)
    try:
        message = protocol.parse(body.decode(), len(live.versions.field) + 1)
        shown = message.edits(), message.version, message.tones
        file = await studio.heavily(exports.export, live, *shown, kind, suffix)
    except ValueError as error:  # MessageError, EditError, and bytes that are no text
        return _mistake(str(error), 422)
    return Response(file, media_type="application/zip" if kind == "masks" else _MEDIA_TYPES[suffix])


async def _live(socket: WebSocket) -> None:
    live = _session(socket)
    await socket.accept()
    if live is None:
        return await socket.close(CLOSED)
    versions = len(live.versions.field) + 1
    del live  # a conversation does not keep a photo that `Sessions` has closed
    quick, slow = _Inbox(protocol.KINDS[:-1]), _Inbox(protocol.KINDS[-1:])
    answering = [asyncio.create_task(_answer(socket, inbox)) for inbox in (quick, slow)]
    try:
        while (frame := await socket.receive())["type"] == "websocket.receive":
            try:
                message = protocol.parse(frame.get("text") or "", versions)
            except protocol.MessageError as error:
                await _tell(socket, protocol.error(str(error), error.id))
                continue
            (quick if message.kind in quick.kinds else slow).take(message)
    finally:
        for task in answering:
            task.cancel()


class _Inbox:
    """The newest message of each kind."""

    def __init__(self, kinds: Sequence[str]):
        self.kinds, self.arrived = kinds, asyncio.Event()
        self.newest: dict[str, protocol.Message] = {}

    def take(self, message: protocol.Message) -> None:
        self.newest[message.kind] = message
        self.arrived.set()


async def _answer(socket: WebSocket, inbox: _Inbox) -> None:
    """Answers the newest message of each kind; older ones that waited are left out."""
    while True:
        await inbox.arrived.wait()
        inbox.arrived.clear()
        for kind in inbox.kinds:
            message = inbox.newest.pop(kind, None)
            if message is None:
                continue
            live = _session(socket)
            if live is None:
                return await socket.close(CLOSED)
            answer = await _studio(socket).quickly(_answered, live, message)
            await _tell(socket, answer)


async def _tell(socket: WebSocket, answer: bytes | str) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # the page has gone meanwhile
        if isinstance(answer, bytes):
            await socket.send_bytes(answer)
        else:
            await socket.send_text(answer)


def _answered(live: LivePhoto, message: protocol.Message) -> bytes | str:
    start = time.perf_counter()
    try:
        edits = message.edits()
        return _ANSWERS[message.kind](live, message, edits, start)
    except ValueError as error:
        return protocol.error(str(error), message.id)
    except Exception as error:
        logging.getLogger(__name__).error("%s", error, exc_info=error)
        return protocol.error("the server failed on this; its terminal tells more", message.id)


def _fields(live: LivePhoto, message: protocol.Message, edits: EditDocument, start: float) -> bytes:
    layers = live.layers(edits)
    cells = [marks.cells(live.side) for marks in layers.marks]
    drawn = time.perf_counter()
    fields, plane = live.shown(cells, layers, message.version, message.tones)
    saturation = np.float32(tone_of(message.tones, message.version).saturation)
    header = {
        "type": "fields",
        "id": message.id,
        "version": message.version,
        "draw_ms": 1e3 * (drawn - start),
        "solve_ms": 1e3 * (time.perf_counter() - drawn),
    }
    arrays = {"fields": merged(fields, plane) * saturation}
    if plane is not None:
        arrays |= {"layers": np.concatenate(fields) * saturation, "plane": plane.astype(np.uint8)}
    if any((marks.exact >= 0).any() for marks in layers.marks):
        planes = [live.lifted(field[0], marks) for field, marks in zip(fields, layers.marks, strict=False)]
        gray = [np.zeros_like(planes[0])] * (len(fields) - len(planes))  # of a border
        arrays["lifted"] = _as_words(np.concatenate([*planes, *gray]) * saturation)
    return protocol.pack(header, arrays)


def _as_words(planes: np.ndarray) -> np.ndarray:
    steps = np.round(planes * _LIFTED_STEP)
    return steps.clip(*_WORDS).astype(np.int16)  # twice the chroma that an edit may have is one step more


def _versions(live: LivePhoto, message: protocol.Message, edits: EditDocument, start: float) -> bytes:
    return protocol.pack(
        {"type": "versions", "id": message.id}, {"fields": live.fields(edits, message.tones)}
    )


def _explained(live: LivePhoto, message: protocol.Message, edits: EditDocument, start: float) -> bytes:
    explained = live.explain(edits, message.suggestions)
    header = {
        "type": "explained",
        "id": message.id,
        "suggested": explained.suggested.tolist(),
        "reduction": explained.reduction.tolist(),
        "milliseconds": 1e3 * (time.perf_counter() - start),
    }
    return protocol.pack(header, {"variance": explained.variance})


def _window(
    live: LivePhoto, message: protocol.Message, edits: EditDocument, start: float, finished: bool = False
) -> bytes:
    left, top, right, bottom = message.box
    box = PixelBox(slice(top, bottom), slice(left, right))
    pixels = live.window(edits, message.version, message.level, box, message.tones, finished=finished)
    header = {
        "type": "window",
        "id": message.id,
        "milliseconds": 1e3 * (time.perf_counter() - start),
    }
    return protocol.pack(header, {"pixels": pixels})


_ANSWERS: dict[str, Callable[..., bytes]] = {
    "edits": _fields,
    "window": _window,
    "versions": _versions,
    "explain": _explained,
    "finish": functools.partial(_window, finished=True),
}
