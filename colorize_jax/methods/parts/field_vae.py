"""What the methods of Deshpande et al. 2017 share: an auto-encoder of whole colour fields and its decoder losses.

They differ in what the decoder starts from, in what the encoder sees, and in how a code is found for a gray image.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from colorize_jax import losses
from colorize_jax.config import check_fields, not_negative, one_of, positive, stage_defaults
from colorize_jax.data import color_prior, color_statistics
from colorize_jax.methods.base import STATISTICS, Batch, LossResult, Player, Stage, Survey, Variables
from colorize_jax.methods.parts import features, mixture
from colorize_jax.methods.parts import networks as network_parts
from colorize_jax.methods.parts.networks import ExampleInputs, Networks, apply
from colorize_jax.methods.parts.pictures import gray_and_truth, picture
from colorize_jax.methods.parts.stages import build_stage_of, stage_adam
from colorize_jax.models.field_vae import FieldDecoder, GrayEncoder
from colorize_jax.models.layers import scaled
from colorize_jax.models.mdn import GrayEmbedding
from colorize_jax.models.vae import Encoder
from colorize_jax.shapes import Array, Float

FIELD_SIDE = 64
"""Side of the images and of the colour fields: the papers' decoder makes no other."""

OWN = "own"
"""`config.field_loss.prior` where a run counts the colours of its own training images."""

GrayMaps = tuple[Array, tuple[Array, ...]]
"""What a `GrayEncoder` gives."""

Condition = Any
"""What the network `gray` gives: `GrayMaps`, or an embedding (B, Z); None for a method without one."""

Start = Callable[[Array, Condition], tuple[Array, tuple[Array, ...]]]
"""`(code (B, Z), condition) -> (start of the decoder (B, 4, 4, K), skips)`."""

Sees = Callable[[Batch, Condition], tuple[Array, ...]]
"""`(batch, condition) -> what the encoder is applied to`."""

Reads = Callable[[Networks, Variables, Batch], Array]
"""`(networks, variables, batch) -> what the network `gray` is applied to`."""


def colors(batch: Batch, known: Condition) -> tuple[Array, ...]:
    """An encoder that sees the colours alone."""
    return (batch["ab"],)


def lightness(networks: Networks, variables: Variables, batch: Batch) -> Float[Array, "B H W 1"]:
    """A network `gray` that reads the lightness, network units."""
    return batch["lightness"]


class FieldVae(NamedTuple):
    """The auto-encoder: networks `encoder`, `decoder` and perhaps `gray`, and what they are applied to.

    Attributes:
      networks: by name.
      start: what the decoder starts from.
      sees: what the encoder sees.
      reads: what the network `gray` reads.
    """

    networks: Networks
    start: Start
    sees: Sees = colors
    reads: Reads = lightness

    @property
    def trained(self) -> tuple[str, ...]:
        """The networks that the stage `vae` trains."""
        return tuple(name for name in ("encoder", "gray", "decoder") if name in self.networks)


def defaults() -> ConfigDict:
    """What the auto-encoder and its stage read of a config: weights beside each other, of sums over the field."""
    config = network_parts.defaults()
    config.model.field = FIELD_SIDE
    config.field_loss = ConfigDict()
    config.field_loss.l2 = 0.0
    config.field_loss.hist = 1.0  # colourfulness
    config.field_loss.mah = 0.1  # specificity
    config.field_loss.grad = 1e-3
    config.field_loss.kl = 1e-2  # per nat
    config.field_loss.kl_ramp_epochs = 0.0  # over which that weight rises from 0; 0: it is constant
    config.field_loss.components = 20  # principal components of the training set's colour fields
    config.field_loss.bins = "gamut"  # 313 of 10 units, or 'grid': 64x64
    config.field_loss.bin_uniform = 0.5  # share of the uniform distribution in a bin's probability
    config.field_loss.bin_cap = 30.0  # largest weight of a bin, where the mean pixel's is 1
    config.field_loss.images = 10000  # training images that components and bins are estimated on
    # Whose colours tell how rare a bin is: the run's 'own' training images, or a file of `colorize-data --color_prior`,
    # one for all data sets as in the paper.
    config.field_loss.prior = "own"
    config.stages = ConfigDict({"vae": stage_defaults(10.0, 32, 1e-3)})
    return config


