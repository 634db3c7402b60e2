"""What the papers print and claim, as data: whoever adds a method with published numbers adds lines here alone.

A method is named by `config.method`, a column by the paper's own words. Printed numbers are the papers', whose unit is
not stated (see `report.UNIT_REMARK`).
"""

from collections.abc import Mapping
from typing import NamedTuple

DATASETS = {
    "lfw_deepfunneled": "LFW",
    "lsun_church": "Church",
    "imagenet_val": "ImageNet-Val",
    "tiny_imagenet": "ImageNet-Val",
}
"""Prepared data sets by the names of the papers' columns; Tiny ImageNet stands in for the last."""

ORDER = ("scc", "vae_mdn", "vae_mdn_skip", "cvae", "cvae_v1", "cgan", "mln_gan", "bicycle_gan", "pic")
"""Methods in the papers' order; others follow by name."""

ALL_TERMS = "Mah + colourfulness + gradient"

GAN = "GAN + L1"

LOSS_NAMES = {("l2",): "L2", ("mah",): "Mah", ("grad", "hist", "mah"): ALL_TERMS, ("gan", "l1"): GAN}
"""Losses of a decoder as the paper names them together; 'kl' is in all of them and not named."""

TRAINED_WITH = {"cvae": "L2", "cvae_v1": "L2", "vae_mdn": ALL_TERMS, "vae_mdn_skip": ALL_TERMS, "cgan": GAN}
"""The losses behind a method's published numbers; another variant of the method has no published number."""


class Column(NamedTuple):
    """A column of a table: a metric of ours or 'training_s', its title, and the forms of our and their numbers."""

    metric: str
    title: str
    form: str
    their_form: str = "{:.3g}"


class MethodTable(NamedTuple):
    """A published table with a line a method.

    Attributes:
      title: of the table.
      columns: metrics, in the order of the values.
      methods: {`config.method`: the paper's name}.
      values: {the paper's data set: {the paper's name: printed values}}.
      note: what must be known to read it.
    """

    title: str
    columns: tuple[Column, ...]
    methods: Mapping[str, str]
    values: Mapping[str, Mapping[str, tuple[float, ...]]]
    note: str = ""


class LossTable(NamedTuple):
    """A published table with a line a choice of the decoder's losses.

    Attributes:
      title: of the table.
      columns: metrics, in the order of the values.
      methods: those of `config.method` that the printed values are of.
      values: {the paper's data set: {losses: printed values}}.
      note: what must be known to read it.
    """

    title: str
    columns: tuple[Column, ...]
    methods: tuple[str, ...]
    values: Mapping[str, Mapping[str, tuple[float, ...]]]
    note: str


_CODE = (
    "From the code of the true colours (the mean of the encoder's Gaussian; the paper samples it), so not a "
    "colorization. "
)
_WHOSE = "Published numbers stand beside the decoder that does not see the gray image."

DESHPANDE_1 = LossTable(
    "Deshpande et al. 2017, Table 1: mean absolute error by the decoder's losses",
    (Column("mae", "all pixels", "{:.4f}"), Column("mae_grid", "8×8 grid", "{:.4f}")),
    ("vae_mdn",),
    {
        "LFW": {"L2": (0.034, 0.035), "Mah": (0.034, 0.032), ALL_TERMS: (0.029, 0.029)},
        "Church": {"L2": (0.024, 0.025), "Mah": (0.026, 0.026), ALL_TERMS: (0.023, 0.023)},
        "ImageNet-Val": {"L2": (0.031, 0.031), "Mah": (0.039, 0.039), ALL_TERMS: (0.039, 0.039)},
    },
    _CODE + _WHOSE,
)

DESHPANDE_1_FIRST = LossTable(
    "Deshpande et al. 2017, first version, Table 1: mean absolute error by the decoder's losses",
    (Column("mae", "all pixels", "{:.4f}"), Column("mae_grid", "8×8 grid", "{:.4f}")),
    ("vae_mdn",),
    {
        "LFW": {"L2": (0.079, 0.095), "Mah": (0.077, 0.079), ALL_TERMS: (0.067, 0.069)},
        "Church": {"L2": (0.049, 0.049), "Mah": (0.056, 0.056), ALL_TERMS: (0.050, 0.050)},
        "ImageNet-Val": {"L2": (0.066, 0.068), "Mah": (0.091, 0.091), ALL_TERMS: (0.091, 0.093)},
    },
    _CODE
    + "These are 2.0 to 2.7 times the second version's, whose Table 2 is the same to the digit: the unit changed, and "
    "neither version states it. Ours are the same as in that table. " + _WHOSE,
)

