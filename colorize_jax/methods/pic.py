"""`pic`: Probabilistic Image Colorization (Royer et al. 2017), as Messaoud et al. compare with it.

Colours are drawn pixel by pixel, from left to right and row by row, each given those before and the gray photo. One
network says how a pixel's colour is distributed (`models.pixel_cnn`), by a mixture of discretised logistics
(`models.logistics`). Colours have a quarter of the photo's side. One stage:

| stage | trains | objective |
|---|---|---|
| `pixels` | the network | bits of a* and b*, a value, given the colours before and the gray photo |
| | | and the same of what the gray photo alone tells of them |

Versions are drawn with an average of the weights over training.
Colours inside are levels of 8 bits: (a* - 0.5) / 127.5 and (b* + 0.5) / 127.5. The network is shown those before as
RGB.
"""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from colorize_jax import color
from colorize_jax.config import check_fields, not_negative, one_of, positive, share, stage_defaults
from colorize_jax.methods.base import (
    Batch,
    Colors,
    LossResult,
    Method,
    Player,
    Samples,
    Stage,
    Stages,
    Variables,
)
from colorize_jax.methods.parts.adversarial import (
    Paint,
    evaluate_draws,
    picture_draws,
    random_versions,
)
from colorize_jax.methods.parts.networks import ExampleInputs, abstract, apply, example_batch
from colorize_jax.methods.parts.stages import build_stage_of, stage_adam
from colorize_jax.models import logistics
from colorize_jax.models.layers import resize_field
from colorize_jax.models.pixel_cnn import LAYOUTS, ConditionalPixelCNN, walk
from colorize_jax.shapes import Array, Float

SPREADS = {"random": 1.0, "means": 0.0}
"""What the scales of the mixture are multiplied by, under each rule."""

NAME = "pixels"
"""Of the one network and the one stage."""

_HALF_RANGE = 127.5


def defaults() -> ConfigDict:
    """The values of the authors' program for ImageNet."""
    config = ConfigDict()
    config.width = 1.0  # of the network; 1 is the paper's size
    config.pic = ConfigDict()
    config.pic.downsample = 4  # how much smaller the colours are than the photo; 2: the network for CIFAR-10
    config.pic.blocks = 4  # of each of the two streams
    config.pic.mixture = 10  # components
    config.pic.dropout = 0.5
    config.pic.average = 0.999  # decay a step of the average of the weights
    config.pic.embedding_loss = 1.0  # weight of what the gray photo alone tells
    config.optim = ConfigDict({"b1": 0.95, "b2": 0.9995, "weight_decay": 0.0, "clip_norm": 0.0})
    config.optim.update({"warmup_steps": 0, "calibration_batches": 0})
    config.stages = ConfigDict({"pixels": stage_defaults(epochs=150.0, batch_size=64, lr=1.6e-4)})
    return config


def check(config: ConfigDict) -> None:
    """Raises a ValueError where a field is not allowed."""
    allowed = {
        "width": positive("a positive number; 1 is the paper's size"),
        "pic.downsample": one_of(*LAYOUTS),
        "pic.blocks": positive("a positive number; the paper's is 4"),
        "pic.mixture": positive("a positive number of components; the paper's is 10"),
        "pic.dropout": share(),
        "pic.average": share(),
        "pic.embedding_loss": not_negative("a weight, at least 0; the paper's is 1"),
    }
    check_fields(config, allowed)
    times = config.pic.downsample
    whole = (lambda x: x % times == 0, f"a multiple of config.pic.downsample, which is {times}")
    check_fields(config, {"data.image_size": whole})


def build(config: Any) -> Method:
    """The method of the papers' tables called 'PIC'."""
    network = build_network(config)
    return Method(
        stages=Stages(partial(_stages, config, network)),
        abstract_variables=partial(_abstract_variables, config, network),
        colors=Colors(sample=partial(sample, network), rules=tuple(SPREADS), most={}),
    )


def build_network(config: Any) -> ConditionalPixelCNN:
    """The network at the config's sizes."""
    own, dtype = config.pic, jnp.dtype(config.compute_dtype)
    numbers, layout = logistics.NUMBERS * own.mixture, LAYOUTS[own.downsample]
    return ConditionalPixelCNN(numbers, layout, own.blocks, config.width, own.dropout, dtype)


def to_own(ab: Float[Array, "*P 2"]) -> Float[Array, "*P 2"]:
    """Network units to the method's own, in which a* of -127 to 128 and b* of -128 to 127 are [-1, 1]."""
    a, b = jnp.split(color.network_to_ab(ab), 2, axis=-1)
    return jnp.concatenate([a - 0.5, b + 0.5], axis=-1) / _HALF_RANGE


def from_own(own: Float[Array, "*P 2"]) -> Float[Array, "*P 2"]:
    """The method's own units to network units."""
    a, b = jnp.split(own * _HALF_RANGE, 2, axis=-1)
    return color.ab_to_network(jnp.concatenate([a + 0.5, b - 0.5], axis=-1))


def shown(lightness: Float[Array, "*P 1"], own: Float[Array, "*P 2"]) -> Float[Array, "*P 3"]:
    """Colours in the method's own units as the network is shown them: RGB in [-1, 1]."""
    rgb = color.lab_to_srgb(color.network_to_lab(lightness, from_own(own)))
    return 2 * jnp.clip(rgb, 0, 1) - 1


