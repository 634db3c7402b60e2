"""The papers' tables: which of our numbers stands beside which of theirs, and when an ordering counts as found."""

from functools import partial

import numpy as np
import pytest

from colorize_jax.evaluation import published, records, score, tables

pytestmark = pytest.mark.quick

TERMS = {"l2": 0.0, "hist": 1.0, "mah": 0.1, "grad": 1e-3, "kl": 1e-2}
L2 = {"l2": 1.0, "hist": 0.0, "mah": 0.0, "grad": 0.0, "kl": 1e-2}


def scored(name: str, method: str, *, losses=None, seconds=100.0, dataset="lfw_deepfunneled", **fields):
    """A method whose images have the `fields`' scores in the row 'field', and half of them from the true code."""
    protocol = records.Protocol(
        model=name, dataset=dataset, split="test", split_hash="abc", images=4, samples=5, rule="modes",
        resolution=64, field=64, lift="bicubic", seed=0, batch_size=2, fit_images=9, versions={"device": "cpu"},
        method=method, losses=losses, training={"steps": 40, "images": 1280, "seconds": seconds}, seconds=7.0,
    )  # fmt: skip
    values = {
        "eob_mae": 0.05, "mae": 0.06, "mae_grid": 0.07, "mae_weighted": 0.08, "mae_weighted_grid": 0.09,
        "variance": 1e-3, "pair_ssim_ab": 0.5, "bleed": 0.2,
    } | fields  # fmt: skip
    per_image = {
        row: {metric: np.broadcast_to(np.asarray(value, float) * scale, 4).copy() for metric, value in values.items()}
        for row, scale in (("gray", 2.0), ("templates", 1.5), ("reconstruction", 0.5), ("field", 1.0))
    }  # fmt: skip
    rows = score.reduce_rows(per_image, {"gray": 1, "templates": 5, "reconstruction": 1, "field": 5})
    return tables.Scored(name, records.Evaluation(protocol, rows, None), per_image)


messaoud = partial(tables.method_table, theirs=published.MESSAOUD_2)
deshpande = partial(tables.method_table, theirs=published.DESHPANDE_3)


def cells(table: tables.Table, start: str) -> tuple[str, ...]:
    found = [line for line in table.lines if line[0].startswith(start) or line[1].startswith(start)]
    assert len(found) == 1, table.lines
    return found[0]


def test_every_method_stands_beside_its_own_published_numbers():
    methods = [scored("ours", "scc", eob_mae=0.041), scored("theirs", "vae_mdn", losses=TERMS)]
    assert cells(messaoud(methods), "ours")[1:] == (
        "0.0410 [0.00011]", "1.00e-03 [0.00886]", "0.50 [0.61]", "100 s [~4 h]",
    )  # fmt: skip
    assert cells(messaoud(methods), "theirs")[1] == "0.0500 [0.035]"
    assert cells(messaoud(methods), "PIC")[1:] == (
        "– [0.043]",
        "– [0.0532]",
        "– [0.36]",
        "– [~48 h]",
    )
    assert cells(deshpande(methods), "theirs")[1:] == (
        "0.0500 [0.03]",
        "1.00e-03 [0.0011]",
    )
    assert cells(deshpande(methods), "ours")[1] == "0.0410 [–]"
    assert cells(deshpande(methods), "(templates)")[1] == "0.0615 [–]"


def test_a_conditional_gan_stands_in_both_papers_tables():
    theirs = [scored("pix", "cgan", losses={"gan": 1.0, "l1": 100.0}, variance=9e-6)]
    assert cells(messaoud(theirs), "pix = c-GAN")[1:3] == ("0.0500 [0.047]", "9.00e-06 [8.4e-06]")
    assert cells(deshpande(theirs), "pix = cGAN")[1:] == ("0.0500 [0.047]", "9.00e-06 [8.4e-06]")
    alone = [scored("pix", "cgan", losses={"gan": 1.0, "l1": 0.0})]
    assert cells(messaoud(alone), "pix")[1] == "0.0500 [–]"


def test_a_variant_of_a_method_has_no_published_numbers():
    methods = [scored("plain", "vae_mdn", losses=TERMS), scored("squared", "vae_mdn", losses=L2)]
    assert cells(deshpande(methods), "squared")[1] == "0.0500 [–]"
    assert cells(deshpande(methods), "plain")[1] == "0.0500 [0.03]"


