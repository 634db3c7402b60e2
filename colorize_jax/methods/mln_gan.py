"""`mln_gan`: the GAN of Cao et al. 2017 with noise at several layers, as Messaoud et al. compare with it.

A generator without up- or downsampling paints U and V of a gray photo from Y and one code of noise, which enters at its
first three layers. A critic sees whole images, Y with U and V, true or painted, and no pair with its gray photo. One
stage:

| stage | trains | objective |
|---|---|---|
| `gan` | the critic, five times | what it says of painted images, less what it says of true ones |
| | then the generator | minus what the critic says of what it painted |

That is a Wasserstein GAN with clipped weights (Arjovsky et al. 2017). No term asks for the true colours.
Colours inside are YUV (BT.601 of sRGB). Y is that of the gray photo, which is all that there is of a photo at test
time. U and V then meet the photo's own L* again (`from_own`).
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from colorize_jax import color
from colorize_jax.config import Allowed, check_fields, positive, stage_defaults
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
from colorize_jax.methods.parts.adversarial import gan_stages, random_versions
from colorize_jax.methods.parts.networks import ExampleInputs, Networks, abstract, apply, example_batch
from colorize_jax.methods.parts.stages import stage_adam
from colorize_jax.models.mln import LAYERS, ImageCritic, MultiNoiseGenerator
from colorize_jax.shapes import Array, Float

RGB_TO_YUV = np.array([[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]], np.float32)
"""BT.601, as the authors round it: RGB in [0, 1] to Y in [0, 1], U and V in [-0.5, 0.5]."""

_CHROMA_TO_RGB = np.linalg.inv(RGB_TO_YUV)[:, 1:]

_BISECTIONS = 22  # of an interval of 3: the error is below 1e-6


def defaults() -> ConfigDict:
    """The values of the authors' program; three layers of noise are the paper's, and the program has one."""
    config = ConfigDict()
    config.width = 1.0  # of both networks; 1 is the paper's size
    config.mln = ConfigDict()
    config.mln.noise = 100  # numbers in the code
    config.mln.noise_layers = 3  # that are given noise, from the first; 1 is the authors' program
    config.mln.condition_layers = 6  # that are given the gray photo, from the first
    config.mln.critic_steps = 5
    config.mln.clip = 0.01  # bound of the critic's weights
    config.mln.critic_lr = 2e-4  # the stage's own is the generator's
    # Adam without its first moment is RMSProp, here of decay 0.9 and with a constant rate.
    config.optim = ConfigDict(
        {"b1": 0.0, "b2": 0.9, "weight_decay": 0.0, "clip_norm": 0.0, "warmup_steps": 0}
    )
    config.stages = ConfigDict({"gan": stage_defaults(epochs=100.0, batch_size=64, lr=1e-4)})
    return config


def check(config: ConfigDict) -> None:
    """Raises a ValueError where a field is not allowed."""
    allowed = {
        "width": positive("a positive number; 1 is the paper's size"),
        "mln.noise": positive("a positive number; the paper's is 100"),
        "mln.noise_layers": _layers("the paper's are 3"),
        "mln.condition_layers": _layers("the paper's are 6"),
        "mln.critic_steps": positive("a positive number; the paper's is 5"),
        "mln.clip": positive("a positive bound; the paper's is 0.01"),
        "mln.critic_lr": positive("a positive rate; the paper's is 2e-4"),
    }
    check_fields(config, allowed)


def _layers(told: str) -> Allowed:
    most = len(LAYERS) + 1
    return lambda x: 1 <= x <= most, f"a number of layers from 1 to {most}; {told}"


def build(config: Any) -> Method:
    """The method of the papers' tables called 'MLN-GAN'."""
    networks = build_networks(config)
    return Method(
        stages=Stages(partial(_stages, config, networks)),
        abstract_variables=partial(_abstract_variables, config, networks),
        colors=Colors(sample=partial(sample, networks, config.mln.noise), rules=("random",), most={}),
    )


def build_networks(config: Any) -> Networks:
    """`generator` and `critic` at the config's sizes."""
    dtype, own = jnp.dtype(config.compute_dtype), config.mln
    return {
        "generator": MultiNoiseGenerator(own.noise_layers, own.condition_layers, config.width, dtype),
        "critic": ImageCritic(config.width, dtype),
    }


def luma(lightness: Float[Array, "*B H W 1"]) -> Float[Array, "*B H W 1"]:
    """Y in [-1, 1] of a gray photo, from L* in network units."""
    neutral = jnp.zeros((*lightness.shape[:-1], 2), lightness.dtype)
    return 2 * color.lab_to_srgb(color.network_to_lab(lightness, neutral))[..., :1] - 1


def to_own(lightness: Float[Array, "*B H W 1"], ab: Float[Array, "*B H W 2"]) -> Float[Array, "*B H W 3"]:
    """Network units to the method's own: Y of the gray photo, and U and V of its colours, [-1, 1]."""
    rgb = color.lab_to_srgb(color.network_to_lab(lightness, ab))
    return jnp.concatenate([luma(lightness), 2 * rgb @ RGB_TO_YUV[1:].T], axis=-1)


