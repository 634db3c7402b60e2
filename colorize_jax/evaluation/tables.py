"""Methods side by side: Deshpande et al. 2017, Tables 1–3, and Messaoud et al. 2018, Table 2, ours beside theirs.

A cell reads `ours [published]`; – where one of the two does not exist. Printed numbers are the papers' own, whose unit
is not stated (see `report.UNIT_REMARK`).
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

from colorize_jax.evaluation import metrics, natural, published
from colorize_jax.evaluation.published import Claim, LossTable, MethodTable, Variant
from colorize_jax.evaluation.records import Evaluation, PerImage, Protocol, Row, answer


class Scored(NamedTuple):
    """One method of a comparison: the name that the user gave it, its evaluation and the scores behind it."""

    name: str
    evaluation: Evaluation
    per_image: PerImage

    @property
    def answers(self) -> dict[str, np.ndarray]:
        """{metric: (images,)} of the row that the method is judged by; {} where it answers no gray image."""
        return self.per_image.get(answer(self.per_image), {})


class Table(NamedTuple):
    """A table as text: its title, the line of column titles and the others, and what must be known to read it."""

    title: str
    lines: list[tuple[str, ...]]
    note: str = ""


def check_comparable(scored: Sequence[Scored]) -> None:
    """Checks that the methods were scored by one protocol.

    Raises:
      ValueError: none is given; or data set, split, images, the N that was asked for, resolution, lift, seed or the
        images that the references were fitted on differ; the message names the fields. Rules are the methods' own.
    """
    if not scored:
        raise ValueError("a comparison needs at least one evaluated method")
    fields = (
        "dataset",
        "split",
        "split_hash",
        "images",
        "samples",
        "resolution",
        "lift",
        "seed",
        "fit_images",
    )
    first = scored[0].evaluation.protocol
    for other in scored[1:]:
        protocol = other.evaluation.protocol
        differing = [name for name in fields if getattr(first, name) != getattr(protocol, name)]
        told = "; ".join(
            f"{name} {getattr(first, name)!r} and {getattr(protocol, name)!r}" for name in differing
        )
        if differing:
            raise ValueError(
                f"{scored[0].name} and {other.name} were not scored alike ({told}); score them again together"
            )


def all_tables(scored: Sequence[Scored]) -> list[Table]:
    """Every table for which there is a method, the protocol of each, and what the papers claim.

    Raises:
      ValueError: the methods were not scored alike.
    """
    check_comparable(scored)
    colored = [each for each in scored if _answer_row(each)]
    found = [loss_table(colored, table) for table in published.LOSS_TABLES]
    if colored:
        found += [method_table(colored, table) for table in published.METHOD_TABLES]
        found += [
            every_metric(colored),
            natural_table(colored),
            judge_table(colored),
            automatic_table(colored),
        ]
    found += [distribution_table(scored), generated_table(scored), runs(scored), claims_table(colored)]
    found.append(open_claims_table(colored))
    return [table for table in found if len(table.lines) > 1]


def loss_names(protocol: Protocol) -> str | None:
    """The decoder's losses as the paper names them; None for a method that names none."""
    if protocol.losses is None:
        return None
    present = tuple(sorted(name for name, weight in protocol.losses.items() if name != "kl" and weight))
    return published.LOSS_NAMES.get(present, " + ".join(present))


def is_variant(protocol: Protocol, variant: Variant) -> bool:
    """Whether a method is this one, trained with these losses."""
    wanted = variant.losses or published.TRAINED_WITH.get(variant.method)
    return protocol.method == variant.method and wanted in (None, loss_names(protocol))


def loss_table(scored: Sequence[Scored], theirs: LossTable) -> Table:
    """Errors from the code of the true colours, for every method that names its decoder's losses."""
    printed = _printed(theirs.values, scored)
    lines: list[tuple[str, ...]] = [("decoder's losses", "method", *(c.title for c in theirs.columns))]
    for each in scored:
        names, row = loss_names(each.evaluation.protocol), _row(each, "reconstruction")
        if names is None or row is None:
            continue
        is_theirs = each.evaluation.protocol.method in theirs.methods
        cells = _beside(theirs, row.scores, printed.get(names) if is_theirs else None)
        lines.append((names, each.name, *cells))
    return Table(theirs.title, lines, theirs.note)


