"""Small good photos of every kind that is read, and what damage makes of them: input of `check_mutated`."""

import functools
import io
import itertools
import random
import struct
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tifffile
from PIL import Image, ImageCms, features

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the package of this checkout

from colorize_jax.photos import encode, kinds, png  # noqa: E402
from colorize_jax.photos.metadata import Metadata  # noqa: E402

HEIGHT, WIDTH = 36, 50
GOOD_SHARE = 0.25
EXTREMES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class Sent(NamedTuple):
    """One file that is sent: its name, its bytes, and whether it is as it was written."""

    name: str
    content: bytes
    is_good: bool


def sent(files: int, seed: int) -> list[Sent]:
    """Good files and damaged ones, in the order of their numbers; the same for the same seed and libraries."""
    rng, good = random.Random(seed), list(photos().items())
    return [_one(number, good, rng) for number in range(files)]


def _one(number: int, good: list[tuple[str, bytes]], rng: random.Random) -> Sent:
    kind, content = rng.choice(good)
    stem, suffix = kind.rsplit(".", 1)
    name = f"{number:05}-{stem}"
    if rng.random() < GOOD_SHARE:
        return Sent(f"{name}.{suffix}", content, True)
    damage = rng.choice(DAMAGE)
    damaged = damage(content, rng)
    return Sent(f"{name}-{damage.__name__[1:]}.{suffix}", damaged, damaged == content)


@functools.cache
def photos() -> Mapping[str, bytes]:
    """Good photos, by a kind that ends as a file's name does; HEIC where the extra has it."""
    return dict(itertools.chain(_of_png(), _of_tiff(), _by_pillow(), _of_phones()))


def _rgb() -> np.ndarray:
    """A picture with edges and all colors, uint8."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([x * 255 // WIDTH, y * 255 // HEIGHT, 90 + 80 * ((x // 9 + y // 9) % 2)], -1).astype(
        np.uint8
    )


RGB = _rgb()
GRAY = RGB.mean(-1).astype(np.uint8)
ALPHA = np.full_like(GRAY, 200)


def _words(values: np.ndarray) -> np.ndarray:
    return values.astype(np.uint16) * 257


def _full() -> Metadata:
    """Metadata with captions, XMP and a profile."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    iptc = b"\x1c\x02\x78\x00\x05photo"
    return Metadata(
        iptc=iptc,
        profile=profile,
        dpi=(300.0, 300.0),
        words={"Comment": "a photo"},
        provenance={"Colorized": "True"},
    )


def _of_png() -> Iterator[tuple[str, bytes]]:
    for kind, picture in {"gray": GRAY[..., None], "rgb": RGB, "rgba": np.dstack([RGB, ALPHA])}.items():
        yield f"png8-{kind}.png", _saved(Image.fromarray(picture.squeeze()), "png")
        yield f"png16-{kind}.png", png.encode(_words(picture))
    yield "png16-full.png", encode.encode(_words(RGB), "png", _full())
    yield "png-palette.png", _saved(Image.fromarray(RGB).quantize(64), "png", transparency=3)
    yield "png-bilevel.png", _saved(Image.fromarray(GRAY).convert("1"), "png")
    yield "png-interlaced.png", _interlaced(RGB)
    yield "png16-interlaced.png", _interlaced(_words(RGB))
    yield (
        "animation.apng",
        _saved(Image.fromarray(RGB), "png", save_all=True, append_images=[Image.fromarray(RGB[::-1])]),
    )


def _interlaced(picture: np.ndarray) -> bytes:
    """RGB by Adam7, which Pillow does not write."""
    passes = [picture[top::down, left::right] for top, left, down, right in _ADAM7]
    rows = (b"\0" + row.astype(row.dtype.newbyteorder(">")).tobytes() for part in passes for row in part)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8 * picture.itemsize, 2, 0, 0, 1)
    return _of_chunks([(b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b"")])