def test_the_numbers_are_those_of_the_data_set():
    church = [scored("theirs", "vae_mdn", losses=TERMS, dataset="lsun_church")]
    assert cells(messaoud(church), "theirs")[1] == "0.0500 [0.028]"
    elsewhere = messaoud([scored("theirs", "vae_mdn", losses=TERMS, dataset="flowers")])
    assert all("[–]" in cell for line in elsewhere.lines[1:] for cell in line[1:])


def test_loss_tables_take_the_decoded_code_of_the_truth():
    methods = [scored("a", "vae_mdn", losses=TERMS), scored("b", "vae_mdn", losses=L2), scored("scc", "scc")]
    plain, first, weighted, inverse = (tables.loss_table(methods, table) for table in published.LOSS_TABLES)
    assert [line[0] for line in plain.lines[1:]] == [published.ALL_TERMS, "L2"]
    assert cells(plain, "L2")[2:] == ("0.0300 [0.034]", "0.0350 [0.035]")
    assert cells(first, "L2")[2:] == ("0.0300 [0.079]", "0.0350 [0.095]")
    assert cells(weighted, "L2")[2:] == ("0.040 [7.2]", "0.045 [11.3]")
    assert cells(inverse, "L2")[2:] == ("– [7.2]", "– [11.3]")  # an evaluation that is older than this metric
    newer = [scored("b", "vae_mdn", losses=L2, mae_inverse=12.0, mae_inverse_grid=14.0)]
    assert cells(tables.loss_table(newer, published.DESHPANDE_2_INVERSE), "L2")[2:] == (
        "6.00 [7.2]",
        "7.00 [11.3]",
    )
    assert cells(weighted, published.ALL_TERMS)[2] == "0.040 [2.65]"


def test_claims_are_judged_by_paired_differences():
    noise = np.array([0.0, 0.3, -0.2, 0.1])  # of the images: far larger than what the methods differ by
    gap = np.array([0.010, 0.011, 0.009, 0.010])

    def verdicts(a, b):
        return {line[0].split()[0]: line[3] for line in tables.claims_table([a, b]).lines[1:]}

    theirs = scored("v", "vae_mdn", losses=TERMS, eob_mae=1 + noise, bleed=1 + noise, pair_ssim_ab=1 + noise)
    ours = scored("s", "scc", eob_mae=1 + noise - gap, bleed=1 + noise + gap, pair_ssim_ab=1 + noise + gap)
    assert verdicts(ours, theirs) == {"eob_mae": "yes", "bleed": "no", "pair_ssim_ab": "yes"}
    equal = scored("s", "scc", eob_mae=1 + noise[::-1], bleed=1 + noise, pair_ssim_ab=1 + noise - gap)
    assert verdicts(equal, theirs) == {"eob_mae": "undecided", "bleed": "undecided", "pair_ssim_ab": "no"}


def test_what_a_comparison_cannot_tell_is_listed_with_what_is_missing():
    def open_claims(*methods):
        return {line[0]: line[1] for line in tables.open_claims_table(methods).lines[1:]}

    ours, theirs = scored("s", "scc"), scored("v", "vae_mdn", losses=TERMS)
    told = open_claims(ours, theirs)
    assert "eob_mae of scc below vae_mdn's" not in told
    assert told["eob_mae of scc below cgan's"] == "cgan was not scored"
    assert told["bleed_human of scc below vae_mdn's"] == "no bleed_human of the row field"
    assert (
        told["mae_weighted of vae_mdn below vae_mdn, L2's (reconstruction)"] == "vae_mdn, L2 was not scored"
    )
    assert told["people prefer Ours to VAE-MDN and PIC, and VAE-MDN to PIC, on every data set"].startswith(
        "no study"
    )
    assert tables.open_claims_table([]).lines == [("claim", "not run", "source")]


