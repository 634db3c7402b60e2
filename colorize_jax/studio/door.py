"""Who may enter a studio that other machines reach: a browser that came by a link, which its first visit uses up.

The link holds a token. Whoever brings it gets a cookie instead, and the terminal tells the next link. Without the
cookie nothing is answered, neither to a machine of the network nor to a page of the web. Both travel as they are, as
everything does over HTTP: so this is for a network of one's own.
"""

import secrets
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, QueryParams
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_COOKIE = "colorize_studio"
_CLOSED = "This studio lets in who comes by the link in its terminal. Each link works once.\n"
_BYTES = 18  # of a token


class Door:
    """The link of now, and the cookies that were given for those before.

    Args:
      url: of the page.
      announce: called with each link after the first.
    """

    def __init__(self, url: str, announce: Callable[[str], None]):
        self._url, self._announce = url, announce
        self._token = secrets.token_urlsafe(_BYTES)
        self._cookies: set[str] = set()

    @property
    def link(self) -> str:
        return f"{self._url}?token={self._token}"

    def enter(self, token: str) -> str | None:
        """A cookie for the token of now, which is another one then; None for any other."""
        if not secrets.compare_digest(token.encode(), self._token.encode()):
            return None
        self._token = secrets.token_urlsafe(_BYTES)
        self._announce(self.link)
        cookie = secrets.token_urlsafe(_BYTES)
        self._cookies.add(cookie)
        return cookie

    def knows(self, cookie: str) -> bool:
        return cookie in self._cookies


class Doorkeeper:
    """Refuses requests without a cookie of the door; changes `/?token=...` for one."""

    def __init__(self, app: ASGIApp, door: Door):
        self._app, self._door = app, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or self._door.knows(_cookie(scope)):
            return await self._app(scope, receive, send)
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008, "reason": _CLOSED.strip()})
        await self._answer(scope)(scope, receive, send)

    def _answer(self, scope: Scope) -> PlainTextResponse | RedirectResponse:
        token = QueryParams(scope["query_string"]).get("token", "")
        visits = scope["path"] == "/" and scope["method"] == "GET"
        cookie = self._door.enter(token) if visits else None
        if cookie is None:
            return PlainTextResponse(_CLOSED, 403)
        answer = RedirectResponse("/", 303)  # so that no history keeps the token
        answer.set_cookie(
            _COOKIE, cookie, httponly=True, samesite="lax"
        )  # a link in a message leads here, too
        return answer


def _cookie(scope: Scope) -> str:
    try:
        found = SimpleCookie(Headers(scope=scope).get("cookie", "")).get(_COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""
