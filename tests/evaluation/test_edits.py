"""The measurement of edits: what is revealed, what is scored, and how scores become a table."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from colorize_jax import classical, color
from colorize_jax.data import synthetic
from colorize_jax.evaluation import edit_report, edit_run, edits, metrics, reveals
from colorize_jax.evaluation.edits import ColorPhoto
from colorize_jax.evaluation.reveals import RevealProtocol
from colorize_jax.methods.base import Edits, Method

TINY = RevealProtocol("tiny", 3, "uniform", 24)


def _photo(seed: int, side: int = 24) -> ColorPhoto:
    """Bands of colour, dark and bright in turn, under noise."""
    rng = np.random.default_rng(seed)
    band = np.indices((side, side))[1] // (side // 3)
    lightness = np.array([30.0, 70.0, 45.0])[band] + rng.normal(size=band.shape)
    ab = rng.uniform(-0.2, 0.2, (3, 2))[band] + rng.normal(size=(*band.shape, 2)) * 0.01
    return ColorPhoto(f"photo {seed}", lightness, ab)


# Reveals


@pytest.mark.parametrize("rule", reveals.PROTOCOLS, ids=lambda rule: rule.name)
def test_patches_lie_inside_nest_and_repeat(rule):
    size = (rule.side, rule.side + 60)
    many = reveals.patches(rule, size, 200, [3, 1])
    assert many.shape == (200, 2) and many.min() >= 0
    assert (many + rule.patch <= size).all()
    np.testing.assert_array_equal(reveals.patches(rule, size, 20, [3, 1]), many[:20])
    assert not np.array_equal(reveals.patches(rule, size, 20, [3, 2]), many[:20])


def test_placements_are_what_the_papers_say():
    centers = {
        rule.name: (reveals.patches(rule, (256, 512), 8000, 0) + rule.patch / 2) / (256, 512)
        for rule in reveals.PROTOCOLS
    }
    for name in centers:
        np.testing.assert_allclose(centers[name].mean(axis=0), 0.5, atol=0.02)
    uniform = 12**-0.5
    np.testing.assert_allclose(centers["paper"].std(axis=0), uniform, atol=0.012)
    np.testing.assert_allclose(centers["icolorit"].std(axis=0), uniform, atol=0.012)
    inner = np.abs(centers["zhang"] - 0.5) < 0.25
    np.testing.assert_allclose(inner.mean(axis=0), 0.683, atol=0.02)  # of a normal, one σ
    cells = reveals.patches(reveals.protocol("icolorit"), (20, 20), 100, 0)
    assert len({tuple(cell) for cell in cells.tolist()}) == 100 and not (cells % 2).any()


def test_reveal_shows_mean_colors_and_earlier_patches_stay():
    ab = np.random.default_rng(0).normal(size=(8, 8, 2))
    corners = np.array([[1, 2], [2, 3]])
    targets, weights = reveals.reveal(ab, corners, 3)
    assert weights.sum() == 14
    first = ab[1:4, 2:5].mean(axis=(0, 1))
    np.testing.assert_allclose(targets[1:4, 2:5], np.broadcast_to(first, (3, 3, 2)))
    np.testing.assert_allclose(targets[4, 5], ab[2:5, 3:6].mean(axis=(0, 1)))
    assert not targets[~weights].any()


def test_unknown_protocols_and_impossible_reveals_are_refused():
    with pytest.raises(ValueError, match="allowed are paper, zhang, icolorit"):
        reveals.protocol("levin")
    with pytest.raises(ValueError, match="smaller than a patch of 7×7"):
        reveals.patches(reveals.protocol("paper"), (6, 20), 1, 0)
    with pytest.raises(ValueError, match="9 cells of 2 pixels"):
        reveals.patches(reveals.protocol("icolorit"), (6, 7), 10, 0)


# Scores


def test_psnr_is_of_clipped_rgb():
    photo = _photo(0)
    assert edits.psnr(photo, photo.ab) == np.inf
    wild = photo.ab + 1.0  # far out of gamut: without the clip its error would be larger
    lab = np.concatenate([photo.lightness[..., None], wild * 128], axis=-1)
    truth = np.concatenate([photo.lightness[..., None], photo.ab * 128], axis=-1)
    difference = color.lab_to_srgb(lab).clip(0, 1) - color.lab_to_srgb(truth)
    expected = 10 * np.log10(1 / np.mean(difference**2))
    assert edits.psnr(photo, wild) == pytest.approx(expected, abs=1e-6)


def test_edge_leak_is_the_share_of_color_steps_lost():
    photo = _photo(1)
    assert edits.edge_leak(photo, photo.ab) == pytest.approx(0)
    for field in (0 * photo.ab, np.full_like(photo.ab, 0.3)):
        assert edits.edge_leak(photo, field) == pytest.approx(1)
    assert edits.edge_leak(photo, -photo.ab) == pytest.approx(2)
    assert edits.edge_leak(photo, 0.7 * photo.ab + 0.1) == pytest.approx(0.3)
    # Turned on its side it is the same.
    turned = ColorPhoto("turned", photo.lightness.T, photo.ab.swapaxes(0, 1))
    blurred = (photo.ab + np.roll(photo.ab, 3, axis=1)) / 2
    leak = edits.edge_leak(photo, blurred)
    assert 0.05 < leak < 0.95
    assert edits.edge_leak(turned, blurred.swapaxes(0, 1)) == pytest.approx(leak)
    # Colours that change where the luminance does not are no leak, and nothing to measure.
    flat = ColorPhoto("flat", np.full((24, 24), 50.0), photo.ab)
    assert np.isnan(edits.edge_leak(flat, photo.ab))


def _oracle(photos):
    """Answers with the photo's own colours, scaled by the share that is revealed."""
    truth = {photo.lightness.tobytes(): photo.ab for photo in photos}
    return lambda lightness, targets, weights: truth[lightness.tobytes()] * weights.mean()


