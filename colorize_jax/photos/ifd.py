"""The directories of a TIFF file, which EXIF is made of, too: tags and their raw values, read, written and amended.

Values stay the bytes that they are, in the file's own byte order: a caption in UTF-8, or what a camera's maker wrote,
comes out as it went in. Sources: TIFF 6.0 and its BigTIFF; Exif 3.0, 4.6.
"""

import io
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from colorize_jax.photos.errors import PhotoError

File = io.BytesIO | io.BufferedReader
"""An open file of bytes."""

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""How a TIFF begins: in two byte orders, with offsets of four bytes or of eight."""

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 1, 2, 3, 4, 5, 7

_CODES = {
    1: "B",
    2: "B",
    3: "H",
    4: "I",
    5: "II",
    6: "b",
    7: "B",
    8: "h",
    9: "i",
    10: "ii",
    11: "f",
    12: "d",
    13: "I",
}
_CODES |= {16: "Q", 17: "q", 18: "Q"}
_MOST_DIRECTORIES = 10_000  # of a file: a chain that never ends is a damaged one


class Entry(NamedTuple):
    """A tag's value.

    Attributes:
      kind: TIFF's number of its type.
      number: of values.
      data: their bytes, in the byte order of the directory.
    """

    kind: int
    number: int
    data: bytes


class Directory(NamedTuple):
    """One image file directory.

    Attributes:
      order: `<` or `>`, the byte order of all values.
      entries: by tag.
    """

    order: str
    entries: Mapping[int, Entry]

    def values(self, tag: int) -> tuple[int | float, ...]:
        """All numbers of a tag, a rational as numerator and denominator; none where the tag is not there."""
        entry = self.entries.get(tag)
        if entry is None:
            return ()
        code = _CODES[entry.kind]
        return struct.unpack(f"{self.order}{entry.number * len(code)}{code[0]}", entry.data)

    def number(self, tag: int, missing: int) -> int:
        """The first of a tag's whole numbers, `missing` where there is none."""
        found = (*self.values(tag), missing)[0]
        return found if isinstance(found, int) else missing


def directories(file: File) -> Iterator[Directory]:
    """The chain of directories, from the first.

    Raises:
      PhotoError: they are damaged; the message names no file.
    """
    order, is_big, offset = _header(file)
    seen: set[int] = set()
    while offset and offset not in seen and len(seen) < _MOST_DIRECTORIES:
        seen.add(offset)
        directory, offset = _read(file, order, is_big, offset)
        yield directory


def directory_at(file: File, offset: int) -> Directory:
    """The directory at an offset, such as EXIF's.

    Raises:
      PhotoError: it is damaged.
    """
    order, is_big, _ = _header(file)
    return _read(file, order, is_big, offset)[0]


def is_there(file: File, offset: int) -> bool:
    """Whether a whole directory lies at an offset."""
    try:
        return offset > 0 and bool(directory_at(file, offset).entries)
    except PhotoError:
        return False