def check(config: ConfigDict) -> None:
    """Raises a ValueError where a field of `defaults` is not allowed, or the decoder has no loss."""
    network_parts.check(config)
    weights = (*losses.FIELD_TERMS, "kl")
    allowed = {
        "data.image_size": one_of(FIELD_SIDE),
        "model.field": one_of(FIELD_SIDE),
        **{f"field_loss.{name}": not_negative("a weight, at least 0") for name in weights},
        "field_loss.kl_ramp_epochs": not_negative("a number of epochs, or 0 for a constant weight"),
        "field_loss.components": positive("a positive number; the papers' is 20"),
        "field_loss.bins": one_of(*color_statistics.BINS),
        "field_loss.bin_uniform": (lambda x: 0 < x <= 1, "a share in (0, 1]"),
        "field_loss.bin_cap": (lambda x: x > 1, "a number above 1, the mean weight"),
        "field_loss.images": positive("a positive number of images"),
        "field_loss.prior": (
            lambda x: x == OWN or Path(x).is_file(),
            "'own', or a file that `colorize-data --color_prior=FILE` wrote",
        ),
    }
    check_fields(config, allowed)
    if not any(config.field_loss[name] for name in losses.FIELD_TERMS):
        raise ValueError("config.field_loss has only weights of 0; give one of l2, hist, mah and grad")


def network_sizes(config: Any) -> dict[str, Any]:
    """The width and the type of every network of the auto-encoder."""
    return {"width": config.width, "dtype": jnp.dtype(config.compute_dtype)}


def vae_networks(config: Any, *, gray: bool) -> Networks:
    """Encoder and decoder, and with `gray` the gray encoder, at the config's sizes."""
    model, sizes = config.model, network_sizes(config)
    networks: Networks = {
        "encoder": Encoder(latent=model.latent, dropout=model.dropout, **sizes),
        "decoder": FieldDecoder(**sizes),
    }
    return networks | ({"gray": GrayEncoder(latent=model.latent, **sizes)} if gray else {})


def replicate(code: Float[Array, "B Z"]) -> Float[Array, "B 4 4 Z"]:
    """The code on every place of a 4x4 map."""
    return jnp.broadcast_to(code[:, None, None, :], (len(code), 4, 4, code.shape[-1]))


def example_inputs(vae: FieldVae, config: Any, batch: Batch) -> ExampleInputs:
    """Zeros of the shape that each network takes, for one image."""
    one = {name: jnp.zeros_like(value[:1]) for name, value in batch.items()}
    code = jnp.zeros((1, config.model.latent))
    read: ExampleInputs = {}
    if "features" in vae.networks:
        read |= features.inputs(vae.networks, batch)
    if "mdn" in vae.networks:
        read |= mixture.inputs(vae.networks, batch)
    known = None
    if "gray" in vae.networks:
        read["gray"], known = _example_condition(vae, config, one)
    return {"encoder": vae.sees(one, known), "decoder": vae.start(code, known), **read}


def _example_condition(vae: FieldVae, config: Any, one: Batch) -> tuple[tuple[Array, ...], Condition]:
    """Zeros of the shapes that the network `gray` takes, and gives."""
    if isinstance(vae.networks["gray"], GrayEmbedding):
        return (features.blank(vae.networks, one),), jnp.zeros((1, config.model.latent))
    side = one["lightness"].shape[1]
    sides = ((3, 512), (2, 256), (1, 128))
    skips = tuple(jnp.zeros((1, side >> k, side >> k, scaled(c, config.width))) for k, c in sides)
    return (one["lightness"],), (jnp.zeros((1, 4, 4, config.model.latent)), skips)


