"""`launch/check_mutated`: what it asserts of thousands of damaged files holds for a few, and it sees what is wrong."""

import importlib.util
import json
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from colorizers import colorizer_of
from ml_collections import ConfigDict
from served import png, running

from colorize_jax.data import prepared
from colorize_jax.data.prepare import prepare
from colorize_jax.inference import batch
from colorize_jax.methods.base import Samples
from colorize_jax.photos.errors import WITHOUT_SOME
from colorize_jax.photos.results import Results

LAUNCH = Path(__file__).parents[2] / "launch"
FILES, SEED = 60, 1
OF_STUDIO = 8  # a photo takes half a second there


def _loaded(name, path):
    spec = importlib.util.spec_from_loader(name, SourceFileLoader(name, str(path)))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


mutated = _loaded("mutated", LAUNCH / "mutated.py")
check_mutated = _loaded("check_mutated", LAUNCH / "check_mutated")


def _sample(variables, batch, rng, *, samples, rule):
    field = jnp.full((1, samples, 32, 32, 2), 0.1)
    return Samples(field, field, jnp.full((1, samples), 1 / samples))


def _similarity(variables, batch):
    """Cells that follow each other are alike."""
    cell = jnp.arange(1024)
    return jax.nn.softmax(-(((cell[:, None] - cell[None]) / 30) ** 2) - 1e9 * jnp.eye(1024))[None]


@pytest.fixture(scope="module")
def colorizer():
    config = ConfigDict({"data": {"image_size": 64, "lightness_large": 0}})
    config.gcrf = ConfigDict({"beta_test": 5.0, "floor": 1e-3})
    return colorizer_of(config, _sample, similarity=_similarity)


@pytest.fixture(scope="module")
def files():
    return mutated.sent(FILES, SEED)


@pytest.fixture
def folder(tmp_path, files):
    (tmp_path / "photos").mkdir()
    for each in files:
        (tmp_path / "photos" / each.name).write_bytes(each.content)
    return tmp_path / "photos"


def test_every_kind_of_photo_and_of_damage_is_sent():
    kinds = {name.rsplit(".")[-1] for name in mutated.photos()}
    wanted = {
        "png",
        "apng",
        "tif",
        "jpg",
        "webp",
        "gif",
        "bmp",
        "jp2",
        "j2k",
        "avif",
        "ppm",
        "pgm",
        "tga",
        "pcx",
        "qoi",
    }
    assert kinds >= wanted - ({"avif"} if "avif" not in kinds else set())
    many = mutated.sent(600, 3)
    assert many == mutated.sent(600, 3) != mutated.sent(600, 4)
    assert {damage.__name__[1:] for damage in mutated.DAMAGE} <= {
        each.name.split("-")[-1].split(".")[0] for each in many
    }
    assert 120 < sum(each.is_good for each in many) < 240


def test_colorize_takes_or_names_each(tmp_path, folder, files, colorizer, capsys):
    out = tmp_path / "out"
    found = batch.find_jobs([str(folder)], out)
    counts = batch.run(
        found.jobs,
        lambda photo: colorizer.colorize(photo, samples=1),
        batch.Options(1, contact_sheet=False, made="x"),
        results=Results(out),
    )
    printed = capsys.readouterr()
    lines = (printed.out + printed.err).splitlines()
    assert list(check_mutated.colored(files, lines, out)) == []
    assert counts.done > 20 and counts.failed > 15


def test_colorize_data_takes_or_names_each(tmp_path, folder, files):
    summary, _ = prepare("folder", directory=tmp_path / "data", source=folder, name="mutated", test_images=2)
    skipped = prepared.skipped(tmp_path / "data", summary.name)
    assert any(each["reason"].startswith("corrupt") for each in skipped)
    assert list(check_mutated.prepared(files, WITHOUT_SOME, tmp_path / "data")) == []
    assert list(check_mutated.prepared(files, 0, tmp_path / "data"))


def test_the_studio_takes_or_names_each(files, colorizer):
    pytest.importorskip("uvicorn", reason="the studio's server is the extra [studio]")
    from colorize_jax.studio import serve

    listening = serve.listen(0)
    server = serve.server(serve.make(colorizer, samples=1), listening)
    with running(server, listening):
        ask = check_mutated.asking(serve.url_of(listening)[:-1])
        faults = [(each.name, *check_mutated.opened(each, ask, 60.0)) for each in files[:OF_STUDIO]]
    assert [fault for fault in faults if len(fault) > 1] == []


def test_what_is_wrong_is_seen(tmp_path):
    good, bad = mutated.Sent("1-a.png", b"", True), mutated.Sent("2-b.png", b"", False)
    whole = png(np.random.default_rng(0).integers(0, 255, (40, 40), np.uint8))
    (tmp_path / "2-b_1.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "tmp123").touch()
    found = dict(check_mutated.colored([good, bad], ["x/2-b.png -> ..."], tmp_path))
    assert set(found) == {"1-a.png", "2-b_1.png", "tmp123"}
    (tmp_path / "tmp123").unlink()
    (tmp_path / "2-b_1.png").write_bytes(whole)
    (tmp_path / "1-a_1.png").write_bytes(whole)
    assert not list(check_mutated.colored([good, bad], ["x/2-b.png -> ...", "x/1-a.png -> ..."], tmp_path))
    refused = json.dumps({"message": "two\nlines"}).encode()
    assert list(check_mutated.opened(bad, lambda *_: (422, refused), 10.0))
    assert list(check_mutated.opened(bad, lambda *_: (500, refused), 10.0))
    ran = check_mutated.Ran(1, [(0.0, "a"), (30.0, "Traceback (most recent call last):")], 31.0)
    assert len(list(check_mutated.of_program([good], ran, 10.0))) == 2