def method_table(scored: Sequence[Scored], theirs: MethodTable) -> Table:
    """Our methods, the blind templates and gray as what must be beaten, then what is only published."""
    printed, used = _printed(theirs.values, scored), set()
    lines: list[tuple[str, ...]] = [("method", *(column.title for column in theirs.columns))]
    for each in scored:
        protocol = each.evaluation.protocol
        name = theirs.methods.get(protocol.method, "")
        values = printed.get(name) if is_variant(protocol, Variant(protocol.method)) else None
        used |= {name} if values else set()
        label = f"{each.name} = {name}" if values else each.name
        ours = _scores(_answer_row(each)) | {"training_s": (protocol.training or {}).get("seconds")}
        lines.append((label + _fewer(each), *_beside(theirs, ours, values)))
    for blind in ("templates", "gray"):
        lines.append((f"({blind})", *_beside(theirs, _scores(_row(scored[0], blind)), None)))
    lines += [(name, *_beside(theirs, {}, values)) for name, values in printed.items() if name not in used]
    return Table(theirs.title, lines, theirs.note)


def _fewer(each: Scored) -> str:
    """Says that a method has not as many versions as were asked for: its error of best is of fewer."""
    row = _answer_row(each)
    return f" (N = {row.samples})" if row and row.samples != each.evaluation.protocol.samples else ""


def _beside(
    theirs: LossTable | MethodTable, ours: Mapping[str, float | None], printed: Sequence[float] | None
) -> Iterable[str]:
    values: Sequence[float | None] = printed or [None] * len(theirs.columns)
    for column, value in zip(theirs.columns, values, strict=True):
        yield beside_cell(ours.get(column.metric), value, column.form, column.their_form)


_EVERY = (
    *(("eob_mae", "{:.4f}"), ("eob_mse", "{:.5f}"), ("mae", "{:.4f}"), ("mae_grid", "{:.4f}")),
    *(("mae_weighted", "{:.4f}"), ("mae_weighted_grid", "{:.4f}")),
    *(("mae_inverse", "{:.3f}"), ("mae_inverse_grid", "{:.3f}"), ("variance", "{:.2e}")),
    *(("pair_ssim_ab", "{:.3f}"), ("pair_ssim_rgb", "{:.3f}"), ("psnr_best", "{:.2f}"), ("bleed", "{:.3f}")),
    *(("bleed_human", "{:.3f}"), ("lpips_best", "{:.3f}"), ("lpips_pairs", "{:.3f}")),
)
_BLIND = ("truth", "gray", "mean_colour", "mean_image", "own_mean", "templates")


# These have tables of their own.
_APART = ("perfect_field", "distribution", "generated", "training_images")


def every_metric(scored: Sequence[Scored]) -> Table:
    """Every metric of every row: the blind baselines once, then each method's own rows."""
    rows = _own_rows(scored, _BLIND)
    note = "Network units, ab / 128. `field` is what a method answers"
    if any(row.name == "expected" for _, row in rows):
        note += ", `expected` what a classifier answers on average"
    return _metrics_table("Every metric", rows, _EVERY, f"{note}.")


_NATURAL = (
    *(
        ("psnr_first", "PSNR", "{:.2f}"),
        ("gain", "− gray", "{:+.2f}"),
        ("worse_than_gray", "worse", "{:.2f}"),
    ),
    *(("psnr_best", "best", "{:.2f}"), ("gain_best", "best − gray", "{:+.2f}")),
    *(("tint_first", "tint", "{:.2f}"), ("tint_others", "tint, others", "{:.2f}")),
    *(("chroma_first", "chroma", "{:.2f}"), ("chroma_others", "chroma, others", "{:.2f}")),
)


