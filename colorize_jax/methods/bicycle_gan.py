"""`bicycle_gan`: the BicycleGAN of Zhu et al. 2017, as Messaoud et al. compare with it.

A U-Net paints a gray photo by a code of 8 numbers, which stands beside what each of its encoder layers takes. Two ways
go round:

| way | the code is | asked of the version | asked of the code |
|---|---|---|---|
| cVAE-GAN | encoded, of the true colours | the true colours, and the first critic's 'true' | the normal distribution |
| cLR-GAN | drawn, of the normal distribution | the second critic's 'true' | that an encoder finds it again |

One stage, `gan`:

| turn | trains | objective |
|---|---|---|
| `generator` | generator and encoder | all of that; but the encoder learns nothing by finding a code again |
| `critic_encoded` | the first critic | squared error of answers, 1 to true colours, 0 to versions by encoded codes |
| `critic_drawn` | the second critic | the same by drawn codes, with the true colours of other photos |

The other photos are half of a batch, and nothing else sees them. Critics see colours without their lightness, as
published, unless `config.bicycle.critic_sees_gray`. Colours inside are those of `cgan`: a* and b* over 110.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from colorize_jax import losses
from colorize_jax.config import check_fields, not_negative, one_of, positive, stage_defaults
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
from colorize_jax.methods.cgan import from_own, to_own
from colorize_jax.methods.parts.adversarial import gan_stages, random_versions
from colorize_jax.methods.parts.networks import ExampleInputs, Networks, abstract, apply, example_batch
from colorize_jax.methods.parts.stages import stage_adam
from colorize_jax.models.gan_layers import BICYCLE
from colorize_jax.models.patch_critic import MultiScaleCritic
from colorize_jax.models.residual_encoder import ResidualEncoder, encoder_channels
from colorize_jax.models.unet import UNet, unet_channels
from colorize_jax.shapes import Array, Float


class Objective(NamedTuple):
    """What the losses are made of.

    Attributes:
      latent: numbers in a code.
      critic_sees_gray: whether the critics are given the lightness beside the colours.
      l1: weight of the absolute error of the colours that come back.
      latent_l1: weight of the absolute error of the code that comes back.
      kl: weight of a nat between an encoded code and the standard normal distribution.
    """

    latent: int
    critic_sees_gray: bool
    l1: float
    latent_l1: float
    kl: float


def defaults() -> ConfigDict:
    """The values of the authors' program."""
    config = ConfigDict()
    config.width = 1.0  # of all networks; 1 is the paper's size
    config.bicycle = ConfigDict()
    config.bicycle.latent = 8  # numbers in the code
    config.bicycle.l1 = 10.0  # the weights of Objective, beside one squared error of either critic
    config.bicycle.latent_l1 = 0.5
    config.bicycle.kl = 0.01  # of the nats of all photos of a batch together, and not of their mean
    config.bicycle.critic_layers = 3  # of stride 2; 3 see patches of 70 pixels
    config.bicycle.scales = 2  # of each critic: the photo, and the photo at half its size
    config.bicycle.critic_sees_gray = False
    # Adam, for half of the steps at a constant rate; no layer has running statistics.
    config.optim = ConfigDict({"b1": 0.5, "b2": 0.999, "weight_decay": 0.0, "clip_norm": 0.0})
    config.optim.update({"warmup_steps": 0, "calibration_batches": 0})
    config.stages = ConfigDict({"gan": stage_defaults(epochs=200.0, batch_size=2, lr=2e-4)})
    return config


def check(config: ConfigDict) -> None:
    """Raises a ValueError where a field is not allowed, the photos are too small, or a batch has no halves."""
    allowed = {
        "width": positive("a positive number; 1 is the paper's size"),
        "data.image_size": (
            lambda x: x.bit_count() == 1 and x >= 16,
            "a power of two from 16, such as 64 or 256",
        ),
        "bicycle.latent": positive("a positive number; the paper's is 8"),
        "bicycle.l1": not_negative("a weight, at least 0; the paper's is 10"),
        "bicycle.latent_l1": not_negative("a weight, at least 0; the paper's is 0.5"),
        "bicycle.kl": not_negative("a weight, at least 0; the paper's is 0.01"),
        "bicycle.critic_layers": positive("a positive number of convolutions of stride 2; the paper's is 3"),
        "bicycle.scales": positive("a positive number; the paper's is 2"),
        "bicycle.critic_sees_gray": one_of(True, False),
    }
    check_fields(config, allowed)
    _check_answers(config.data.image_size, config.bicycle.critic_layers, config.bicycle.scales)
    _check_halves(config.stages.gan.batch_size, config.optim.accumulate)