_WEIGHTED = {
    "LFW": {"L2": (7.20, 11.29), "Mah": (6.69, 7.33), ALL_TERMS: (2.65, 2.83)},
    "Church": {"L2": (4.9, 4.68), "Mah": (6.54, 6.42), ALL_TERMS: (1.74, 1.71)},
    "ImageNet-Val": {"L2": (10.02, 9.21), "Mah": (12.99, 12.19), ALL_TERMS: (4.82, 4.66)},
}

DESHPANDE_2 = LossTable(
    "Deshpande et al. 2017, Table 2: weighted absolute error by the decoder's losses",
    (Column("mae_weighted", "all pixels", "{:.3f}"), Column("mae_weighted_grid", "8×8 grid", "{:.3f}")),
    ("vae_mdn",),
    _WEIGHTED,
    _CODE
    + "Weights: inverse probability of the true colour's bin, mean 1 over the training images; the paper does "
    "not state the scale of its own, so compare ratios between rows. " + _WHOSE,
)

DESHPANDE_2_INVERSE = LossTable(
    "Deshpande et al. 2017, Table 2, in the scale of the authors' program",
    (Column("mae_inverse", "all pixels", "{:.2f}"), Column("mae_inverse_grid", "8×8 grid", "{:.2f}")),
    ("vae_mdn",),
    _WEIGHTED,
    _CODE
    + "The error over the probability of the true colour's bin, neither mixed with a uniform one nor capped nor "
    "normalised: a few pixels of rare colours carry it. Theirs are probabilities of ImageNet's colours; ours of the "
    "training images, or of --color_prior. " + _WHOSE,
)

DESHPANDE_3 = MethodTable(
    "Deshpande et al. 2017, Table 3: error of best and variance",
    (Column("eob_mae", "eob_mae", "{:.4f}"), Column("variance", "variance", "{:.2e}")),
    {"cvae": "CVAE", "cgan": "cGAN", "vae_mdn": "Ours", "vae_mdn_skip": "Ours+skip"},
    {
        "LFW": {
            "CVAE": (0.031, 1.0e-4), "cGAN": (0.047, 8.4e-6), "Ours": (0.030, 1.1e-3), "Ours+skip": (0.031, 4.4e-4),
        },
        "Church": {
            "CVAE": (0.029, 2.2e-4), "cGAN": (0.048, 6.2e-6), "Ours": (0.036, 3.1e-4), "Ours+skip": (0.036, 2.9e-4),
        },
        "ImageNet-Val": {
            "CVAE": (0.037, 2.5e-4), "cGAN": (0.048, 8.88e-6), "Ours": (0.043, 6.8e-4), "Ours+skip": (0.041, 6.0e-4),
        },
    },
)  # fmt: skip

MESSAOUD_2 = MethodTable(
    "Messaoud et al. 2018, Table 2: error of best, variance, SSIM of pairs, training time",
    (
        Column("eob_mae", "eob_mae", "{:.4f}"),
        Column("variance", "variance", "{:.2e}"),
        Column("pair_ssim_ab", "pair SSIM", "{:.2f}"),
        Column("training_s", "training", "{:.0f} s", "~{:g} h"),
    ),
    {
        "scc": "Ours", "vae_mdn": "VAE-MDN", "cgan": "c-GAN", "mln_gan": "MLN-GAN", "bicycle_gan": "BicycleGAN",
        "pic": "PIC",
    },
    {
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
    },
    "Pair SSIM is of the colours alone (ab scaled to [0, 1]); the paper does not state of what its own is. Its c-GAN "
    "row is Deshpande's Table 3 to the digit, and its VAE-MDN variances are 10 to 34 times Deshpande's: c-GAN cannot "
    "be ranked against the others by it.",
)  # fmt: skip

LOSS_TABLES = (DESHPANDE_1, DESHPANDE_1_FIRST, DESHPANDE_2, DESHPANDE_2_INVERSE)
METHOD_TABLES = (DESHPANDE_3, MESSAOUD_2)


class Variant(NamedTuple):
    """A method by `config.method`, trained with `losses`; None: with those of its published numbers."""

    method: str
    losses: str | None = None


