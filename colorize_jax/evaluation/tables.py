"""Methods side by side: Deshpande et al. 2017, Tables 1–3, and Messaoud et al. 2018, Table 2, ours beside theirs.

A cell reads `ours [published]`; – where one of the two does not exist. Printed numbers are the papers' own, whose unit
is not stated (see `report.UNIT_REMARK`).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from colorize_jax.evaluation import metrics
from colorize_jax.evaluation.evaluate import Evaluation, PerImage, Protocol, Row

DATASETS = {
    "lfw_deepfunneled": "LFW",
    "lsun_church": "Church",
    "imagenet_val": "ImageNet-Val",
    "tiny_imagenet": "ImageNet-Val",
}
"""Prepared data sets by the names of the papers' columns; Tiny ImageNet stands in for the last."""

ALL_TERMS = "Mah + colourfulness + gradient"
_TERMS = {("l2",): "L2", ("mah",): "Mah", ("grad", "hist", "mah"): ALL_TERMS}

# (all pixels, grid) by the decoder's losses.
DESHPANDE_1 = {
    "LFW": {"L2": (0.034, 0.035), "Mah": (0.034, 0.032), ALL_TERMS: (0.029, 0.029)},
    "Church": {"L2": (0.024, 0.025), "Mah": (0.026, 0.026), ALL_TERMS: (0.023, 0.023)},
    "ImageNet-Val": {"L2": (0.031, 0.031), "Mah": (0.039, 0.039), ALL_TERMS: (0.039, 0.039)},
}
DESHPANDE_2 = {
    "LFW": {"L2": (7.20, 11.29), "Mah": (6.69, 7.33), ALL_TERMS: (2.65, 2.83)},
    "Church": {"L2": (4.9, 4.68), "Mah": (6.54, 6.42), ALL_TERMS: (1.74, 1.71)},
    "ImageNet-Val": {"L2": (10.02, 9.21), "Mah": (12.99, 12.19), ALL_TERMS: (4.82, 4.66)},
}
# (error of best, variance)
DESHPANDE_3 = {
    "LFW": {
        "CVAE": (0.031, 1.0e-4), "cGAN": (0.047, 8.4e-6), "Ours": (0.030, 1.1e-3), "Ours+skip": (0.031, 4.4e-4),
    },
    "Church": {
        "CVAE": (0.029, 2.2e-4), "cGAN": (0.048, 6.2e-6), "Ours": (0.036, 3.1e-4), "Ours+skip": (0.036, 2.9e-4),
    },
    "ImageNet-Val": {
        "CVAE": (0.037, 2.5e-4), "cGAN": (0.048, 8.88e-6), "Ours": (0.043, 6.8e-4), "Ours+skip": (0.041, 6.0e-4),
    },
}  # fmt: skip
# (error of best, variance, SSIM of pairs, hours of training)
MESSAOUD_2 = {
    "LFW": {
        "c-GAN": (0.047, 8.40e-6, 0.92, 4), "MLN-GAN": (0.057, 2.83e-2, 0.12, 4),
        "BicycleGAN": (0.045, 6.50e-3, 0.51, 4), "VAE-MDN": (0.035, 1.81e-2, 0.49, 4),
        "PIC": (0.043, 5.32e-2, 0.36, 48), "Ours": (11e-5, 8.86e-3, 0.61, 4),
    },
    "Church": {
        "c-GAN": (0.048, 6.20e-6, 0.94, 39), "MLN-GAN": (0.051, 2.48e-2, 0.34, 39),
        "BicycleGAN": (0.048, 2.20e-2, 0.38, 39), "VAE-MDN": (0.028, 1.05e-2, 0.77, 39),
        "PIC": (0.047, 7.40e-5, 0.91, 144), "Ours": (93e-6, 1.17e-2, 0.83, 39),
    },
    "ImageNet-Val": {
        "c-GAN": (0.048, 8.88e-6, 0.91, 18), "MLN-GAN": (0.063, 1.73e-2, 0.38, 18),
        "BicycleGAN": (0.042, 2.20e-2, 0.15, 18), "VAE-MDN": (0.033, 7.17e-3, 0.48, 18),
        "PIC": (0.035, 6.74e-2, 0.19, 96), "Ours": (12e-5, 8.80e-3, 0.52, 18),
    },
}  # fmt: skip