def _check_answers(side: int, layers: int, scales: int) -> None:
    if side // 2 ** (layers + scales - 1) < 3:
        raise ValueError(
            f"config.bicycle.critic_layers is {layers} and config.bicycle.scales {scales}, which leaves no answer for "
            f"photos of config.data.image_size {side}; their sum can be at most {(side // 3).bit_length()}"
        )


def _check_halves(batch_size: int, parts: int) -> None:
    if batch_size % (2 * parts):
        raise ValueError(
            f"config.stages.gan.batch_size is {batch_size}; it must be a multiple of {2 * parts}, because each of the "
            f"config.optim.accumulate {parts} parts of a batch is halved"
        )


def build(config: Any) -> Method:
    """The method of the paper's tables called 'BicycleGAN'."""
    networks = build_networks(config)
    return Method(
        stages=Stages(partial(_stages, config, networks)),
        abstract_variables=partial(_abstract_variables, config, networks),
        colors=Colors(sample=partial(sample, networks, config.bicycle.latent), rules=("random",), most={}),
    )


def build_networks(config: Any) -> Networks:
    """`generator`, `encoder` and the critics `critic_encoded` and `critic_drawn`, at the config's sizes."""
    dtype, own, side = jnp.dtype(config.compute_dtype), config.bicycle, config.data.image_size
    channels = unet_channels(side, config.width)
    critic = MultiScaleCritic(own.scales, config.width, own.critic_layers, dtype, BICYCLE)
    return {
        "generator": UNet(channels, dropout=0.0, dtype=dtype, made_of=BICYCLE),
        "encoder": ResidualEncoder(encoder_channels(side, config.width), own.latent, dtype),
        "critic_encoded": critic,
        "critic_drawn": critic,
    }


def objective_of(config: Any) -> Objective:
    """What a config has of the objective."""
    return Objective(**{name: config.bicycle[name] for name in Objective._fields})


def halves(batch: Batch) -> tuple[Batch, Batch]:
    """The photos that are painted, and those that only the second critic sees: the even and the odd rows.

    A device that has an even number of rows has as many of both, and none moves.
    """
    pairs = jax.tree.map(lambda x: x.reshape(-1, 2, *x.shape[1:]), batch)
    return jax.tree.map(lambda x: x[:, 0], pairs), jax.tree.map(lambda x: x[:, 1], pairs)


def encoded_version(
    networks: Networks, variables: Variables, photos: Batch, rng: Array
) -> tuple[Float[Array, "B H W 2"], Float[Array, "B Z"], Float[Array, "B Z"]]:
    """(A version of each photo, by a code of its true colours, own units; the code's mean and ln variance)."""
    mean, log_variance = encode(networks, variables, to_own(photos["ab"]))
    code = losses.sample_normal(rng, mean, log_variance)
    return paint_by(networks, variables, photos["lightness"], code), mean, log_variance


def drawn_version(
    networks: Networks, latent: int, variables: Variables, photos: Batch, rng: Array
) -> tuple[Float[Array, "B H W 2"], Float[Array, "B Z"]]:
    """(A version of each photo, by a drawn code, own units; the code)."""
    code = jax.random.normal(rng, (len(photos["lightness"]), latent))
    return paint_by(networks, variables, photos["lightness"], code), code


def encode(
    networks: Networks, variables: Variables, ab: Float[Array, "B H W 2"]
) -> tuple[Float[Array, "B Z"], Float[Array, "B Z"]]:
    """Mean and ln variance of the code of colours in the method's own units; the lightness is not looked at."""
    found, _ = apply(networks, variables, "encoder", ab)
    return found


def paint_by(
    networks: Networks, variables: Variables, lightness: Float[Array, "B H W 1"], code: Float[Array, "B Z"]
) -> Float[Array, "B H W 2"]:
    """The version of each photo that a code stands for, in the method's own units."""
    painted, _ = apply(networks, variables, "generator", lightness, code)
    return painted


def generator_loss(
    networks: Networks, objective: Objective, variables: Variables, batch: Batch, rng: Array, step: Array
) -> LossResult:
    """What is asked of both versions and both codes; the encoder learns nothing by finding a code again."""
    photos, _ = halves(batch)
    to_encode, to_draw = jax.random.split(rng)
    encoded, mean, log_variance = encoded_version(networks, variables, photos, to_encode)
    drawn, code = drawn_version(networks, objective.latent, variables, photos, to_draw)
    found, _ = encode(networks, _frozen(variables, "encoder"), drawn)
    judged = partial(squared_errors, networks, objective, variables, photos["lightness"], real=True)
    true, nats = to_own(photos["ab"]), losses.kl_to_standard_normal(mean, log_variance)
    told = {
        "encoded_squared_error": judged(encoded, critic="critic_encoded"),
        "drawn_squared_error": judged(drawn, critic="critic_drawn"),
        "encoded_absolute_error": losses.absolute_error(encoded, true).mean(),
        "drawn_absolute_error": losses.absolute_error(drawn, true).mean(),
        "code_absolute_error": jnp.abs(found - code).mean(),
        "kl_nats": nats.mean(),
    }
    loss = told["encoded_squared_error"] + told["drawn_squared_error"]
    loss += objective.l1 * told["encoded_absolute_error"] + objective.kl * nats.sum()
    return loss + objective.latent_l1 * told["code_absolute_error"], ({}, told)