class Claim(NamedTuple):
    """What a paper says of two methods: `better` has the lower value, or with `higher` the higher one.

    Attributes:
      better, than: the methods.
      row, metric: what is compared.
      higher: see above.
      source: where it is said, or printed.
      data: the papers' data sets that it is said of; (): all.
    """

    better: Variant
    than: Variant
    row: str
    metric: str
    higher: bool
    source: str
    data: tuple[str, ...] = ()


class Unscored(NamedTuple):
    """What a paper says that no comparison of this package can decide: the claim, why not, and where it is said."""

    text: str
    why: str
    source: str


_M2, _D1, _D2, _D3 = "Messaoud, Table 2", "Deshpande, Table 1", "Deshpande, Table 2", "Deshpande, Table 3"
_COLLAPSE = "Messaoud, Table 2, and Sec. 4.1, 'mode collapse'"
_BLEED = "Messaoud, Sec. 4.1 and Fig. 5"
_FIRST = "Deshpande, first version, Fig. 5"
_L2, _MAH = Variant("vae_mdn", "L2"), Variant("vae_mdn", "Mah")
_CHURCH, _VAL = ("Church",), ("ImageNet-Val",)
_DIVERSE = {"mln_gan": (), "bicycle_gan": _CHURCH + _VAL, "pic": ("LFW", *_VAL)}
"""The data sets on which the paper's own cells agree with its sentence that these three are the most diverse."""
_RIVALS = ("cgan", *_DIVERSE)


def _fields(
    better: str,
    others: tuple[str, ...],
    metric: str,
    source: str,
    *,
    higher: bool = False,
    data: tuple[str, ...] = (),
) -> tuple[Claim, ...]:
    """That a method's versions are better than those of each other method."""
    return tuple(
        Claim(Variant(better), Variant(other), "field", metric, higher, source, data) for other in others
    )


def _reconstructed(
    better: Variant, others: tuple[Variant, ...], metric: str, source: str, data: tuple[str, ...] = ()
) -> tuple[Claim, ...]:
    """That a decoder trained with some losses errs less, from the true colours' code, than those with others."""
    return tuple(Claim(better, other, "reconstruction", metric, False, source, data) for other in others)


CLAIMS = (
    *_fields("scc", ("vae_mdn", *_RIVALS), "eob_mae", _M2),
    *_fields("vae_mdn", _RIVALS, "eob_mae", _M2),
    *_fields("scc", ("vae_mdn",), "bleed", _BLEED),
    *_fields("scc", ("vae_mdn",), "bleed_human", _BLEED),
    *_fields("scc", ("vae_mdn",), "pair_ssim_ab", _M2, higher=True),
    *_fields("cgan", ("scc", "vae_mdn", *_DIVERSE), "variance", _COLLAPSE),
    *_fields("cgan", ("scc", "vae_mdn", *_DIVERSE), "pair_ssim_ab", _COLLAPSE, higher=True),
    *(
        claim
        for other, data in _DIVERSE.items()
        for claim in _fields(other, ("scc", "vae_mdn"), "variance", _M2, higher=True, data=data)
    ),
    *_fields("vae_mdn", ("vae_mdn_skip", "cvae"), "variance", _D3, higher=True),
    *_fields("vae_mdn_skip", ("cvae", "cgan"), "variance", _D3, higher=True),
    *_fields("cvae", ("cgan",), "variance", _D3, higher=True),
    *_fields("cvae", ("cgan",), "eob_mae", _D3),
    *_fields("vae_mdn_skip", ("cgan",), "eob_mae", _D3),
    *_fields("cvae", ("vae_mdn", "vae_mdn_skip"), "eob_mae", _D3, data=_CHURCH + _VAL),
    *_fields("vae_mdn", ("cvae", "vae_mdn_skip"), "eob_mae", _D3, data=("LFW",)),
    *_fields("vae_mdn", ("cvae_v1",), "eob_mae", _FIRST),
    *_reconstructed(Variant("vae_mdn"), (_L2, _MAH), "mae", _D1, ("LFW", *_CHURCH)),
    *_reconstructed(_L2, (Variant("vae_mdn"), _MAH), "mae", _D1, _VAL),
    *_reconstructed(Variant("vae_mdn"), (_L2, _MAH), "mae_weighted", _D2),
    *_reconstructed(_L2, (_MAH,), "mae_weighted", _D2, _CHURCH + _VAL),
    *_reconstructed(_MAH, (_L2,), "mae_weighted", _D2, ("LFW",)),
)

