"""The studio on a socket of this machine."""

import socket

import numpy as np
import uvicorn
from starlette.applications import Starlette

from colorize_jax.control.document import MAX_BYTES
from colorize_jax.inference.colorizer import Colorizer
from colorize_jax.photos.photo import photo_from_array
from colorize_jax.studio.live import LivePhoto
from colorize_jax.studio.server import Studio, StudioLimits, application
from colorize_jax.studio.sessions import Sessions

ADDRESS = "127.0.0.1"
_NAMES = (ADDRESS, "localhost")
_MOST_CONNECTIONS = 64


def listen(port: int) -> socket.socket:
    """A socket that accepts connections from this machine alone.

    Raises:
      ValueError: the port is taken, or not allowed to this user.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((ADDRESS, port))
        listening.listen()  # who comes before the model is loaded waits, and is not turned away
    except OSError as error:
        listening.close()
        raise ValueError(
            f"port {port} cannot be had ({error.strerror}); choose another with --port, or --port=0"
        ) from None
    return listening


def url_of(listening: socket.socket) -> str:
    return f"http://{ADDRESS}:{listening.getsockname()[1]}/"


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
    gray = np.full((64, 64), 128, np.uint8)
    LivePhoto(colorizer, photo_from_array(gray), samples)
    sessions = Sessions(max_sessions, max_memory, expire_seconds)
    return Studio(colorizer, sessions, StudioLimits(max_bytes, max_pixels, samples), borders=borders)


def server(studio: Studio, listening: socket.socket) -> uvicorn.Server:
    """A server that answers on the socket once it is run."""
    return server_of(application(studio, hosts(listening)))


def hosts(listening: socket.socket) -> set[str]:
    """The names, with ports, that a page of this socket may call its server by."""
    return {f"{name}:{listening.getsockname()[1]}" for name in _NAMES}


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
