"""The page: what it shows where, and that it needs nothing but itself."""

import re

import numpy as np
import pytest

from colorize_jax.evaluation import page, records, report, score

SIZE, IMAGES, VERSIONS = 16, 30, 4


def _gallery(shift: float) -> report.Gallery:
    """Image i has lightness i; version n of it the colour of its number, the truth none."""
    lightness = np.linspace(-0.9, 0.9, IMAGES, dtype=np.float32)[:, None, None, None]
    field = np.zeros((IMAGES, VERSIONS, SIZE, SIZE, 2), np.float32)
    field[..., 0] = shift * np.arange(1, VERSIONS + 1)[None, :, None, None]
    return report.Gallery(
        np.arange(IMAGES),
        np.broadcast_to(lightness, (IMAGES, SIZE, SIZE, 1)),
        np.zeros((IMAGES, SIZE, SIZE, 2), np.float32),
        field,
        None,
    )


def _evaluated(folder, name: str, shift: float) -> None:
    protocol = records.Protocol(
        model=name, dataset="lfw_deepfunneled", split="test", split_hash="abc", images=IMAGES, samples=VERSIONS,
        rule="modes", resolution=SIZE, field=SIZE, lift="bicubic", seed=0, batch_size=4, fit_images=9,
        versions={"device": "cpu"}, method=name, workdir=str(folder / "absent"),
        commands=("colorize-train --workdir=<here>", f"colorize-eval {name} & more"),
    )  # fmt: skip
    errors = {
        "eob_mae": np.linspace(0.1, 0.02, IMAGES),
        "variance": np.linspace(0.01, 0.02, IMAGES),
        "bleed": np.full(IMAGES, 0.2),
    }
    per_image = {row: dict(errors) for row in ("gray", "templates", "field")}
    rows = score.reduce_rows(per_image, {"gray": 1, "templates": 5, "field": VERSIONS})
    evaluation = records.Evaluation(protocol, rows, None)
    report.write(folder / name, evaluation, per_image, {}, _gallery(shift))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("evaluation")
    for name, shift in (("scc", 0.2), ("cvae", -0.2)):
        _evaluated(root, name, shift)
    return root


def test_the_page_needs_nothing_but_itself(folder, tmp_path):
    paths = page.write(tmp_path / "report", [page.read_comparison(folder)], command="colorize-report <&>")
    text = paths[0].read_text()
    sources = re.findall(r"(?:src|href)=\"([^\"]*)\"", text)
    assert sources and all(source.startswith(("data:image/png;base64,", "#")) for source in sources)
    assert not re.search(r"<script|@import|url\(|https?://", text)
    assert sum(source.startswith("data:") for source in sources) == len(paths) - 1
    for escaped in (
        "colorize-eval scc &amp; more",
        "--workdir=&lt;here&gt;",
        "colorize-report &lt;&amp;&gt;",
    ):
        assert escaped in text
    # Table 2 of Messaoud et al. and Table 3 of Deshpande et al. with a published cell each.
    assert "[0.00011]" in text and "[8.4e-06]" in text
    assert text.index("scc: field") < text.index("cvae: field")  # as the papers order them


def test_every_score_is_there_the_best_first(folder):
    comparison = page.read_comparison(folder)
    text = page.render([page._section(comparison, [])], "")
    details = re.findall(r"<details>.*?</details>", text, re.DOTALL)
    assert [each.name for each in comparison.scored] == ["scc", "cvae"] and "scc: 30 images" in details[0]
    listed = re.findall(r"<tr><td>(\d+)</td><td>([\d.]+)</td>", details[0])
    assert [int(i) for i, _ in listed] == list(range(IMAGES - 1, -1, -1))
    assert listed[0][1] == "0.02" and listed[-1][1] == "0.1"


def test_fig_5_has_methods_in_blocks_and_the_truth_last():
    sheet = np.asarray(page.fig5({"a": _gallery(0.2), "b": _gallery(-0.2)}, images=2))
    step = SIZE * 2 + 4  # pictures are doubled, with a gap
    row = sheet[20 + SIZE, 8 + SIZE :: step][: 2 + 2 * page.FIG5_SAMPLES].astype(int)
    redness = row[:, 0] - row[:, 1]
    assert abs(redness[0]) < 3 and abs(redness[-1]) < 3  # gray and this gray truth
    assert (redness[1:4] > 20).all() and (redness[4:7] < -15).all()


def test_fig_7_has_a_row_for_each_method_of_each_image():
    one = page.fig7({"a": _gallery(0.2)}, images=2)
    two = page.fig7({"a": _gallery(0.2), "b": _gallery(-0.2)}, images=2)
    assert two.width == one.width and two.height - one.height == 2 * (SIZE * 2 + 4)


def test_extremes_are_the_best_and_the_worst():
    assert report.extremes(np.array([0.3, 0.1, 0.2, 0.4]), 2) == ([1, 2], [3, 0])


def test_a_gallery_is_read_back_and_gives_its_images(folder):
    found = report.read_gallery(folder / "scc")
    assert found is not None and found.unary is None and found.field.dtype == np.float32
    chosen = found.rows([7, 2])
    np.testing.assert_array_equal(chosen.lightness, found.lightness[[7, 2]])
    with pytest.raises(ValueError, match=r"images \[99\] are not in the gallery"):
        found.rows([99])


def test_training_curves_need_a_run(folder, tmp_path):
    scored = page.read_comparison(folder).scored
    assert page.training_curves(scored) is None
    line = '{"kind": "train", "stage": "mdn", "step": %d, "loss": %f, "stage_s": 1}\n'
    (tmp_path / "metrics.jsonl").write_text(line % (1, 2.0) + line % (2, 1.0))
    evaluation = scored[0].evaluation
    run = evaluation._replace(protocol=evaluation.protocol._replace(workdir=str(tmp_path)))
    picture = page.training_curves([scored[0]._replace(evaluation=run)])
    assert picture is not None and min(picture.size) > 100


def test_a_folder_without_evaluation_is_named(tmp_path):
    with pytest.raises(ValueError, match="holds no evaluation; run colorize-eval"):
        page.read_comparison(tmp_path)
