"""What a photo's file says beside its pixels is in the files of its pictures, of every format, and read back."""

import io
import json
import shutil
import subprocess
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from colorize_jax.inference import origin
from colorize_jax.photos import encode, icc, ifd, metadata, png, xmp
from colorize_jax.photos.metadata import Metadata
from colorize_jax.photos.photo import PhotoError, as_photo, read_photo, write_pictures

pytestmark = pytest.mark.quick

CAPTION = "Família am See, Müller"  # in UTF-8, as most programs write it
PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'tiff:Orientation="6" dc:identifier="PLATE-17"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
).encode()
KINDS = ("png", "jpg", "tif", "webp")


def _iptc(**records: str) -> bytes:
    numbers = {"caption": 120, "copyright": 116, "keyword": 25}
    return b"".join(
        b"\x1c\x02" + bytes([numbers[name]]) + len(text.encode()).to_bytes(2, "big") + text.encode()
        for name, text in records.items()
    )


def _exif(order: str = "<", orientation: int = 6) -> bytes:
    """EXIF with sub-directories, a maker's note that knows its place, and a thumbnail's directory."""
    place = 8 + 512
    note = b"MAKER" + bytes(range(59))
    sub = {
        0x9003: ifd.text(ifd.ASCII, b"1931:07:04 12:00:00\0"),
        0x927C: ifd.text(ifd.UNDEFINED, note),
        0xA001: ifd.entry(order, ifd.SHORT, 0xFFFF),
        0xA002: ifd.entry(order, ifd.LONG, 40),
        0xA003: ifd.entry(order, ifd.LONG, 30),
    }
    gps = {2: ifd.entry(order, ifd.RATIONAL, 48, 1, 6, 1, 0, 1)}
    first = {
        270: ifd.text(ifd.ASCII, CAPTION.encode() + b"\0"),
        274: ifd.entry(order, ifd.SHORT, orientation),
        0x8298: ifd.text(ifd.ASCII, "© Archiv\0".encode()),
        34665: ifd.entry(order, ifd.LONG, place),
        34853: ifd.entry(order, ifd.LONG, place + 512),
    }
    content = ifd.empty(order)[:8] + ifd.packed(order, first, 8)
    content = content.ljust(place, b"\0") + ifd.packed(order, sub, place)
    return content.ljust(place + 512, b"\0") + ifd.packed(order, gps, place + 512)


FULL = Metadata(
    exif=_exif(),
    xmp=PACKET,
    iptc=_iptc(caption=CAPTION, copyright="Archiv", keyword="See"),
    dpi=(600.0, 300.0),
    words={"Comment": "Schachtel 4"},
    provenance={"Colorized": "True", "Model": "default", "Version": "2"},
)
RGB = np.random.default_rng(0).integers(0, 65536, (30, 40, 4)).astype(np.uint16)


def _read_back(folder, content: bytes) -> Metadata:
    (folder / "file").write_bytes(content)
    return read_photo(folder / "file").about