def _of_tiff() -> Iterator[tuple[str, bytes]]:
    for compression in ("raw", "tiff_lzw", "packbits", "tiff_adobe_deflate", "zstd", "lzma", "jpeg"):
        yield f"tiff-{compression}.tif", _saved(Image.fromarray(RGB), "tiff", compression=compression)
    for compression in ("group3", "group4"):
        yield (
            f"tiff-{compression}.tif",
            _saved(Image.fromarray(GRAY).convert("1"), "tiff", compression=compression),
        )
    planes = np.ascontiguousarray(np.moveaxis(_words(RGB), -1, 0))
    yield "tiff-planar16.tif", _by_tifffile(planes, photometric="rgb", planarconfig="separate")
    yield (
        "tiff-tiled.tif",
        _by_tifffile(_words(RGB), photometric="rgb", tile=(16, 32), compression="zlib", predictor=2),
    )
    yield "tiff-white.tif", _by_tifffile(_words(GRAY), photometric="miniswhite", byteorder=">")
    yield "tiff-big.tif", _by_tifffile(RGB, photometric="rgb", bigtiff=True, rowsperstrip=7)
    yield "tiff-cmyk.tif", _saved(Image.fromarray(RGB).convert("CMYK"), "tiff")
    yield "tiff-lab.tif", _saved(Image.fromarray(RGB).convert("RGB").convert("LAB"), "tiff")
    yield (
        "tiff-pages.tif",
        _saved(Image.fromarray(RGB), "tiff", save_all=True, append_images=[Image.fromarray(GRAY)]),
    )
    yield "tiff-full.tif", encode.encode(np.dstack([RGB, ALPHA]), "tif", _full())


def _by_tifffile(samples: np.ndarray, **options: object) -> bytes:
    target = io.BytesIO()
    tifffile.imwrite(target, samples, metadata=None, **options)
    return target.getvalue()


def _by_pillow() -> Iterator[tuple[str, bytes]]:
    color, gray = Image.fromarray(RGB), Image.fromarray(GRAY)
    exif = Image.Exif()
    exif[270], exif[274] = "A photo", 6
    yield "baseline.jpg", _saved(color, "jpeg", exif=exif, dpi=(300, 300))
    yield "progressive.jpg", _saved(color, "jpeg", progressive=True, subsampling=2)
    yield "cmyk.jpg", _saved(color.convert("CMYK"), "jpeg")
    yield "gray.jpeg", _saved(gray, "jpeg")
    yield "full.jpg", encode.encode(RGB, "jpg", _full())
    yield "lossy.webp", _saved(color, "webp", exif=exif)
    yield "lossless.webp", _saved(Image.fromarray(np.dstack([RGB, ALPHA])), "webp", lossless=True)
    yield "animation.webp", _saved(color, "webp", save_all=True, append_images=[gray.convert("RGB")])
    yield "palette.gif", _saved(color, "gif")
    yield "animation.gif", _saved(color, "gif", save_all=True, append_images=[gray.convert("RGB")])
    yield "color.jp2", _saved(color, "jpeg2000")
    yield "gray16.j2k", _saved(Image.fromarray(_words(GRAY)), "jpeg2000", no_jp2=True)
    yield "palette.bmp", _saved(color.quantize(64), "bmp")
    for suffix, kind in {
        "bmp": "bmp",
        "dib": "dib",
        "ppm": "ppm",
        "tga": "tga",
        "pcx": "pcx",
        "sgi": "sgi",
        "qoi": "qoi",
    }.items():
        yield f"color.{suffix}", _saved(color, kind)
    yield "packed.tga", _saved(color, "tga", compression="tga_rle")
    yield "gray16.pgm", _saved(Image.fromarray(_words(GRAY)), "ppm")


def _of_phones() -> Iterator[tuple[str, bytes]]:
    if features.check("avif"):
        yield "color.avif", _saved(Image.fromarray(RGB), "avif")
        yield "opaque.avif", _saved(Image.fromarray(np.dstack([RGB, ALPHA])), "avif")
    if kinds.prepare():
        yield "color.heic", _saved(Image.fromarray(RGB), "heif")


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


Damage = Callable[[bytes, random.Random], bytes]


def _flips(content: bytes, rng: random.Random) -> bytes:
    """Some bits, anywhere."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 24)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _head_flips(content: bytes, rng: random.Random) -> bytes:
    """Some bits, where most formats have their fields."""
    return _flips(content[:200], rng) + content[200:]


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


def _inserted(content: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(content))
    return content[:place] + rng.randbytes(rng.randint(1, 300)) + content[place:]


def _removed(content: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(content))
    return content[:place] + content[place + rng.randint(1, 300) :]


def _swapped(content: bytes, rng: random.Random) -> bytes:
    """Two spans change places."""
    a, b, c = sorted(rng.sample(range(len(content) + 1), 3))
    return content[:a] + content[b:c] + content[a:b] + content[c:]


def _repeated(content: bytes, rng: random.Random) -> bytes:
    a, b = sorted(rng.sample(range(len(content) + 1), 2))
    return content[:b] + content[a:b] * rng.randint(1, 5) + content[b:]


def _spliced(content: bytes, rng: random.Random) -> bytes:
    """The beginning of one photo and the end of another."""
    other = rng.choice(list(photos().values()))
    return content[: rng.randrange(len(content))] + other[rng.randrange(len(other)) :]


def _extreme(content: bytes, rng: random.Random) -> bytes:
    """Numbers of the head become the smallest and largest that there are."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        size = rng.choice((1, 2, 4))
        number = rng.choice(EXTREMES) & ((1 << 8 * size) - 1)
        place = rng.randrange(min(len(content), 400))
        changed[place : place + size] = number.to_bytes(size, rng.choice(("little", "big")))
    return bytes(changed[: len(content)])