@pytest.fixture(scope="module")
def found():
    photos = [_photo(seed) for seed in range(4)]
    methods = {"oracle": _oracle(photos)} | {name: classical.METHODS[name] for name in ("gray", "constant")}
    return edits.evaluate_edits(photos, methods, counts=(0, 1, 10), protocol=TINY, draws=2)


def test_every_method_gets_the_same_reveals_and_its_own_scores(found):
    gray = found.scores["gray"]["psnr"]
    assert gray.shape == (4, 2, 3)
    np.testing.assert_allclose(gray, np.broadcast_to(found.gray[:, None, None], gray.shape))
    np.testing.assert_allclose(found.scores["constant"]["psnr"][..., 0], gray[..., 0])  # nothing revealed
    assert (np.diff(found.scores["oracle"]["psnr"], axis=2) > 0).all()
    assert (found.scores["constant"]["seconds"] > 0).all()
    photo = _photo(2)
    given = edits.revealed(photo, TINY, 10, draw=1, seed=0)
    answer = classical.METHODS["constant"](photo.lightness, *given)
    assert found.scores["constant"]["psnr"][2, 1, 2] == edits.psnr(photo, answer)


def test_paired_differences_have_the_standard_error_of_photos(found):
    mean, error = edits.paired(found, "constant", "gray")
    by_hand = found.scores["constant"]["psnr"].mean(axis=1) - found.gray[:, None]
    np.testing.assert_allclose(mean, by_hand.mean(axis=0))
    np.testing.assert_allclose(error, by_hand.std(axis=0, ddof=1) / 2)
    mean, error = metrics.mean_and_error(np.array([[1.0, np.nan], [3.0, np.nan]]))
    np.testing.assert_allclose((mean, error), [[2, np.nan], [1, np.nan]])


def test_the_summary_is_json_and_names_the_worst_photos(found):
    told = json.loads(edits.to_json(found))
    worst = told["methods"]["constant"]["worst"][2]
    values = edits.by_photo(found, "constant", "psnr")[:, 2]
    assert worst["photo"] == f"photo {values.argmin()}"
    assert worst["psnr_over_gray"] == pytest.approx((values - found.gray).min())
    np.testing.assert_allclose(
        np.array(told["methods"]["constant"]["psnr_by_photo"])[:, 2], values, atol=1e-5
    )
    assert told["psnr_differences"]["oracle"]["gray"]["mean"][1] > 0
    assert told["protocol"]["name"] == "tiny" and told["counts"] == [0, 1, 10]


def test_wrong_photos_and_wrong_answers_are_refused():
    photo = _photo(0)
    with pytest.raises(ValueError, match=r"24, 24.* defined on 256×256"):
        edits.evaluate_edits([photo], classical.METHODS, protocol=reveals.protocol("paper"))
    with pytest.raises(ValueError, match=r"methods: half answered photo 0 .* finite colours"):
        edits.evaluate_edits([photo], {"half": lambda *_: photo.ab[:12]}, protocol=TINY)
    colorless = photo._replace(ab=0 * photo.ab)
    with pytest.raises(ValueError, match="photo 0 is gray"):
        edits.evaluate_edits([colorless], classical.METHODS, protocol=TINY)
    with pytest.raises(ValueError, match="photos: there are 0"):
        edits.evaluate_edits([], classical.METHODS, protocol=TINY)


# The report


def test_the_report_has_every_number_where_it_belongs(found):
    text = edit_report.summary(found)
    header, *rows = edit_report.table(found).splitlines()
    assert header.split()[:4] == ["method", "0", "1", "10"]
    told = dict(zip(header.split()[1:4], rows[2].split()[1:4], strict=True))
    mean = edits.by_photo(found, "constant", "psnr").mean(axis=0)
    assert told == {count: f"{value:.2f}" for count, value in zip(("0", "1", "10"), mean, strict=True)}
    assert "oracle −" in text and "protocol tiny (3×3 patches, uniform), 2 draws" in text
    assert "other images" not in text
    published = edit_report.published_table(reveals.protocol("paper"))
    line = next(line for line in published.splitlines() if line.startswith("Levin"))
    assert line.split()[1:4] == ["26.50", "28.50", "30.00"]