def entry(order: str, kind: int, *values: int) -> Entry:
    """A tag's value of integers; a rational is two of them."""
    data = struct.pack(f"{order}{len(values)}{_CODES[kind][0]}", *values)
    return Entry(kind, len(values) // len(_CODES[kind]), data)


def text(kind: int, content: bytes) -> Entry:
    """A tag's value of bytes."""
    return Entry(kind, len(content), content)


def packed(order: str, entries: Mapping[int, Entry], offset: int) -> bytes:
    """A directory, the last of its chain, as it is written at `offset` of a file: a table, then what it points to."""
    table = struct.pack(f"{order}H", len(entries))
    place = offset + 2 + 12 * len(entries) + 4
    values = b""
    for tag, (kind, count, data) in sorted(entries.items()):
        if len(data) > 4:
            field = struct.pack(f"{order}I", place + len(values))
            values += data + bytes(len(data) % 2)
        else:
            field = data.ljust(4, b"\0")
        table += struct.pack(f"{order}HHI", tag, kind, count) + field
    return table + bytes(4) + values


def empty(order: str = "<") -> bytes:
    """A TIFF file, or EXIF, that says nothing."""
    return _started(order, 8) + packed(order, {}, 8)


def amended(content: bytes, changed: Mapping[int, Entry], *, without: Sequence[int] = ()) -> bytes:
    """A TIFF file, or EXIF, whose first directory has other entries, and no other directory follows.

    The new directory stands at the end, so that all that was there keeps its place, and offsets that this code does not
    know of stay right.

    Args:
      content: with a header and offsets of four bytes.
      changed: entries that are new or replaced, in the byte order of `content`.
      without: tags that are left out.

    Raises:
      PhotoError: `content` is damaged.
    """
    first = next(directories(io.BytesIO(content)), None)
    if first is None:
        raise PhotoError("it has no directory")
    kept = {tag: value for tag, value in first.entries.items() if tag not in without}
    padded = content + bytes(len(content) % 2)
    start = len(padded)
    return _started(first.order, start) + padded[8:] + packed(first.order, {**kept, **changed}, start)


def patched(content: bytes, offset: int, values: Mapping[int, int]) -> bytes:
    """Content whose directory at `offset` has other numbers, of one SHORT or LONG each, where it has these tags."""
    order = "<" if content[:2] == b"II" else ">"
    changed = bytearray(content)
    (count,) = struct.unpack_from(f"{order}H", content, offset)
    for place in range(offset + 2, min(offset + 2 + 12 * count, len(content) - 11), 12):
        tag, kind, values_there = struct.unpack_from(f"{order}HHI", content, place)
        if tag in values and kind in (SHORT, LONG) and values_there == 1:
            struct.pack_into(f"{order}{_CODES[kind]}", changed, place + 8, values[tag])
    return bytes(changed)


def _started(order: str, first: int) -> bytes:
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", first)


def _header(file: File) -> tuple[str, bool, int]:
    """The byte order, whether it is a BigTIFF, and the offset of the first directory."""
    file.seek(0)
    start = file.read(16)
    if start[:4] not in MAGIC:
        raise PhotoError("it does not begin as a TIFF does")
    order, is_big = "<" if start[:2] == b"II" else ">", b"+" in start[:4]
    try:
        (offset,) = struct.unpack_from(f"{order}{'Q' if is_big else 'I'}", start, 8 if is_big else 4)
    except struct.error:
        raise PhotoError("cut off in its header") from None
    return order, is_big, offset


def _read(file: File, order: str, is_big: bool, offset: int) -> tuple[Directory, int]:
    """The directory at `offset`, without entries of unknown types or beyond the file; and where the next one is."""
    width, code = (8, "Q") if is_big else (4, "I")
    size = file.seek(0, io.SEEK_END)
    file.seek(offset)
    entries: dict[int, Entry] = {}
    try:
        (count,) = struct.unpack(f"{order}{'Q' if is_big else 'H'}", file.read(8 if is_big else 2))
        step = 4 + 2 * width
        if count * step > size:
            raise PhotoError("a damaged directory")
        table = file.read(count * step + width)
        (following,) = struct.unpack_from(
            f"{order}{code}", table.ljust(count * step + width, b"\0"), count * step
        )
        for place in range(0, count * step, step):
            tag, kind, number = struct.unpack_from(f"{order}HH{code}", table, place)
            if kind not in _CODES:
                continue
            length = number * struct.calcsize(f"={_CODES[kind]}")
            data = table[place + 4 + width : place + step][:length]
            if length > width:
                (at,) = struct.unpack(f"{order}{code}", data)
                if at + length > size:
                    continue
                file.seek(at)
                data = file.read(length)
            if len(data) == length:
                entries.setdefault(tag, Entry(kind, number, data))
    except struct.error:
        raise PhotoError("cut off in its directory") from None
    return Directory(order, entries), following