_LARSSON, _NETWORK = "Larsson et al. 2016", "that network is not in this package"
_GENERATORS = "generators of faces are not in this package"
UNSCORED = (
    Unscored(
        "people prefer Ours to VAE-MDN and PIC, and VAE-MDN to PIC, on every data set",
        "no study was run; launch/study makes one of trained runs",
        "Messaoud, Table 1",
    ),
    Unscored(
        "PSNR after 10, 50 and 100 reveals: Zhang over Ours over Levin over Barron over Endo",
        "colorize-eval --task=edits has its own table of it",
        "Messaoud, Table 3",
    ),
    Unscored(
        "every metric: VAE worse than DFC-VAE worse than S-VAE, and BEGAN worse than S-BEGAN",
        _GENERATORS,
        "Messaoud, supplement, Table 1",
    ),
    Unscored(
        "hue and chroma are the best target by PSNR with fading, and the worst without",
        _NETWORK,
        f"{_LARSSON}, Table 1",
    ),
    Unscored(
        "conv4_1 to fc7 keep the whole PSNR; the fc layers alone lose 0.23 to 0.26 dB",
        _NETWORK,
        f"{_LARSSON}, Table 2",
    ),
    Unscored(
        "with the true histogram: energy minimization best, then cluster correspondence, then quantile matching",
        _NETWORK,
        f"{_LARSSON}, Table 4",
    ),
    Unscored(
        "by PSNR: sample below expectation below median of chroma below mode below those with fading",
        _NETWORK,
        f"{_LARSSON}, Table 7",
    ),
    Unscored(
        "L1 beside L2, and a GAN beside none, look better; both above Charpiat; dropout noise changes little",
        "judged by eye there, and neither the networks nor Charpiat are in this package",
        "the GAN study, Sec. 3 and 4",
    ),
)


class Automatic(NamedTuple):
    """One answer a photo, without any help, on other images: as printed, beside gray on the same ones.

    Attributes:
      name: of the method.
      rmse_alphabeta: Larsson's, and gray's.
      psnr: mean dB of RGB, and gray's.
      source: where it is printed, and on which images.
    """

    name: str
    rmse_alphabeta: tuple[float, float]
    psnr: tuple[float, float]
    source: str


_LARSSON_1 = "Larsson et al. 2016, Table 1, cval1k"
AUTOMATIC = (
    Automatic("Larsson", (0.293, 0.333), (24.94, 23.27), "Larsson et al. 2016, Sec. 4, ctest10k"),
    Automatic("Larsson", (0.299, 0.343), (24.45, 22.98), _LARSSON_1),
    Automatic("Larsson, Lab L2", (0.318, 0.343), (24.25, 22.98), _LARSSON_1),
)
"""What VGG-16 and 1.3 million photos of ImageNet reach."""


OWN_CURVE = "the paper's method"
"""Messaoud's own line in `CURVES`."""

EDITED = ("Zhang", OWN_CURVE, "Levin", "Barron", "Endo")
"""Names in `CURVES`, the best first after 10, 50 and 100 reveals as Table 3 of Messaoud et al. 2018 has them."""

EDITED_HERE = {"Levin": "levin", "Barron": "bilateral_solver", "Endo": "deepprop"}
"""Those that `classical.METHODS` has, by its names."""


class Curve(NamedTuple):
    """Edits on other images: PSNR in dB by reveals, as printed, under a protocol of `reveals`."""

    name: str
    protocol: str
    psnr: Mapping[int, float]
    source: str


_MESSAOUD_3 = "Messaoud et al. 2018, Table 3, ImageNet test images"
CURVES = (
    Curve("Levin", "paper", {10: 26.5, 50: 28.5, 100: 30.0}, _MESSAOUD_3),
    Curve("Endo", "paper", {10: 24.8, 50: 25.9, 100: 26.0}, _MESSAOUD_3),
    Curve("Barron", "paper", {10: 25.3, 50: 28.0, 100: 29.0}, _MESSAOUD_3),
    Curve("Zhang", "paper", {10: 28.0, 50: 30.2, 100: 31.5}, _MESSAOUD_3),
    Curve(OWN_CURVE, "paper", {10: 26.7, 50: 29.3, 100: 30.4}, _MESSAOUD_3),
    Curve(
        "Zhang",
        "zhang",
        {0: 24.43, 1: 25.37, 10: 28.42, 50: 30.42, 100: 31.13},
        "Zhang et al. 2017, 1000 ImageNet test images",
    ),
)