def test_files_and_the_sheet(found, tmp_path):
    photos = [_photo(0), _photo(1)]
    sheet = edit_report.sheet(photos, {"constant": classical.METHODS["constant"]}, TINY, counts=(1, 10))
    assert sheet.height == 20 + 4 * (24 + 4)
    paths = edit_report.write(tmp_path, found, {"sheet": sheet})
    assert [path.name for path in paths] == ["edits.json", "edits.md", "edits.png", "sheet.png"]
    assert all(path.stat().st_size > 100 for path in paths)


def test_photos_that_cannot_be_read_are_told_and_the_others_come(tmp_path):
    good = synthetic.draw(0)
    for name in (b"caf\xe9.png", b"cmyk.jpg", b"tiny.png"):
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as file:
            mode, kind = ("CMYK", "JPEG") if name.endswith(b".jpg") else ("RGB", "PNG")
            side = 1 if name == b"tiny.png" else len(good)
            Image.fromarray(good[:side, :side]).convert(mode).save(file, kind)
    (tmp_path / "cut.png").write_bytes((tmp_path / os.fsdecode(b"caf\xe9.png")).read_bytes()[:200])
    (tmp_path / "empty.jpg").touch()
    scans = [Image.fromarray(synthetic.draw(n)) for n in (1, 2)]
    scans[0].save(tmp_path / "scans.tif", save_all=True, append_images=scans[1:])
    told = []
    photos = edits.load_photos(tmp_path, 16, tell=told.append)
    assert [photo.name for photo in photos] == [r"caf\xe9.png", "cmyk.jpg", "scans.tif"]
    assert told.pop(2) == "scans.tif: 2 pages, of which the first is measured"
    assert [line.split(": ")[1] for line in told] == ["cut.png", "empty.jpg", "tiny.png"]
    assert "truncated" in told[0]
    edits.revealed(photos[0], TINY, 2, draw=0, seed=0)  # by its name


@pytest.mark.real_data
def test_photos_come_cropped_scaled_and_in_order(real_data):
    photos = edits.load_photos(real_data / "imagenet-samples.zip", 64, every=20)
    assert [p.name for p in photos] == sorted(p.name for p in photos) and len(photos) == 3
    assert photos[0].lightness.shape == (64, 64) and photos[0].ab.shape == (64, 64, 2)
    gray = edits.psnr(photos[0], 0 * photos[0].ab)
    assert 10 < gray < 60 and photos[0].lightness.max() > 50


def _scored(**psnr: list[float]) -> edits.EditScores:
    """Three photos' PSNR after 10 and after 100 reveals, of methods by name, the same but for a photo's own part."""
    photo = np.array([0.0, 2.0, -1.0])[:, None, None]
    scores = {name: {"psnr": np.array(values)[None, None] + photo} for name, values in psnr.items()}
    scores["levin"]["psnr"][2, 0, 1] += 0.3  # one photo differs: an error of the mean
    names = ("a", "b", "c")
    return edits.EditScores(reveals.protocol("paper"), (10, 100), 1, 0, names, np.zeros(3), scores)


def test_the_papers_order_is_judged_by_paired_differences():
    own = f"scc, {edit_report.PAPERS_OWN}"
    found = _scored(**{own: [25.0, 28.0], "levin": [24.0, 28.0], "deepprop": [26.0, 20.0]})
    told = [
        [cell.strip() for cell in line.split("  ") if cell]
        for line in edit_report.claims_table(found).splitlines()
    ]
    told = {line[0]: line[1:] for line in told}
    assert told["the paper's order"] == ["10 reveals", "100 reveals"]
    assert told["Zhang over the paper's method"] == ["not run: Zhang"] * 2
    assert told[f"{own} over levin"] == ["+1.00 ± 0.00 yes", "-0.10 ± 0.10 undecided"]
    assert told["Levin over Barron"] == ["not run: Barron"] * 2


def test_a_row_by_the_s_of_its_colors_is_named_so():
    same = Edits(similarity=lambda variables, batch: None)
    method = Method(stages=(), abstract_variables=dict, edits=same)
    assert edit_run._modes("run", method) == {"run, the paper's S": "alone"}
    spread = method._replace(edits=same._replace(spread=lambda variables, batch: None))
    assert edit_run._modes("run", spread) == {"run": "over", "run, guided": "guided", "run, alone": "alone"}
    with pytest.raises(ValueError, match="run takes no edits"):
        edit_run._modes("run", method._replace(edits=None))
