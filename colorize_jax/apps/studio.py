"""The studio in a browser on this machine: `colorize-studio [--port=8000] [--open_browser=false]`.

For a phone in the same network, which enters by a link that works once: `colorize-studio --host=0.0.0.0`.
Or a user study of what several methods made of the same photos, and its result: `colorize-studio --study=FOLDER`,
`colorize-studio --study=FOLDER --tally`.
"""

from colorize_jax.apps import common  # first: it sets numpy's threads

# isort: split
import contextlib
import socket
import threading
import webbrowser
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from absl import flags

from colorize_jax.apps import study
from colorize_jax.inference.colorizer import Colorizer

if TYPE_CHECKING:
    import uvicorn

    from colorize_jax.studio.door import Door

flags.adopt_module_key_flags(study)
_PORT = flags.DEFINE_integer(
    "port",
    8000,
    "Of the server; 0 takes any that is free.",
    lower_bound=0,
    upper_bound=65535,
)
_HOST = flags.DEFINE_string(
    "host",
    "127.0.0.1",
    "The address of this machine that the server answers at: by default to this machine alone; 0.0.0.0 to the network, "
    "such as a phone, which enters by a link that works once.",
)
_OPEN_BROWSER = flags.DEFINE_bool("open_browser", True, "Open the page in the browser.")
_MODEL = flags.DEFINE_string(
    "model", "default", "A model of the package (see colorize-doctor), or its folder."
)
_SAMPLES = flags.DEFINE_integer("samples", 5, "Versions of each photo.", lower_bound=1)
_BORDERS = flags.DEFINE_bool(
    "borders", True, "Leave the white or black border of a scan, and a film's bars, without colour."
)
_MAX_MEGABYTES = flags.DEFINE_float("max_megabytes", 40, "Of a photo's file.", lower_bound=0.001)
_MAX_MEGAPIXELS = flags.DEFINE_float("max_megapixels", 30, "Of a photo.", lower_bound=0.001)
_MAX_SESSIONS = flags.DEFINE_integer("max_sessions", 16, "Photos that are open at once.", lower_bound=1)
_MAX_MEMORY = flags.DEFINE_integer(
    "max_memory", 1000, "Megabytes of all open photos together.", lower_bound=1
)
_EXPIRE = flags.DEFINE_float(
    "expire_minutes", 60, "Photos left alone for so long are closed.", lower_bound=0.001
)


def main(arguments: Sequence[str]) -> int:
    """Serves until it is interrupted."""
    if arguments:
        raise ValueError(f"colorize-studio takes flags only, not {arguments[0]!r}; drop photos on its page")
    study.check()
    if (result := study.tallied()) is not None:
        print(result)
        return 0
    try:
        from colorize_jax.studio import serve
    except ImportError as error:
        raise ValueError(f"{error}; the studio needs more: pip install 'colorize_jax[studio]'") from error
    listening = serve.listen(_PORT.value, _HOST.value)
    door = serve.door_of(listening)
    server = study.server(listening, door) if study.FOLDER.value else _studio(listening, door)
    what = "study" if study.FOLDER.value else "studio"
    where, whom = (
        (serve.url_of(listening), "this machine alone")
        if door is None
        else (door.link, "one browser of your network; the next link follows its visit")
    )
    print(f"the {what} is at {where}, for {whom}; Ctrl+C ends it", flush=True)
    if _OPEN_BROWSER.value:
        threading.Timer(0.5, webbrowser.open, [where]).start()
    with contextlib.suppress(KeyboardInterrupt):  # which uvicorn raises again once it has ended
        server.run(sockets=[listening])
    return 0


def _studio(listening: socket.socket, door: "Door | None") -> "uvicorn.Server":
    from colorize_jax.studio import serve

    print("loading the model ...", flush=True)
    studio = serve.make(
        Colorizer.load(_MODEL.value),
        samples=_SAMPLES.value,
        borders=_BORDERS.value,
        max_bytes=round(1e6 * _MAX_MEGABYTES.value),
        max_pixels=round(1e6 * _MAX_MEGAPIXELS.value),
        max_sessions=_MAX_SESSIONS.value,
        max_memory=1_000_000 * _MAX_MEMORY.value,
        expire_seconds=60 * _EXPIRE.value,
    )
    return serve.server(studio, listening, door)


def cli() -> NoReturn:
    """Entry point of the console script `colorize-studio`."""
    common.run(main)


if __name__ == "__main__":
    cli()
