"""p(z | g): a mixture density network over codes, for every method that decodes a code; its loss, and draws from it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from colorize_jax import losses
from colorize_jax.config import check_fields, not_negative, one_of, positive, share, stage_defaults
from colorize_jax.methods.base import Batch, Loss, LossResult, Samples, Stage, Variables
from colorize_jax.methods.parts import features
from colorize_jax.methods.parts.networks import ExampleInputs, Networks, apply
from colorize_jax.methods.parts.pictures import gray_and_truth, picture
from colorize_jax.methods.parts.stages import build_stage
from colorize_jax.models.layers import resize_field
from colorize_jax.models.mdn import MixtureDensityNetwork
from colorize_jax.shapes import Array, Float, Int

Encode = Callable[[Variables, Batch], tuple[Array, Array]]
"""`(variables, batch) -> (mean, log-variance) of q(z | x)`, both (B, Z)."""

Sample = Callable[..., Samples]
"""`Colors.sample`."""

RULES = ("modes", "random")
"""Of `draw_codes`."""


def defaults() -> ConfigDict:
    """What the mixture, its stage and its draws read of a config."""
    config = ConfigDict()
    config.mdn = ConfigDict()
    config.mdn.components = 8
    config.mdn.sigma = 0.1**0.5  # both papers: a fixed spherical variance of 0.1
    config.mdn.dropout = 0.0  # of what its fully connected layers read; Deshpande's program drops 0.25
    config.mdn.width = 0.0  # 0 is config.width
    config.mdn.relaxation = 0.05
    config.mdn.code = "mean"  # what it learns to predict: q's mean, or as in the paper a 'sample' of q
    config.stages = ConfigDict({"mdn": stage_defaults(7.0, 32, 1e-3)})
    return config


def check(config: ConfigDict) -> None:
    """Raises a ValueError where a field of `defaults` is not allowed."""
    allowed = {
        "mdn.components": positive("a positive number; the paper's is 8"),
        "mdn.sigma": positive("a positive deviation; the papers' is 0.1**0.5"),
        "mdn.dropout": share(),
        "mdn.width": not_negative("a positive number, or 0 for config.width"),
        "mdn.relaxation": share(),
        "mdn.code": one_of("mean", "sample"),
    }
    check_fields(config, allowed)


def networks(config: Any) -> Networks:
    """The mixture density network at the config's size; it reads what `features.read` gives."""
    network = MixtureDensityNetwork(
        components=config.mdn.components,
        latent=config.model.latent,
        width=config.mdn.width or config.width,
        dropout=config.mdn.dropout,
        dtype=jnp.dtype(config.compute_dtype),
    )
    return {"mdn": network}


def inputs(networks: Networks, batch: Batch) -> ExampleInputs:
    """What `networks` take."""
    return {"mdn": (features.blank(networks, batch),)}


def predict(
    networks: Networks, variables: Variables, batch: Batch, *, train: bool = False, rng: Array | None = None
) -> tuple[tuple[Float[Array, "B M"], Float[Array, "B M Z"]], dict[str, Any]]:
    """(Log weights, means) of p(z | g) of Eq. (8); and new batch statistics."""
    seen, _ = features.read(networks, variables, batch)
    return apply(networks, variables, "mdn", seen, train=train, rng=rng)


def draw_codes(
    networks: Networks,
    variables: Variables,
    batch: Batch,
    rng: Array,
    *,
    sigma: float,
    samples: int,
    rule: str,
) -> tuple[Float[Array, "B N Z"], Float[Array, "B N"]]:
    """Eq. (8): codes from the mixture p(z | g), and the weights of the components that they come from.

    Args:
      networks, variables, batch: as for `predict`.
      rng: used by rule 'random' only.
      sigma: σ, the deviation of every component.
      samples: N. Under 'modes' at most the number of mixture components.
      rule: 'modes', the mixture means by falling weight; or 'random', draws from the mixture.

    Raises:
      ValueError: an unknown rule, or more modes than there are.
    """
    (log_weights, means), _ = predict(networks, variables, batch)
    count, components = log_weights.shape
    spread: Array | float = 0.0
    if rule == "modes":
        if samples > components:
            raise ValueError(
                f"samples is {samples}, but rule 'modes' has {components} modes; use rule 'random'"
            )
        chosen = jax.lax.top_k(log_weights, samples)[1]
    elif rule == "random":
        choose, deviate = jax.random.split(rng)
        chosen = jax.random.categorical(choose, log_weights[:, None, :], shape=(count, samples))
        spread = sigma * jax.random.normal(deviate, (*chosen.shape, means.shape[-1]))
    else:
        raise ValueError(f"rule is {rule!r}; allowed are 'modes' and 'random'")
    codes = jnp.take_along_axis(means, chosen[..., None], axis=1) + spread
    return codes, jnp.exp(jnp.take_along_axis(log_weights, chosen, axis=1))