def test_an_ordering_is_asked_of_the_data_that_the_paper_has_it_on():
    def asked(dataset):
        methods = [
            scored(name, "vae_mdn", losses=losses, dataset=dataset)
            for name, losses in (("a", TERMS), ("b", L2))
        ]
        lines = tables.claims_table(methods).lines[1:]
        return {line[0] for line in lines if line[0].startswith("mae ")}

    assert asked("lfw_deepfunneled") == asked("lsun_church") == {"mae of a below b's (reconstruction)"}
    assert asked("imagenet_val") == {"mae of b below a's (reconstruction)"}
    assert asked("flowers") == set()


def test_methods_that_were_scored_otherwise_are_not_compared():
    first, second = scored("a", "scc"), scored("b", "cvae", losses=L2)
    other = second.evaluation._replace(protocol=second.evaluation.protocol._replace(samples=8, seed=1))
    with pytest.raises(ValueError, match=r"a and b were not scored alike .*samples 5 and 8; seed 0 and 1"):
        tables.all_tables([first, second._replace(evaluation=other)])


def test_what_the_numbers_depend_on_is_told():
    table = tables.runs([scored("a", "scc")])
    told = dict(zip(table.lines[0], table.lines[1], strict=True))
    assert told["N"] == "5" and told["rule"] == "modes" and told["resolution"] == "64²"
    assert told["split hash"] == "abc" and told["steps"] == "40" and told["image views"] == "1280"
    assert told["training s"] == "100" and told["evaluation s"] == "7"


def test_claims_about_all_versions_need_as_many_versions():
    ours, theirs = scored("s", "scc"), scored("v", "vae_mdn", losses=TERMS)
    one = [row._replace(samples=1) if row.name == "field" else row for row in ours.evaluation.rows]
    single = ours._replace(evaluation=ours.evaluation._replace(rows=tuple(one)))
    verdicts = {line[0].split()[0]: line[3] for line in tables.claims_table([single, theirs]).lines[1:]}
    assert verdicts["eob_mae"] == verdicts["pair_ssim_ab"] == "not comparable: N 1 and 5"
    assert verdicts["bleed"] == "undecided"  # a mean over versions, however many
    (line,) = (
        line
        for line in tables.method_table([single, theirs], published.MESSAOUD_2).lines
        if line[0][0] == "s"
    )
    assert line[0] == "s = Ours (N = 1)"


NATURAL = {
    "psnr_first": 22.0, "psnr_best": 23.0, "worse_than_gray": 0.25, "rmse_alphabeta": 0.4, "chroma_first": 8.0,
    "energy_first": 100.0, "tint_first": 60.0,
}  # fmt: skip


def test_natural_colors_stand_beside_the_truths_and_gray():
    one = scored("ours", "scc", **NATURAL)
    truth = records.Row("truth", 1, {"chroma_first": 10.0, "energy_first": 200.0, "tint_first": 100.0}, {})
    rows = (truth, *one.evaluation.rows)
    table = tables.natural_table([one._replace(evaluation=one.evaluation._replace(rows=rows))])
    lines = {line[0]: dict(zip(table.lines[0], line, strict=True)) for line in table.lines[1:]}
    assert list(lines) == ["truth", "gray", "ours: reconstruction", "ours: field"]
    assert lines["truth"]["tint"] == "0.50" and lines["truth"]["PSNR"] == "–"
    own = lines["ours: field"]  # gray's values are twice the field's
    assert (own["PSNR"], own["− gray"], own["worse"]) == ("22.00", "-22.00", "0.25")
    assert (own["tint"], own["chroma"], own["tint, others"]) == ("0.60", "0.80", "–")


def test_one_answer_stands_beside_published_ones_as_ratios_to_gray():
    table = tables.automatic_table([scored("ours", "scc", **NATURAL)])
    told = {line[0]: line[1:] for line in table.lines[1:] if "cval1k" not in line[-1]}
    assert told["ours: field"][:4] == ("0.400", "0.500", "22.00", "-22.00")
    assert told["[Larsson]"][:4] == ("0.293", "0.880", "24.94", "+1.67")


def test_an_older_evaluation_has_no_natural_colors_to_tell():
    old = [scored("ours", "scc")]
    assert len(tables.natural_table(old).lines) == len(tables.automatic_table(old).lines) == 1
    titles = {table.title.split(" at ")[0] for table in tables.all_tables(old)}
    assert "Every metric" in titles and not titles & {"Natural colours", "One answer"}
