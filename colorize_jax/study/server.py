"""HTTP of the user study, for its own pages alone, as the studio's.

| request | answer |
|---|---|
| `GET /` and its files | the page |
| `GET /study` | `pairs`: how many a rater is asked |
| `POST /raters` | `rater`: a new one; and the next two |
| `GET /raters/{rater}` | `total`: how many pairs the rater was issued; `open`: the numbers of those without a vote |
| `GET /raters/{rater}/pairs/{number}/{side}` | the picture on that side, 'left' or 'right' |
| `POST /raters/{rater}/votes` `{"pair": 3, "choice": "left", "milliseconds": 1840}` | 204; 409 for a second vote |

No answer names a method, so the page cannot give one away.
"""

import contextlib
import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from colorize_jax.studio.door import Door
from colorize_jax.studio.server import guarded
from colorize_jax.study.study import Pair, Study, draw
from colorize_jax.study.votes import SIDES, Votes

PAGE = Path(__file__).with_name("page")

_MAX_BYTES = 1000
_MAX_MILLISECONDS = 10**9  # eleven days: a page may be left open


class Booth:
    """What the requests share. The database is used by the server's loop alone."""

    def __init__(self, study: Study, votes: Votes, number: int):
        self.study, self.votes = study, votes
        self.pairs = study.pairs
        self.number = min(number, len(self.pairs))

    def begin(self) -> str:
        """A new rater with pairs of its own."""
        return self.votes.begin(draw(self.pairs, self.votes.counts(), self.number, random.SystemRandom()))


def application(booth: Booth, hosts: set[str], door: Door | None = None) -> Starlette:
    """The server.

    Args:
      booth: what its requests share; its votes are closed with the server.
      hosts: the names, with ports, that it may be called by.
      door: see `studio.server.application`.
    """
    routes = [
        Route("/study", _study),
        Route("/raters", _begin, methods=["POST"]),
        Route("/raters/{rater}", _show),
        Route("/raters/{rater}/pairs/{number:int}/{side}", _picture),
        Route("/raters/{rater}/votes", _vote, methods=["POST"]),
        # The studio's folder has the style and the modules that both pages share.
        Mount("/", StaticFiles(directory=PAGE, packages=[("colorize_jax.studio", "page")], html=True)),
    ]
    made = guarded(routes, hosts, _lifespan, door)
    made.state.booth = booth
    return made


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    yield
    app.state.booth.votes.close()


def _booth(request: Request) -> Booth:
    return request.app.state.booth


async def _study(request: Request) -> Response:
    return JSONResponse({"pairs": _booth(request).number})


async def _begin(request: Request) -> Response:
    booth = _booth(request)
    rater = booth.begin()
    return JSONResponse({"rater": rater, **_state(booth.votes.issued(rater))})


async def _show(request: Request) -> Response:
    return JSONResponse(_state(_issued(request)))


def _state(issued: list[tuple[Pair, bool]]) -> dict[str, Any]:
    return {"total": len(issued), "open": [number for number, (_, voted) in enumerate(issued) if not voted]}


def _issued(request: Request) -> list[tuple[Pair, bool]]:
    issued = _booth(request).votes.issued(request.path_params["rater"])
    if not issued:
        raise HTTPException(404, "this rater is not known here; reload the page to begin anew")
    return issued


async def _picture(request: Request) -> Response:
    issued, number, side = _issued(request), request.path_params["number"], request.path_params["side"]
    if number >= len(issued) or side not in SIDES:
        raise HTTPException(404, f"there is no such picture; allowed are pairs 0 to {len(issued) - 1}")
    pair = issued[number][0]
    path = _booth(request).study.files.get((getattr(pair, side), pair.picture))
    if path is None or not path.is_file():
        raise HTTPException(404, "a picture of this pair is gone")
    return FileResponse(path)


async def _vote(request: Request) -> Response:
    issued = _issued(request)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BYTES:
            raise HTTPException(413, f"the vote is larger than {_MAX_BYTES} bytes")
    try:
        number, choice, milliseconds = parse_vote(bytes(body), len(issued))
    except ValueError as error:
        raise HTTPException(422, str(error)) from None
    if not _booth(request).votes.cast(request.path_params["rater"], number, choice, milliseconds):
        raise HTTPException(409, "this pair has a vote already")
    return Response(status_code=204)


def parse_vote(body: bytes, pairs: int) -> tuple[int, str, int]:
    """(number of the pair, side, milliseconds) of a vote's JSON.

    Raises:
      ValueError: no JSON object, or a field that is missing, unknown or out of range.
    """
    try:
        vote = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("the vote is not JSON") from None
    fields = ("pair", "choice", "milliseconds")
    if not isinstance(vote, dict) or set(vote) != set(fields):
        raise ValueError(f"the vote has other fields than {', '.join(fields)}")
    for name, most in (("pair", pairs - 1), ("milliseconds", _MAX_MILLISECONDS)):
        if type(vote[name]) is not int or not 0 <= vote[name] <= most:
            raise ValueError(f"{name} is out of range; allowed are whole numbers from 0 to {most}")
    if vote["choice"] not in SIDES:
        raise ValueError(f"choice is unknown; allowed are {' and '.join(SIDES)}")
    return vote["pair"], vote["choice"], vote["milliseconds"]
