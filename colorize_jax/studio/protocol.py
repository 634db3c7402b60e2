"""Messages between the page and the server.

To the server, JSON in text frames:

    {"type": "edits", "id": 7, "version": 0, "document": {...}}        a document of `colorize_jax.control.document`
    {"type": "versions", "id": 8, "document": {...}}                   the same for all versions, which takes longer
    {"type": "explain", "id": 9, "document": {...}, "suggestions": 3}
    {"type": "window", "id": 10, "version": 0, "document": {...}, "level": 1, "box": [0, 0, 800, 600]}
        the photo halved so often, from left and top to right and bottom in pixels of that size

Each may have `tones` besides, of `tone`.

From the server, either JSON, `{"type": "error", "id": 7, "message": "..."}`, or a binary frame: the length of a JSON
header in four bytes, little-endian; the header, padded with spaces to a multiple of four bytes; then the arrays that
`header["arrays"]` lists as [name, type, shape], one after the other, each padded to four bytes.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from colorize_jax.control.document import MAX_BYTES, EditDocument, parse_edits
from colorize_jax.studio.tone import AS_THEY_ARE, Tones, tones_of

KINDS = ("edits", "window", "versions", "explain", "finish")
"""In the order in which they are answered; the last, which takes longest, beside the others."""

MAX_SUGGESTIONS = 12
MAX_LEVEL = 12
MAX_WINDOW = 16_000_000
"""Pixels of a window: of the largest screens there are."""
_MOST_SIDE = 1 << 20
_TYPES = ("float32", "int16", "uint8")


class MessageError(ValueError):
    """A message that cannot be understood; `id` is its own, where it could be read."""

    def __init__(self, message: str, id: int | None = None):
        super().__init__(message)
        self.id = id


class Message(NamedTuple):
    """A message that is well formed but for its document.

    Attributes:
      kind: one of `KINDS`.
      id: chosen by the page; the answer carries it.
      document: of edits, not parsed yet.
      version: which is shown, from 0; the number of versions for gray.
      suggestions: how many.
      level: how often the photo of a window is halved.
      box: left, top, right and bottom of a window.
      tones: of the versions that do not show all colour they have.
    """

    kind: str
    id: int
    document: Any
    version: int = 0
    suggestions: int = 3
    level: int = 0
    box: tuple[int, int, int, int] = (0, 0, 1, 1)
    tones: Tones = AS_THEY_ARE

    def edits(self) -> EditDocument:
        """Raises: EditError, see `parse_edits`."""
        return parse_edits(self.document)


def parse(text: str, versions: int) -> Message:
    """A text frame to a message; `versions` is how many there are to choose from, gray among them.

    Raises:
      MessageError: no JSON object, or a field that is missing, unknown or out of range.
    """
    if len(text) > MAX_BYTES:
        raise MessageError(f"the message has {len(text):,} characters; allowed are {MAX_BYTES:,}")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise MessageError("the message is not JSON") from None
    if not isinstance(content, Mapping):
        raise MessageError(f"the message is a {type(content).__name__}; allowed is a JSON object")
    identity: Any = content.get("id")
    if not _is_whole(identity, 0, 2**53):
        raise MessageError("id is missing or no whole number from 0")
    kind = content.get("type")
    if kind not in KINDS:
        raise MessageError(f"type is {str(kind)[:40]!r}; allowed are {', '.join(KINDS)}", identity)
    if "document" not in content:
        raise MessageError("the field document is missing", identity)
    numbers = {"version": (0, versions - 1), "suggestions": (1, MAX_SUGGESTIONS), "level": (0, MAX_LEVEL)}
    found = {name: content[name] for name in numbers if name in content}
    for name, value in found.items():
        if not _is_whole(value, *numbers[name]):
            raise MessageError(
                "{} is out of range; allowed are {} to {}".format(name, *numbers[name]), identity
            )
    box = _box(content.get("box", [0, 0, 1, 1]), identity)
    tones = _tones(content.get("tones", {}), versions, identity)
    return Message(kind, identity, content["document"], **found, box=box, tones=tones)


def _tones(value: Any, versions: int, identity: int) -> Tones:
    try:
        return tones_of(value, versions)
    except ValueError as error:
        raise MessageError(str(error), identity) from None


def _box(value: Any, identity: int) -> tuple[int, int, int, int]:
    whole = isinstance(value, list) and len(value) == 4 and all(_is_whole(v, 0, _MOST_SIDE) for v in value)
    if not whole or not (value[0] < value[2] and value[1] < value[3]):
        raise MessageError("box is no [left, top, right, bottom] in whole pixels that holds one", identity)
    if (value[2] - value[0]) * (value[3] - value[1]) > MAX_WINDOW:
        raise MessageError(f"box holds more than the {MAX_WINDOW:,} pixels that are allowed", identity)
    left, top, right, bottom = value
    return left, top, right, bottom


def _is_whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def error(message: str, id: int | None = None) -> str:
    """A text frame."""
    return json.dumps({"type": "error", "id": id, "message": message})


def pack(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """A binary frame.

    Raises:
      ValueError: an array of a type that the page does not read.
    """
    for name, array in arrays.items():
        if array.dtype.name not in _TYPES:
            raise ValueError(f"{name} is {array.dtype}; allowed are {', '.join(_TYPES)}.")
    listed = [[name, array.dtype.name, array.shape] for name, array in arrays.items()]
    text = json.dumps({**header, "arrays": listed}).encode()
    text += b" " * (-len(text) % 4)
    parts = [len(text).to_bytes(4, "little"), text]
    for array in arrays.values():
        data = np.ascontiguousarray(array).tobytes()
        parts += [data, b"\0" * (-len(data) % 4)]
    return b"".join(parts)


def unpack(frame: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What `pack` made a frame of; for tests and other clients."""
    start = 4 + int.from_bytes(frame[:4], "little")
    header, arrays = json.loads(frame[4:start]), {}
    for name, kind, shape in header.pop("arrays"):
        count = int(np.prod(shape))
        arrays[name] = np.frombuffer(frame, kind, count, start).reshape(shape)
        start += -(-arrays[name].nbytes // 4) * 4
    return header, arrays
