"""Every mode, depth, layout and orientation that Pillow and tifffile write, against the pixels that were written.

`tifffile` writes what it is told of samples, so the reference is the picture itself. L* is compared to 0.5.
"""

import io
import itertools
import struct
import zlib

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, features

from colorize_jax import color
from colorize_jax.data import transforms
from colorize_jax.photos import ifd, png, tiff, xmp
from colorize_jax.photos import read as read_module
from colorize_jax.photos.photo import PhotoError, read_photo

pytestmark = pytest.mark.quick

HEIGHT, WIDTH = 21, 34  # no multiple of 8, of a tile, or of a strip
TURNED = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: np.rot90(x, 2).swapaxes(0, 1),
    8: lambda x: np.rot90(x),
}


def _rgb() -> np.ndarray:
    """Smooth, sRGB in [0, 1], with some of every colour."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] / np.array([HEIGHT - 1, WIDTH - 1]).reshape(2, 1, 1)
    return np.stack([x, y, 1 - (x + y) / 2], axis=-1)


RGB = _rgb()
GRAY = RGB @ np.array([0.3, 0.6, 0.1])
ALPHA = np.linspace(0.2, 1, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)


def lightness(picture: np.ndarray) -> np.ndarray:
    """L* of sRGB, gray (H, W) or RGB (H, W, 3)."""
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=-1)
    return color.srgb_to_lab(picture)[..., 0]


def levels(picture: np.ndarray, bits: int) -> np.ndarray:
    return np.round(picture * ((1 << bits) - 1)).astype(np.uint8 if bits <= 8 else np.uint16)


def read(folder, content: bytes):
    """As a photo, after a check that training sees the same."""
    path = folder / "photo"
    path.write_bytes(content)
    photo = read_photo(path)
    if photo.alpha is None:
        trained = np.asarray(transforms.decode(content, 10_000)) / 255
        np.testing.assert_allclose(lightness(trained), photo.lightness, atol=0.5)
    return photo


def check(folder, content: bytes, expected: np.ndarray, tolerance: float = 0.5):
    photo = read(folder, content)
    assert photo.lightness.shape == expected.shape
    np.testing.assert_allclose(photo.lightness, expected, atol=tolerance)
    return photo


def _written(samples: np.ndarray, **options) -> bytes:
    target = io.BytesIO()
    tifffile.imwrite(target, samples, metadata=None, **options)
    return target.getvalue()


KINDS = ("minisblack", "miniswhite", "rgb", "separated", "palette")
ORIENTATION = 274


# tifffile asks imagecodecs for other compressions; Pillow writes those below.


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    kind=st.sampled_from(KINDS),
    bits=st.sampled_from([8, 16]),
    alpha=st.sampled_from([None, "unassalpha", "assocalpha", "unspecified"]),
    planar=st.booleans(),
    compression=st.sampled_from([None, "zlib"]),
    predictor=st.booleans(),
    order=st.sampled_from("<>"),
    orientation=st.integers(1, 8),
    layout=st.sampled_from([{}, {"rowsperstrip": 5}, {"tile": (16, 32)}]),
    big=st.booleans(),
)
def test_samples_of_tiff(
    tmp_path, kind, bits, alpha, planar, compression, predictor, order, orientation, layout, big
):
    if kind == "palette":
        alpha, planar = None, False
    picture = {"rgb": RGB, "separated": 1 - np.pad(RGB, ((0, 0), (0, 0), (0, 1)), constant_values=1)}.get(
        kind, GRAY
    )
    shown = RGB if kind in ("rgb", "separated") else GRAY
    stored = 1 - picture if kind == "miniswhite" else picture
    if alpha == "assocalpha":
        stored = stored * (ALPHA if stored.ndim == 2 else ALPHA[..., None])
    samples = levels(stored, bits)
    if alpha is not None:
        samples = np.dstack([samples, levels(ALPHA, bits)])
    options = {"photometric": kind, "extrasamples": None if alpha is None else [alpha], "bigtiff": big}
    if samples.ndim == 3:
        options["planarconfig"] = "separate" if planar else "contig"
        samples = np.ascontiguousarray(np.moveaxis(samples, -1, 0)) if planar else samples
    if kind == "palette":
        table = np.linspace(0, 65535, 1 << bits).round().astype(np.uint16)
        options["colormap"] = np.stack([table] * 3)
    content = _written(
        samples,
        byteorder=order,
        compression=compression,
        predictor=2 if predictor and compression and kind != "palette" else None,
        extratags=[(ORIENTATION, 3, 1, orientation, True)],
        **options,
        **layout,
    )
    turned = TURNED[orientation]
    is_dark = alpha == "assocalpha" and bits == 8  # what is left of 8 bits after the product
    photo = check(tmp_path, content, lightness(turned(shown)), 2.5 if is_dark else 0.5)
    assert photo.bits == (8 if kind in ("separated", "palette") else bits)
    if alpha in ("unassalpha", "assocalpha"):
        np.testing.assert_allclose(photo.alpha, turned(ALPHA) * 255, atol=0.51)
    else:
        assert photo.alpha is None


def _own(
    samples: np.ndarray, bits: int, tags: dict[int, int | tuple[int, ...]], *, reverse: bool = False
) -> bytes:
    """A TIFF of one strip (H, W, S), with samples of any bits, which neither library writes."""
    height, width, channels = samples.shape
    spread = (samples[..., None] >> np.arange(bits)[::-1]) & 1
    strip = np.packbits(spread.reshape(height, -1).astype(np.uint8), axis=1)
    if bits == 16:
        strip = samples.astype("<u2").view(np.uint8)
    if reverse:
        strip = np.packbits(np.unpackbits(strip.reshape(-1)).reshape(-1, 8)[:, ::-1])
    numbers = {256: width, 257: height, 258: (bits,) * channels, 259: 1, 277: channels, 278: height}
    numbers |= {279: strip.nbytes, 273: 0, **tags}
    entries = {tag: ifd.entry("<", 4, *np.atleast_1d(value).tolist()) for tag, value in numbers.items()}
    entries[273] = ifd.entry("<", 4, 8 + len(ifd.packed("<", entries, 8)))
    return ifd.empty("<")[:8] + ifd.packed("<", entries, 8) + strip.tobytes()


@pytest.mark.parametrize("bits", [1, 2, 4, 6, 8, 10, 12, 14, 16])
@pytest.mark.parametrize("photometric", [0, 1, 2])
def test_packed_bits_of_tiff(tmp_path, bits, photometric):
    shown = levels(RGB if photometric == 2 else GRAY[..., None], bits)
    top = (1 << bits) - 1
    stored = (top - shown if photometric == 0 else shown).astype(np.int64)
    expected = lightness(np.squeeze(shown / top))
    for reverse in (False, True):
        content = _own(stored, bits, {262: photometric, 266: 2 if reverse else 1}, reverse=reverse)
        photo = check(tmp_path, content, expected)
    assert photo.bits == (8 if bits <= 8 else 16)


COMPRESSIONS = ("tiff_lzw", "packbits", "tiff_adobe_deflate", "tiff_deflate", "zstd", "lzma")


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.skipif(not features.check("libtiff"), reason="Pillow without libtiff")
def test_compressions_of_tiff(tmp_path, compression, orientation):
    for mode, array in (("L", levels(GRAY, 8)), ("I;16", levels(GRAY, 16)), ("RGB", levels(RGB, 8))):
        for predictor in (1, 2):
            target, info = io.BytesIO(), {ORIENTATION: orientation, 317: predictor, 278: 5}
            try:
                Image.fromarray(array).save(target, "tiff", compression=compression, tiffinfo=info)
            except (OSError, RuntimeError):
                pytest.skip(f"Pillow's libtiff has no {compression}")
            check(tmp_path, target.getvalue(), lightness(TURNED[orientation](RGB if mode == "RGB" else GRAY)))


@pytest.mark.parametrize("orientation", TURNED)
def test_jpeg_and_fax_in_tiff(tmp_path, orientation):
    turned = TURNED[orientation]
    for mode, shown, tolerance in (("L", GRAY, 2), ("RGB", RGB, 6), ("CMYK", RGB, 8)):
        image = Image.fromarray(levels(shown, 8)).convert(mode)
        target = io.BytesIO()
        image.save(target, "tiff", compression="jpeg", quality=100, tiffinfo={ORIENTATION: orientation})
        check(tmp_path, target.getvalue(), lightness(turned(shown)), tolerance)
    checks = np.indices((HEIGHT, WIDTH)).sum(0) % 3 == 0
    for compression in ("group3", "group4", "tiff_ccitt"):
        target = io.BytesIO()
        Image.fromarray(checks).save(
            target, "tiff", compression=compression, tiffinfo={ORIENTATION: orientation}
        )
        check(tmp_path, target.getvalue(), 100.0 * turned(checks))


def _d50_lab(rgb: np.ndarray) -> np.ndarray:
    """CIE Lab of D50, of sRGB, by the matrix of sRGB's profile."""
    f = np.cbrt(color.srgb_to_linear(rgb) @ SRGB.T / SRGB.sum(1))
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("photometric", [8, 9])
def test_lab_of_tiff(tmp_path, bits, photometric):
    pale = 0.5 + 0.4 * (RGB - 0.5)  # no cube root below CIE's linear part
    unit, lab = 1 << (bits - 8), _d50_lab(pale)
    white = 255 * unit if photometric == 9 else (1 << bits) - 1
    ab = lab[..., 1:] * unit
    stored = np.dstack(
        [lab[..., 0] * white / 100, ab + 128 * unit if photometric == 9 else ab % (256 * unit)]
    )
    photo = check(
        tmp_path, _own(np.round(stored).astype(np.int64), bits, {262: photometric}), lightness(pale)
    )
    assert photo.bits == bits