def _tags(exif: bytes) -> dict[int, bytes]:
    (first,) = ifd.directories(io.BytesIO(exif))
    sub = ifd.directory_at(io.BytesIO(exif), first.number(34665, 0))
    return {tag: entry.data for each in (first, sub) for tag, entry in each.entries.items()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("order", "<>")
def test_all_of_it_is_written_and_read_back(tmp_path, kind, bits, order):
    picture = (RGB if bits == 16 else (RGB >> 8).astype(np.uint8))[..., : 3 if kind == "jpg" else 4]
    content = encode.encode(picture, kind, FULL._replace(exif=_exif(order)))
    found = _read_back(tmp_path, content)
    tags = _tags(found.exif)
    assert tags[270] == CAPTION.encode() + b"\0" and tags[0x9003].startswith(b"1931")
    numbers = next(ifd.directories(io.BytesIO(found.exif)))
    assert numbers.number(274, 0) == 1 and numbers.values(282) == (600_000, 1000)
    sub = ifd.directory_at(io.BytesIO(found.exif), numbers.number(34665, 0))
    assert (sub.number(0xA001, 0), sub.number(0xA002, 0), sub.number(0xA003, 0)) == (1, 40, 30)
    assert sub.entries[0x927C].data.startswith(b"MAKER")
    assert ifd.directory_at(io.BytesIO(found.exif), numbers.number(34853, 0)).values(2)[0] == 48
    np.testing.assert_allclose(found.dpi, FULL.dpi, atol=0.02)
    text = found.xmp.decode()
    assert 'tiff:Orientation="1"' in text and "PLATE-17" in text and 'colorize:Model="default"' in text
    assert found.profile == icc.srgb()
    if kind == "webp":
        assert "Archiv" in text and CAPTION in text and "<rdf:li>See</rdf:li>" in text
    else:
        assert found.iptc == FULL.iptc
    assert "Schachtel 4" in (text if kind in ("tif", "webp") else found.words["Comment"])


@pytest.mark.parametrize("kind", ["png", "tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bits_are_kept(tmp_path, kind, channels):
    content = encode.encode(RGB[..., :channels], kind, FULL)
    (tmp_path / "a").write_bytes(content)
    photo, expected = read_photo(tmp_path / "a"), as_photo(RGB[..., :channels])
    assert photo.bits == 16
    np.testing.assert_allclose(photo.lightness, expected.lightness, atol=1e-3)
    assert channels == 3 or np.array_equal(photo.alpha, expected.alpha)


def test_jpeg_and_webp_have_eight_bits_of_them(tmp_path):
    smooth = np.linspace(0, 65535, 30 * 40 * 3).astype(np.uint16).reshape(30, 40, 3)
    for kind in ("jpeg", "webp"):
        shown = np.asarray(Image.open(io.BytesIO(encode.encode(smooth, kind))), int)
        assert np.abs(shown - smooth / 257).max() < 6
    with pytest.raises(PhotoError, match="opacity"):
        encode.encode(RGB, "jpg")
    with pytest.raises(PhotoError, match="'bmp'"):
        encode.encode(RGB, "bmp")


def test_quality_counts(tmp_path):
    sizes = [len(encode.encode(RGB[..., :3], kind, quality=q)) for kind in ("jpg", "webp") for q in (30, 95)]
    assert sizes[0] < sizes[1] / 2 and sizes[2] < sizes[3] / 2


def test_the_same_picture_has_the_same_bytes():
    for kind in KINDS:
        first = encode.encode(RGB[..., :3], kind, FULL)
        icc.srgb.cache_clear()
        assert first == encode.encode(RGB[..., :3], kind, FULL)


def test_nothing_is_said_of_other_pictures(tmp_path):
    content = encode.encode(RGB[..., :3], "png")
    assert _read_back(tmp_path, content) == Metadata()


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def test_a_profile_is_kept_where_it_is_srgb():
    assert metadata.profile_of(Metadata(profile=PROFILE)) == PROFILE
    gray = PROFILE.replace(b"RGB ", b"GRAY", 1)
    for other in (b"", b"nonsense", gray, PROFILE[:200]):
        assert metadata.profile_of(Metadata(profile=other)) == icc.srgb()


def test_a_tiff_gives_what_it_says(tmp_path):
    """But not how its pixels lie; its sub-directories move."""
    for order in "<>":
        given = encode.encode(RGB[..., :3], "tif", FULL._replace(exif=_exif(order), provenance={}))
        about = _read_back(tmp_path, given)
        tags = _tags(about.exif)
        assert not {256, 258, 273, 279, 700, 33723, 34675} & tags.keys()
        assert tags[0x8298] == "© Archiv\0".encode() and tags[0x9003].startswith(b"1931")


def test_words_of_a_png(tmp_path):
    words = PngImagePlugin.PngInfo()
    words.add_text("Title", "Platte 17")
    words.add_itxt("Description", "Am See", "de")
    words.add_text("Software", "scanner", zip=True)
    Image.new("L", (8, 8)).save(tmp_path / "a.png", pnginfo=words)
    about = read_photo(tmp_path / "a.png").about
    assert about.words == {"Title": "Platte 17", "Description": "Am See", "Software": "scanner"}
    assert _read_back(tmp_path, encode.encode(RGB[..., :3], "png", about)).words == about.words
    said = _read_back(tmp_path, encode.encode(RGB[..., :3], "jpg", about)).xmp.decode()
    assert "Platte 17" in said and "Am See" in said


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_packets_of_any_encoding(encoding):
    made = xmp.packet(PACKET.decode().encode(encoding), {"Model": 'a "b" & <c>'}).decode()
    assert "PLATE-17" in made and "colorize:Model='a \"b\" &amp; &lt;c&gt;'" in made


@pytest.mark.parametrize(
    "broken",
    [b"\xff\xfe\x00", b"<rdf:RDF></rdf:RDF", PACKET[:200], b'<!DOCTYPE a [<!ENTITY b "c">]>' + PACKET],
)
def test_a_damaged_packet_is_left_out(broken):
    made = xmp.packet(broken, {"Model": "m"}).decode()
    assert "PLATE" not in made and 'colorize:Model="m"' in made
    assert xmp.packet(broken, {}) == b""


def test_a_photo_that_was_colored_before_has_one_origin():
    once = xmp.packet(PACKET, {"Model": "first"})
    twice = xmp.packet(once, {"Model": "second"}).decode()
    assert twice.count("DigitalSourceType") == once.decode().count("DigitalSourceType")
    assert "first" not in twice and 'colorize:Model="second"' in twice and "PLATE-17" in twice


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\0\0", b"nonsense", b"Exif\0\0II*\0\x08\0\0\0\xff\xff"]
)
def test_damaged_exif_does_not_stop_a_photo(tmp_path, exif):
    for kind in ("jpeg", "png", "webp"):
        Image.new("L", (9, 8), 99).save(tmp_path / "a", kind, exif=exif)
        photo = read_photo(tmp_path / "a")
        assert photo.lightness.shape == (8, 9)
        assert encode.encode(RGB[..., :3], "png", photo.about)


@pytest.mark.parametrize("seed", range(6))
def test_damaged_metadata_is_left_out_and_the_rest_kept(tmp_path, seed):
    """Bytes of everything are changed at random, where a PNG's sums are right again."""
    rng = np.random.default_rng(seed)

    def damaged(content: bytes) -> bytes:
        changed = np.frombuffer(content, np.uint8).copy()
        changed[rng.integers(0, len(changed), 4)] = rng.integers(0, 256, 4)
        return changed.tobytes()

    for _ in range(8):
        chunks = [
            (b"eXIf", damaged(_exif(rng.choice(["<", ">"])))),
            (b"iCCP", b"a\0\0" + zlib.compress(damaged(PROFILE))),
        ]
        chunks.append((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + damaged(PACKET)))
        chunks.append((b"zTXt", encode._raw_profile(damaged(metadata.in_photoshop(FULL.iptc)))))
        about = _read_back(tmp_path, png.encode(RGB[..., 0], chunks))
        for kind in KINDS:
            made = encode.encode(RGB[..., :3], kind, about._replace(provenance={"Model": "m"}))
            assert b'colorize:Model="m"' in _read_back(tmp_path, made).xmp


def test_exif_that_is_too_long_for_a_jpeg_is_told(caplog):
    long = ifd.amended(_exif(), {0x9286: ifd.text(ifd.UNDEFINED, bytes(70_000))})
    content = encode.encode(RGB[..., :3], "jpg", FULL._replace(exif=long))
    assert "EXIF" in caplog.text and "exif" not in Image.open(io.BytesIO(content)).info
    assert len(encode.encode(RGB[..., :3], "png", FULL._replace(exif=long))) > 70_000


def test_origins_tell_what_was_asked():
    about = origin.numbered(origin.told(FULL, {"Model": "default"}, Rule="modes", Seed=3, Edits=None), 4)
    assert about.exif == FULL.exif
    assert about.provenance == {
        "Colorized": "True",
        "Software": origin.software(),
        "Model": "default",
        "Rule": "modes",
        "Seed": "3",
        "Version": "4",
    }


@pytest.mark.parametrize("name", ["exif", "iptc", "xmp"])
def test_what_imagemagick_keeps_in_a_png(tmp_path, name):
    content = {"exif": b"Exif\0\0" + _exif(), "iptc": metadata.in_photoshop(FULL.iptc), "xmp": PACKET}[name]
    text = f"\n{name}\n{len(content):8}\n{content.hex()}\n"
    chunk = f"Raw profile type {name}\0\0".encode("latin-1") + zlib.compress(text.encode())
    (tmp_path / "a.png").write_bytes(png.encode(RGB[..., 0], [(b"zTXt", chunk)]))
    about = read_photo(tmp_path / "a.png").about
    assert getattr(about, name) == {"exif": _exif(), "iptc": FULL.iptc, "xmp": PACKET}[name]


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="needs ExifTool")
@pytest.mark.parametrize("kind", KINDS)
def test_exiftool_reads_all_of_it(tmp_path, kind):
    write_pictures({tmp_path / f"a.{kind}": RGB[..., :3]}, {tmp_path / f"a.{kind}": FULL})
    done = subprocess.run(
        ["exiftool", "-json", "-G1", "-struct", "-charset", "iptc=utf8", tmp_path / f"a.{kind}"],
        capture_output=True,
        check=True,
    )
    (said,) = json.loads(done.stdout)
    assert said["IFD0:ImageDescription"] == CAPTION and said["IFD0:Copyright"] == "© Archiv"
    assert said["IFD0:Orientation"] == "Horizontal (normal)" and said["IFD0:XResolution"] == 600
    assert said["ExifIFD:DateTimeOriginal"] == "1931:07:04 12:00:00"
    assert said["XMP-dc:Identifier"] == "PLATE-17" and said["XMP-colorize:Model"] == "default"
    assert said["XMP-iptcExt:DigitalSourceType"].endswith("compositeWithTrainedAlgorithmicMedia")
    caption = said["XMP-dc:Description"] if kind == "webp" else said["IPTC:Caption-Abstract"]
    assert caption == CAPTION
    assert said.get("ExifTool:Warning", "[minor]").startswith("[minor]")
