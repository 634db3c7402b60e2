"""Stage `modes`: mixture, decoder and its gray features learn from the colours that the means decode to, best of M.

Eq. (9) asks for the component that is closest in the code. Codes are not colours: a direction of the code counts as
much as any other, whatever the decoder makes of it. Here every mean is decoded, and the one whose colours come closest
to the true ones learns, with the decoder and the mixture's weights:

    ‖x - D(μ^(m), g)‖ / s - ln π^(m),      m the component of the smallest ‖x - D(μ^(m), g)‖

with the mean absolute error for ‖·‖, which the error of best is measured in. It is the loss of multiple choice learning
(Guzman-Rivera et al. 2012), relaxed as Eq. (9) is (`losses.hard_assignment`): a share ε of the distance is that of any
component, here of one that is drawn. A photo counts by its mean chroma to the power `config.modes.chroma_power`: at
0 all photos count alike, and the many pale ones teach a pale version for every photo.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from colorize_jax import losses
from colorize_jax.config import check_fields, not_negative, positive, stage_defaults
from colorize_jax.methods.base import Batch, Loss, LossResult, Stage, Variables
from colorize_jax.methods.parts import mixture
from colorize_jax.methods.parts.networks import ExampleInputs, Networks
from colorize_jax.methods.parts.stages import build_stage
from colorize_jax.models.layers import resize_field
from colorize_jax.shapes import Array, Float

Decode = Callable[..., tuple[Float[Array, "B M F F 2"], dict[str, Any]]]
"""`(variables, batch, codes (B, M, Z), *, train) -> (colours, new batch statistics)`."""


def defaults() -> ConfigDict:
    """What the stage reads of a config, beside `mdn`."""
    config = ConfigDict()
    config.modes = ConfigDict()
    config.modes.learned = False
    config.modes.scale = (
        0.01  # s: an error of so much, network units, is one nat beside the mixture's weights
    )
    config.modes.chroma_power = 0.0  # a photo counts by its mean chroma to this power
    config.stages = ConfigDict({"modes": stage_defaults(3.0, 32, 5e-4, calibration_batches=64)})
    return config


def check(config: ConfigDict) -> None:
    """Raises a ValueError where a field of `defaults` is not allowed."""
    allowed = {
        "modes.scale": positive("a positive number, network units"),
        "modes.chroma_power": not_negative(),
    }
    check_fields(config, allowed)


def modes_loss(
    networks: Networks,
    decode: Decode,
    variables: Variables,
    batch: Batch,
    rng: Array,
    step: Array,
    *,
    scale: float,
    relaxation: float,
    chroma_power: float = 0.0,
) -> LossResult:
    """The loss above; `scale` is s, network units, `relaxation` is ε."""
    drop, draw = jax.random.split(rng)
    (log_weights, means), stats = mixture.predict(networks, variables, batch, train=True, rng=drop)

    def decoded_errors(variables: Variables, codes: Array) -> tuple[Float[Array, "B N"], dict[str, Any]]:
        colors, stats = decode(variables, batch, codes, train=True)
        true = resize_field(batch["ab"], colors.shape[-2])
        return jax.vmap(losses.absolute_error, (1, None), 1)(colors, true), stats

    # Which mean is closest needs no gradient, and a gradient takes twice the time: two of all are decoded for it.
    errors, _ = decoded_errors(*jax.lax.stop_gradient((variables, means)))
    closest = errors.argmin(axis=1)
    learning = jnp.stack([closest, jax.random.randint(draw, closest.shape, 0, means.shape[1])], axis=1)
    codes = jnp.take_along_axis(means, learning[:, :, None], axis=1)
    learned, stats_decoder = decoded_errors(variables, codes)
    weight = jnp.take_along_axis(log_weights, closest[:, None], axis=1)[:, 0]
    value = learned @ jnp.array([1 - relaxation, relaxation]) / scale - weight
    metrics = {
        "assignment_entropy_nats": jax.scipy.special.entr(
            jnp.bincount(closest, length=means.shape[1]) / len(closest)
        ).sum(),
        "weights_nats": -weight.mean(),
        "best_of_all_error": errors.min(axis=1).mean(),
    }
    counts = jnp.linalg.norm(batch["ab"], axis=-1).mean(axis=(1, 2)) ** chroma_power
    # A batch of gray photos alone teaches something, too: their counts are not all 0.
    return jnp.average(value, weights=counts + 1e-6), ({**stats, **stats_decoder}, metrics)


def stages(
    config: Any,
    networks: Networks,
    inputs: Callable[[Batch], ExampleInputs],
    *,
    decoder: tuple[str, ...],
    decode: Decode,
    sample: mixture.Sample,
    learns: Callable[[Loss], Loss],
) -> list[Stage]:
    """The stage `modes`, where `config.modes.learned` asks for it.

    `decoder` names the networks that `decode` runs; `learns` is as of `mixture.stage`.
    """
    if not config.modes.learned:
        return []
    loss = partial(
        modes_loss,
        networks,
        decode,
        scale=config.modes.scale,
        relaxation=config.mdn.relaxation,
        chroma_power=config.modes.chroma_power,
    )
    stage = build_stage(
        config,
        "modes",
        networks,
        inputs,
        trained=("mdn", *decoder),
        loss=learns(loss),
        **mixture.judged(config, sample),
    )
    return [stage]