def test_ycbcr_of_tiff(tmp_path):
    stored = np.asarray(Image.fromarray(levels(RGB, 8)).convert("YCbCr"))
    check(tmp_path, _own(stored.astype(np.int64), 8, {262: 6, 530: (1, 1)}), lightness(RGB), 1.0)
    with pytest.raises(PhotoError, match="YCbCr"):
        read(tmp_path, _own(stored.astype(np.int64), 8, {262: 6}))


SMALL = np.zeros((8, 9), np.uint8)


@pytest.mark.parametrize(
    ("samples", "options", "reason"),
    [
        (SMALL.astype(np.float32), {}, "32-bit floats"),
        (SMALL.astype(np.float16), {}, "16-bit floats"),
        (SMALL.astype(np.int16), {}, "signed integers"),
        (SMALL.astype(np.int8), {}, "signed integers"),
        (SMALL.astype(np.uint32), {}, "32-bit integers"),
        (SMALL.astype(np.complex64), {}, "floats"),
        (SMALL, {"photometric": 32803}, "raw pixels"),
        (SMALL, {"subfiletype": 1}, "reduced copies"),
        (np.dstack([SMALL] * 4), {"photometric": "separated", "extratags": [(332, 3, 1, 2, True)]}, "inks"),
    ],
)
def test_what_has_no_one_meaning_is_refused(tmp_path, samples, options, reason):
    with pytest.raises(PhotoError, match=reason):
        read(tmp_path, _written(samples, **options))


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({254: 4}, "mask"),
        ({255: 2}, "reduced copies"),
        ({259: 34887}, "34887"),
        ({259: 6}, "compression"),
        ({258: (5,)}, "too short"),
        ({258: (8, 6), 277: 2}, "have 6, 8 bits"),
        ({258: (*range(1, 90),), 277: 2}, "have 1, 2, 3, 4 ... bits"),
        ({262: 2}, "too few"),
        ({262: 3}, "palette"),
        ({262: 4}, "mask"),
        ({262: 10}, "ITU"),
        ({262: 32845}, "32845"),
        ({317: 3}, "predictor"),
        ({259: 7, 262: 0}, "JPEG of this kind"),
        ({259: 4, 277: 3}, "fax"),
        ({257: 20, 278: 8}, "missing"),
    ],
)
def test_tags_that_are_not_read_are_told(tmp_path, tags, reason):
    with pytest.raises(PhotoError, match=reason):
        read(tmp_path, _own(np.zeros((8, 9, 1), np.int64), 4 if 258 in tags else 8, {262: 1, **tags}))


