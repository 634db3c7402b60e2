"""Methods of every kind, scored, compared and drawn: what one cannot do is left out, and said."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict
from PIL import Image

from colorize_jax import methods
from colorize_jax.data.prepare import prepare
from colorize_jax.evaluation import natural, page, records, report, run, tables
from colorize_jax.evaluation.candidates import Candidate
from colorize_jax.methods.base import Colors, Distribution, Images, Method, Samples

SIDE = 32
BINS = np.array([[0.4, 0.0], [-0.4, 0.0], [0.0, 0.4], [0.0, -0.4]], np.float32)
NOTHING = {"params": {}, "batch_stats": {}}


def _classifier() -> Method:
    """Every cell is in the first bin with 0.7 and in each other one with 0.1."""

    def histograms(variables, batch):
        shares = jnp.array([0.7, 0.1, 0.1, 0.1])
        return jnp.broadcast_to(shares, (len(batch["lightness"]), SIDE // 4, SIDE // 4, 4))

    return Method((), lambda: NOTHING, distribution=Distribution(histograms, BINS))


def _deterministic() -> Method:
    """Answers the first bin's colour at half strength, and has no other answer."""

    def sample(variables, batch, rng, *, samples, rule):
        assert samples == 1 and rule == "answer"
        fields = jnp.broadcast_to(jnp.asarray(BINS[0] / 2), (len(batch["lightness"]), 1, 16, 16, 2))
        return Samples(fields, fields, jnp.ones(fields.shape[:2]))

    return Method((), lambda: NOTHING, colors=Colors(sample, ("answer",), most={"answer": 1}))


def _several() -> Method:
    """Every bin's colour in turn, under a rule of another name."""

    def sample(variables, batch, rng, *, samples, rule):
        bins = jnp.asarray(BINS)[jnp.arange(samples) % 4]
        fields = jnp.broadcast_to(bins[:, None, None], (len(batch["lightness"]), samples, 16, 16, 2))
        return Samples(fields, fields, jnp.ones(fields.shape[:2]))

    return Method((), lambda: NOTHING, colors=Colors(sample, ("turns",)))


def _generator() -> Method:
    """Noise."""

    def sample(variables, rng, *, count):
        return 0.3 * jax.random.normal(rng, (count, SIDE, SIDE, 3))

    return Method((), lambda: NOTHING, images=Images(sample))