def natural_table(scored: Sequence[Scored]) -> Table:
    """How near version 1 is to the truth, and how natural its colours and the others' are: gray, truth, then methods.

    No line but the titles where the evaluations are older than these metrics.
    """
    lines: list[tuple[str, ...]] = [("row", *(title for _, title, _ in _NATURAL))]
    for label, row in _own_rows(scored, ("truth", "gray")):
        told = row.scores | _shares(scored[0], row)
        cells = tuple(_number(told.get(name), form) for name, _, form in _NATURAL)
        if "chroma_first" in row.scores:
            lines.append((label, *cells))
    note = (
        "PSNR in dB of RGB, of version 1, of the best of N, and what either gains over gray; `worse` is the share of "
        "photos where version 1 is worse than gray. `tint` is the share of the colour energy that is one tint over the "
        "whole picture, `chroma` the mean chroma over the true photos', both for version 1 and for the others."
    )
    return Table(f"Natural colours at {scored[0].evaluation.protocol.resolution}²", lines, note)


def automatic_table(scored: Sequence[Scored]) -> Table:
    """Larsson's `rmse_alphabeta` and PSNR of one answer, against gray, beside published ones on other images."""
    lines: list[tuple[str, ...]] = [("method", "rmse_alphabeta", "/gray", "PSNR", "− gray", "images")]
    protocol = scored[0].evaluation.protocol
    images = f"{protocol.images} of {protocol.dataset}, {protocol.resolution}²"
    for label, row in _own_rows(scored, ("gray",)):
        told = row.scores | _shares(scored[0], row)
        if "rmse_alphabeta" in told:
            lines.append((label, *_automatic_cells(told), images))
    if len(lines) == 1:
        return Table("One answer", lines)
    for theirs in published.AUTOMATIC:
        alphabeta, gray = theirs.rmse_alphabeta
        told = {"rmse_alphabeta": alphabeta, "alphabeta_to_gray": alphabeta / gray}
        told |= {"psnr_first": theirs.psnr[0], "gain": theirs.psnr[0] - theirs.psnr[1]}
        lines.append((f"[{theirs.name}]", *_automatic_cells(told), theirs.source))
    note = (
        "Larsson et al. 2016, Eq. (8) to (10), of version 1: lower than gray's, and more dB. In brackets what is "
        "published on other images, whose gray differs: compare with gray, never values. A difference of dB is a ratio "
        "of squared errors. Ours are centre squares of the photos; ctest10k's are whole, with a short side of 256."
    )
    return Table("One answer, beside published ones", lines, note)


_JUDGE = (
    *(("judge_agreement", "top-1 agreement", "{:.3f}"), ("recovered", "recovered", "{:.2f}")),
    *(("judge_kl", "KL", "{:.3f}"), ("kl_to_gray", "/gray", "{:.2f}")),
    *(("frechet", "Fréchet", "{:.2f}"), ("frechet_to_gray", "/gray", "{:.2f}")),
)


def judge_table(scored: Sequence[Scored]) -> Table:
    """What a classifier of photos says of version 1; no line but the titles where none was asked."""
    lines: list[tuple[str, ...]] = [("row", "images", *(title for _, title, _ in _JUDGE))]
    for label, row in _own_rows(scored, ("gray",)):
        told = row.scores | _shares(scored[0], row)
        if "judge_agreement" in row.scores:
            cells = (_number(told.get(name), form) for name, _, form in _JUDGE)
            lines.append((label, str(scored[0].evaluation.protocol.images), *cells))
    note = (
        "EfficientNet-Lite2 sees version 1 and the true photo: how often it names the same class, and how much of the "
        "way from gray to the true photos (1) that is; KL in nats of what it says of the one from what it says of the "
        "other (0); Fréchet distance of its pooled features to theirs (0). "
        "Distances of few images are too large: compare rows here, and nothing over other images."
    )
    return Table("Seen by a classifier of photos", lines, note)


def _automatic_cells(told: Mapping[str, float]) -> tuple[str, ...]:
    forms = (("rmse_alphabeta", "{:.3f}"), ("alphabeta_to_gray", "{:.3f}"), ("psnr_first", "{:.2f}"))
    return tuple(_number(told.get(name), form) for name, form in (*forms, ("gain", "{:+.2f}")))


def _own_rows(scored: Sequence[Scored], blind: Sequence[str]) -> list[tuple[str, Row]]:
    """The blind rows of these names once, then each method's own."""
    rows = [(row.name, row) for row in scored[0].evaluation.rows if row.name in blind]
    for each in scored:
        own = [row for row in each.evaluation.rows if row.name not in (*_BLIND, *_APART)]
        rows += [(f"{each.name}: {row.name}", row) for row in own]
    return rows


