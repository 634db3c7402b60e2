"""TIFF to upright pixels: every depth, layout and order of samples that has one meaning; what has none is refused.

Pillow knows a list of modes, outside of which it refuses a file or takes its samples for others (planar 16 bits,
WhiteIsZero at 16 bits, 12 bits, orientation of uncompressed files). So libtiff only decompresses here, strip by strip,
and the samples are read as the tags say. Where a compression makes the samples, as JPEG and fax do, Pillow reads the
file. Source: TIFF 6.0 (Adobe, 1992) and its Technical Notes; sections are those of TIFF 6.0.
"""

import io
import itertools
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped, UInt8, UInt16
from PIL import Image

from colorize_jax import color
from colorize_jax.photos import ifd
from colorize_jax.photos.errors import PhotoError
from colorize_jax.photos.samples import StoredPixels, as_colors, to_bytes, upright

WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES, PLANAR = 273, 274, 277, 278, 279, 284
PREDICTOR, COLOR_MAP, TILE_WIDTH, TILE_LENGTH, TILE_OFFSETS, TILE_BYTES = 317, 320, 322, 323, 324, 325
INK_SET, EXTRA_SAMPLES, SAMPLE_FORMAT, PROFILE = 332, 338, 339, 34675
_SUBFILE, _OLD_SUBFILE, _YCBCR_WEIGHTS, _SUBSAMPLING, _YCBCR_RANGE = 254, 255, 529, 530, 532

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR, _LAB, _ICC_LAB = 0, 1, 2, 3, 5, 6, 8, 9
_COLORS = {
    _WHITE_IS_ZERO: 1,
    _BLACK_IS_ZERO: 1,
    _RGB: 3,
    _PALETTE: 1,
    _CMYK: 4,
    _YCBCR: 3,
    _LAB: 3,
    _ICC_LAB: 3,
}
_OTHERS = {4: "a mask", 10: "ITU Lab", 32803: "a camera's raw pixels", 34892: "a camera's raw pixels"}
_NONE, _LZW, _JPEG, _DEFLATE, _PACKBITS, _OLD_DEFLATE, _LZMA, _ZSTD = 1, 5, 7, 8, 32773, 32946, 34925, 50000
_FAX = (2, 3, 4)
_PREDICTED = (_LZW, _DEFLATE, _OLD_DEFLATE, _LZMA, _ZSTD)
_READ = (_NONE, _JPEG, _PACKBITS, *_PREDICTED, *_FAX)
_PREMULTIPLIED, _OPACITY = 1, 2
_REVERSED = bytes(int(f"{n:08b}"[::-1], 2) for n in range(256))
_ROWS = 256  # converted at a time
_TOP = 65535


class _Layout(NamedTuple):
    """How the samples of a page lie in its file.

    Attributes:
      cell: rows and columns of a strip or tile.
      offsets, sizes: of strips or tiles, in bytes.
    """

    page: ifd.Directory
    height: int
    width: int
    samples: int
    bits: int
    compression: int
    photometric: int
    is_planar: bool
    cell: tuple[int, int]
    offsets: tuple[int, ...]
    sizes: tuple[int, ...]