METHODS = {
    "several": _several,
    "classifier": _classifier,
    "deterministic": _deterministic,
    "generator": _generator,
}


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """All of them, scored on four images, red on their left half and blue on the right."""
    root = tmp_path_factory.mktemp("kinds")
    (root / "photos").mkdir()
    for number in range(12):
        pixels = np.zeros((SIDE, SIDE, 3), np.uint8) + np.uint8(40 + 10 * number)
        pixels[:, : SIDE // 2, 0] += 60
        pixels[:, SIDE // 2 :, 2] += 60
        Image.fromarray(pixels).save(root / "photos" / f"{number:02}.png")
    prepare(
        "folder", directory=root / "data", source=root / "photos", name="halves", test_images=4 / 12, seed=0
    )
    data = {
        "dir": str(root / "data"), "test": ("halves", "test"), "image_size": SIDE, "lightness_large": 0,
        "crop": 1.0, "crop_largest": 1.0, "stretch": 1.0, "flip": True, "ab_large": False, "regions": 0, "threads": 0,
    }  # fmt: skip
    settings = run.Settings(samples=3, batch_size=3, fit_images=8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(methods, "build", lambda config: METHODS[config.method]())
        for name in METHODS:
            candidate = Candidate(name, ConfigDict({"method": name, "data": data}), NOTHING)
            run.evaluate(candidate, root / "scores" / name, settings)
        larger = settings._replace(resolution=2 * SIDE)
        candidate = Candidate("classifier", ConfigDict({"method": "classifier", "data": data}), NOTHING)
        run.evaluate(candidate, root / "larger" / "classifier", larger)
    return root / "scores"


def _rows(folder, name) -> dict[str, records.Row]:
    evaluation = records.from_json((folder / name / "scores.json").read_text())
    return {row.name: row for row in evaluation.rows}


def test_a_classifier_is_scored_by_its_bins_and_by_the_colors_they_give(evaluated):
    rows = _rows(evaluated, "classifier")
    assert {"likeliest", "expected", "distribution", "perfect_field"} < set(rows) and "field" not in rows
    entropy = -(0.7 * np.log(0.7) + 0.3 * np.log(0.1))
    told = rows["distribution"].scores
    assert rows["distribution"].samples == 0 and told["bin_entropy"] == pytest.approx(entropy, rel=1e-5)
    # Half of the cells are red, the first bin; the others are blue, the last one.
    assert told["bin_accuracy"] == pytest.approx(0.5)
    assert told["bin_nll"] == pytest.approx(-(np.log(0.7) + np.log(0.1)) / 2, rel=1e-5)
    assert rows["expected"].samples == 1
    assert {"gallery.npz", "contact_best.png"} < {p.name for p in (evaluated / "classifier").iterdir()}


def test_one_answer_is_one_version_and_said_where_others_have_more(evaluated):
    assert _rows(evaluated, "deterministic")["field"].samples == 1
    assert np.isnan(_rows(evaluated, "deterministic")["field"].scores["pair_ssim_ab"])
    scored = [report.read_scored(name, evaluated / name) for name in ("several", "deterministic")]
    text = report.tables_text(tables.all_tables(scored))
    assert "deterministic (N = 1)" in text and "several (N" not in text
    line = next(line for line in tables.runs(scored).lines if line[0] == "deterministic")
    assert line[1:3] == ("1", "answer")


def test_an_unconditional_generator_has_no_table_of_colors(evaluated):
    rows = _rows(evaluated, "generator")
    assert list(rows) == ["training_images", "generated"]
    noise, photos = rows["generated"].scores, rows["training_images"].scores
    assert noise["color_divergence"] > 2 * photos["color_divergence"]
    assert noise["thumbnail_distance"] > photos["thumbnail_distance"] >= 0
    assert noise["pair_ssim_rgb"] < 0.3 < photos["pair_ssim_rgb"]
    files = {path.name for path in (evaluated / "generator").iterdir()}
    assert files == {"generated.png", "table.md", "per_image.json", "scores.json"}
    table = (evaluated / "generator" / "table.md").read_text()
    assert "Images from nothing" in table and "eob_mae" not in table


def test_the_page_shows_all_kinds_together(evaluated, tmp_path):
    paths = page.write(tmp_path, [page.read_comparison(evaluated)], command="")
    text = paths[0].read_text()
    for title in (
        "Every metric",
        "Classifiers: the true colour",
        "Images from nothing",
        "Protocol and budget",
    ):
        assert text.count(f"<h3>{title}") == 1
    names = {path.name for path in paths}
    assert {"0_fig5.png", "0_fig7.png", "0_error_and_variance.png", "0_generator_generated.png"} < names
    assert "0_generator_best.png" not in names and "generator: 4 images by eob_mae" not in text
    assert "classifier: expected" in text


def test_a_generator_alone_makes_a_page(evaluated, tmp_path):
    paths = page.write(tmp_path, [page.read_comparison(evaluated / "generator")], command="")
    assert [path.name for path in paths] == ["index.html", "0_generator_generated.png"]


def test_what_can_do_nothing_that_is_measured_is_named(monkeypatch):
    monkeypatch.setattr(methods, "build", lambda config: Method((), lambda: NOTHING))
    with pytest.raises(ValueError, match="of the capabilities it has none"):
        run.subject_of(Candidate("none", ConfigDict(), NOTHING), run.Settings())


def test_larger_photos_are_measured_at_their_size_and_read_at_the_models(evaluated):
    larger = evaluated.parent / "larger"
    protocol = records.from_json((larger / "classifier" / "scores.json").read_text()).protocol
    assert (protocol.resolution, protocol.field) == (2 * SIDE, SIDE // 4)
    shown = report.read_gallery(larger / "classifier")
    assert shown.lightness.shape[1:] == (2 * SIDE, 2 * SIDE, 1)
    small, large = (_rows(folder, "classifier") for folder in (evaluated, larger))
    for metric, value in small["distribution"].scores.items():
        assert large["distribution"].scores[metric] == pytest.approx(value, rel=1e-4)
    # One colour everywhere: a tint, and nothing of it is lost at another size.
    for rows in (small, large):
        told = natural.shares(rows["expected"].scores, rows["truth"].scores, rows["gray"].scores)
        assert told["tint_first"] == pytest.approx(1, rel=1e-5) and np.isnan(told["tint_others"])
    assert "Natural colours at 64²" in (larger / "classifier" / "table.md").read_text()


def test_a_resolution_that_the_model_does_not_divide_is_refused(monkeypatch):
    monkeypatch.setattr(methods, "build", lambda config: _several())
    config = ConfigDict({"data": {"image_size": SIDE}})
    with pytest.raises(ValueError, match=r"resolution is 40, .* allowed are multiples of 32"):
        run.subject_of(Candidate("several", config, NOTHING), run.Settings(resolution=40))


def test_an_unknown_rule_is_refused(monkeypatch):
    monkeypatch.setattr(methods, "build", lambda config: _several())
    with pytest.raises(ValueError, match="rule is 'modes'; allowed are turns"):
        run.subject_of(Candidate("several", ConfigDict(), NOTHING), run.Settings(rule="modes"))