def _shares(first: Scored, row: Row) -> dict[str, float]:
    """`natural.shares` of a row, beside the truth and gray of the comparison."""
    return natural.shares(row.scores, _scores(_row(first, "truth")), _scores(_row(first, "gray")))


def distribution_table(scored: Sequence[Scored]) -> Table:
    """What classifiers say of the true colours' bins."""
    rows = [(each.name, row) for each in scored if (row := _row(each, "distribution"))]
    names = ("bin_nll", "bin_cross_entropy", "bin_entropy", "bin_accuracy")
    forms = [(name, "{:.3f}") for name in names]
    note = "Nats and shares, means over cells. Methods with other bins or cells cannot be compared by them."
    return _metrics_table("Classifiers: the true colour's bin", rows, forms, note)


def generated_table(scored: Sequence[Scored]) -> Table:
    """Images from nothing against the test images, beside as many training images."""
    rows = [(each.name, row) for each in scored if (row := _row(each, "generated"))]
    training = [row for each in scored if (row := _row(each, "training_images"))]
    rows += [("(training images)", row) for row in training[:1]]
    forms = (("color_divergence", "{:.4f}"), ("thumbnail_distance", "{:.4f}"), ("pair_ssim_rgb", "{:.3f}"))
    note = "Against the test images; what the training images differ from them stands below. N is images."
    return _metrics_table("Images from nothing", rows, forms, note)


def _metrics_table(
    title: str, rows: Sequence[tuple[str, Row]], forms: Sequence[tuple[str, str]], note: str
) -> Table:
    columns = [(name, form) for name, form in forms if any(name in row.scores for _, row in rows)]
    lines: list[tuple[str, ...]] = [("row", "N", *(name for name, _ in columns))]
    for label, row in rows:
        cells = (_number(row.scores.get(name), form) for name, form in columns)
        lines.append((label, str(row.samples), *cells))
    return Table(title, lines, note)


def runs(scored: Sequence[Scored]) -> Table:
    """What each number depends on, a line a method."""
    lines: list[tuple[str, ...]] = [
        (
            *("method", "N", "rule", "images", "resolution", "field", "split hash", "weights"),
            *("steps", "image views", "training s", "evaluation s"),
        )
    ]
    for each in scored:
        p, row = each.evaluation.protocol, _answer_row(each)
        cost = p.training or {}
        lines.append(
            (
                *(
                    each.name,
                    str(row.samples if row else 0),
                    p.rule or "–",
                    str(p.images),
                    f"{p.resolution}²",
                    f"{p.field}²",
                ),
                *(p.split_hash, p.weights_hash or "–"),
                *(_number(cost.get(unit), "{:.0f}") for unit in ("steps", "images", "seconds")),
                _number(p.seconds, "{:.0f}"),
            )
        )
    first = scored[0].evaluation.protocol
    return Table(
        "Protocol and budget",
        lines,
        f"{first.dataset}/{first.split}; fields lifted by {first.lift}, seed {first.seed}; references fitted on "
        f"{first.fit_images} training images. Seconds are of the machine of that run: "
        f"{first.versions.get('device', 'not recorded')}.",
    )


def claims_table(scored: Sequence[Scored]) -> Table:
    """Whether the papers' ordering holds here, by the difference over the same images and its standard error."""
    lines: list[tuple[str, ...]] = [("claim", "here", "difference ± standard error", "holds", "source")]
    for claim in _claims(scored):
        lines += _claim_lines(claim, scored)
    return Table(
        "Does the papers' ordering hold?",
        lines,
        "'yes' and 'no' need a difference of two standard errors over the test images; one training run each, so the "
        "scatter between runs is not in it.",
    )


def open_claims_table(scored: Sequence[Scored]) -> Table:
    """What the papers claim and these methods cannot tell, and what is missing to tell it.

    No line but the titles where no method colours anything.
    """
    lines: list[tuple[str, ...]] = [("claim", "not run", "source")]
    for claim in _claims(scored):
        if not _claim_lines(claim, scored):
            lines.append((_claim_text(claim), _missing(claim, scored), claim.source))
    if scored:
        lines += [(claim.text, claim.why, claim.source) for claim in published.UNSCORED]
    return Table("The papers' other orderings, not run here", lines)


