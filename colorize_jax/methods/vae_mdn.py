"""`vae_mdn`: Learning Diverse Image Colorization (Deshpande et al. 2017).

An auto-encoder of 64x64 colour fields that never sees the gray image, and a mixture density network that proposes
codes for one. Stages, in order:

| stage | trains | objective |
|---|---|---|
| `features` | the gray feature network (none with VGG-16) | colour regression, absolute error |
| `vae` | encoder, decoder | Eq. (4): colourfulness, specificity, gradient; and the KL divergence |
| `mdn` | mixture density network | Eq. (6), which is Eq. (9) of Messaoud et al. 2018 |
"""

from functools import partial
from typing import Any

from ml_collections import ConfigDict

from colorize_jax.config import merged
from colorize_jax.methods.base import Batch, Colors, Method, Samples, Stages, Variables
from colorize_jax.methods.parts import features, field_vae, mixture
from colorize_jax.methods.parts.field_vae import (
    Condition,
    FieldVae,
    decode_versions,
    encode,
    example_inputs,
    loss_weights,
    reconstruct,
    replicate,
    survey,
    vae_networks,
    vae_stage,
)
from colorize_jax.methods.parts.networks import Networks, abstract, example_batch
from colorize_jax.shapes import Array


def defaults() -> ConfigDict:
    """The paper's values, second version."""
    config = merged(features.defaults(), mixture.defaults(), field_vae.defaults())
    config.stages.mdn.epochs = 10.0
    return config


def check(config: ConfigDict) -> None:
    """Raises a ValueError where a field is not allowed, or two contradict each other."""
    for part in (features, mixture, field_vae):
        part.check(config)


def build(config: Any) -> Method:
    """The method of the paper's tables called 'Ours'."""
    return with_mixture(config, FieldVae(vae_networks(config, gray=False) | mixture_networks(config), start))


def mixture_networks(config: Any) -> Networks:
    """What proposes codes for a gray image: the gray feature network and the mixture density network."""
    return features.networks(config) | mixture.networks(config)


def start(code: Array, known: Condition) -> tuple[Array, tuple[Array, ...]]:
    """The decoder starts from the code alone."""
    return replicate(code), ()


def with_mixture(config: Any, vae: FieldVae) -> Method:
    """A method whose codes come from a mixture density network."""
    inputs, draw = partial(example_inputs, vae, config), partial(sample, vae, config.mdn.sigma)
    names = (*(n for n in vae.trained if n != "encoder"), *features.carried(config), "mdn")
    mdn = partial(mixture.stage, config, vae.networks, inputs, encode=partial(encode, vae), sample=draw)
    return Method(
        stages=Stages(
            lambda: (*features.stages(config, vae.networks, inputs), vae_stage(config, vae), mdn())
        ),
        abstract_variables=lambda: abstract(vae.networks, inputs(example_batch(config)), names),
        statistics=survey(config),
        colors=Colors(
            sample=draw,
            rules=mixture.RULES,
            most={"modes": config.mdn.components},
            deterministic=("modes",),
            regress=features.regressor(vae.networks),
            reconstruct=partial(reconstruct, vae),
        ),
        losses=loss_weights(config),
        public=features.public(config),
    )


def sample(
    vae: FieldVae, sigma: float, variables: Variables, batch: Batch, rng: Array, *, samples: int, rule: str
) -> Samples:
    """Several colour versions of each gray image (Sec. 6.2); rules and errors as in `mixture.draw_codes`."""
    codes, weights = mixture.draw_codes(
        vae.networks, variables, batch, rng, sigma=sigma, samples=samples, rule=rule
    )
    fields = decode_versions(vae, variables, codes, batch)
    return Samples(fields, fields, weights)