class PhotoPage(NamedTuple):
    """The page of a file that is the photo: its tags, and its place in the chain."""

    tags: ifd.Directory
    number: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as it is stored."""
        return self.tags.number(WIDTH, 0), self.tags.number(LENGTH, 0)


def pages(file: ifd.File) -> Iterator[PhotoPage]:
    """The pages that are not marked as a reduced copy or a mask of another one.

    Raises:
      PhotoError: damaged; the message, here and below, names no file.
    """
    for number, tags in enumerate(ifd.directories(file)):
        is_a_part = tags.number(_SUBFILE, 0) & 0b101 or tags.number(_OLD_SUBFILE, 0) == 2
        if WIDTH in tags.entries and LENGTH in tags.entries and not is_a_part:
            yield PhotoPage(tags, number)


def page_of(file: ifd.File, page: int = 0) -> PhotoPage:
    """The page of a number, from 0, among `pages`.

    Raises:
      PhotoError: there is none.
    """
    found = next(itertools.islice(pages(file), page, None), None)
    if found is None:
        raise PhotoError(
            f"no page {page + 1}: all others are marked as reduced copies or masks of a photo that is not in the file "
            "as TIFF has it; develop or export the photo itself"
        )
    return found


def decode(file: ifd.File, page: PhotoPage) -> StoredPixels:
    """The pixels of a page, upright.

    Raises:
      PhotoError: a kind that is not read, with the reason; or damaged.
    """
    layout = _layout(page.tags)
    profile = page.tags.entries.get(PROFILE) if layout.photometric not in (_LAB, _ICC_LAB) else None
    found = (
        _by_pillow(file, page)
        if layout.compression in (_JPEG, *_FAX)
        else _meant(layout, _read(file, layout))
    )
    return found._replace(profile=profile.data if profile else None)


def _layout(tags: ifd.Directory) -> _Layout:
    samples = tags.number(SAMPLES, 1)
    compression = tags.number(COMPRESSION, _NONE)
    photometric = tags.number(
        PHOTOMETRIC, _RGB if samples >= 3 else _WHITE_IS_ZERO if compression in _FAX else 1
    )
    tiled = TILE_OFFSETS in tags.entries or TILE_WIDTH in tags.entries
    width, height = tags.number(WIDTH, 0), tags.number(LENGTH, 0)
    rows = min(tags.number(ROWS_PER_STRIP, height), height)
    layout = _Layout(
        page=tags,
        height=height,
        width=width,
        samples=samples,
        bits=tags.number(BITS, 1),
        compression=compression,
        photometric=photometric,
        is_planar=tags.number(PLANAR, 1) == 2 and samples > 1,
        cell=(tags.number(TILE_LENGTH, 0), tags.number(TILE_WIDTH, 0)) if tiled else (rows, width),
        offsets=tuple(
            map(int, tags.values(TILE_OFFSETS if tiled else STRIP_OFFSETS) or tags.values(STRIP_OFFSETS))
        ),
        sizes=tuple(map(int, tags.values(TILE_BYTES if tiled else STRIP_BYTES) or tags.values(STRIP_BYTES))),
    )
    for reason in _reasons(layout):
        raise PhotoError(reason)
    return layout


def _reasons(layout: _Layout) -> Iterator[str]:
    """Why a page is not read, if it is not."""
    tags, bits, photometric, compression = layout.page, layout.bits, layout.photometric, layout.compression
    again = "save it with 8 or 16 bits"
    all_bits, kinds = set(tags.values(BITS)) or {1}, set(tags.values(SAMPLE_FORMAT)) or {1}
    if photometric not in _COLORS:
        yield f"it holds {_OTHERS.get(photometric, f'colours of kind {photometric}')}, which is no picture yet"
    elif compression not in _READ:
        yield f"its compression (TIFF's number {compression}) is not read; save it with LZW"
    elif kinds & {3, 6}:
        yield f"{bits}-bit floats have no fixed range; {again}"
    elif bits > 16:
        yield f"{bits}-bit integers have no fixed range; {again}"
    elif kinds & {2, 5} and photometric not in (_LAB, _ICC_LAB):
        yield f"signed integers have no fixed range; {again}, without a sign"
    elif len(all_bits) > 1 or bits < 1:
        told = [*map(str, sorted(all_bits))]
        yield f"its channels have {', '.join(told[:4])}{' ...' * (len(told) > 4)} bits; {again} each"
    elif photometric == _PALETTE and (
        COLOR_MAP not in tags.entries or len(tags.values(COLOR_MAP)) != 3 << bits
    ):
        yield "its palette is missing or damaged"
    elif photometric in (_LAB, _ICC_LAB) and bits not in (8, 16):
        yield f"Lab of {bits} bits is not read; {again}"
    elif photometric in (_LAB, _ICC_LAB, _PALETTE) and tags.number(EXTRA_SAMPLES, 0) == _PREMULTIPLIED:
        yield "its colours are multiplied by their opacity, which only RGB and gray can be; save it as RGB"
    elif photometric == _CMYK and tags.number(INK_SET, 1) != 1:
        yield "its inks are not cyan, magenta, yellow and black; save it as RGB"
    elif layout.samples < _COLORS[photometric]:
        yield f"it has {layout.samples} channels, too few for its kind of colours"
    elif compression in (_JPEG, *_FAX):
        yield from _reasons_against_pillow(layout)
    else:
        yield from _reasons_of_samples(layout)


def _reasons_against_pillow(layout: _Layout) -> Iterator[str]:
    if layout.compression in _FAX and (layout.bits > 1 or layout.samples > 1 or layout.photometric > 1):
        yield "fax compression of more than black and white is not read; save it with LZW"
    if layout.compression == _JPEG and (
        layout.bits != 8
        or layout.is_planar
        or layout.photometric not in (_BLACK_IS_ZERO, _RGB, _YCBCR, _CMYK)
    ):
        yield "JPEG of this kind is not read inside a TIFF; save it with LZW"


def _reasons_of_samples(layout: _Layout) -> Iterator[str]:
    tags, bits = layout.page, layout.bits
    rows, columns = layout.cell
    if layout.photometric == _YCBCR and (
        bits != 8 or any(n != 1 for n in tags.values(_SUBSAMPLING) or (2, 2))
    ):
        yield "YCbCr with coarser colours, or not of 8 bits, is read as JPEG only; save it as RGB"
    if tags.number(PREDICTOR, 1) not in ((1, 2) if bits in (8, 16) else (1,)):
        yield f"its predictor ({tags.number(PREDICTOR, 1)}) is not one for integers of {bits} bits; save it with LZW"
    if min(rows, columns) < 1:
        yield "a damaged layout"
        return
    cells = (
        -(-layout.height // rows) * -(-layout.width // columns) * (layout.samples if layout.is_planar else 1)
    )
    if len(layout.offsets) < cells or (len(layout.sizes) < cells and layout.compression != _NONE):
        yield "truncated or damaged: strips or tiles are missing"


def _by_pillow(file: ifd.File, page: PhotoPage) -> StoredPixels:
    """What makes its samples itself, JPEG and fax; Pillow turns it upright."""
    file.seek(0)
    # By the file: opened by name, Pillow 13 maps uncompressed pages of orientation 5 to 8 by the wrong width.
    image = Image.open(file, formats=["TIFF"])
    image.seek(page.number)
    image.load()
    return StoredPixels(
        image if image.mode in ("L", "RGB", "CMYK") else image.convert("L" if image.mode == "1" else "RGB")
    )


def _read(file: ifd.File, layout: _Layout) -> Shaped[np.ndarray, "H W S"]:
    """The samples as they are stored, integers of their own bits."""
    height, width = layout.height, layout.width
    planes = layout.samples if layout.is_planar else 1
    found = np.empty((height, width, layout.samples), np.uint8 if layout.bits <= 8 else np.uint16)
    rows, columns = layout.cell
    is_tiled = columns != width or TILE_WIDTH in layout.page.entries
    places = (
        (plane, top, left)
        for plane in range(planes)
        for top in range(0, height, rows)
        for left in range(0, width, columns)
    )
    for index, (plane, top, left) in enumerate(places):
        stored = rows if is_tiled else min(rows, height - top)
        cell = _cell(file, layout, index, stored)[: height - top, : width - left]
        chosen = slice(plane, plane + 1) if layout.is_planar else slice(None)
        found[top : top + rows, left : left + columns, chosen] = cell
    return found


def _cell(file: ifd.File, layout: _Layout, index: int, rows: int) -> Shaped[np.ndarray, "h w s"]:
    """The samples of one strip or tile."""
    columns = layout.cell[1]
    samples = 1 if layout.is_planar else layout.samples
    row_bytes = -(-columns * samples * layout.bits // 8)
    file.seek(layout.offsets[index])
    size = layout.sizes[index] if index < len(layout.sizes) else rows * row_bytes
    raw = _decompressed(file.read(size), layout, rows, row_bytes)
    if len(raw) < rows * row_bytes:
        raise PhotoError("a truncated or damaged image (a strip or tile is too short)")
    packed = np.frombuffer(raw, np.uint8, rows * row_bytes).reshape(rows, row_bytes)
    values = _unpacked(packed, layout, columns * samples).reshape(rows, columns, samples)
    if layout.page.number(PREDICTOR, 1) == 2 and layout.compression in _PREDICTED:
        # Section 14: each is the difference to its neighbour.
        return np.cumsum(values, axis=1, dtype=values.dtype)
    return values


def _decompressed(content: bytes, layout: _Layout, rows: int, row_bytes: int) -> bytes:
    if layout.page.number(FILL_ORDER, 1) == 2:
        content = content.translate(_REVERSED)
    if layout.compression == _NONE:
        return content
    if layout.compression in (_DEFLATE, _OLD_DEFLATE):
        try:
            return zlib.decompressobj().decompress(content, rows * row_bytes)
        except zlib.error as error:
            raise PhotoError(f"a truncated or damaged image ({error})") from None
    return _by_libtiff(content, layout.compression, rows, row_bytes)


def _by_libtiff(content: bytes, compression: int, rows: int, row_bytes: int) -> bytes:
    """Decompressed bytes: to libtiff they are a gray image of 8 bits, which it gives as they are."""
    numbers = {WIDTH: row_bytes, LENGTH: rows, BITS: 8, COMPRESSION: compression, PHOTOMETRIC: _BLACK_IS_ZERO}
    numbers |= {STRIP_OFFSETS: 0, SAMPLES: 1, ROWS_PER_STRIP: rows, STRIP_BYTES: len(content)}
    entries = {tag: ifd.entry("<", ifd.LONG, number) for tag, number in numbers.items()}
    start = 8 + len(ifd.packed("<", entries, 8))
    entries[STRIP_OFFSETS] = ifd.entry("<", ifd.LONG, start)
    made = io.BytesIO(ifd.empty("<")[:8] + ifd.packed("<", entries, 8) + content)
    try:
        with Image.open(made, formats=["TIFF"]) as image:
            return image.tobytes()
    except Exception as error:  # broken bytes
        raise PhotoError(f"a truncated or damaged image ({error})") from error


def _unpacked(
    packed: UInt8[np.ndarray, "h bytes"], layout: _Layout, per_row: int
) -> Shaped[np.ndarray, "h per_row"]:
    """Integers of 1 to 16 bits, each row from a whole byte on."""
    bits = layout.bits
    if bits == 8:
        return packed[:, :per_row]
    if bits == 16:
        return packed.view(f"{layout.page.order}u2")[:, :per_row].astype(np.uint16)
    found = np.empty((len(packed), per_row), np.uint8 if bits < 8 else np.uint16)
    weights = (1 << np.arange(bits)[::-1]).astype(np.uint16)
    for start in range(0, len(packed), _ROWS):
        part = slice(start, start + _ROWS)
        ones = np.unpackbits(packed[part], axis=1)[:, : per_row * bits].reshape(-1, per_row, bits)
        found[part] = ones @ weights
    return found


def _meant(layout: _Layout, values: Shaped[np.ndarray, "H W S"]) -> StoredPixels:
    """The samples as colours and opacity, upright."""
    values = upright(values, layout.page.number(ORIENTATION, 1))
    channels = 1 if layout.photometric == _PALETTE else _COLORS[layout.photometric]
    kind = _alpha_kind(layout, channels)
    colors, rest = values[..., :channels], values[..., channels:]
    if kind == _PREMULTIPLIED:
        colors = _divided(colors, rest[..., :1], layout.bits)
    alpha = as_colors(to_bytes(_scaled(rest[..., 0], layout.bits))) if kind else None
    return StoredPixels(as_colors(_colors(layout, colors)), alpha)


def _alpha_kind(layout: _Layout, channels: int) -> int:
    """Of the channel after the colours, section 18; 0 where it is something else, or there is none."""
    if layout.samples <= channels:
        return 0
    if EXTRA_SAMPLES not in layout.page.entries:
        return _OPACITY if (layout.photometric, layout.samples) == (_RGB, 4) else 0  # as others take it
    kind = layout.page.number(EXTRA_SAMPLES, 0)
    return kind if kind in (_PREMULTIPLIED, _OPACITY) else 0


def _colors(layout: _Layout, values: Shaped[np.ndarray, "H W S"]) -> Shaped[np.ndarray, "H W *channels"]:
    """8 or 16 bits: gray, RGB or, at 8 bits, CMYK."""
    kind, bits, tags = layout.photometric, layout.bits, layout.page
    if kind == _PALETTE:
        entries = np.array(tags.values(COLOR_MAP), np.uint16).reshape(3, -1).T
        # Some writers give 8 bits, some 8 bits times 256, and some times 257.
        levels = entries if entries.max() < 256 else entries >> 8
        found: np.ndarray = levels.astype(np.uint8)[values[..., 0]]
        return found
    if kind == _YCBCR:
        return _of_ycbcr(tags, values)
    if kind in (_LAB, _ICC_LAB):
        return _of_lab(values, bits, is_icc=kind == _ICC_LAB)
    scaled = _scaled(values, bits, inverted=kind == _WHITE_IS_ZERO)
    if kind == _CMYK:
        return np.ascontiguousarray(to_bytes(scaled))
    return np.ascontiguousarray(scaled[..., 0] if kind != _RGB else scaled)


def _scaled(
    values: Shaped[np.ndarray, "H W *S"], bits: int, *, inverted: bool = False
) -> Shaped[np.ndarray, "H W *S"]:
    """Integers of any bits to the whole range of 8 bits or, where there are more, of 16."""
    top = 255 if bits <= 8 else _TOP
    if bits in (8, 16):
        return top - values if inverted else values
    levels = np.arange(1 << bits)
    table: np.ndarray = np.round((levels[::-1] if inverted else levels) * (top / levels[-1]))
    found: np.ndarray = table.astype(np.uint8 if bits <= 8 else np.uint16)[values]
    return found


def _divided(
    values: Shaped[np.ndarray, "H W S"], alpha: Shaped[np.ndarray, "H W 1"], bits: int
) -> Shaped[np.ndarray, "H W S"]:
    """Values that were multiplied by their opacity, without it."""
    top = (1 << bits) - 1
    found: np.ndarray = np.round(values * (np.float32(top) / np.maximum(alpha, 1))).clip(0, top)
    return found.astype(values.dtype)


def _of_ycbcr(tags: ifd.Directory, values: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "H W 3"]:
    """Section 21, with its ranges and weights."""
    weights, ranges = tags.values(_YCBCR_WEIGHTS), tags.values(_YCBCR_RANGE)
    red, green, blue = _quotients(weights) if len(weights) == 6 else (0.299, 0.587, 0.114)
    low, high = np.reshape(
        _quotients(ranges) if len(ranges) == 12 else (0, 255, 128, 255, 128, 255), (3, 2)
    ).T
    y, cb, cr = np.moveaxis((values - low) * (np.array([255, 127, 127]) / (high - low)), -1, 0)
    r, b = y + cr * (2 - 2 * red), y + cb * (2 - 2 * blue)
    rgb = np.stack([r, (y - red * r - blue * b) / green, b], axis=-1)
    return np.round(rgb.clip(0, 255)).astype(np.uint8)


def _quotients(pairs: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(above / below for above, below in zip(pairs[::2], pairs[1::2], strict=True))


def _of_lab(
    values: Shaped[np.ndarray, "H W 3"], bits: int, *, is_icc: bool
) -> UInt8[np.ndarray, "H W 3"] | UInt16[np.ndarray, "H W 3"]:
    """CIE Lab of D50, section 23 and TIFF Technical Note 4, as sRGB of as many bits."""
    units = 1 << (bits - 8)  # of a unit of a* and b*
    white = (255 * units) if is_icc else (1 << bits) - 1
    found = np.empty(values.shape, np.uint16)
    for start in range(0, len(values), _ROWS):
        part = values[start : start + _ROWS].astype(np.float32)
        ab = part[..., 1:] / units
        ab = ab - 128 if is_icc else np.where(ab >= 128, ab - 256, ab)
        lab = np.concatenate([part[..., :1] * (100 / white), ab], axis=-1)
        found[start : start + _ROWS] = color.linear_to_srgb_words(color.d50_lab_to_linear(lab))
    return to_bytes(found) if bits == 8 else found
