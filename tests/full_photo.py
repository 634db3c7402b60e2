"""A photo with all that a file can say beside its pixels, written and read by ExifTool alone."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

PLACE = 48.1
_TAGS = {
    "EXIF:Orientation#": 6,
    "EXIF:ImageDescription": "Plate 17",
    "EXIF:Copyright": "© Archiv",
    "EXIF:DateTimeOriginal": "1931:07:04 12:00:00",
    "GPS:GPSLatitude": PLACE,
    "GPS:GPSLatitudeRef": "N",
    "XMP-dc:Identifier": "PLATE-17",
    "XMP-tiff:Orientation#": 6,
    "IPTC:Caption-Abstract": "Familie am See",
    "IPTC:CopyrightNotice": "Archiv Müller",
}


def write(path: Path) -> None:
    """A gray JPEG of 60 x 40 pixels, to be turned upright, 600 dots per inch; skips the test without ExifTool."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    gray = np.linspace(30, 220, 2400).astype(np.uint8).reshape(40, 60)
    Image.fromarray(gray).convert("RGB").save(path, dpi=(600, 600), icc_profile=profile)
    tags = [f"-{name}={value}" for name, value in _TAGS.items()]
    _exiftool("-q", "-overwrite_original", "-codedcharacterset=utf8", *tags, path)


def check(path: Path, *, version: int) -> None:
    """Asserts that the file of a version says all that the photo's does, upright, and where its colors are from."""
    (said,) = json.loads(_exiftool("-json", "-n", "-G1", path))
    assert said["IFD0:ImageDescription"] == "Plate 17" and said["IFD0:Copyright"] == "© Archiv"
    assert said["ExifIFD:DateTimeOriginal"] == "1931:07:04 12:00:00"
    assert said["GPS:GPSLatitude"] == pytest.approx(PLACE) and said["IFD0:XResolution"] == 600
    assert said["IFD0:Orientation"] == said["XMP-tiff:Orientation"] == 1
    assert said["XMP-dc:Identifier"] == "PLATE-17" and said["XMP-colorize:Version"] == version
    assert "Familie am See" in _either(said, "IPTC:Caption-Abstract", "XMP-dc:Description")
    assert "Archiv Müller" in _either(said, "IPTC:CopyrightNotice", "XMP-dc:Rights")
    assert "sRGB" in said["ICC_Profile:ProfileDescription"]
    assert said.get("ExifTool:Warning", "[minor]").startswith("[minor]")
    with Image.open(path) as picture:
        assert picture.size == (40, 60)


def _either(said: dict[str, Any], *names: str) -> str:
    """WebP has no place for IPTC's records, which are in XMP then."""
    return next(str(said[name]) for name in names if name in said)


def _exiftool(*arguments: str | Path) -> str:
    try:
        done = subprocess.run(["exiftool", *arguments], capture_output=True, text=True, check=True)
    except FileNotFoundError:
        pytest.skip("ExifTool is not installed")
    return done.stdout