def _fields(content: bytes, rng: random.Random) -> bytes:
    """Numbers with a meaning become extreme ones: of a PNG's chunks, with the right sums, and of a TIFF's tags."""
    if content.startswith(_SIGNATURE):
        return _of_chunks(_with_extreme(_chunks(content), rng))
    return _tags(content, rng) if content[:2] in (b"II", b"MM") else _sizes(content, rng)


def _chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    found, place = [], 8
    while place + 12 <= len(content):
        (size,) = struct.unpack_from(">I", content, place)
        found.append((content[place + 4 : place + 8], content[place + 8 : place + 8 + size]))
        place += 12 + size
    return found


def _of_chunks(chunks: list[tuple[bytes, bytes]]) -> bytes:
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def _with_extreme(chunks: list[tuple[bytes, bytes]], rng: random.Random) -> list[tuple[bytes, bytes]]:
    """One chunk with other contents, in another place, twice or not at all."""
    place = rng.randrange(len(chunks))
    name, data = chunks.pop(place)
    way = rng.randrange(5)
    if way == 0:
        return chunks
    if way == 1:
        return [*chunks[: rng.randrange(len(chunks) + 1)], (name, data), *chunks]
    changed = _extreme(data, rng) if data else rng.randbytes(9)
    return [*chunks[:place], (name, changed), *chunks[place:]]


def _tags(content: bytes, rng: random.Random) -> bytes:
    """Tags of the first directory of a TIFF with other kinds, numbers or values."""
    order, is_big = ("<" if content[:2] == b"II" else ">"), content[2:4] in (b"+\0", b"\0+")
    code, offset, start, step = ("Q", 8, 8, 20) if is_big else ("I", 4, 2, 12)
    (first,) = struct.unpack_from(f"{order}{code}", content, offset)
    (count,) = struct.unpack_from(f"{order}{'Q' if is_big else 'H'}", content, first)
    changed = bytearray(content)
    for _ in range(rng.randint(1, 3)):
        field, size = rng.choice(((2, 2), (4, 4), (step - 4, 4), (step - 4, 2), (8, 4), (8, 2)))
        place = first + start + step * rng.randrange(count) + field
        number = rng.choice((*EXTREMES, 3, 4, 8, 16, 32)) & ((1 << 8 * size) - 1)
        changed[place : place + size] = number.to_bytes(size, "little" if order == "<" else "big")
    return bytes(changed[: len(content)])


def _sizes(content: bytes, rng: random.Random) -> bytes:
    """Wherever width or height stand among the first bytes, they are extreme."""
    found = [
        (place, size, order)
        for size, order, side in itertools.product((2, 4), ("little", "big"), (WIDTH, HEIGHT))
        for place in _places(content[:1000], side.to_bytes(size, order))
    ]
    if not found:
        return _extreme(content, rng)
    changed = bytearray(content)
    for place, size, order in rng.sample(found, min(len(found), rng.randint(1, 2))):
        number = rng.choice((*EXTREMES, 20_000, 13_000)) & ((1 << 8 * size) - 1)
        changed[place : place + size] = number.to_bytes(size, order)
    return bytes(changed)


def _places(content: bytes, wanted: bytes) -> Iterator[int]:
    return (n for n in range(len(content)) if content.startswith(wanted, n))


def _noise(content: bytes, rng: random.Random) -> bytes:
    """Nothing of a photo but its beginning, or not even that."""
    return content[: rng.choice((0, 0, 16, 64))] + rng.choice(
        (rng.randbytes(len(content)), bytes(len(content)), b"")
    )


DAMAGE: tuple[Damage, ...] = (
    *(_flips, _head_flips, _cut, _inserted, _removed, _swapped, _repeated, _spliced, _extreme, _extreme),
    *(_fields, _fields, _fields, _noise),
)
"""Ways to damage a file, each as often as it stands here."""