def from_own(lightness: Float[Array, "*B H W 1"], uv: Float[Array, "*B H W 2"]) -> Float[Array, "*B H W 2"]:
    """U and V in [-1, 1] to network units, on a photo's L*: they leave Y open, and one Y has this L*.

    RGB is clipped to [0, 1], as any picture's. What is in gamut comes back from `to_own` as it was.
    """
    chroma = uv / 2 @ _CHROMA_TO_RGB.T
    wanted = color.network_to_lightness(lightness)

    def halve(_: Any, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
        middle = sum(bounds) / 2
        dark = color.linear_to_lightness(color.srgb_to_linear(middle + chroma)) < wanted
        return jnp.where(dark, middle, bounds[0]), jnp.where(dark, bounds[1], middle)

    bounds = jnp.full_like(lightness, -1), jnp.full_like(lightness, 2)
    low, high = jax.lax.fori_loop(0, _BISECTIONS, halve, bounds)
    rgb = jnp.clip((low + high) / 2 + chroma, 0, 1)
    return color.ab_to_network(color.srgb_to_lab(rgb)[..., 1:])


def critic_loss(
    networks: Networks, noise: int, variables: Variables, batch: Batch, rng: Array, step: Array
) -> LossResult:
    """What the critic says of painted images, less what it says of true ones: minus a Wasserstein distance."""
    painted, _ = painted_images(networks, noise, variables, batch, rng)
    on_painted, stats = apply(networks, variables, "critic", painted, train=True)
    true = to_own(batch["lightness"], batch["ab"])
    on_true, _ = apply(networks, variables, "critic", true, train=True)
    told = {"on_true": on_true.mean(), "on_painted": on_painted.mean()}
    return told["on_painted"] - told["on_true"], (stats, told)


def generator_loss(
    networks: Networks, noise: int, variables: Variables, batch: Batch, rng: Array, step: Array
) -> LossResult:
    """Minus what the critic says of painted images."""
    painted, stats = painted_images(networks, noise, variables, batch, rng)
    on_painted, _ = apply(networks, variables, "critic", painted, train=True)
    return -on_painted.mean(), (stats, {})


def painted_images(
    networks: Networks, noise: int, variables: Variables, batch: Batch, rng: Array
) -> tuple[Float[Array, "B H W 3"], dict[str, Any]]:
    """A version of each photo in training, in the method's own units, and the generator's new statistics."""
    gray = luma(batch["lightness"])
    uv, stats = apply(networks, variables, "generator", gray, codes(rng, len(gray), noise), train=True)
    return jnp.concatenate([gray, uv], axis=-1), stats


def codes(rng: Array, count: int, noise: int) -> Float[Array, "{count} {noise}"]:
    """Uniform on [-1, 1]."""
    return jax.random.uniform(rng, (count, noise), minval=-1)


def paint(
    networks: Networks, noise: int, variables: Variables, lightness: Float[Array, "H W 1"], rng: Array
) -> Float[Array, "H W 2"]:
    """One version of one photo, network units."""
    uv, _ = apply(networks, variables, "generator", luma(lightness)[None], codes(rng, 1, noise))
    return from_own(lightness, uv[0])


def sample(
    networks: Networks,
    noise: int,
    variables: Variables,
    batch: Batch,
    rng: Array,
    *,
    samples: int,
    rule: str,
) -> Samples:
    """Several colour versions of each gray photo, a code each.

    Args:
      networks: the generator among them.
      noise: numbers in a code.
      variables: those of `Method.abstract_variables`.
      batch: its `lightness` is read.
      rng: of the codes.
      samples: N.
      rule: 'random', draws of equal weight.

    Raises:
      ValueError: an unknown rule.
    """
    if rule != "random":
        raise ValueError(f"rule is {rule!r}; allowed is 'random'")
    return random_versions(partial(paint, networks, noise), variables, batch, rng, samples)


def example_inputs(noise: int, batch: Batch) -> ExampleInputs:
    """What each network takes, for the first image of a batch."""
    gray, image = batch["lightness"][:1], jnp.zeros((1, *batch["ab"].shape[1:3], 3))
    return {"generator": (gray, jnp.zeros((1, noise))), "critic": (image,)}


def _abstract_variables(config: Any, networks: Networks) -> Variables:
    return abstract(networks, example_inputs(config.mln.noise, example_batch(config)), ("generator",))


def players(config: Any, networks: Networks) -> tuple[Player, Player]:
    """The critic for several turns, and the generator that then meets its new weights."""
    own, adam = config.mln, partial(stage_adam, config, "gan", left=1.0)
    critic = Player(
        "critic",
        ("critic",),
        partial(critic_loss, networks, own.noise),
        adam(lr=own.critic_lr, repeats=own.critic_steps),
        repeats=own.critic_steps,
        clip=own.clip,
    )
    return critic, Player("generator", ("generator",), partial(generator_loss, networks, own.noise), adam())


def _stages(config: Any, networks: Networks) -> list[Stage]:
    painter = partial(paint, networks, config.mln.noise)
    return gan_stages(
        config, networks, partial(example_inputs, config.mln.noise), players(config, networks), painter
    )
