"""`cgan`: the conditional GAN of Isola et al. 2017 (pix2pix), as both papers compare with it.

A U-Net paints the gray photo. A critic sees the photo with its colours, true or painted, and says of each patch of
70x70 pixels which they are. The painter's only noise is dropout, which stays on when it is asked for versions.
BatchNorm always goes by the photos at hand: in training by the batch, then by the one photo. One stage:

| stage | trains | objective |
|---|---|---|
| `gan` | the critic | half the cross entropy of its answers on true colours, and half that on painted ones |
| | then the generator | cross entropy of the critic's answers with 'true', and λ times the absolute error |

Colours inside are a* and b* over 110, as the authors' program has them.
Versions are cluster centres of 256 draws, the way of Deshpande et al. 2017, Sec. 5, or single draws. Both papers find
next to no variance.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from colorize_jax import color, losses
from colorize_jax.config import check_fields, not_negative, positive, share, stage_defaults
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
    clustered_versions,
    gan_stages,
    random_versions,
)
from colorize_jax.methods.parts.networks import ExampleInputs, Networks, abstract, apply, example_batch
from colorize_jax.methods.parts.stages import stage_adam
from colorize_jax.models.patch_critic import PatchCritic
from colorize_jax.models.unet import UNet, unet_channels
from colorize_jax.shapes import Array, Float

OWN_SCALE = 110.0
"""a* and b* of 110 are 1 to the networks."""


def defaults() -> ConfigDict:
    """The values of Isola et al. 2017 and their program; 10 epochs are those of Deshpande et al. 2017, Sec. 7.3."""
    config = ConfigDict()
    config.width = 1.0  # of both networks; 1 is the paper's size
    config.gan = ConfigDict()
    config.gan.l1 = 100.0  # λ: the weight of the absolute error beside one nat
    config.gan.dropout = 0.5
    config.gan.critic_layers = 3  # of stride 2; 1, 2, 3, 4, 5 see patches of 16, 34, 70, 142, 286 pixels
    config.gan.draws = 256  # versions that are clustered under 'modes'
    config.gan.iterations = 20  # of k-means
    # Adam at a constant rate; running statistics are never read, and none need be measured.
    config.optim = ConfigDict({"b1": 0.5, "b2": 0.999, "weight_decay": 0.0, "clip_norm": 0.0})
    config.optim.update({"warmup_steps": 0, "calibration_batches": 0})
    config.stages = ConfigDict({"gan": stage_defaults(epochs=10.0, batch_size=4, lr=2e-4)})
    return config


def check(config: ConfigDict) -> None:
    """Raises a ValueError where a field is not allowed, or the photos are too small for the critic."""
    allowed = {
        "width": positive("a positive number; 1 is the paper's size"),
        "data.image_size": (
            lambda x: x.bit_count() == 1 and x > 4,
            "a power of two from 8, such as 64 or 256",
        ),
        "gan.l1": not_negative("a weight, at least 0; the paper's is 100"),
        "gan.dropout": share(),
        "gan.critic_layers": positive("a positive number of convolutions of stride 2; the paper's is 3"),
        "gan.draws": positive("a positive number; 256 in Deshpande et al. 2017"),
        "gan.iterations": positive(),
    }
    check_fields(config, allowed)
    side, layers = config.data.image_size, config.gan.critic_layers
    if side // 2**layers < 3:
        raise ValueError(
            f"config.gan.critic_layers is {layers}, which leaves no answer for photos of config.data.image_size "
            f"{side}; it can be at most {(side // 3).bit_length() - 1}"
        )


def build(config: Any) -> Method:
    """The method of the papers' tables called 'cGAN' and 'c-GAN'."""
    networks = build_networks(config)
    return Method(
        stages=Stages(partial(_stages, config, networks)),
        abstract_variables=partial(_abstract_variables, config, networks),
        colors=Colors(
            sample=partial(sample, networks, config.gan.draws, config.gan.iterations),
            rules=("modes", "random", "plain"),
            most={"modes": config.gan.draws, "plain": 1},
            deterministic=("plain",),
            regress=partial(regress, networks),
        ),
        losses={"gan": 1.0, "l1": config.gan.l1},
    )


def build_networks(config: Any) -> Networks:
    """`generator` and `critic` at the config's sizes."""
    dtype, channels = jnp.dtype(config.compute_dtype), unet_channels(config.data.image_size, config.width)
    return {
        "generator": UNet(channels, dropout=config.gan.dropout, dtype=dtype),
        "critic": PatchCritic(config.width, config.gan.critic_layers, dtype),
    }


def to_own(ab: Float[Array, "*B H W 2"]) -> Float[Array, "*B H W 2"]:
    """Network units to the method's own."""
    return ab * (color.AB_SCALE / OWN_SCALE)


def from_own(ab: Float[Array, "*B H W 2"]) -> Float[Array, "*B H W 2"]:
    """The method's own units to network units."""
    return ab * (OWN_SCALE / color.AB_SCALE)