def test_a_reduced_copy_is_not_the_photo(tmp_path):
    target = io.BytesIO()
    with tifffile.TiffWriter(target) as writer:
        writer.write(levels(GRAY[::4, ::4], 8), subfiletype=1, metadata=None)
        writer.write(levels(GRAY, 16), metadata=None)
    check(tmp_path, target.getvalue(), lightness(GRAY))


@pytest.mark.parametrize("part", range(12))
def test_a_damaged_tiff_is_told(tmp_path, part):
    whole = bytearray(_written(levels(RGB, 16), compression="zlib", rowsperstrip=5, photometric="rgb"))
    rng = np.random.default_rng(part)
    for place in rng.integers(8, len(whole), 12):
        whole[place] = rng.integers(256)
    for content in (bytes(whole), bytes(whole[: len(whole) * part // 12])):
        (tmp_path / "broken.tif").write_bytes(content)
        try:
            read_photo(tmp_path / "broken.tif")
        except PhotoError as error:
            assert "broken.tif" in str(error) and "\n" not in str(error)


def _png(samples: np.ndarray, **chunks: bytes) -> bytes:
    return png.encode(samples, [(name.encode(), content) for name, content in chunks.items()])


def _exif(orientation: int) -> bytes:
    return ifd.amended(ifd.empty("<"), {ORIENTATION: ifd.entry("<", 3, orientation)})


@pytest.mark.parametrize("orientation", TURNED)
def test_png_of_16_bits(tmp_path, orientation):
    turned = TURNED[orientation]
    for shown in (GRAY, RGB):
        opaque = levels(shown, 16)
        for samples in (opaque, np.dstack([opaque, levels(ALPHA, 16)])):
            photo = check(tmp_path, _png(samples, eXIf=_exif(orientation)), lightness(turned(shown)), 1e-2)
            assert photo.bits == 16 and len(np.unique(photo.lightness)) > 256
            if samples is not opaque:
                np.testing.assert_allclose(photo.alpha, turned(ALPHA) * 255, atol=0.51)


def test_one_color_of_a_png_of_16_bits_is_transparent(tmp_path):
    samples = levels(RGB, 16)
    photo = read(tmp_path, _png(samples, tRNS=samples[3, 4].astype(">u2").tobytes()))
    assert photo.alpha[3, 4] == 0 and (photo.alpha == 0).sum() == 1


@pytest.mark.parametrize("gamma", [1.0, 1 / 1.8, 1 / 2.2])
@pytest.mark.parametrize("bits", [8, 16])
def test_the_gamma_of_a_png(tmp_path, gamma, bits):
    chunk = struct.pack(">I", round(gamma * 100_000))
    for shown in (GRAY, RGB):
        linear = color.srgb_to_linear(shown)
        stored = levels(shown if gamma == 1 / 2.2 else linear**gamma, bits)
        content = _png(stored, gAMA=chunk) if bits == 16 else _png8(stored, chunk)
        kept = stored / ((1 << bits) - 1)
        expected = lightness(kept if gamma == 1 / 2.2 else color.linear_to_srgb(kept ** (1 / gamma)))
        check(tmp_path, content, expected)
        if bits == 16:  # sRGB and a profile are told more exactly than by a gamma
            check(tmp_path, _png(stored, gAMA=chunk, sRGB=b"\0"), lightness(stored / 65535))


def test_the_primaries_of_a_png(tmp_path):
    """Those of Adobe RGB (1998), beside the gamma of 2.2 that writers give for sRGB, too."""
    adobe = np.round(np.array([0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06]) * 100_000).astype(">u4")
    pale = 0.5 + 0.45 * (RGB - 0.5)
    linear = color.srgb_to_linear(pale) @ np.linalg.solve(ADOBE, SRGB).T
    stored = levels(linear.clip(0, 1) ** (1 / 2.2), 16)
    content = _png(stored, gAMA=struct.pack(">I", 45455), cHRM=adobe.tobytes())
    check(tmp_path, content, lightness(pale), 0.1)


def test_an_interlaced_png_of_16_bits(tmp_path):
    """Adam7: seven pictures of a few pixels each."""
    samples = levels(RGB, 16)
    passes = [
        (0, 8, 0, 8),
        (0, 8, 4, 8),
        (4, 8, 0, 4),
        (0, 4, 2, 4),
        (2, 4, 0, 2),
        (0, 2, 1, 2),
        (1, 2, 0, 1),
    ]
    rows = b"".join(
        b"\0" + row.astype(">u2").tobytes() for t, dt, l, dl in passes for row in samples[t::dt, l::dl]
    )
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 2, 0, 0, 1)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    content = b"\x89PNG\r\n\x1a\n" + b"".join(png._chunk(*each) for each in chunks)
    check(tmp_path, content, lightness(RGB), 1e-2)


@pytest.mark.parametrize("top", [1, 100, 255, 1023, 4095, 65535])
@pytest.mark.parametrize("kind", ["P5", "P6", "P2"])
def test_levels_of_ppm(tmp_path, kind, top):
    shown = RGB if kind == "P6" else GRAY
    values = np.round(shown * top).astype(int)
    header = f"{kind} {WIDTH} {HEIGHT} {top}\n".encode()
    body = values.astype("u1" if top < 256 else ">u2").tobytes()
    content = header + (" ".join(map(str, values.ravel())).encode() if kind == "P2" else body)
    check(tmp_path, content, lightness(values / top))


def _png8(samples: np.ndarray, gamma: bytes) -> bytes:
    target = io.BytesIO()
    Image.fromarray(samples).save(target, "png")
    content = target.getvalue()
    return content[:33] + png._chunk(b"gAMA", gamma) + content[33:]


def _profile(curves: dict[str, bytes], space: bytes, columns: np.ndarray) -> bytes:
    """An ICC profile of version 2, of curves and a matrix."""
    tags = {
        b"wtpt": b"XYZ \0\0\0\0" + np.round(np.array([0.9642, 1, 0.8249]) * 65536).astype(">i4").tobytes()
    }
    tags |= {f"{name}TRC".encode(): curve for name, curve in curves.items()}
    if space == b"RGB ":
        for name, column in zip(curves, columns.T, strict=True):
            tags[f"{name}XYZ".encode()] = b"XYZ \0\0\0\0" + np.round(column * 65536).astype(">i4").tobytes()
    place, table, content = 132 + 12 * len(tags), b"", b""
    for name, tag in tags.items():
        table += struct.pack(">4sII", name, place + len(content), len(tag))
        content += tag + bytes(-len(tag) % 4)
    size = place + len(content)
    head = (
        struct.pack(">I4sI4s4s4s", size, b"lcms", 0x02400000, b"mntr", space, b"XYZ ") + bytes(12) + b"acsp"
    )
    head = head.ljust(68, b"\0") + np.round(np.array([0.9642, 1, 0.8249]) * 65536).astype(">i4").tobytes()
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + content


def _gamma_curve(exponent: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(exponent * 256))


SRGB = np.array([[0.4361, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]])
"""The matrix of its profile (D50)."""

# Adobe RGB (1998), likewise.
ADOBE = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])


