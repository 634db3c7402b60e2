"""The photo prior: a pretrained encoder and a decoder that say of every cell which colours its thing usually has.

Zhang et al. 2016 classify soft-encoded colours, rare ones weighing more; Larsson et al. 2016 regress; here both heads
read one feature map, which other networks can read as well.

| stage | trains | objective |
|---|---|---|
| `prior` | the decoder | cross entropy of the bins and absolute error of the regression |
| `prior_tuned` | also the encoder's 1x1 convolutions, at a share of the rate | the same |
"""

from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from colorize_jax import color, losses
from colorize_jax.config import check_fields, not_negative, one_of, positive, stage_defaults
from colorize_jax.data import color_statistics
from colorize_jax.methods.base import (
    STATISTICS,
    Batch,
    Distribution,
    LossResult,
    Player,
    Stage,
    Survey,
    Variables,
)
from colorize_jax.methods.parts.histograms import NEIGHBORS, SPREAD, annealed
from colorize_jax.methods.parts.networks import ExampleInputs, Networks, apply
from colorize_jax.methods.parts.pictures import gray_and_truth, picture
from colorize_jax.methods.parts.stages import build_stage_of, stage_adam
from colorize_jax.models.layers import resize_field
from colorize_jax.models.lite0 import MAP_CHANNELS, GrayLite, Maps, load_gray
from colorize_jax.models.prior import PriorDecoder, of_two_by_two
from colorize_jax.shapes import Array, Float, Int

ENCODER, DECODER = "lite0", "prior"
NAMES = (ENCODER, DECODER)
"""Of the networks."""

STRIDE = 4
"""Pixels of the large lightness along each side of a cell."""

WEIGHTS = "prior_weights"
"""The name of the bins' weights among the statistics of the training set."""


def defaults() -> ConfigDict:
    """What the photo prior and its stages read of a config."""
    config = ConfigDict()
    config.prior = ConfigDict()
    config.prior.widths = (320, 256, 192, 128, 128)  # of the decoder's levels, from the coarsest
    config.prior.even_levels = True  # whether faded photos are read as if they were not, see `models.levels`
    config.prior.classification = 0.3  # weight of the cross entropy, nats
    config.prior.regression = 10.0  # weight of the absolute error, network units
    config.prior.uniform = 0.5  # λ of Zhang et al. 2016, Eq. (4); 1 gives all bins one weight
    config.prior.cap = 10.0  # largest weight of a bin; the mean is 1
    config.prior.images = 5000  # of the training set, to count colours
    config.prior.vividness = 0.0  # of `guess`: 1 has rare colours as often as training, 0 as often as photos
    config.prior.temperature = 0.7  # T of `guess`
    config.stages = ConfigDict()
    config.stages.prior = stage_defaults(6.0, 32, 1e-3)
    config.stages.prior_tuned = stage_defaults(4.0, 32, 6e-4, encoder_rate=0.3)
    return config


def check(config: ConfigDict) -> None:
    """Raises a ValueError where a field of `defaults` is not allowed, or the encoder lacks the image that it reads."""
    allowed = {
        "prior.widths": (
            lambda x: len(x) == len(MAP_CHANNELS) and min(x) > 0,
            f"{len(MAP_CHANNELS)} positive numbers of channels",
        ),
        "prior.even_levels": one_of(True, False),
        "prior.classification": positive(),
        "prior.regression": positive(),
        "prior.uniform": (lambda x: 0 < x <= 1, "a share in (0, 1]"),
        "prior.cap": (lambda x: x > 1, "a number above 1"),
        "prior.images": positive("a positive number of images"),
        "prior.vividness": (lambda x: 0 <= x <= 1, "a share in [0, 1]"),
        "prior.temperature": positive("a positive number; 1 is the mean of the histogram"),
        "stages.prior_tuned.encoder_rate": not_negative("a factor of the stage's rate, at least 0"),
    }
    check_fields(config, allowed)
    if config.data.lightness_large < 32:
        raise ValueError(
            f"config.data.lightness_large is {config.data.lightness_large}, but the photo prior reads the larger "
            "gray image, of 32 pixels and more; set it to 128"
        )