def _claims(scored: Sequence[Scored]) -> list[Claim]:
    """Those that are made of the scored data set, or of every one."""
    dataset = published.DATASETS.get(scored[0].evaluation.protocol.dataset) if scored else None
    return [claim for claim in published.CLAIMS if scored and (not claim.data or dataset in claim.data)]


def _of(scored: Sequence[Scored], variant: Variant) -> list[Scored]:
    return [each for each in scored if is_variant(each.evaluation.protocol, variant)]


def _claim_lines(claim: Claim, scored: Sequence[Scored]) -> list[tuple[str, ...]]:
    pairs = product(_of(scored, claim.better), _of(scored, claim.than))
    return [line for a, b in pairs if (line := _claim_line(claim, a, b))]


def _claim_text(claim: Claim) -> str:
    better, than = (_title(variant) for variant in (claim.better, claim.than))
    text = f"{claim.metric} of {better} {'above' if claim.higher else 'below'} {than}'s"
    return text if claim.row == "field" else f"{text} ({claim.row})"


def _title(variant: Variant) -> str:
    return f"{variant.method}, {variant.losses}" if variant.losses else variant.method


def _missing(claim: Claim, scored: Sequence[Scored]) -> str:
    """What of the claim was not scored."""
    absent = [variant for variant in (claim.better, claim.than) if not _of(scored, variant)]
    if not absent:
        return f"no {claim.metric} of the row {claim.row}"
    return "; ".join(f"{_title(variant)} was not scored" for variant in absent)


def _claim_line(claim: Claim, a: Scored, b: Scored) -> tuple[str, ...] | None:
    rows = [each.per_image.get(claim.row, {}) for each in (a, b)]
    if any(claim.metric not in row for row in rows):
        return None
    first, second = (row[claim.metric] for row in rows)
    mean, error = (float(value) for value in metrics.mean_and_error(first - second))
    text = f"{claim.metric} of {a.name} {'above' if claim.higher else 'below'} {b.name}'s"
    if claim.row != "field":
        text += f" ({claim.row})"
    here = f"{metrics.mean(first):.4g} and {metrics.mean(second):.4g}"
    return text, here, f"{mean:+.2g} ± {error:.1g}", _verdict(claim, a, b, mean, error), claim.source


def _verdict(claim: Claim, a: Scored, b: Scored, mean: float, error: float) -> str:
    counts = {row.samples for each in (a, b) if (row := _row(each, claim.row))}
    if claim.metric in metrics.OF_ALL_SAMPLES and len(counts) > 1:
        return f"not comparable: N {' and '.join(map(str, sorted(counts)))}"
    return verdict(mean if claim.higher else -mean, error)


def verdict(mean: float, error: float) -> str:
    """Whether a mean difference is above 0 by two standard errors: 'yes', 'no' where it is below, or 'undecided'."""
    if not abs(mean) > 2 * error:
        return "undecided"
    return "yes" if mean > 0 else "no"


def beside_cell(ours: float | None, theirs: float | None, form: str, their_form: str = "{:.3g}") -> str:
    """`ours [published]`."""
    return f"{_number(ours, form)} [{_number(theirs, their_form)}]"


def _number(value: float | None, form: str) -> str:
    return "–" if value is None or not np.isfinite(value) else form.format(value)


def _row(each: Scored, name: str) -> Row | None:
    return next((row for row in each.evaluation.rows if row.name == name), None)


def _answer_row(each: Scored) -> Row | None:
    return _row(each, answer([row.name for row in each.evaluation.rows]))


def _scores(row: Row | None) -> dict[str, float]:
    return row.scores if row else {}


def _printed(
    values: Mapping[str, Mapping[str, tuple[float, ...]]], scored: Sequence[Scored]
) -> Mapping[str, tuple[float, ...]]:
    """The printed values of the data set that was scored; {} for one that no paper has."""
    dataset = scored[0].evaluation.protocol.dataset if scored else ""
    return values.get(published.DATASETS.get(dataset, ""), {})