@pytest.mark.parametrize("exponent", [1.0, 1.8, 2.2])
@pytest.mark.parametrize("bits", [8, 16])
def test_gray_profiles(tmp_path, exponent, bits):
    profile = _profile({"k": _gamma_curve(exponent)}, b"GRAY", ADOBE)
    stored = levels(color.srgb_to_linear(GRAY) ** (1 / exponent), bits)
    kept = (stored / ((1 << bits) - 1)) ** exponent
    for content in _with_profile(stored, profile):
        check(tmp_path, content, lightness(color.linear_to_srgb(kept)))


@pytest.mark.parametrize("bits", [8, 16])
def test_color_profiles(tmp_path, bits):
    profile = _profile(dict.fromkeys("rgb", _gamma_curve(2.2)), b"RGB ", ADOBE)
    pale = 0.5 + 0.45 * (RGB - 0.5)
    linear = color.srgb_to_linear(pale) @ np.linalg.solve(ADOBE, SRGB).T
    for content in _with_profile(levels(linear.clip(0, 1) ** (1 / 2.19921875), bits), profile):
        check(tmp_path, content, lightness(pale))


@pytest.mark.parametrize("bits", [8, 16])
def test_gray_with_a_profile_of_colors(tmp_path, bits):
    profile = _profile(dict.fromkeys("rgb", _gamma_curve(1.8)), b"RGB ", ADOBE)
    stored = levels(color.srgb_to_linear(GRAY) ** (1 / 1.8), bits)
    kept = (stored / ((1 << bits) - 1)) ** (round(1.8 * 256) / 256)
    for content in _with_profile(stored, profile):
        check(tmp_path, content, lightness(color.linear_to_srgb(kept)))