def _frozen(variables: Variables, name: str) -> Variables:
    """The variables, with the weights of a network as constants."""
    params = variables["params"]
    return {**variables, "params": {**params, name: jax.lax.stop_gradient(params[name])}}


def squared_errors(
    networks: Networks,
    objective: Objective,
    variables: Variables,
    lightness: Float[Array, "B H W 1"],
    ab: Float[Array, "B H W 2"],
    *,
    critic: str,
    real: bool,
) -> Float[Array, ""]:
    """Squared error of what a critic answers of colours in own units, summed over its scales, mean over the photos."""
    answers, _ = apply(networks, variables, critic, seen(objective, lightness, ab))
    return sum((losses.adversarial_squared_error(each, real=real).mean() for each in answers), jnp.zeros(()))


def seen(
    objective: Objective, lightness: Float[Array, "B H W 1"], ab: Float[Array, "B H W 2"]
) -> Float[Array, "B H W K"]:
    """What a critic is given."""
    return jnp.concatenate([lightness, ab], axis=-1) if objective.critic_sees_gray else ab


def encoded_critic_loss(
    networks: Networks, objective: Objective, variables: Variables, batch: Batch, rng: Array, step: Array
) -> LossResult:
    """The first critic's squared errors on true colours and on versions of the same photos, by encoded codes."""
    photos, _ = halves(batch)
    encoded, *_ = encoded_version(networks, variables, photos, rng)
    errors = partial(
        squared_errors, networks, objective, variables, photos["lightness"], critic="critic_encoded"
    )
    return _told_apart(errors(to_own(photos["ab"]), real=True), errors(encoded, real=False))


def drawn_critic_loss(
    networks: Networks, objective: Objective, variables: Variables, batch: Batch, rng: Array, step: Array
) -> LossResult:
    """The second critic's squared errors on true colours and on versions of other photos, by drawn codes."""
    photos, others = halves(batch)
    drawn, _ = drawn_version(networks, objective.latent, variables, photos, rng)
    errors = partial(squared_errors, networks, objective, variables, critic="critic_drawn")
    return _told_apart(
        errors(others["lightness"], to_own(others["ab"]), real=True),
        errors(photos["lightness"], drawn, real=False),
    )


def _told_apart(true: Float[Array, ""], painted: Float[Array, ""]) -> LossResult:
    return true + painted, ({}, {"true_squared_error": true, "painted_squared_error": painted})


def paint(
    networks: Networks, latent: int, variables: Variables, lightness: Float[Array, "H W 1"], rng: Array
) -> Float[Array, "H W 2"]:
    """One version of one photo, network units."""
    drawn, _ = drawn_version(networks, latent, variables, {"lightness": lightness[None]}, rng)
    return from_own(drawn[0])


def sample(
    networks: Networks,
    latent: int,
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
      latent: numbers in a code.
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
    return random_versions(partial(paint, networks, latent), variables, batch, rng, samples)


def example_inputs(objective: Objective, batch: Batch) -> ExampleInputs:
    """What each network takes, for the first image of a batch."""
    lightness, ab = batch["lightness"][:1], batch["ab"][:1]
    inputs = {"generator": (lightness, jnp.zeros((1, objective.latent))), "encoder": (ab,)}
    return inputs | dict.fromkeys(("critic_encoded", "critic_drawn"), (seen(objective, lightness, ab),))


def _abstract_variables(config: Any, networks: Networks) -> Variables:
    return abstract(networks, example_inputs(objective_of(config), example_batch(config)), ("generator",))


def players(config: Any, networks: Networks) -> tuple[Player, Player, Player]:
    """The generator with the encoder, and the critics; the rate falls to nothing over the last half of the steps."""
    adam, objective = stage_adam(config, "gan", left=0.0, falling=0.5), objective_of(config)
    return (
        Player("generator", ("generator", "encoder"), partial(generator_loss, networks, objective), adam),
        Player(
            "critic_encoded", ("critic_encoded",), partial(encoded_critic_loss, networks, objective), adam
        ),
        Player("critic_drawn", ("critic_drawn",), partial(drawn_critic_loss, networks, objective), adam),
    )


def _stages(config: Any, networks: Networks) -> list[Stage]:
    painter = partial(paint, networks, config.bicycle.latent)
    inputs = partial(example_inputs, objective_of(config))
    return gan_stages(config, networks, inputs, players(config, networks), painter)
