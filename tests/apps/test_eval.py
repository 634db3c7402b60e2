"""`colorize-eval` on a toy model and a prepared folder of drawn images: files, flags, and errors of one line."""

import json
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import flagsaver
from array_record.python import array_record_data_source  # noqa: F401, flagsaver would forget its flags
from PIL import Image

from colorize_jax import methods
from colorize_jax.apps import eval as app
from colorize_jax.data.prepare import prepare
from colorize_jax.evaluation import candidates, records
from colorize_jax.evaluation.candidates import Candidate
from colorize_jax.methods.base import Colors, Edits, Method, Samples


@pytest.fixture(scope="module", autouse=True)
def _parsed_flags():
    app.flags.FLAGS(["colorize-eval"])


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """20 images of two coloured halves, 4 of them the test split."""
    root = tmp_path_factory.mktemp("data")
    (root / "photos").mkdir()
    rng = np.random.default_rng(0)
    for number in range(20):
        halves = rng.integers(30, 220, (2, 3), dtype=np.uint8)
        pixels = np.repeat(np.repeat(halves[:, None], 64, axis=1), 32, axis=0)
        Image.fromarray(pixels).save(root / "photos" / f"{number:02}.png")
    prepare(
        "folder", directory=root / "prepared", source=root / "photos", name="halves", test_images=0.2, seed=0
    )
    return root / "prepared"


def _build(config) -> Method:
    def sample(variables, batch, rng, *, samples, rule):
        small = batch["lightness"].reshape(-1, 32, 2, 32, 2, 1).mean((2, 4))
        unary = jnp.repeat(jnp.concatenate([small * 0.2, small * -0.1], axis=-1)[:, None], samples, axis=1)
        return Samples(unary, unary * 0.9, jnp.ones(unary.shape[:2]))

    def similarity(variables, batch):
        return jnp.full((len(batch["lightness"]), 1024, 1024), 1 / 1024)

    return Method(
        stages=(),
        abstract_variables=lambda: {"params": {}, "batch_stats": {}},
        colors=Colors(sample, ("modes",)),
        edits=Edits(similarity),
    )


@pytest.fixture
def toy_model(monkeypatch, data):
    config = methods.defaults("scc")
    config.data.update({"dir": str(data), "test": ("halves", "test"), "threads": 1})
    monkeypatch.setattr(methods, "build", _build)
    monkeypatch.setattr(
        candidates, "load_released", lambda _: Candidate("toy", config, {"params": {}, "batch_stats": {}})
    )


def test_writes_scores_and_pictures_and_prints_the_table(toy_model, data, tmp_path, capsys):
    out = tmp_path / "evaluation"
    with flagsaver.flagsaver(out=str(out), samples=2, images=3, batch_size=2, diagnosed=1):
        app.main([])
        with pytest.raises(ValueError, match="holds an evaluation already"):
            app.main([])
    evaluation = records.from_json((out / "scores.json").read_text())
    summary = json.loads((data / "halves" / "1.0.0" / "metadata.json").read_text())
    protocol = evaluation.protocol
    assert protocol.split_hash == summary["split_hash"]["test"]
    assert (protocol.images, protocol.samples, protocol.fit_images, protocol.batch_size) == (3, 2, 16, 2)
    assert evaluation.diagnostics is not None and evaluation.diagnostics.images == 1
    names = {"scores.json", "per_image.json", "table.md", "gallery.npz", "contact_first.png", "contact_best.png",
             "contact_worst.png", "fig7_unary_and_field.png", "fig8_attention.png"}  # fmt: skip
    assert {path.name for path in out.iterdir()} == names
    assert len(json.loads((out / "per_image.json").read_text())["field"]["eob_mae"]) == 3
    printed = capsys.readouterr().out
    assert "toy on halves/test" in printed and "field" in printed and f"wrote {out / 'table.md'}" in printed


def test_mistakes_are_one_line(data, tmp_path, monkeypatch, capsys):
    def error_of(*flags: str) -> str:
        monkeypatch.setattr(sys, "argv", ["colorize-eval", f"--out={tmp_path / 'new'}", *flags])
        with pytest.raises(SystemExit) as stopped, flagsaver.flagsaver():
            app.cli()
        text = capsys.readouterr().err
        assert stopped.value.code == 1 and text.startswith("error: ") and text.count("\n") == 1, text
        return text

    assert "give one of them" in error_of("--model=default", "--workdir=runs/x")
    assert "holds no config.json" in error_of("--model=", f"--workdir={tmp_path}")
    assert "flags only" in error_of("photo.jpg")
    assert "give it or one of --model" in error_of("--methods=default", "--model=default")
    assert "every name once" in error_of("--model=", "--methods=default,default")
    assert "'scc', which is no released model (there are default)" in error_of("--model=", "--methods=scc")
    assert f"{tmp_path / 'scc'} holds no config.json" in error_of("--methods=scc", f"--runs={tmp_path}")


def test_an_unprepared_data_set_is_named(toy_model, tmp_path):
    with (
        flagsaver.flagsaver(out=str(tmp_path / "new"), dataset="absent"),
        pytest.raises(ValueError, match=r"'absent' is not prepared .*halves.*colorize-data"),
    ):
        app.main([])
    assert not (tmp_path / "new").exists()


def test_a_run_takes_edits_by_the_s_of_its_colors(toy_model, data, tmp_path, monkeypatch):
    monkeypatch.setattr(candidates, "load_run", lambda workdir, config: candidates.load_released("toy"))
    out = tmp_path / "edits"
    flags = {"task": "edits", "workdir": "runs/toy", "dataset": "halves", "dir": str(data), "photos_limit": 1}
    with flagsaver.flagsaver(**flags, draws=1, reveals=["10"], classics=["gray", "constant"], out=str(out)):
        app.main([])
    found = json.loads((out / "edits.json").read_text())
    assert list(found["methods"]) == ["model, the paper's S", "gray", "constant"]
    psnr = {name: method["psnr"]["mean"][0] for name, method in found["methods"].items()}
    assert psnr["model, the paper's S"] > psnr["gray"]
    told = (out / "edits.md").read_text()
    assert "the paper's order" in told and "not run: Levin, Barron" in told