def small(network: ConditionalPixelCNN, x: Float[Array, "B H W K"]) -> Float[Array, "B h w K"]:
    """A photo's lightness or colours at the size of the colours that are drawn."""
    return resize_field(x, x.shape[1] // network.downsample)


def levels(
    network: ConditionalPixelCNN, batch: Batch
) -> tuple[Float[Array, "B h w 1"], Float[Array, "B h w 2"]]:
    """The lightness of small photos and the levels of their true colours, own units."""
    return small(network, batch["lightness"]), logistics.quantized(to_own(small(network, batch["ab"])))


def bits(
    network: ConditionalPixelCNN, variables: Variables, batch: Batch, **options: Any
) -> tuple[dict[str, Float[Array, "B"]], dict[str, Any]]:
    """Bits of the true colours' levels, a value, and new batch statistics.

    `bits` are given the gray photo and the colours before, `gray_bits` given the gray photo alone. With a uniform
    distribution both are 8. `options` are those of `networks.apply`.
    """
    lightness, true = levels(network, batch)
    seen = batch["lightness"], shown(lightness, true)
    said, stats = apply({NAME: network}, variables, NAME, *seen, **options)
    nats = [-logistics.log_likelihood(numbers, lightness, true).mean(axis=(1, 2)) for numbers in said]
    return {name: x / (2 * math.log(2)) for name, x in zip(("bits", "gray_bits"), nats, strict=True)}, stats


def pixel_loss(
    network: ConditionalPixelCNN, weight: float, variables: Variables, batch: Batch, rng: Array, step: Array
) -> LossResult:
    """`bits`, and `weight` times those that the gray photo alone leaves."""
    found, stats = bits(network, variables, batch, train=True, rng=rng)
    told = {name: x.mean() for name, x in found.items()}
    return told["bits"] + weight * told["gray_bits"], (stats, told)


def paint(
    network: ConditionalPixelCNN,
    spread: float,
    variables: Variables,
    lightness: Float[Array, "H W 1"],
    rng: Array,
) -> Float[Array, "h w 2"]:
    """One version of one photo, network units.

    Args:
      network: the one that is trained.
      spread: multiplies the scales of the mixture, see `SPREADS`.
      variables: those of `Method.abstract_variables`.
      lightness: of the photo.
      rng: of all draws.
    """
    gray = small(network, lightness[None])
    random = logistics.noise(rng, gray.shape[:3], network.numbers // logistics.NUMBERS)

    def draw(said: Array, row: Array, column: Array) -> tuple[Array, Array]:
        own = partial(_pixel, row=row, column=column)
        drawn = logistics.draw(said, own(gray), logistics.Noise(*map(own, random)), spread)
        return drawn, shown(own(gray), drawn)

    return from_own(walk(network, variables["params"][NAME], lightness[None], draw)[0])


def _pixel(x: Float[Array, "B h w K"], row: Array, column: Array) -> Float[Array, "B 1 1 K"]:
    return jax.lax.dynamic_slice(x, (0, row, column, 0), (len(x), 1, 1, x.shape[-1]))


def sample(
    network: ConditionalPixelCNN,
    variables: Variables,
    batch: Batch,
    rng: Array,
    *,
    samples: int,
    rule: str,
) -> Samples:
    """Several colour versions of each gray photo, of equal weight.

    Args:
      network: the one that is trained.
      variables: those of `Method.abstract_variables`.
      batch: its `lightness` is read.
      rng: of all draws.
      samples: N.
      rule: 'random', draws; or 'means', in which a pixel has the mean of the component that is drawn for it.

    Raises:
      ValueError: an unknown rule.
    """
    if rule not in SPREADS:
        raise ValueError(f"rule is {rule!r}; allowed are {' and '.join(map(repr, SPREADS))}")
    return random_versions(painter(network, rule), variables, batch, rng, samples)


def painter(network: ConditionalPixelCNN, rule: str = "random") -> Paint:
    """What makes one version of one photo."""
    return partial(paint, network, SPREADS[rule])


def evaluate(
    network: ConditionalPixelCNN, variables: Variables, batch: Batch, rng: Array
) -> dict[str, Float[Array, "B"]]:
    """The bits, and errors of five draws at their own size; see `evaluate_draws`."""
    found, _ = bits(network, variables, batch)
    smaller = {**batch, "ab": small(network, batch["ab"])}
    return found | evaluate_draws(painter(network), variables, smaller, rng)


def example_inputs(network: ConditionalPixelCNN, batch: Batch) -> ExampleInputs:
    """What the network takes. Its weights begin by what it makes of the whole batch."""
    return {NAME: (batch["lightness"], shown(*levels(network, batch)))}


def _abstract_variables(config: Any, network: ConditionalPixelCNN) -> Variables:
    return abstract({NAME: network}, example_inputs(network, example_batch(config)), (NAME,))


def player(config: Any, network: ConditionalPixelCNN) -> Player:
    """The one optimiser, which keeps the average of the weights that versions are drawn with."""
    loss = partial(pixel_loss, network, config.pic.embedding_loss)
    return Player(NAME, (NAME,), loss, stage_adam(config, NAME), ema=config.pic.average)


def _stages(config: Any, network: ConditionalPixelCNN) -> list[Stage]:
    stage = build_stage_of(
        config,
        NAME,
        {NAME: network},
        partial(example_inputs, network),
        players=(player(config, network),),
        evaluate=partial(evaluate, network),
        pictures=partial(picture_draws, painter(network)),
    )
    return [stage]
