"""The studio on a socket: of this machine alone, or of its network, for those who have a link."""

import errno
import ipaddress
import socket

import numpy as np
import uvicorn
from starlette.applications import Starlette

from colorize_jax.control.document import MAX_BYTES, as_edits
from colorize_jax.inference.colorizer import Colorizer
from colorize_jax.photos.photo import photo_from_array
from colorize_jax.photos.upsample import PixelBox
from colorize_jax.studio.door import Door
from colorize_jax.studio.live import LivePhoto
from colorize_jax.studio.server import Studio, StudioLimits, application
from colorize_jax.studio.sessions import Sessions

ADDRESS = "127.0.0.1"
"""This machine alone."""

_EVERY = "0.0.0.0"
_MOST_CONNECTIONS = 64


def listen(port: int, host: str = ADDRESS) -> socket.socket:
    """A socket that accepts connections.

    Args:
      port: 0 for any that is free.
      host: the IPv4 address, or name, of this machine that others reach it by; 0.0.0.0 for all that it has. By
        default none reaches it but this machine.

    Raises:
      ValueError: the port is taken, or not allowed to this user; or an address that this machine does not have.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen()  # who comes before the model is loaded waits, and is not turned away
    except OSError as error:
        listening.close()
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            raise ValueError(
                f"--host is {host!r}, which is no IPv4 address of this machine; give one that it has, or 0.0.0.0"
            ) from None
        raise ValueError(
            f"port {port} cannot be had ({error.strerror}); choose another with --port, or --port=0"
        ) from None
    return listening


def url_of(listening: socket.socket) -> str:
    """The address of the page; of a socket of all addresses by that which the network knows."""
    host, port = listening.getsockname()
    return f"http://{_outward() if host == _EVERY else host}:{port}/"


def is_private(listening: socket.socket) -> bool:
    """Whether this machine alone reaches it."""
    return ipaddress.ip_address(listening.getsockname()[0]).is_loopback


def _outward() -> str:
    """The address of this machine in its network, as the way out of it shows; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # of RFC 5737: nobody has it
        except OSError:
            return ADDRESS  # without a network
        return str(probe.getsockname()[0])


def make(
    colorizer: Colorizer,
    *,
    samples: int = 5,
    borders: bool = True,
    max_bytes: int = StudioLimits().max_bytes,
    max_pixels: int = StudioLimits().max_pixels,
    max_sessions: int = 16,
    max_memory: int = 1 << 30,
    expire_seconds: float = 3600.0,
) -> Studio:
    """A studio whose networks are compiled, so that the first photo does not wait.

    Raises:
      ValueError: a model that cannot be edited, or that has fewer modes than `samples`.
    """
    live = LivePhoto(colorizer, photo_from_array(np.full((64, 64), 128, np.uint8)), samples)
    sessions = Sessions(max_sessions, max_memory, expire_seconds)
    studio = Studio(colorizer, sessions, StudioLimits(max_bytes, max_pixels, samples), borders=borders)
    point = as_edits([{"kind": "point", "at": [32, 32], "color": "#808080"}])
    studio.soon(
        live.window, point, 0, 0, PixelBox(slice(0, 64), slice(0, 64))
    )  # compiles what finishes a field
    return studio


def server(studio: Studio, listening: socket.socket, door: Door | None = None) -> uvicorn.Server:
    """A server that answers on the socket once it is run; to those that a door has let in, where there is one."""
    return server_of(application(studio, hosts(listening), door))


def hosts(listening: socket.socket) -> set[str]:
    """The names, with ports, that a page of this socket may call its server by."""
    host, port = listening.getsockname()
    names = {host} if host != _EVERY else {ADDRESS, _outward()}
    if host == _EVERY or is_private(listening):
        names.add("localhost")
    return {f"{name}:{port}" for name in names}


def door_of(listening: socket.socket) -> Door | None:
    """A door for a socket that others reach, whose links are printed; None where this machine alone does."""
    if is_private(listening):
        return None
    return Door(url_of(listening), lambda link: print(f"for the next browser: {link}", flush=True))


def server_of(made: Starlette) -> uvicorn.Server:
    """As `server`, of any application."""
    config = uvicorn.Config(
        made,
        log_level="warning",
        access_log=False,
        server_header=False,
        ws_max_size=2
        * MAX_BYTES,  # `protocol` answers what is larger than MAX_BYTES; what is twice as large closes
        ws_per_message_deflate=False,  # it costs more time than this machine's own network
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)