def critic_loss(
    networks: Networks, variables: Variables, batch: Batch, rng: Array, step: Array
) -> LossResult:
    """Half the cross entropies on true and on painted colours: the critic learns half as fast, as they write."""
    painted, _ = apply(networks, variables, "generator", batch["lightness"], train=True, rng=rng)
    on_true, _ = answers(networks, variables, batch["lightness"], to_own(batch["ab"]))
    on_painted, stats = answers(networks, variables, batch["lightness"], painted)
    true_nats = losses.adversarial_cross_entropy(on_true, real=True).mean()
    painted_nats = losses.adversarial_cross_entropy(on_painted, real=False).mean()
    told = {"true_nats": true_nats, "painted_nats": painted_nats}
    return (true_nats + painted_nats) / 2, (stats, told)


def generator_loss(
    networks: Networks, l1: float, variables: Variables, batch: Batch, rng: Array, step: Array
) -> LossResult:
    """Cross entropy with 'true' of what the critic answers, and `l1` times the absolute error."""
    painted, stats = apply(networks, variables, "generator", batch["lightness"], train=True, rng=rng)
    on_painted, _ = answers(networks, variables, batch["lightness"], painted)
    nats = losses.adversarial_cross_entropy(on_painted, real=True).mean()
    error = losses.absolute_error(painted, to_own(batch["ab"])).mean()
    return nats + l1 * error, (stats, {"painted_nats": nats, "own_absolute_error": error})


def answers(
    networks: Networks, variables: Variables, lightness: Float[Array, "B H W 1"], ab: Float[Array, "B H W 2"]
) -> tuple[Float[Array, "B h w"], dict[str, Any]]:
    """The critic's logits in training, of colours in the method's own units, and its new statistics."""
    seen = jnp.concatenate([lightness, ab], axis=-1)
    return apply(networks, variables, "critic", seen, train=True)


def paint(
    networks: Networks, variables: Variables, lightness: Float[Array, "H W 1"], rng: Array | None
) -> Float[Array, "H W 2"]:
    """One version of one photo, network units; without a key, without dropout."""
    painted, _ = apply(networks, variables, "generator", lightness[None], rng=rng, batch_statistics=True)
    return from_own(painted[0])


def regress(networks: Networks, variables: Variables, batch: Batch) -> Float[Array, "B H W 2"]:
    """The answer without noise, network units; each photo's own, whatever stands beside it."""
    return jax.vmap(lambda lightness: paint(networks, variables, lightness, None))(batch["lightness"])


def sample(
    networks: Networks,
    draws: int,
    iterations: int,
    variables: Variables,
    batch: Batch,
    rng: Array,
    *,
    samples: int,
    rule: str,
) -> Samples:
    """Several colour versions of each gray photo.

    Args:
      networks: the generator among them.
      draws: versions that are clustered under 'modes'; 256 in Deshpande et al. 2017.
      iterations: of k-means.
      variables: those of `Method.abstract_variables`.
      batch: its `lightness` is read.
      rng: of dropout, and of the clusters' start.
      samples: N; under 'modes' at most `draws`.
      rule: 'modes', the cluster centres by falling share of the draws; 'random', single draws; or 'plain', N times
        the one answer without dropout, which does not use `rng`.

    Raises:
      ValueError: an unknown rule, or more clusters than draws.
    """
    painter = partial(paint, networks)
    if rule == "random":
        return random_versions(painter, variables, batch, rng, samples)
    if rule == "plain":
        fields = jnp.repeat(regress(networks, variables, batch)[:, None], samples, axis=1)
        return Samples(fields, fields, jnp.full(fields.shape[:2], 1 / samples))
    if rule != "modes":
        raise ValueError(f"rule is {rule!r}; allowed are 'modes', 'random' and 'plain'")
    if samples > draws:
        raise ValueError(f"samples is {samples}, but config.gan.draws is {draws}; take fewer samples")
    return clustered_versions(painter, variables, batch, rng, samples, draws=draws, iterations=iterations)


def example_inputs(batch: Batch) -> ExampleInputs:
    """What each network takes, for the first image of a batch."""
    lightness, ab = batch["lightness"][:1], batch["ab"][:1]
    return {"generator": (lightness,), "critic": (jnp.concatenate([lightness, ab], axis=-1),)}


def _abstract_variables(config: Any, networks: Networks) -> Variables:
    return abstract(networks, example_inputs(example_batch(config)), ("generator",))


def players(config: Any, networks: Networks) -> tuple[Player, Player]:
    """The critic, and the generator that then meets the critic's new weights."""
    adam = stage_adam(config, "gan", left=1.0)
    return (
        Player("critic", ("critic",), partial(critic_loss, networks), adam),
        Player("generator", ("generator",), partial(generator_loss, networks, config.gan.l1), adam),
    )


def _stages(config: Any, networks: Networks) -> list[Stage]:
    painter = partial(paint, networks)
    return gan_stages(config, networks, example_inputs, players(config, networks), painter)