def _with_profile(stored: np.ndarray, profile: bytes) -> list[bytes]:
    kind = "rgb" if stored.ndim == 3 else "minisblack"
    tiff_file = _written(stored, iccprofile=profile, photometric=kind)
    if stored.dtype == np.uint16:
        return [tiff_file, _png(stored, iCCP=b"icc\0\0" + zlib.compress(profile))]
    target = io.BytesIO()
    Image.fromarray(stored).save(target, "png", icc_profile=profile)
    return [tiff_file, target.getvalue()]


def test_a_profile_called_srgb_counts_by_what_it_holds(tmp_path):
    """Linear light in sRGB's primaries, under sRGB's name, as some profiles are called."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for n in range(struct.unpack_from(">I", profile, 128)[0]):
        tag, offset, _ = struct.unpack_from(">4sII", profile, 132 + 12 * n)
        if tag in (b"rTRC", b"gTRC", b"bTRC"):
            profile[offset : offset + 12] = b"curv" + bytes(8)
    stored = levels(color.srgb_to_linear(RGB), 16)
    for content in _with_profile(stored, bytes(profile)):
        check(tmp_path, content, lightness(RGB))


_WRITTEN = {
    "png": ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I;16B"],
    "tiff": [
        "1",
        "L",
        "LA",
        "P",
        "PA",
        "RGB",
        "RGBA",
        "RGBX",
        "CMYK",
        "YCbCr",
        "LAB",
        "I;16",
        "I;16B",
        "I;16L",
    ],
    "jpeg2000": ["L", "LA", "RGB", "RGBA", "CMYK", "YCbCr", "I;16"],
    "ppm": ["1", "L", "RGB", "RGBA", "I", "I;16"],
    "tga": ["1", "L", "LA", "P", "RGB", "RGBA"],
    **{kind: ["L", "RGB", "RGBX", "CMYK", "YCbCr"] for kind in ("jpeg", "mpo")},
    **{kind: ["1", "L", "P", "RGB", "RGBA"] for kind in ("bmp", "dib")},
    **{kind: ["L", "LA", "RGB", "RGBA"] for kind in ("webp", "avif")},
    "gif": ["1", "L", "P", "RGB"],
    "pcx": ["1", "L", "P", "RGB"],
    "sgi": ["L", "RGB", "RGBA"],
    "qoi": ["RGB", "RGBA"],
}
PILLOW = [(kind, mode) for kind, modes in _WRITTEN.items() for mode in modes]
_CONVERTED = ("avif", "gif", "webp")  # Pillow turns other modes into those above as it writes them
_LOSSY_ONES = ("jpeg", "mpo")  # of which black and white is blurred
_SWAPPED = ("jpeg2000", "I;16B")  # Pillow 13 writes its bytes in the other order
_WITHOUT_RANGE = [("tiff", "I"), ("tiff", "F"), ("ppm", "F")]
MODES = (
    *(
        "1",
        "L",
        "LA",
        "La",
        "P",
        "PA",
        "RGB",
        "RGBA",
        "RGBa",
        "RGBX",
        "CMYK",
        "YCbCr",
        "LAB",
        "HSV",
        "I",
        "F",
    ),
    *("I;16", "I;16B", "I;16L"),
)
LOSSY = {"jpeg": 6, "mpo": 6, "webp": 8, "avif": 8}
TURNS = ("png", "tiff", "jpeg", "webp", "avif")


@pytest.mark.parametrize(("kind", "mode"), PILLOW)
def test_modes_of_pillow(tmp_path, kind, mode):
    Image.init()
    if kind.upper() not in Image.SAVE:
        pytest.skip(f"Pillow here writes no {kind}")
    in_color = mode in ("RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB")
    shown, image = _in_mode(mode, RGB if in_color else GRAY)
    for orientation in TURNED if kind in TURNS else (1,):
        options = {"quality": 100} if kind in LOSSY else {}
        if orientation != 1:
            exif = {"exif": b"Exif\0\0" + _exif(orientation)}
            options |= {"tiffinfo": {ORIENTATION: orientation}} if kind == "tiff" else exif
        target = io.BytesIO()
        image.save(target, kind, **options)
        tolerance = LOSSY.get(kind, 2.5 if mode in ("YCbCr", "LAB") or kind == "gif" else 0.5)
        check(tmp_path, target.getvalue(), lightness(TURNED[orientation](shown)), tolerance)


def _in_mode(mode: str, shown: np.ndarray) -> tuple[np.ndarray, Image.Image]:
    """An image, and what it shows."""
    if mode == "F":
        return shown, Image.fromarray(shown.astype(np.float32))
    if mode == "I":
        return shown, Image.fromarray(levels(shown, 16).astype(np.int32))
    if mode.startswith("I;16"):
        words = Image.fromarray(levels(shown, 16))
        return shown, words if mode == "I;16" else words.convert("I").convert(mode)
    if mode == "1":
        return (shown > 0.5).astype(float), Image.fromarray(shown > 0.5)
    if mode == "LAB":
        spaces = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        return shown, ImageCms.buildTransform(*spaces, "RGB", "LAB").apply(Image.fromarray(levels(shown, 8)))
    image = Image.fromarray(levels(shown, 8))
    return shown, (image.convert(f"{mode[:-1]}A") if mode in ("La", "RGBa") else image).convert(mode)


def test_no_mode_that_pillow_writes_is_left_out():
    Image.init()
    left_out = set()
    for kind, mode in itertools.product(map(str.lower, read_module.FORMATS), MODES):
        try:
            _in_mode(mode, GRAY if mode[0] in "1LPIF" and mode != "LAB" else RGB)[1].save(io.BytesIO(), kind)
        except (OSError, KeyError, ValueError):
            continue
        left_out.add((kind, mode))
    left_out -= {*PILLOW, *_WITHOUT_RANGE, _SWAPPED, *((kind, "1") for kind in _LOSSY_ONES)}
    assert {pair for pair in left_out if pair[0] not in (*_CONVERTED, "heif")} == set()


@pytest.mark.parametrize(("kind", "mode"), _WITHOUT_RANGE)
def test_modes_without_a_range_are_refused(tmp_path, kind, mode):
    target = io.BytesIO()
    _in_mode(mode, GRAY)[1].save(target, kind)
    with pytest.raises(PhotoError, match="no fixed range"):
        read(tmp_path, target.getvalue())


@pytest.mark.parametrize("kind", ["fits", "spider", "eps"])
def test_other_formats_are_refused(tmp_path, kind):
    """In FITS, as an example, integers of 16 bits have a sign."""
    target = io.BytesIO()
    if kind == "fits":
        cards = {"SIMPLE": "T", "BITPIX": "16", "NAXIS": "2", "NAXIS1": "8", "NAXIS2": "8"}
        text = "".join(f"{name:8}= {value:>20}".ljust(80) for name, value in cards.items()) + "END".ljust(80)
        target.write(text.encode().ljust(2880) + bytes(2880))
    else:
        Image.new("F" if kind == "spider" else "L", (8, 8)).save(target, kind)
    with pytest.raises(PhotoError, match="not an image of a kind that can be read here"):
        read(tmp_path, target.getvalue())


def test_the_size_of_a_tiff_is_told_before_it_is_decoded(tmp_path):
    (tmp_path / "wide.tif").write_bytes(
        _own(np.zeros((2, 3, 1), np.int64), 8, {256: 60_000, 257: 60_000, 262: 1})
    )
    with pytest.raises(PhotoError, match="60000x60000 pixels"):
        read_photo(tmp_path / "wide.tif")


def test_pages_have_numbers(tmp_path):
    with tifffile.TiffWriter(tmp_path / "album.tif") as writer:
        for shown, kind in ((GRAY, 0), (GRAY[::2, ::2], 1), (GRAY.T, 0)):
            writer.write(levels(shown, 16), subfiletype=kind, metadata=None)
    with (tmp_path / "album.tif").open("rb") as file:
        assert [page.number for page in tiff.pages(file)] == [0, 2]
    np.testing.assert_allclose(
        read_photo(tmp_path / "album.tif", page=1).lightness, lightness(GRAY.T), atol=0.5
    )
    with pytest.raises(PhotoError, match="no page 3"):
        read_photo(tmp_path / "album.tif", page=2)
    frames = [Image.new("L", (9, 8), level) for level in (0, 255)]
    frames[0].save(tmp_path / "clip.gif", save_all=True, append_images=frames[1:])
    assert read_photo(tmp_path / "clip.gif", page=1).lightness.min() > 99


def _with_nclx(primaries: int, transfer: int) -> bytes:
    """An AVIF of `RGB` that tells other code points than Pillow's, sRGB's."""
    target = io.BytesIO()
    Image.fromarray(levels(RGB, 8)).save(target, "avif", quality=100)
    place = target.getvalue().index(b"colrnclx") + 8
    content = bytearray(target.getvalue())
    content[place : place + 4] = struct.pack(">HH", primaries, transfer)
    return bytes(content)


def _files(primaries: int, transfer: int, bits: int) -> list[bytes]:
    """Of `RGB`, with these code points."""
    chunk = bytes([primaries, transfer, 0, 1])
    eight = io.BytesIO()
    Image.fromarray(levels(RGB, 8)).save(eight, "png")
    png_file = (
        _png(levels(RGB, 16), cICP=chunk)
        if bits == 16
        else png.with_chunks(eight.getvalue(), [(b"cICP", chunk)])
    )
    return [png_file] + ([_with_nclx(primaries, transfer)] if bits == 8 and features.check("avif") else [])


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(("transfer", "reason"), [(16, "HDR \\(PQ\\)"), (18, "HDR \\(HLG\\)"), (11, "H.273")])
def test_levels_of_hdr_are_refused(tmp_path, bits, transfer, reason):
    for content in _files(9, transfer, bits):
        with pytest.raises(PhotoError, match=reason):
            read(tmp_path, content)
        with pytest.raises(PhotoError, match=reason):
            transforms.decode(content, 10)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("points", [(1, 13), (1, 1), (2, 2), (12, 13), (1, 8), (9, 4)])
def test_code_points(tmp_path, bits, points):
    primaries, transfer = points
    linear = RGB**1.0 if transfer == 8 else RGB**2.2 if transfer == 4 else color.srgb_to_linear(RGB)
    expected = lightness(color.linear_to_srgb(linear))
    if primaries in (9, 12):
        corners = {
            9: [[0.708, 0.292], [0.17, 0.797], [0.131, 0.046]],
            12: [[0.68, 0.32], [0.265, 0.69], [0.15, 0.06]],
        }
        matrix = color.primaries_to_d50(np.array([[0.3127, 0.329], *corners[primaries]]))
        shown = linear @ np.linalg.solve(SRGB, matrix).T
        expected = lightness(color.linear_to_srgb(shown.clip(0, 1)))
    for number, content in enumerate(_files(*points, bits)):
        check(tmp_path, content, expected, 8 if number else 0.5)


def test_a_profile_of_hdr_is_refused_and_one_of_a_primary_item_counts(tmp_path):
    profile = _profile(dict.fromkeys("rgb", _gamma_curve(2.2)), b"RGB ", ADOBE)
    count = struct.unpack_from(">I", profile, 128)[0]
    tag = b"cicp\0\0\0\0" + bytes([9, 16, 0, 1])
    table = profile[132 : 132 + 12 * count]
    moved = b"".join(
        struct.pack(">4sII", name, start + 12, size)
        for name, start, size in struct.iter_unpack(">4sII", table)
    )
    moved += struct.pack(">4sII", b"cicp", len(profile) + 12, len(tag))
    hdr = profile[:128] + struct.pack(">I", count + 1) + moved + profile[132 + 12 * count :] + tag
    for content in _with_profile(levels(RGB, 16), hdr):
        with pytest.raises(PhotoError, match="HDR"):
            read(tmp_path, content)


def test_a_gain_map_is_left_out_and_not_told_of():
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" xmlns:Container="c" xmlns:dc="d" '
        'hdrgm:Version="1.0" dc:identifier="7"><Container:Directory><rdf:Seq><rdf:li/></rdf:Seq></Container:Directory>'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    said = xmp.packet(packet.encode(), {}).decode()
    assert "hdrgm:Version" not in said and "Directory" not in said and 'dc:identifier="7"' in said
