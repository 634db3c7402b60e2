"""Stage `modes`: the mixture's means and the decoder learn from the colours that they decode to, best of M.

Eq. (9) asks for the component that is closest in the code. Codes are not colours: a direction of the code counts as
much as any other, whatever the decoder makes of it. Here every mean is decoded, and the one whose colours come closest
to the true ones learns, with the decoder and the mixture's weights:

    ‖x - D(μ^(m), g)‖ / s - ln π^(m),      m the component of the smallest ‖x - D(μ^(m), g)‖

with the mean absolute error for ‖·‖, which the error of best is measured in. It is the loss of multiple choice learning
(Guzman-Rivera et al. 2012), relaxed as Eq. (9) is (`losses.hard_assignment`). A photo counts by its mean chroma to the
power `config.modes.chroma_power`: above 0, pale photos do not call for a pale version of every other one.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from colorize_jax import losses
from colorize_jax.methods import mixture
from colorize_jax.methods.base import Batch, Stage, Variables
from colorize_jax.methods.networks import Inputs, Learned, Networks
from colorize_jax.methods.stages import build_stage
from colorize_jax.models.layers import resize_field
from colorize_jax.shapes import Array, Float

Decode = Callable[..., tuple[Float[Array, "B M F F 2"], dict[str, Any]]]
"""`(variables, batch, codes (B, M, Z), *, train) -> (colours, new batch statistics)`."""


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
) -> Learned:
    """The loss above; `scale` is s, network units."""
    (log_weights, means), stats = mixture.predict(networks, variables, batch, train=True, rng=rng)
    colours, stats_decoder = decode(variables, batch, means, train=True)
    true = resize_field(batch["ab"], colours.shape[-2])
    errors = jax.vmap(losses.absolute_error, (1, None), 1)(colours, true)
    value, assignment = losses.hard_assignment(errors / scale, log_weights, relaxation=relaxation)
    metrics = {
        "assignment_entropy_nats": jax.scipy.special.entr(assignment.mean(axis=0)).sum(),
        "weights_nats": -(assignment * log_weights).sum(axis=-1).mean(),
        "best_of_all_error": errors.min(axis=-1).mean(),
    }
    counts = jnp.linalg.norm(true, axis=-1).mean(axis=(1, 2)) ** chroma_power
    # A batch of gray photos alone teaches something, too: their counts are not all 0.
    return jnp.average(value, weights=counts + 1e-6), ({**stats, **stats_decoder}, metrics)


def stages(
    config: Any,
    networks: Networks,
    inputs: Callable[[Batch], Inputs],
    *,
    decoder: tuple[str, ...],
    decode: Decode,
    sample: mixture.Sample,
) -> list[Stage]:
    """The stage `modes`, where `config.modes.learned` asks for it; `decoder` names the networks that `decode` runs."""
    if not config.modes.learned:
        return []
    stage = build_stage(
        config,
        "modes",
        networks,
        inputs,
        trained=("mdn", *decoder),
        loss=partial(
            modes_loss,
            networks,
            decode,
            scale=config.modes.scale,
            relaxation=config.mdn.relaxation,
            chroma_power=config.modes.chroma_power,
        ),
        **mixture.judged(config, sample),
    )
    return [stage]
