"""BSDS500's regions: cropped and scaled with their photo, one list for each person."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image
from scipy import io as matlab

from colorize_jax.data import bsds
from colorize_jax.data.transforms import View


def mat(people: list[np.ndarray]) -> bytes:
    """As published: a cell array of structs with a field Segmentation."""
    cells = np.empty((1, len(people)), object)
    for number, labels in enumerate(people):
        struct = np.empty((1, 1), [("Segmentation", object)])
        struct[0, 0]["Segmentation"] = labels.astype(np.uint16)
        cells[0, number] = struct
    buffer = io.BytesIO()
    matlab.savemat(buffer, {"groundTruth": cells})
    return buffer.getvalue()


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """One wide photo, red in its left and blue in its right half; two people, one with a region more in the margin."""
    pixels = np.zeros((64, 96, 3), np.uint8)
    pixels[:, :48, 0] = pixels[:, 48:, 2] = 200
    photo = io.BytesIO()
    Image.fromarray(pixels).save(photo, "PNG")
    halves = 1 + (np.arange(96) >= 48)[None].repeat(64, axis=0)
    margin = np.where(np.arange(96) < 16, 9, halves)
    path = tmp_path_factory.mktemp("bsds") / "mini.zip"
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("images/val/7.jpg", photo.getvalue())
        opened.writestr("groundTruth/val/7.mat", mat([halves, margin]))
        opened.writestr("images/train/8.jpg", b"has no regions and is not read")
    return path


def test_regions_lie_where_the_photos_colors_do(archive):
    ((batch, people),) = bsds.segmented_photos(archive, View(16))
    assert batch["ab"].shape == (1, 16, 16, 2) and len(people) == 2
    blue = batch["ab"][0, ..., 1] < 0
    for labels in people:
        np.testing.assert_array_equal(labels, blue)  # the margin is cropped away: labels are 0 and 1 again


def test_mistakes_are_named(archive, tmp_path):
    with pytest.raises(ValueError, match="cannot be read as a zip"):
        next(bsds.segmented_photos(tmp_path / "absent.zip", View(16)))
    with zipfile.ZipFile(tmp_path / "bare.zip", "w") as opened:
        opened.writestr("7.jpg", b"")
    with pytest.raises(ValueError, match="no photo with regions"):
        next(bsds.segmented_photos(tmp_path / "bare.zip", View(16)))