def encode(vae: FieldVae, variables: Variables, batch: Batch) -> tuple[Array, Array]:
    """Mean and log-variance of q(z | x) for the true colours, both (B, Z); of q(z | x, g) where it sees the gray."""
    return _encode(vae, variables, batch, condition(vae, variables, batch)[0])


def _encode(
    vae: FieldVae, variables: Variables, batch: Batch, known: Condition
) -> tuple[Float[Array, "B Z"], Float[Array, "B Z"]]:
    return apply(vae.networks, variables, "encoder", *vae.sees(batch, known))[0]


def condition(
    vae: FieldVae, variables: Variables, batch: Batch, *, train: bool = False, rng: Array | None = None
) -> tuple[Condition, dict[str, Any]]:
    """What the network `gray` gives for the gray images, None without one; and new batch statistics."""
    if "gray" not in vae.networks:
        return None, {}
    read = vae.reads(vae.networks, variables, batch)
    return apply(vae.networks, variables, "gray", read, train=train, rng=rng)


def decode(
    vae: FieldVae, variables: Variables, code: Float[Array, "B Z"], known: Condition, *, train: bool = False
) -> tuple[Float[Array, "B F F 2"], dict[str, Any]]:
    """Colours of a code and a condition, network units; and new batch statistics."""
    return apply(vae.networks, variables, "decoder", *vae.start(code, known), train=train)


def decode_versions(
    vae: FieldVae, variables: Variables, codes: Float[Array, "B N Z"], batch: Batch
) -> Float[Array, "B N F F 2"]:
    """Colours of N codes of each image."""
    count = codes.shape[1]
    known, _ = condition(vae, variables, batch)
    repeated = jax.tree.map(lambda m: jnp.repeat(m, count, axis=0), known)
    fields, _ = decode(vae, variables, codes.reshape(-1, codes.shape[-1]), repeated)
    return fields.reshape(*codes.shape[:2], *fields.shape[1:])


def reconstruct(
    vae: FieldVae, variables: Variables, batch: Batch
) -> tuple[Float[Array, "B F F 2"], Float[Array, "B F F 2"]]:
    """Decoded from the mean code of the true colours, twice: there is no G-CRF behind the decoder."""
    known, _ = condition(vae, variables, batch)
    mean, _ = _encode(vae, variables, batch, known)
    field, _ = decode(vae, variables, mean, known)
    return field, field


def loss_weights(config: Any) -> dict[str, float]:
    """`Method.losses`: the weight of every term of `config.field_loss`."""
    return {name: config.field_loss[name] for name in (*losses.FIELD_TERMS, "kl")}


