"""`cvae_v1`: the conditional auto-encoder of the first version of Deshpande et al. 2017, Sec. 5 and 6.3.

The gray image is one vector: that of the mixture density network's layers on the gray features. It stands beside what
the colour encoder's last layer reads, and beside the code that the decoder starts from. Stages, in order:

| stage | trains | objective |
|---|---|---|
| `features` | the gray feature network (none with VGG-16) | colour regression, absolute error |
| `vae` | encoder, gray embedding, decoder | squared error and the KL divergence |

Versions of an image are the cluster centres of what many codes of the prior decode to.
"""

from functools import partial
from typing import Any

import jax.numpy as jnp
from ml_collections import ConfigDict

from colorize_jax.config import check_fields, merged
from colorize_jax.methods import cvae
from colorize_jax.methods.base import Batch, Method, Stages, Variables
from colorize_jax.methods.parts import features, field_vae
from colorize_jax.methods.parts.field_vae import (
    FieldVae,
    example_inputs,
    loss_weights,
    network_sizes,
    replicate,
    survey,
    vae_networks,
    vae_stage,
)
from colorize_jax.methods.parts.networks import Networks, abstract, example_batch
from colorize_jax.models.mdn import GrayEmbedding
from colorize_jax.shapes import Array, Float


def defaults() -> ConfigDict:
    """The paper's values, first version: it is trained with the squared error."""
    config = merged(features.defaults(), field_vae.defaults(), cvae.clustering())
    config.field_loss.update({**cvae.L2, "kl": 1e-4})
    return config


def check(config: ConfigDict) -> None:
    """Raises a ValueError where a field is not allowed, or two contradict each other."""
    features.check(config)
    field_vae.check(config)
    check_fields(config, cvae.CLUSTERING)


def build(config: Any) -> Method:
    """The first version's 'CVAE'."""
    vae = FieldVae(_networks(config), start, sees, embedded)
    inputs = partial(example_inputs, vae, config)
    needed = ("gray", "decoder", *features.carried(config))
    public = features.public(config)
    return Method(
        stages=Stages(
            lambda: (*features.stages(config, vae.networks, inputs), vae_stage(config, vae, public))
        ),
        abstract_variables=lambda: abstract(vae.networks, inputs(example_batch(config)), needed),
        statistics=survey(config),
        colors=cvae.clustered(config, vae)._replace(regress=features.regressor(vae.networks)),
        losses=loss_weights(config),
        public=public,
    )


def _networks(config: Any) -> Networks:
    model = config.model
    gray = GrayEmbedding(latent=model.latent, dropout=model.dropout, **network_sizes(config))
    return {**vae_networks(config, gray=False), "gray": gray, **features.networks(config)}


def embedded(networks: Networks, variables: Variables, batch: Batch) -> Float[Array, "B h w K"]:
    """What the gray embedding reads: the gray features."""
    return features.read(networks, variables, batch)[0]


def sees(batch: Batch, embedding: Float[Array, "B Z"]) -> tuple[Array, ...]:
    """The encoder sees the colours, and its last layer the gray embedding."""
    return batch["ab"], embedding


def start(code: Float[Array, "B Z"], embedding: Float[Array, "B Z"]) -> tuple[Array, tuple[Array, ...]]:
    """The decoder starts from the code beside the gray embedding."""
    return replicate(jnp.concatenate([code, embedding], axis=-1)), ()