def cover(
    versions: Float[Array, "B M F F 2"],
    weights: Float[Array, "B M"],
    samples: int,
    *,
    tint: float = 1.0,
    first: Float[Array, "B F F 2"] | None = None,
) -> tuple[Int[Array, "B N"], Float[Array, "B N"]]:
    """N of M versions for which the error of best is small, if the truth were version m with probability π^(m).

    The first is the version of the smallest expected absolute error; each further one lowers the expected error of the
    best of those chosen most: greedy k-medoids, within 1 - 1/e of the largest gain (Nemhauser et al. 1978).

    Args:
      versions: M fields of each image, network units.
      weights: π.
      samples: N.
      tint: share in [0, 1] of what counts of the mean difference of two versions over the whole picture. At 0 versions
        differ where their things do.
      first: an answer that is given besides, and is covered already.

    Returns:
      The indices of the versions chosen, and the weight of each: the sum of the weights of all versions closest to it.
      What is left to 1 is of those closest to `first`.
    """

    def one(versions: Array, weights: Array, first: Array | None) -> tuple[Array, Array]:
        distances = jax.vmap(partial(_distances, tint=tint), (None, 0))(versions, versions)
        given = None if first is None else _distances(versions, first, tint=tint)
        chosen: list[Array] = []
        best = jnp.full(len(weights), jnp.inf) if given is None else given
        taken = jnp.zeros(len(weights), bool)
        for _ in range(samples):
            expected = jnp.minimum(best[None], distances) @ weights
            pick = jnp.where(taken, jnp.inf, expected).argmin()
            best, taken = jnp.minimum(best, distances[pick]), taken.at[pick].set(True)
            chosen.append(pick)
        indices = jnp.stack(chosen)
        reached = distances[indices]
        closest = jax.nn.one_hot(reached.argmin(axis=0), samples)
        if given is not None:
            closest *= (reached.min(axis=0) < given)[:, None]
        return indices, weights @ closest

    return jax.vmap(one)(versions, weights, first)


def _distances(
    versions: Float[Array, "M F F 2"], other: Float[Array, "F F 2"], *, tint: float
) -> Float[Array, " M"]:
    """Mean absolute differences, of whose means over the picture the share `tint` counts."""
    difference = versions - other[None]
    difference -= (1 - tint) * difference.mean(axis=(1, 2), keepdims=True)
    return jnp.abs(difference).mean(axis=(1, 2, 3))


def mdn_loss(
    networks: Networks,
    encode: Encode,
    variables: Variables,
    batch: Batch,
    rng: Array,
    step: Array,
    *,
    sigma: float,
    relaxation: float,
    sampled_code: bool,
) -> LossResult:
    """Eq. (9) for the code of the true colours under the frozen encoder.

    The paper draws z ~ q(z | x, g), here `sampled_code`. The dimensions that the KL term switched off are then pure
    noise of unit variance, as large as the others: the components part along them and not along the colours. The
    mean of q is nearly 0 there.
    """
    noise, drop = jax.random.split(rng)
    mean, log_variance = encode(variables, batch)
    code = losses.sample_normal(noise, mean, log_variance) if sampled_code else mean
    (log_weights, means), stats = predict(networks, variables, batch, train=True, rng=drop)
    value, assignment = losses.mixture_hard_assignment(
        code, log_weights, means, sigma=sigma, relaxation=relaxation
    )
    shares = assignment.mean(axis=0)
    metrics = {
        "assignment_entropy_nats": jax.scipy.special.entr(shares).sum(),
        "squared_distance": jnp.square(code[:, None] - means).sum(axis=-1).min(axis=-1).mean(),
    }
    return value.mean(), (stats, metrics)


def evaluate_samples(
    sample: Sample, samples: int, variables: Variables, batch: Batch, rng: Array
) -> dict[str, Array]:
    """Errors and variance of `samples` modes of `sample`, network units, each (B,)."""
    drawn = sample(variables, batch, rng, samples=samples, rule="modes")
    true = resize_field(batch["ab"], drawn.field.shape[-2])[:, None]
    field, unary = (jnp.abs(x - true).mean(axis=(-3, -2, -1)) for x in (drawn.field, drawn.unary))
    return {
        "best_absolute_error": field.min(axis=1),
        "best_absolute_error_unary": unary.min(axis=1),
        "first_absolute_error": field[:, 0],
        "variance": drawn.field.var(axis=1).mean(axis=(1, 2, 3)),
        "top5_weight": drawn.weights.sum(axis=1),
    }


def picture_samples(
    sample: Sample, samples: int, variables: Variables, batch: Batch, rng: Array
) -> dict[str, Array]:
    """Gray, truth and `samples` versions."""
    drawn = sample(variables, batch, rng, samples=samples, rule="modes")
    versions = {
        f"version {n + 1}": picture(batch["lightness"], drawn.field[:, n])
        for n in range(drawn.field.shape[1])
    }
    return gray_and_truth(batch) | versions


def judged(config: Any, sample: Sample) -> dict[str, Callable[..., dict[str, Array]]]:
    """`evaluate` and `pictures` of a stage that trains the mixture: its top five modes, as the papers show them."""
    samples = min(5, config.mdn.components)
    return {
        "evaluate": partial(evaluate_samples, sample, samples),
        "pictures": partial(picture_samples, sample, samples),
    }


def stage(
    config: Any,
    networks: Networks,
    inputs: Callable[[Batch], ExampleInputs],
    *,
    encode: Encode,
    sample: Sample,
    learns: Callable[[Loss], Loss] = lambda loss: loss,
) -> Stage:
    """The stage `mdn`, for a method that encodes colours with `encode` and draws versions with `sample`.

    `learns` is applied to the loss, for a method that shows it other batches.
    """
    loss = learns(objective(config, networks, encode))
    return build_stage(config, "mdn", networks, inputs, trained=("mdn",), loss=loss, **judged(config, sample))


def objective(config: Any, networks: Networks, encode: Encode) -> Loss:
    """`mdn_loss` as the config has it."""
    return partial(
        mdn_loss,
        networks,
        encode,
        sigma=config.mdn.sigma,
        relaxation=config.mdn.relaxation,
        sampled_code=config.mdn.code == "sample",
    )
