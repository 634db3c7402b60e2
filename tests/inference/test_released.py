"""The model in the package: its output on a fixed picture is pinned, and so are its size and its record.

The golden values were printed by `python tests/inference/test_released.py > tests/golden/released.json`, after a look
at the pictures; run it again when the model is replaced on purpose.
"""

import json
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict

from colorize_jax import bundle, methods
from colorize_jax.data import pipeline
from colorize_jax.data.prepare import prepare
from colorize_jax.inference.colorizer import Colorizer

pytestmark = pytest.mark.usefixtures("whole_compiler")  # what users get

GOLDEN = Path(__file__).parents[1] / "golden" / "released.json"
GRID = 4
PHOTO = "a face-like ellipse, 96x80"


def photo():
    """A gray picture that any machine draws with the same bits."""
    rows, columns = np.mgrid[0:96, 0:80]
    face = ((rows - 44) / 32) ** 2 + ((columns - 40) / 22) ** 2 < 1
    picture = np.where(face, 190, 60 + rows // 2)
    picture[36:40, 28:34] = picture[36:40, 46:52] = 40
    return picture.astype(np.uint8)


def edited():
    """The same means of mode 'guided' from two colours, corrected."""
    edits = [
        {"kind": "point", "at": [40, 50], "color": {"lab": [60, 18, 20]}},
        {"kind": "point", "at": [8, 88], "color": {"lab": [40, -10, -20]}},
    ]
    (field,) = Colorizer.load().edit(photo(), edits, mode="guided").field
    side = field.shape[1] // GRID
    return field.reshape(GRID, side, GRID, side, 2).mean(axis=(1, 3)).tolist()


def measured():
    """Mean a* and b*, network units, of the cells of a 4x4 grid over each version, and the versions' weights."""
    versions = Colorizer.load().colorize(photo(), samples=5)
    count, side = len(versions.field), versions.field.shape[1] // GRID
    cells = versions.field.reshape(count, GRID, side, GRID, side, 2).mean(axis=(2, 4))
    return {
        "photo": PHOTO,
        "weights": versions.weights.tolist(),
        "field": cells.tolist(),
        "guided": edited(),
    }


@pytest.fixture(scope="module")
def golden():
    return json.loads(GOLDEN.read_text())


def test_output_on_a_fixed_picture_is_pinned(golden):
    now = measured()
    # Backends and versions of XLA round differently; one step of 8-bit colour is about 0.004.
    np.testing.assert_allclose(now["weights"], golden["weights"], atol=2e-3)
    np.testing.assert_allclose(now["field"], golden["field"], atol=2e-3)
    np.testing.assert_allclose(now["guided"], golden["guided"], atol=2e-3)


def test_versions_differ_and_are_no_shade_of_one_color(golden):
    field = np.array(golden["field"])
    assert field.var(axis=0).mean() > 1e-5
    means = field.mean(axis=(1, 2))
    assert np.linalg.norm(means[:, None] - means[None], axis=-1).max() > 0.02


@pytest.mark.real_data
def test_no_photo_makes_the_colors_explode(tmp_path, real_data):
    """One church of 150 had colours of a thousand times their range: it fired channels that training never did."""
    prepare("lsun_church", directory=tmp_path, source=real_data)
    config = ConfigDict(bundle.load_config("default"))
    config.data.update({"dir": str(tmp_path), "test": ("lsun_church", "test")})
    method = methods.build(config)
    variables = bundle.load_bundle("default", method.abstract_variables()).variables
    sample = jax.jit(partial(method.colors.sample, samples=5, rule="modes"))
    largest = [
        float(np.abs(sample(variables, {"lightness": batch["lightness"]}, jax.random.key(0)).unary).max())
        for batch in pipeline.evaluation(config.data, batch_size=50)
    ]
    assert len(largest) == 3
    assert 0.1 < max(largest) < 1.5  # network units: the most vivid blue of sRGB has 0.84


def test_weights_fit_and_are_small():
    path = bundle.WEIGHTS / "default" / "weights.npz"
    assert path.stat().st_size < 15e6
    config = bundle.load_config("default")
    loaded = bundle.load_bundle("default", methods.build(config).abstract_variables())
    assert loaded.config == config


def test_the_record_is_complete():
    loaded = bundle.load_bundle("default", None)
    trained, record = set(), loaded.provenance
    while record:  # of the run, and of those that it and they began with
        trained |= {stage["stage"] for stage in record["stages"] if stage.get("steps")}
        record = record["began_with"]
    assert trained == {
        "features",
        "unary",
        "structure",
        "mdn",
        "modes",
        "spread_coarse",
        "spread",
        "spread_fine",
        "correct",
    }
    assert all(row["split_hash"] and row["licence"] for row in loaded.provenance["data"])
    assert loaded.scores


if __name__ == "__main__":
    print(json.dumps(measured(), indent=1))