def survey(config: Any) -> Survey:
    """What the decoder losses of the config read of the training set."""
    chosen, side = config.field_loss, config.data.image_size
    bins = color_statistics.BINS[chosen.bins]

    def collect(batches: Iterable[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        return color_statistics.collect(
            (batch["ab"] for batch in batches),
            components=chosen.components,
            bins=bins,
            uniform=chosen.bin_uniform,
            cap=chosen.bin_cap,
            counts=None if chosen.prior == OWN else color_prior.read(Path(chosen.prior), chosen.bins),
        )

    def shapes() -> dict[str, jax.ShapeDtypeStruct]:
        count = chosen.components
        sides = {
            "bin_weights": bins.inside.shape,
            "deviations": (count,),
            "components": (count, side, side, 2),
        }
        return {name: jax.ShapeDtypeStruct(shape, np.float32) for name, shape in sides.items()}

    return Survey(chosen.images, collect, shapes)


def _terms(weights: dict[str, float], bins: str, variables: Variables, field: Array, true: Array) -> Any:
    return losses.field_terms(
        field,
        true,
        variables["batch_stats"][STATISTICS],
        terms=tuple(weights),
        bins=color_statistics.BINS[bins],
    )


def vae_loss(
    vae: FieldVae,
    variables: Variables,
    batch: Batch,
    rng: Array,
    step: Array,
    *,
    weights: dict[str, float],
    kl_weight: float,
    bins: str,
    kl_ramp_steps: float = 0.0,
) -> LossResult:
    """Eq. (4) of Deshpande et al. 2017 and `kl_weight` times the KL divergence, per value of the field.

    The paper's norms are sums over the field. All is divided by the number of its values, which moves no minimum and
    leaves the gradients as large as those of other methods, for one `optim.clip_norm`.

    Args:
      vae, variables, batch, rng, step: as for any loss.
      weights: of the terms of `losses.field_terms`; those left out are not computed.
      kl_weight: per nat, beside the sums.
      bins: of `color_statistics.BINS`.
      kl_ramp_steps: over which `kl_weight` rises from 0, as in the authors' program; 0: it is constant.
    """
    drop, noise, drop_gray = jax.random.split(rng, 3)
    known, stats_gray = condition(vae, variables, batch, train=True, rng=drop_gray)
    seen = vae.sees(batch, known)
    (mean, log_variance), stats = apply(vae.networks, variables, "encoder", *seen, train=True, rng=drop)
    code = losses.sample_normal(noise, mean, log_variance)
    field, stats_decoder = decode(vae, variables, code, known, train=True)
    terms = _terms(weights, bins, variables, field, batch["ab"])
    kl = losses.kl_to_standard_normal(mean, log_variance)
    share = jnp.minimum(1.0, step / kl_ramp_steps) if kl_ramp_steps else 1.0
    total = sum(weights[name] * value for name, value in terms.items()) + share * kl_weight * kl
    metrics = {f"loss_{name}": value.mean() for name, value in terms.items()} | {"kl_nats": kl.mean()}
    return total.mean() / batch["ab"][0].size, ({**stats, **stats_gray, **stats_decoder}, metrics)


def _evaluate(
    vae: FieldVae, weights: dict[str, float], bins: str, variables: Variables, batch: Batch, rng: Array
) -> dict[str, Array]:
    field, _ = reconstruct(vae, variables, batch)
    terms = _terms(weights, bins, variables, field, batch["ab"])
    return {
        "absolute_error": losses.absolute_error(field, batch["ab"]),
        "kl_nats": losses.kl_to_standard_normal(*encode(vae, variables, batch)),
        **{f"loss_{name}": value for name, value in terms.items()},
    }


def _pictures(vae: FieldVae, variables: Variables, batch: Batch, rng: Array) -> dict[str, Array]:
    """Gray, truth, the truth's code decoded, and four codes of the prior decoded."""
    field, _ = reconstruct(vae, variables, batch)
    latent = vae.networks["encoder"].latent
    drawn = decode_versions(vae, variables, jax.random.normal(rng, (len(field), 4, latent)), batch)
    prior = {f"prior {n + 1}": picture(batch["lightness"], drawn[:, n]) for n in range(4)}
    return gray_and_truth(batch) | {"decoded": picture(batch["lightness"], field)} | prior


def vae_stage(
    config: Any, vae: FieldVae, pretrained: Mapping[str, Callable[[], Any]] = MappingProxyType({})
) -> Stage:
    """The stage `vae`, which trains the encoder, the decoder and the network `gray` where there is one.

    `pretrained` are public weights of a network that these read, see `build_stage_of`.
    """
    chosen = config.field_loss
    weights = {name: chosen[name] for name in losses.FIELD_TERMS if chosen[name]}
    ramp = chosen.kl_ramp_epochs * config.data.epoch_images / config.stages.vae.batch_size
    loss = partial(vae_loss, vae, weights=weights, kl_weight=chosen.kl, bins=chosen.bins, kl_ramp_steps=ramp)
    return build_stage_of(
        config,
        "vae",
        vae.networks,
        partial(example_inputs, vae, config),
        players=(Player("vae", vae.trained, loss, stage_adam(config, "vae")),),
        evaluate=partial(_evaluate, vae, weights, chosen.bins),
        pictures=partial(_pictures, vae),
        pretrained=pretrained,
    )