@cache
def bin_centers() -> Float[np.ndarray, "Q 2"]:
    """Of the histograms' bins, network units: a grid of 10 CIE units within sRGB."""
    return color_statistics.centers(color_statistics.srgb_bins())


def networks(config: Any) -> Networks:
    """Encoder and decoder at the config's sizes."""
    dtype = jnp.dtype(config.compute_dtype)
    decoder = PriorDecoder(len(bin_centers()), tuple(config.prior.widths), dtype)
    return {ENCODER: GrayLite(even_levels=config.prior.even_levels, dtype=dtype), DECODER: decoder}


def inputs(batch: Batch) -> ExampleInputs:
    """What `networks` take."""
    lightness = jnp.zeros_like(batch["lightness_large"][:1])
    rows, columns = lightness.shape[1:3]
    sides = [(-(-rows // 2**level), -(-columns // 2**level)) for level in range(1, len(MAP_CHANNELS) + 1)]
    maps = tuple(jnp.zeros((1, *side, k)) for side, k in zip(sides, MAP_CHANNELS, strict=True))
    return {ENCODER: (lightness,), DECODER: (maps,)}


def predict(
    networks: Networks, variables: Variables, batch: Batch
) -> tuple[Float[Array, "B h w K"], Float[Array, "B h w 2"], Float[Array, "B h w Q"]]:
    """Features, regressed colours in network units, and logits of the bins, by cell."""
    maps, _ = apply(networks, variables, ENCODER, batch["lightness_large"])
    return apply(networks, variables, DECODER, maps)[0]


def read(
    networks: Networks, variables: Variables, batch: Batch
) -> tuple[Maps, Float[Array, "B F F K"], Float[Array, "B F F 2"]]:
    """What other networks read: the encoder's maps, the decoder's features, the regressed colours, network units.

    Whatever the size of the gray image, they are handed over in the sizes of `map_sides`.
    """
    maps, _ = apply(networks, variables, ENCODER, batch["lightness_large"])
    features, colors, _ = apply(networks, variables, DECODER, maps)[0]
    sides = map_sides(batch)
    sized = tuple(map(resize_field, maps, sides))
    return sized, resize_field(features, sides[1]), resize_field(colors, sides[1])


def map_sides(batch: Batch) -> tuple[int, ...]:
    """Sides of the maps that `read` hands over: those of a large gray image of twice the small one's side."""
    return tuple(batch["lightness"].shape[1] >> level for level in range(len(MAP_CHANNELS)))


def blank(networks: Networks, batch: Batch) -> tuple[Maps, Float[Array, "1 F F K"]]:
    """Zeros in the shapes of one image's maps and features, as `read` gives them."""
    sides = map_sides(batch)
    maps = tuple(jnp.zeros((1, side, side, k)) for side, k in zip(sides, MAP_CHANNELS, strict=True))
    return maps, jnp.zeros((1, sides[1], sides[1], networks[DECODER].widths[-1]))


def regress(networks: Networks, variables: Variables, batch: Batch) -> Float[Array, "B h w 2"]:
    """`Colors.regress`: network units."""
    return predict(networks, variables, batch)[1]


def log_odds(
    networks: Networks, variables: Variables, batch: Batch, vividness: float = 0.0
) -> Float[Array, "B h w Q"]:
    """Logarithms of the bins' probabilities by cell, up to a constant.

    Training weighs a colour by how rare it is, so its probabilities are p(q) w(q). Divided by w they are those of
    photos: p(q).

    Args:
      networks, variables, batch: as of `predict`.
      vividness: v in [0, 1]; the answer is of p(q) w(q)^v.
    """
    logits = predict(networks, variables, batch)[2]
    return logits - (1 - vividness) * jnp.log(_weights(variables))[None, None, None]


def histograms(networks: Networks, variables: Variables, batch: Batch) -> Float[Array, "B h w Q"]:
    """Probabilities of the bins by cell."""
    return jax.nn.softmax(log_odds(networks, variables, batch))


def with_weights(config: Any, needed: Variables) -> Variables:
    """`needed`, as of `Method.abstract_variables`, and the bins' weights besides, which `log_odds` asks for."""
    return {**needed, "batch_stats": {**needed["batch_stats"], STATISTICS: survey(config).shapes()}}


def distribution(networks: Networks) -> Distribution:
    """`Method.distribution`."""
    return Distribution(partial(histograms, networks), jnp.asarray(bin_centers()))


Answer = Callable[[Variables, Batch], Float[Array, "B h w 2"]]
"""`(variables, batch) -> colours`, network units."""


def guesser(config: Any, networks: Networks) -> Answer:
    """`guess` as the config has it."""
    chosen = config.prior
    return partial(guess, networks, vividness=chosen.vividness, temperature=chosen.temperature)


def guess(
    networks: Networks, variables: Variables, batch: Batch, *, vividness: float, temperature: float
) -> Float[Array, "B h w 2"]:
    """The best single answer: the annealed mean of the histograms, network units; see `log_odds` and `annealed`."""
    logits = log_odds(networks, variables, batch, vividness)
    return annealed(logits, jnp.asarray(bin_centers()), temperature)


def _weights(variables: Variables) -> Float[Array, " Q"]:
    return variables["batch_stats"][STATISTICS][WEIGHTS]


_REACH = 115
"""Whole CIE units along each axis, up and down, for which the nearest bins are known beforehand."""


@cache
def _nearest_bins() -> Int[np.ndarray, "W W k"]:
    """The bins nearest to every whole unit of a* (rows) and b*, the nearest first.

    Found once: sorting the distances of every cell in every step takes XLA's CPU compiler as long as all networks.
    """
    centers = np.round(color.network_to_ab(bin_centers())).astype(np.int32)
    units = np.arange(-_REACH, _REACH + 1, dtype=np.int32)
    rows = [np.square(np.stack(np.broadcast_arrays(a, units), -1)[:, None] - centers).sum(-1) for a in units]
    return np.stack([np.argsort(row, axis=-1, kind="stable")[:, :NEIGHBORS] for row in rows]).astype(np.int32)


def soft_encoded(
    ab: Float[Array, "*batch 2"],
) -> tuple[Int[Array, "*batch k"], Float[Array, "*batch k"]]:
    """`histograms.soft_encoded` in the prior's bins, for training: those nearest to the colour in whole CIE units.

    Args:
      ab: network units.
    """
    units = color.network_to_ab(ab)
    place = jnp.clip(jnp.round(units), -_REACH, _REACH).astype(jnp.int32) + _REACH
    nearest = jnp.asarray(_nearest_bins())[place[..., 0], place[..., 1]]
    centers = color.network_to_ab(jnp.asarray(bin_centers()))[nearest]
    squares = jnp.square(units[..., None, :] - centers).sum(axis=-1)
    return nearest, jax.nn.softmax(-squares / (2 * SPREAD**2))


def cross_entropy(
    logits: Float[Array, "B h w Q"],
    encoded: tuple[Int[Array, "B h w k"], Float[Array, "B h w k"]],
    weights: Float[Array, " Q"],
) -> Float[Array, " B"]:
    """Nats a cell of soft-encoded colours, each weighed by its nearest bin's weight (Zhang et al. 2016, Eq. 2)."""
    nearest, shares = encoded
    meant = (shares * jnp.take_along_axis(logits, nearest, axis=-1)).sum(axis=-1)
    nats = jax.nn.logsumexp(logits, axis=-1) - meant
    return (weights[nearest[..., 0]] * nats).mean(axis=(1, 2))


def survey(config: Any) -> Survey:
    """`Method.statistics`: the weights of the bins, by how rare they are in the training set; their mean over it is 1.

    Zhang et al. 2016, Eq. (4): the inverse of the smoothed distribution, mixed with the uniform one.
    """
    bins, chosen = color_statistics.srgb_bins(), config.prior

    def collect(batches: Iterable[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        counts = np.zeros(bins.inside.shape)
        for batch in batches:
            counts += color_statistics.count_colors(batch["ab"], bins)
        table = color_statistics.bin_weights(counts, bins, uniform=chosen.uniform, cap=chosen.cap)
        return {WEIGHTS: table[bins.inside].astype(np.float32)}

    def shapes() -> dict[str, jax.ShapeDtypeStruct]:
        return {WEIGHTS: jax.ShapeDtypeStruct((len(bin_centers()),), np.float32)}

    return Survey(chosen.images, collect, shapes)


def loss(
    networks: Networks,
    classification: float,
    regression: float,
    variables: Variables,
    batch: Batch,
    rng: Array,
    step: Array,
) -> LossResult:
    """Both heads' errors, each times its weight.

    A step looks at the histograms of a quarter of the cells, as Larsson et al. 2016 train at sparse places: neighbours
    say nearly the same, and all histograms would be a good part of a step.
    """
    maps, _ = apply(networks, variables, ENCODER, batch["lightness_large"])
    place = jax.random.randint(rng, (2,), 0, 2)
    (_, colors, logits), stats = apply(networks, variables, DECODER, maps, place, train=True)
    true = resize_field(batch["ab"], colors.shape[1])
    nats = cross_entropy(logits, soft_encoded(of_two_by_two(true, place)), _weights(variables)).mean()
    error = losses.absolute_error(colors, true).mean()
    told = {"absolute_error": error, "cross_entropy_nats": nats}
    return classification * nats + regression * error, (stats, told)


def evaluate(
    networks: Networks, answer: Answer, variables: Variables, batch: Batch, rng: Array
) -> dict[str, Array]:
    """Errors of the regression, of the guess and of gray, network units; nats of the histograms; RGB PSNR."""
    _, colors, _ = predict(networks, variables, batch)
    true = resize_field(batch["ab"], colors.shape[1])
    even = jnp.ones(len(bin_centers()))
    guessed, gray = answer(variables, batch), jnp.zeros_like(colors)
    return {
        "absolute_error": losses.absolute_error(colors, true),
        "absolute_error_guess": losses.absolute_error(guessed, true),
        "absolute_error_gray": losses.absolute_error(gray, true),
        "cross_entropy_nats": cross_entropy(log_odds(networks, variables, batch), soft_encoded(true), even),
        "psnr_db": psnr(batch, colors),
        "psnr_guess_db": psnr(batch, guessed),
        "psnr_gray_db": psnr(batch, gray),
    }


def psnr(batch: Batch, ab: Float[Array, "B h w 2"]) -> Float[Array, " B"]:
    """Of the pictures at the batch's size, sRGB in [0, 1], dB."""
    difference = picture(batch["lightness"], ab) - picture(batch["lightness"], batch["ab"])
    return -10 * jnp.log10(jnp.maximum(jnp.square(difference).mean(axis=(1, 2, 3)), 1e-10))


def pictures(
    networks: Networks, answer: Answer, variables: Variables, batch: Batch, rng: Array
) -> dict[str, Array]:
    """Gray, truth, the regression and the guess."""
    shown = {"regressed": regress(networks, variables, batch), "guess": answer(variables, batch)}
    return gray_and_truth(batch) | {name: picture(batch["lightness"], ab) for name, ab in shown.items()}


def stages(config: Any, networks: Networks, inputs: Callable[[Batch], ExampleInputs]) -> list[Stage]:
    """The stages `prior` and `prior_tuned`; with either the encoder is loaded where there is none yet."""
    objective = partial(loss, networks, config.prior.classification, config.prior.regression)
    answer = guesser(config, networks)
    rates = partial(_rates, config.stages.prior_tuned.encoder_rate)
    players = (
        Player("prior", (DECODER,), objective, stage_adam(config, "prior")),
        Player("prior_tuned", NAMES, objective, stage_adam(config, "prior_tuned", rates=rates)),
    )
    return [
        build_stage_of(
            config,
            player.name,
            networks,
            inputs,
            players=(player,),
            evaluate=partial(evaluate, networks, answer),
            pictures=partial(pictures, networks, answer),
            pretrained={ENCODER: load_gray},
        )
        for player in players
    ]


def _rates(encoder_rate: float, params: dict[str, Any]) -> dict[str, Any]:
    """Factors of the rate: the encoder's products have their own, its depthwise kernels stay."""

    def factor(path: Any, _: Array) -> float:
        names = {entry.key for entry in path}
        return 0.0 if names & {"depthwise", "stem"} else encoder_rate

    kept = jax.tree_util.tree_map_with_path(factor, params[ENCODER])
    return {**jax.tree.map(lambda _: 1.0, params), ENCODER: kept}
