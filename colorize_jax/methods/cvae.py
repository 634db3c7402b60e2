"""`cvae`: the conditional auto-encoder that Deshpande et al. 2017, Sec. 5 and 6.3, compare with.

The encoder sees the colours and the gray image. The code, repeated on 4x4, is multiplied with the gray encoder's map;
its finer maps join the decoder. One stage:

| stage | trains | objective |
|---|---|---|
| `vae` | encoder, gray encoder, decoder | squared error and the KL divergence |

Versions of an image are the cluster centres of what many codes of the prior decode to.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from colorize_jax.config import check_fields, merged, one_of, positive
from colorize_jax.methods.base import Batch, Colors, Method, Samples, Stages, Variables
from colorize_jax.methods.parts import field_vae
from colorize_jax.methods.parts.clusters import kmeans
from colorize_jax.methods.parts.field_vae import (
    Condition,
    FieldVae,
    GrayMaps,
    colors,
    condition,
    decode,
    decode_versions,
    example_inputs,
    loss_weights,
    reconstruct,
    replicate,
    survey,
    vae_networks,
    vae_stage,
)
from colorize_jax.methods.parts.networks import abstract, example_batch
from colorize_jax.shapes import Array

CHUNK = 32
"""Codes decoded at once while clustering; at width 1 their widest maps take 64 MB."""

L2 = {"l2": 1.0, "hist": 0.0, "mah": 0.0, "grad": 0.0}
"""Weights of `config.field_loss`: the squared error alone."""

CLUSTERING = {
    "cvae.draws": positive("a positive number; the paper's is 256"),
    "cvae.iterations": positive(),
}
"""What the fields of `clustering` may be."""


def defaults() -> ConfigDict:
    """The values of Deshpande et al. 2017: it is trained with the squared error."""
    config = merged(field_vae.defaults(), clustering())
    config.field_loss.update(L2)
    config.cvae.encoder_sees_gray = True  # as their text says; in their program it sees the colours alone
    return config


def clustering() -> ConfigDict:
    """How versions are found."""
    config = ConfigDict({"cvae": {}})
    config.cvae.draws = 256  # codes that are decoded and clustered
    config.cvae.iterations = 20  # of k-means
    return config


def check(config: ConfigDict) -> None:
    """Raises a ValueError where a field is not allowed."""
    field_vae.check(config)
    check_fields(config, CLUSTERING | {"cvae.encoder_sees_gray": one_of(True, False)})


def build(config: Any) -> Method:
    """The method of the paper's tables called 'CVAE'."""
    sees = with_gray if config.cvae.encoder_sees_gray else colors
    vae = FieldVae(vae_networks(config, gray=True), start, sees)
    inputs = partial(example_inputs, vae, config)
    return Method(
        stages=Stages(lambda: [vae_stage(config, vae)]),
        abstract_variables=lambda: abstract(vae.networks, inputs(example_batch(config)), ("gray", "decoder")),
        statistics=survey(config),
        colors=clustered(config, vae),
        losses=loss_weights(config),
    )


def clustered(config: Any, vae: FieldVae) -> Colors:
    """Versions from codes of the prior, clustered."""
    return Colors(
        sample=partial(sample, vae, config.model.latent, config.cvae.draws, config.cvae.iterations),
        rules=("modes", "random"),
        most={"modes": config.cvae.draws},
        reconstruct=partial(reconstruct, vae),
    )


def with_gray(batch: Batch, known: Condition) -> tuple[Array, ...]:
    """An encoder that sees the lightness beside the colours."""
    return (jnp.concatenate([batch["ab"], batch["lightness"]], axis=-1),)


def start(code: Array, maps: GrayMaps) -> tuple[Array, tuple[Array, ...]]:
    """The decoder starts from the product of the code and the 4x4 gray map."""
    return replicate(code) * maps[0], maps[1]


def sample(
    vae: FieldVae,
    latent: int,
    draws: int,
    iterations: int,
    variables: Variables,
    batch: Batch,
    rng: Array,
    *,
    samples: int,
    rule: str,
) -> Samples:
    """Several colour versions of each gray image (Sec. 6.3).

    Args:
      vae: the networks.
      latent: Z.
      draws: codes of the prior that are decoded and clustered under 'modes'; the paper's are 256.
      iterations: of k-means.
      variables: those of `Method.abstract_variables`.
      batch: its `lightness` is read.
      rng: of the codes under both rules, and of the clusters' start.
      samples: N; under 'modes' at most `draws`.
      rule: 'modes', the cluster centres by falling share of the draws; or 'random', single draws.

    Raises:
      ValueError: an unknown rule, or more clusters than draws.
    """
    count = len(batch["lightness"])
    if rule == "random":
        fields = decode_versions(vae, variables, jax.random.normal(rng, (count, samples, latent)), batch)
        return Samples(fields, fields, jnp.full((count, samples), 1 / samples))
    if rule != "modes":
        raise ValueError(f"rule is {rule!r}; allowed are 'modes' and 'random'")
    if samples > draws:
        raise ValueError(f"samples is {samples}, but config.cvae.draws is {draws}; take fewer samples")
    known, _ = condition(vae, variables, batch)

    def one(arrays: tuple[Any, Array]) -> tuple[Array, Array]:
        own, key = arrays
        drawn, begin = jax.random.split(key)
        codes = jax.random.normal(drawn, (draws, latent))
        fields = jax.lax.map(partial(_decode_one, vae, variables, own), codes, batch_size=CHUNK)
        found = kmeans(fields.reshape(draws, -1), begin, clusters=samples, iterations=iterations)
        return found.centers.reshape(samples, *fields.shape[1:]), found.shares

    fields, shares = jax.lax.map(one, (known, jax.random.split(rng, count)))
    return Samples(fields, fields, shares)


def _decode_one(vae: FieldVae, variables: Variables, known: Condition, code: Array) -> Array:
    """Colours (F, F, 2) of one code (Z,) of one image, whose condition has no batch axis."""
    return decode(vae, variables, code[None], jax.tree.map(lambda m: m[None], known))[0][0]