_IN_DESHPANDE = {"cvae": "CVAE", "vae_mdn": "Ours", "vae_mdn_skip": "Ours+skip"}
_IN_MESSAOUD = {"scc": "Ours", "vae_mdn": "VAE-MDN"}
# The losses that the papers' methods were trained with; another variant of a method has no published number.
_AS_PUBLISHED = {"cvae": "L2", "vae_mdn": ALL_TERMS, "vae_mdn_skip": ALL_TERMS}


class Scored(NamedTuple):
    """One method of a comparison: the name that the user gave it, its evaluation and the scores behind it."""

    name: str
    evaluation: Evaluation
    per_image: PerImage


class Table(NamedTuple):
    """A table as text: its title, the line of column titles and the others, and what must be known to read it."""

    title: str
    lines: list[tuple[str, ...]]
    note: str = ""


def check_comparable(scored: Sequence[Scored]) -> None:
    """Checks that the methods were scored by one protocol.

    Raises:
      ValueError: none is given; or data set, split, images, N, rule, resolution, lift, seed or the images that the
        references were fitted on differ; the message names the fields.
    """
    if not scored:
        raise ValueError("a comparison needs at least one evaluated method")
    fields = (
        *("dataset", "split", "split_hash", "images", "samples", "rule", "resolution", "lift", "seed"),
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
    tables = [loss_table(scored, weighted=False), loss_table(scored, weighted=True)]
    tables = [table for table in tables if len(table.lines) > 1]
    tables += [deshpande_3(scored), messaoud_2(scored), every_metric(scored), runs(scored)]
    claims = claims_table(scored)
    return [*tables, claims] if len(claims.lines) > 1 else tables


def loss_terms(protocol: Protocol) -> str | None:
    """The decoder's losses as the paper names them; None for a method without such losses."""
    if protocol.losses is None:
        return None
    present = tuple(sorted(name for name, weight in protocol.losses.items() if name != "kl" and weight))
    return _TERMS.get(present, " + ".join(present))


def as_published(protocol: Protocol) -> bool:
    """Whether the method was trained with the losses that its published numbers belong to."""
    wanted = _AS_PUBLISHED.get(protocol.method)
    return wanted is None or wanted == loss_terms(protocol)


def loss_table(scored: Sequence[Scored], *, weighted: bool) -> Table:
    """Deshpande's Table 2 with `weighted`, Table 1 without: errors from the code of the true colours."""
    published = _for(DESHPANDE_2 if weighted else DESHPANDE_1, scored)
    names = ("mae_weighted", "mae_weighted_grid") if weighted else ("mae", "mae_grid")
    form = "{:.3f}" if weighted else "{:.4f}"
    lines: list[tuple[str, ...]] = [("decoder's losses", "method", "all pixels", "8×8 grid")]
    for each in scored:
        terms, row = loss_terms(each.evaluation.protocol), _scores(each, "reconstruction")
        if terms is None or row is None:
            continue
        plain = each.evaluation.protocol.method == "vae_mdn"
        beside = published.get(terms, (None, None)) if plain else (None, None)
        cells = (beside_cell(row[name], value, form) for name, value in zip(names, beside, strict=True))
        lines.append((terms, each.name, *cells))
    what = "weighted absolute error" if weighted else "mean absolute error"
    return Table(
        f"Deshpande et al. 2017, Table {2 if weighted else 1}: {what} by the decoder's losses",
        lines,
        "From the code of the true colours (the mean of the encoder's Gaussian; the paper samples it), so not a "
        "colorization. "
        + (
            "Weights: inverse probability of the true colour's bin, mean 1 over the training images; the paper does "
            "not state the scale of its own, so compare ratios between rows. "
            if weighted
            else ""
        )
        + "Published numbers stand beside the decoder that does not see the gray image.",
    )


def deshpande_3(scored: Sequence[Scored]) -> Table:
    """Error of best and variance, with the blind templates as what must be beaten."""
    published = _for(DESHPANDE_3, scored)
    lines: list[tuple[str, ...]] = [("method", "eob_mae", "variance")]
    for label, values, theirs in _paired_rows(scored, _IN_DESHPANDE, published):
        ours = (values.get("eob_mae"), values.get("variance"))
        cells = (
            beside_cell(o, t, f)
            for o, t, f in zip(ours, theirs or (None, None), ("{:.4f}", "{:.2e}"), strict=True)
        )
        lines.append((label, *cells))
    return Table("Deshpande et al. 2017, Table 3: error of best and variance", lines)


def messaoud_2(scored: Sequence[Scored]) -> Table:
    """Error of best, variance, SSIM of pairs and training time."""
    published = _for(MESSAOUD_2, scored)
    lines: list[tuple[str, ...]] = [("method", "eob_mae", "variance", "pair SSIM", "training")]
    seconds = {each.name: (each.evaluation.protocol.training or {}).get("seconds") for each in scored}
    for label, values, theirs in _paired_rows(scored, _IN_MESSAOUD, published):
        eob, variance, ssim, hours = theirs or (None, None, None, None)
        spent = seconds.get(label.split(" = ")[0])
        lines.append(
            (
                label,
                beside_cell(values.get("eob_mae"), eob, "{:.4f}"),
                beside_cell(values.get("variance"), variance, "{:.2e}"),
                beside_cell(values.get("pair_ssim_ab"), ssim, "{:.2f}"),
                beside_cell(spent, hours, "{:.0f} s", "~{:g} h"),
            )
        )
    return Table(
        "Messaoud et al. 2018, Table 2: error of best, variance, SSIM of pairs, training time",
        lines,
        "Pair SSIM is of the colours alone (ab scaled to [0, 1]); the paper does not state of what its own is.",
    )


def _paired_rows(
    scored: Sequence[Scored], names: dict[str, str], published: dict[str, tuple]
) -> Iterable[tuple[str, dict[str, float], tuple | None]]:
    """(label, our scores, published values): our methods, then the blind ones, then what is only published."""
    used = set()
    for each in scored:
        protocol = each.evaluation.protocol
        theirs = names.get(protocol.method) if as_published(protocol) else None
        used.add(theirs)
        label = f"{each.name} = {theirs}" if theirs in published else each.name
        yield label, _scores(each, "field") or {}, published.get(theirs) if theirs else None
    for blind in ("templates", "gray"):
        yield f"({blind})", _scores(scored[0], blind) or {}, None
    for name, values in published.items():
        if name not in used:
            yield name, {}, values


_EVERY = (
    *(("eob_mae", "{:.4f}"), ("eob_mse", "{:.5f}"), ("mae", "{:.4f}"), ("mae_grid", "{:.4f}")),
    *(("mae_weighted", "{:.4f}"), ("mae_weighted_grid", "{:.4f}"), ("variance", "{:.2e}")),
    *(("pair_ssim_ab", "{:.3f}"), ("pair_ssim_rgb", "{:.3f}"), ("psnr_best", "{:.2f}"), ("bleed", "{:.3f}")),
    *(("bleed_human", "{:.3f}"), ("lpips_best", "{:.3f}"), ("lpips_pairs", "{:.3f}")),
)
_BLIND = ("truth", "gray", "mean_colour", "mean_image", "own_mean", "templates")


def every_metric(scored: Sequence[Scored]) -> Table:
    """Every metric of every row: the blind baselines once, then each method's own rows."""
    found = [(name, _row(scored[0], name)) for name in _BLIND]
    for each in scored:
        own = [row for row in each.evaluation.rows if row.name not in (*_BLIND, "perfect_field")]
        found += [(f"{each.name}: {row.name}", row) for row in own]
    rows = [(label, row) for label, row in found if row]
    columns = [(name, form) for name, form in _EVERY if any(name in row.scores for _, row in rows)]
    lines: list[tuple[str, ...]] = [("row", "N", *(name for name, _ in columns))]
    for label, row in rows:
        cells = (_number(row.scores.get(name), form) for name, form in columns)
        lines.append((label, str(row.samples), *cells))
    return Table("Every metric", lines, "Network units, ab / 128. `field` is what a method answers.")


def runs(scored: Sequence[Scored]) -> Table:
    """What each number depends on, a line a method."""
    lines: list[tuple[str, ...]] = [
        (
            *("method", "N", "rule", "images", "resolution", "field", "split hash", "weights"),
            *("steps", "image views", "training s", "evaluation s"),
        )
    ]
    for each in scored:
        p = each.evaluation.protocol
        cost = p.training or {}
        lines.append(
            (
                *(each.name, str(p.samples), p.rule, str(p.images), f"{p.resolution}²", f"{p.field}²"),
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


class Claim(NamedTuple):
    """What a paper says of two methods: `better` has the lower value, or with `higher` the higher one."""

    better: Callable[[Protocol], bool]
    than: Callable[[Protocol], bool]
    row: str
    metric: str
    higher: bool
    source: str


def _is(method: str, terms: str | None = None) -> Callable[[Protocol], bool]:
    return lambda p: p.method == method and (as_published(p) if terms is None else loss_terms(p) == terms)


_M2, _D2, _D3 = "Messaoud, Table 2", "Deshpande, Table 2", "Deshpande, Table 3"
CLAIMS = (
    Claim(_is("scc"), _is("vae_mdn"), "field", "eob_mae", False, _M2),
    Claim(_is("scc"), _is("vae_mdn"), "field", "bleed", False, "Messaoud, Sec. 4.1 and Fig. 5"),
    Claim(_is("scc"), _is("vae_mdn"), "field", "pair_ssim_ab", True, _M2),
    Claim(_is("scc"), _is("vae_mdn"), "field", "bleed_human", False, "Messaoud, Sec. 4.1 and Fig. 5"),
    Claim(_is("vae_mdn"), _is("cvae"), "field", "variance", True, _D3),
    Claim(_is("vae_mdn_skip"), _is("cvae"), "field", "variance", True, _D3),
    Claim(_is("vae_mdn"), _is("vae_mdn", "L2"), "reconstruction", "mae_weighted", False, _D2),
)


def claims_table(scored: Sequence[Scored]) -> Table:
    """Whether the papers' ordering holds here, by the difference over the same images and its standard error."""
    lines: list[tuple[str, ...]] = [("claim", "here", "difference ± standard error", "holds", "source")]
    for claim in CLAIMS:
        first = [each for each in scored if claim.better(each.evaluation.protocol)]
        second = [each for each in scored if claim.than(each.evaluation.protocol)]
        for a in first:
            lines += [line for b in second if (line := _claim_line(claim, a, b))]
    return Table(
        "Does the papers' ordering hold?",
        lines,
        "'yes' and 'no' need a difference of two standard errors over the test images; one training run each, so the "
        "scatter between runs is not in it.",
    )


def _claim_line(claim: Claim, a: Scored, b: Scored) -> tuple[str, ...] | None:
    rows = [each.per_image.get(claim.row, {}) for each in (a, b)]
    if any(claim.metric not in row for row in rows):
        return None
    values = [row[claim.metric] for row in rows]
    difference = values[0] - values[1]
    mean, error = metrics.mean(difference), standard_error(difference)
    gain = mean if claim.higher else -mean
    sign = "above" if claim.higher else "below"
    verdict = "undecided" if not abs(mean) > 2 * error else ("yes" if gain > 0 else "no")
    here = " and ".join(f"{metrics.mean(value):.4g}" for value in values)
    text = f"{claim.metric} of {a.name} {sign} {b.name}'s"
    if claim.row != "field":
        text += f" ({claim.row})"
    return text, here, f"{mean:+.2g} ± {error:.1g}", verdict, claim.source


def standard_error(values: np.ndarray) -> float:
    """Of the mean of the values that exist; NaN for fewer than two."""
    known = values[~np.isnan(values)]
    return float(known.std(ddof=1) / known.size**0.5) if known.size > 1 else float("nan")


def beside_cell(ours: float | None, theirs: float | None, form: str, their_form: str = "{:.3g}") -> str:
    """`ours [published]`."""
    return f"{_number(ours, form)} [{_number(theirs, their_form)}]"


def _number(value: float | None, form: str) -> str:
    return "–" if value is None or not np.isfinite(value) else form.format(value)


def _row(each: Scored, name: str) -> Row | None:
    return next((row for row in each.evaluation.rows if row.name == name), None)


def _scores(each: Scored, name: str) -> dict[str, float] | None:
    row = _row(each, name)
    return row.scores if row else None


def _for(published: dict[str, dict], scored: Sequence[Scored]) -> dict[str, tuple]:
    """The published values of the data set that was scored; {} for one that no paper has."""
    return published.get(DATASETS.get(scored[0].evaluation.protocol.dataset, ""), {})
