"""`scc`: Structural Consistency and Controllability for Diverse Colorization (Messaoud et al. 2018).

A VAE decodes a code z and the gray image into unary colours; a fully connected Gaussian CRF makes them structurally
consistent; a mixture density network proposes several z for a gray image. Stages, in order:

| stage | trains | objective |
|---|---|---|
| `features` | the gray feature network (none with VGG-16) | colour regression, absolute error |
| `unary` | encoder, gray features f1-f4, decoder | Eq. (7) on the unary colours |
| `structure` | structure encoder, the decoder's two top layers | Eq. (7) on the G-CRF's output, the unary masked by H |
| `mdn` | mixture density network | Eq. (9) |
| `modes` | that, f1-f4 and the decoder, where `config.modes` asks for it | see `parts/modes.py` |
| `spread_coarse`, `spread` | an S for edits, where `config.spread` asks for one | see `methods/guided` |
| `spread_fine` | an S of a finer field, where `config.spread.fine` asks for one | likewise |
| `correct` | what corrects the fine field, where `config.spread.correct` asks for it | likewise |
"""

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from colorize_jax import gcrf, losses
from colorize_jax.config import check_fields, merged, not_negative, one_of, positive, stage_defaults
from colorize_jax.methods import guided
from colorize_jax.methods.base import (
    Batch,
    Colors,
    Edits,
    Loss,
    LossResult,
    Method,
    Samples,
    Stage,
    Stages,
    Variables,
)
from colorize_jax.methods.parts import features, mixture, modes, networks
from colorize_jax.methods.parts.networks import (
    ExampleInputs,
    Networks,
    abstract,
    apply,
    example_batch,
)
from colorize_jax.methods.parts.pictures import gray_and_truth, picture
from colorize_jax.methods.parts.stages import build_stage
from colorize_jax.models.layers import resize_field, scaled
from colorize_jax.models.structure import StructureEncoder
from colorize_jax.models.vae import GRAY_CHANNELS, DecoderTop, DecoderTrunk, Encoder, GrayFeatures
from colorize_jax.shapes import Array, Float

FirstStages = Callable[[Any, Networks, Callable[[Batch], ExampleInputs]], list[Stage]]
"""`(config, networks, inputs) -> stages` of the networks that the others read: `features.stages`, `prior.stages`."""

FIELD_SIDE = 32
"""Side of the colour field; f1-f4 of the supplement fix it for images of twice that side."""

DECODER_NETWORKS = ("trunk", "top")
UNARY_NETWORKS = ("encoder", "gray", *DECODER_NETWORKS)
STRUCTURE_NETWORKS = ("structure", "top")
SAMPLING_NETWORKS = ("gray", "trunk", "top", "structure", "mdn")


class SccModel(NamedTuple):
    """What all functions below share: the networks, and what solving and sampling read of the config.

    Attributes:
      networks: by the name under which their parameters are kept.
      field: side F of the colour field.
      sigma: σ of Eq. (8), the deviation of every mixture component.
      beta_train: β of Eq. (6) in training.
      beta_test: β at test time.
      floor: weight of gray; it bounds the overshoot where H is 0.
      floor_on: which pixels have it, 'all' or those that H has 'hidden'.
      solver: of Eq. (6), a factorization of `gcrf.SOLVERS`.
      exclude_diagonal: a pixel must not explain itself.
      chroma: sampled colours are multiplied by it. Least absolute errors are medians, paler than photos.
      choice: how rule 'modes' chooses among the modes: by 'weight', or those that 'cover' them, see `mixture.cover`.
      tint: share of the tint that versions learn and are told apart by, see `less_tinted`.
      residual: the decoder's colours are added to the regressed ones, so that a code tells what differs from these.
      guess: the unary of version 1 under rule 'modes', which the modes then follow; None where it is a mode, too.
    """

    networks: Networks
    field: int
    sigma: float
    beta_train: float
    beta_test: float
    floor: float
    floor_on: str
    solver: str
    exclude_diagonal: bool
    chroma: float
    choice: str
    tint: float
    residual: bool
    guess: Callable[[Variables, Batch], Float[Array, "B h w 2"]] | None


def defaults() -> ConfigDict:
    """The paper's values; where it is silent, BUILD_NOTES.md says what was chosen and why."""
    return defaults_with(features)


def defaults_with(reader: ModuleType) -> ConfigDict:
    """The same with those of another part than `features`, whose networks the others read."""
    config = merged(*(part.defaults() for part in _parts(reader)))
    config.model.field = FIELD_SIDE
    config.gcrf = ConfigDict()
    config.gcrf.temperature = 0.0  # at the start of training; 0 is the square root of the embedding's size
    config.gcrf.learn_temperature = True  # False: it stays there
    config.gcrf.exclude_diagonal = True
    config.gcrf.beta_train = 1.0
    config.gcrf.beta_test = 5.0
    # Weight of gray on 'all' pixels, or on those that H has 'hidden'; 0 where H keeps every one.
    config.gcrf.floor = 1e-3
    config.gcrf.floor_on = "all"
    config.gcrf.solver = "cholesky"  # or as in the paper 'lu': the same colours at twice the work

    config.mdn.chroma = 1.0  # sampled colours are multiplied by it
    # What rule 'modes' takes: the modes of largest 'weight', as the paper; or those that 'cover' the colours.
    config.mdn.choice = "weight"
    # What a photo's mean colour differs by from the regressed one counts this much for codes and modes.
    config.mdn.tint = 1.0

    config.loss = ConfigDict()
    config.loss.reconstruction = "absolute"  # or 'squared'
    # Positive: the structure stage maximises the G-CRF's likelihood with this σ², network units²; 0: as the paper.
    config.loss.likelihood_noise = 0.0
    config.loss.unary_weight = 0.0  # of the unary's own error in the structure stage
    config.loss.kl_weight = 1e-3  # per nat, beside a mean error per pixel and channel in network units

    config.stages.unary = stage_defaults(15.0, 32, 1e-3)
    # (first epoch, share of the unary that the mask H keeps)
    schedule = ((0.0, 1.0), (2.0, 0.75), (4.0, 0.5), (6.0, 0.25), (8.0, 0.1))
    config.stages.structure = stage_defaults(15.0, 32, 1e-3, schedule=schedule)
    return config


def check(config: ConfigDict) -> None:
    """Raises a ValueError where a field is not allowed, or two contradict each other."""
    check_with(features, config)


def check_with(reader: ModuleType, config: ConfigDict) -> None:
    """The same for a config of `defaults_with(reader)`."""
    for part in _parts(reader):
        part.check(config)
    allowed = {
        "data.image_size": (lambda x: x == 2 * FIELD_SIDE, f"{2 * FIELD_SIDE}, the supplement's"),
        "model.field": (lambda x: x == FIELD_SIDE, f"{FIELD_SIDE}, the supplement's"),
        "gcrf.temperature": not_negative(
            "a positive number, or 0 for the square root of the embedding's size"
        ),
        "gcrf.beta_train": positive(),
        "gcrf.beta_test": positive(),
        "gcrf.learn_temperature": one_of(True, False),
        "gcrf.floor": not_negative("a positive number, or 0 where H keeps every pixel"),
        "gcrf.floor_on": one_of("all", "hidden"),
        "gcrf.solver": one_of("cholesky", "lu"),
        "mdn.chroma": positive("a positive number; 1 leaves sampled colours as they are decoded"),
        "mdn.choice": one_of("weight", "cover"),
        "loss.reconstruction": one_of(*losses.RECONSTRUCTION),
        "loss.likelihood_noise": not_negative(
            "a variance in network units², or 0 for the reconstruction error"
        ),
        "loss.unary_weight": not_negative(),
        "mdn.tint": (lambda x: 0 <= x <= 1, "a share in [0, 1]"),
        "loss.kl_weight": not_negative(),
    }
    check_fields(config, allowed)
    if config.mdn.tint < 1 and reader is features and config.features.network == "vgg16":
        raise ValueError(
            f"config.mdn.tint is {config.mdn.tint}, but config.features.network 'vgg16' regresses no colours, whose "
            "tint it is measured from; set it to 1"
        )
    _check_schedule(config.stages.structure.schedule)
    if config.gcrf.floor == 0:
        _check_solvable(config)


def _check_solvable(config: ConfigDict) -> None:
    """Raises a ValueError where H hides pixels on which there is no floor either."""
    hiding = [row[1] for row in config.stages.structure.schedule if row[1] < 1]
    told = [f"config.stages.structure.schedule keeps a share of {hiding[0]}"] if hiding else []
    told += ["config.spread.learned is for edits, which keep few pixels"] if config.spread.learned else []
    if told:
        raise ValueError(
            f"config.gcrf.floor is 0, but {' and '.join(told)}; a hidden pixel then has no weight, and A of Eq. (6) is "
            "singular where S nears the identity: give a positive floor, or keep all with the schedule ((0.0, 1.0),)"
        )


def _parts(reader: ModuleType) -> tuple[ModuleType, ...]:
    """Modules with defaults and checks of their own."""
    return networks, reader, mixture, modes, guided


def _check_schedule(schedule: Any) -> None:
    epochs = [row[0] for row in schedule]
    begins_and_rises = epochs[:1] == [0] and sorted(set(epochs)) == epochs
    if not (begins_and_rises and all(0 < row[1] <= 1 for row in schedule)):
        raise ValueError(
            f"config.stages.structure.schedule is {schedule!r}; it must be rows (first epoch, kept share) that start "
            "at epoch 0 and rise, with shares in (0, 1]"
        )


def build(config: Any) -> Method:
    """The paper's method from a whole config; see `configs/base.py` for every field."""
    method = build_with(
        config, build_networks(config), first=features.stages, carried=features.carried(config)
    )
    return method._replace(public=features.public(config))


def build_with(
    config: Any,
    networks: Networks,
    *,
    first: FirstStages,
    carried: tuple[str, ...],
    guess: Callable[[Variables, Batch], Array] | None = None,
    residual: bool = False,
) -> Method:
    """The method on networks that `features.read` knows.

    Args:
      config: whole.
      networks: all of them: `shared_networks`, `gray`, and those that the others read.
      first: the stages that train what the others read.
      carried: names of the networks read that a model carries.
      guess, residual: see `SccModel`.
    """
    model = model_of(config, networks)._replace(guess=guess, residual=residual)
    most = config.mdn.components + (guess is not None)
    return Method(
        stages=Stages(partial(_stages, config, model, first)),
        abstract_variables=partial(_abstract_variables, model, config, carried),
        colors=Colors(
            sample=partial(sample, model),
            rules=mixture.RULES,
            most={"modes": most},
            deterministic=("modes",),
            regress=features.regressor(model.networks),
            reconstruct=partial(reconstruct, model),
        ),
        edits=_edits(model) if model.floor else None,
    )


def _edits(model: SccModel) -> Edits:
    """Of a model with a floor: without one A is singular where few pixels have a colour."""
    return Edits(
        similarity=partial(similarity, model),
        spread=guided.spreader(model.networks, model.field),
        correct=guided.corrector(model.networks),
    )


def build_model(config: Any) -> SccModel:
    """The networks at the config's sizes, and its numbers."""
    return model_of(config, build_networks(config))


def model_of(config: Any, networks: Networks) -> SccModel:
    """The networks and the config's numbers."""
    crf = config.gcrf
    return SccModel(
        networks=networks,
        field=config.model.field,
        sigma=config.mdn.sigma,
        beta_train=crf.beta_train,
        beta_test=crf.beta_test,
        floor=crf.floor,
        floor_on=crf.floor_on,
        solver=crf.solver,
        exclude_diagonal=crf.exclude_diagonal,
        chroma=config.mdn.chroma,
        choice=config.mdn.choice,
        tint=config.mdn.tint,
        residual=False,
        guess=None,
    )


def build_networks(config: Any) -> Networks:
    """Every network of the method, by the name under which its parameters are kept."""
    gray = GrayFeatures(width=config.width, dtype=jnp.dtype(config.compute_dtype))
    return {"gray": gray, **features.networks(config), **shared_networks(config)}


def shared_networks(config: Any) -> Networks:
    """Those of `build_networks` that are the same whatever they read of a gray image."""
    code, dtype = config.model, jnp.dtype(config.compute_dtype)
    vae = {"width": config.width, "dtype": dtype}
    return {
        "encoder": Encoder(latent=code.latent, dropout=code.dropout, **vae),
        "trunk": DecoderTrunk(**vae),
        "top": DecoderTop(**vae),
        "structure": StructureEncoder(
            temperature=initial_temperature(config), learn_temperature=config.gcrf.learn_temperature, **vae
        ),
        **mixture.networks(config),
        **guided.spread_networks(config),
    }


def initial_temperature(config: Any) -> float:
    """`config.gcrf.temperature`, or √D where that is 0: inner products of D unit variances then have unit spread."""
    return config.gcrf.temperature or float((512 * config.width) ** 0.5)


def less_tinted(model: SccModel, variables: Variables, batch: Batch) -> Batch:
    """The batch with true colours whose mean is nearer to the regressed one: x - (1 - ρ) mean(x - regressed).

    ρ is `SccModel.tint`. Half of the colour energy of photos is one tint over the whole picture, so codes learn tints
    first, and versions that differ in nothing else, unless these are taken out.
    """
    if model.tint == 1:
        return batch
    answer = features.regress(model.networks, variables, batch)
    tint = batch["ab"].mean(axis=(1, 2), keepdims=True) - answer.mean(axis=(1, 2), keepdims=True)
    return batch | {"ab": batch["ab"] - (1 - model.tint) * tint}


def encode(
    model: SccModel, variables: Variables, batch: Batch
) -> tuple[Float[Array, "B Z"], Float[Array, "B Z"]]:
    """Mean and log-variance of q(z | x, g) for the true colours."""
    return apply(model.networks, variables, "encoder", batch["ab"])[0]


def decode(
    model: SccModel,
    variables: Variables,
    code: Float[Array, "B Z"],
    gray: tuple[Array, ...],
    *,
    train: bool = False,
) -> tuple[Float[Array, "B F F 2"], dict[str, Any]]:
    """Unary colours α of a code, network units; and new batch statistics. `gray` are f1-f4."""
    trunk, stats_trunk = apply(model.networks, variables, "trunk", code, gray, train=train)
    unary, stats_top = apply(model.networks, variables, "top", trunk, train=train)
    return unary, {**stats_trunk, **stats_top}


def decode_versions(
    model: SccModel, variables: Variables, batch: Batch, codes: Float[Array, "B N Z"], *, train: bool = False
) -> tuple[Float[Array, "B N F F 2"], dict[str, Any]]:
    """`decode` for N codes of each image."""
    maps, stats = features.read_gray(model.networks, variables, batch, train=train)
    gray = jax.tree.map(lambda f: jnp.repeat(f, codes.shape[1], axis=0), maps)
    unary, stats_decoder = decode(model, variables, codes.reshape(-1, codes.shape[-1]), gray, train=train)
    versions = unary.reshape(*codes.shape[:2], *unary.shape[1:])
    return _on_regressed(model, variables, batch, versions), {**stats, **stats_decoder}


def decode_one(
    model: SccModel, variables: Variables, batch: Batch, code: Float[Array, "B Z"], *, train: bool = False
) -> tuple[Float[Array, "B F F 2"], dict[str, Any]]:
    """`decode_versions` for a single code of each image."""
    versions, stats = decode_versions(model, variables, batch, code[:, None], train=train)
    return versions[:, 0], stats


def _on_regressed(
    model: SccModel, variables: Variables, batch: Batch, decoded: Float[Array, "B N F F 2"]
) -> Float[Array, "B N F F 2"]:
    """See `SccModel.residual`."""
    if not model.residual:
        return decoded
    answer = features.regress(model.networks, variables, batch)
    return decoded + resize_field(answer, model.field)[:, None]


def gray_features(model: SccModel, variables: Variables, batch: Batch) -> tuple[Array, ...]:
    """f1-f4 of the gray image."""
    return features.read_gray(model.networks, variables, batch)[0]


def embed(
    model: SccModel, variables: Variables, batch: Batch, *, train: bool = False
) -> tuple[tuple[Float[Array, "B P D"], Float[Array, ""]], dict[str, Any]]:
    """(Embeddings, temperature) of the field's cells, see `features.read_cells`; and new batch statistics."""
    cells = features.read_cells(model.networks, variables, batch, model.field)
    return apply(model.networks, variables, "structure", cells, train=train)


def make_consistent(
    model: SccModel,
    structure: tuple[Float[Array, "B P D"], Float[Array, ""]],
    unary: Float[Array, "B N F F 2"],
    kept: Float[Array, "B P"] | None = None,
    *,
    beta: float,
) -> Float[Array, "B N F F 2"]:
    """Eq. (6): the G-CRF's colours for N versions of each image, which share one factorisation.

    Args:
      model: its `floor` is gray's weight.
      structure: embeddings and temperature, of `embed`.
      unary: α, network units.
      kept: diag(H), 1 where the unary colour counts; all of them by default.
      beta: β.
    """
    embeddings, temperature = structure
    batch, samples, side, _, channels = unary.shape
    columns = jnp.moveaxis(unary, 1, 3).reshape(batch, side * side, samples * channels)
    targets, weights = believed(model, columns, jnp.ones(columns.shape[:2]) if kept is None else kept, beta)
    # A factor always ends, whatever S becomes in training; inside a program no error could tell that CG did not.
    solved = gcrf.solve_on_mesh(
        embeddings,
        targets,
        weights,
        temperature=temperature,
        exclude_diagonal=model.exclude_diagonal,
        solver=model.solver,
    )
    return jnp.moveaxis(solved.value.reshape(batch, side, side, samples, channels), 3, 1)


def believed(
    model: SccModel, unary: Float[Array, "B P C"], kept: Float[Array, "B P"], beta: float
) -> tuple[Float[Array, "B P C"], Float[Array, "B P"]]:
    """Targets and weights of Eq. (6): the unary with weight β where it is kept, and gray with the floor's.

    The floor pulls towards gray and not towards the unary: a hidden pixel's own unary would give its answer away.
    On 'hidden' pixels alone it leaves the printed system where H keeps all.
    """
    known = beta * kept
    weights = known + model.floor * (1 - kept if model.floor_on == "hidden" else 1)
    return (known / weights)[:, :, None] * unary, weights


def sample(
    model: SccModel, variables: Variables, batch: Batch, rng: Array, *, samples: int, rule: str
) -> Samples:
    """Several colour versions of each gray image (paper, Sec. 3.1).

    Args:
      model: of `build_model`.
      variables: those of `Method.abstract_variables`.
      batch: `lightness` (B, 64, 64, 1), network units, and `lightness_large` where what reads it needs that.
      rng: used by rule 'random' only.
      samples: N. Under 'modes' at most the number of mixture components, and one more with a guess.
      rule: 'modes', the guess, where there is one, and mixture means, chosen as `SccModel.choice` says; or 'random',
        draws from the mixture.

    Raises:
      ValueError: an unknown rule, or more modes than there are.
    """
    draw = partial(_drawn, model, variables, batch, rng, rule)
    if rule == "modes" and model.guess is not None:
        first = resize_field(model.guess(variables, batch), model.field)
        unary, weights = first[:, None], jnp.ones((len(first), 1))
        if samples > 1:
            others, shares = draw(samples - 1, first)
            unary = jnp.concatenate([unary, others], axis=1)
            weights = jnp.concatenate([1 - shares.sum(axis=1, keepdims=True), shares], axis=1)
    else:
        unary, weights = draw(samples)
    structure, _ = embed(model, variables, batch)
    return Samples(unary, make_consistent(model, structure, unary, beta=model.beta_test), weights)


def _drawn(
    model: SccModel,
    variables: Variables,
    batch: Batch,
    rng: Array,
    rule: str,
    samples: int,
    first: Float[Array, "B F F 2"] | None = None,
) -> tuple[Float[Array, "B N F F 2"], Float[Array, "B N"]]:
    """Unary colours and weights of versions from the mixture, besides `first`, the likeliest first."""
    draw = partial(mixture.draw_codes, model.networks, variables, batch, rng, sigma=model.sigma, rule=rule)
    if not (rule == "modes" and model.choice == "cover"):
        codes, weights = draw(samples=samples)
        return model.chroma * decode_versions(model, variables, batch, codes)[0], weights
    # All modes, to choose among; more, where more are asked for, so that `draw_codes` refuses them.
    codes, weights = draw(samples=max(samples, model.networks["mdn"].components))
    unary = model.chroma * decode_versions(model, variables, batch, codes)[0]
    chosen, weights = mixture.cover(unary, weights, samples, tint=model.tint, first=first)
    if first is not None:
        order = jnp.argsort(-weights, axis=1)
        chosen, weights = (jnp.take_along_axis(x, order, axis=1) for x in (chosen, weights))
    return jnp.take_along_axis(unary, chosen[:, :, None, None, None], axis=1), weights


def similarity(model: SccModel, variables: Variables, batch: Batch) -> Float[Array, "B P P"]:
    """S = softmax_rows(E Eᵀ / τ), the learned similarity of Sec. 3.2."""
    (embeddings, temperature), _ = embed(model, variables, batch)
    one = partial(gcrf.similarity, exclude_diagonal=model.exclude_diagonal)
    return jax.vmap(one, in_axes=(0, None))(embeddings, temperature)


def reconstruct(
    model: SccModel, variables: Variables, batch: Batch
) -> tuple[Float[Array, "B F F 2"], Float[Array, "B F F 2"]]:
    """(Unary, G-CRF output) decoded from the mean code of the true colours: what the VAE can express."""
    mean, _ = encode(model, variables, batch)
    unary, _ = decode_one(model, variables, batch, mean)
    structure, _ = embed(model, variables, batch)
    return unary, make_consistent(model, structure, unary[:, None], beta=model.beta_test)[:, 0]


def _of_less_tinted(model: SccModel, loss: Loss) -> Loss:
    """The loss of `less_tinted` batches."""

    def own(variables: Variables, batch: Batch, rng: Array, step: Array) -> LossResult:
        return loss(variables, less_tinted(model, variables, batch), rng, step)

    return own


def unary_loss(
    model: SccModel,
    variables: Variables,
    batch: Batch,
    rng: Array,
    step: Array,
    *,
    reconstruction: losses.Reconstruction,
    kl_weight: float,
) -> LossResult:
    """Eq. (7): reconstruction of the unary colours plus `kl_weight` times the KL divergence.

    x is `batch["ab"]`, g is `batch["lightness"]`.
    """
    train = partial(apply, model.networks, variables, train=True)
    drop, noise = jax.random.split(rng)
    (mean, log_variance), stats_encoder = train("encoder", batch["ab"], rng=drop)
    code = losses.sample_normal(noise, mean, log_variance)
    unary, stats_decoder = decode_one(model, variables, batch, code, train=True)
    error = reconstruction(unary, resize_field(batch["ab"], model.field)).mean()
    kl = losses.kl_to_standard_normal(mean, log_variance).mean()
    stats = {**stats_encoder, **stats_decoder}
    return error + kl_weight * kl, (stats, {"reconstruction": error, "kl_nats": kl})


def kept_share(step: Array, steps_per_epoch: int, schedule: tuple[tuple[float, float], ...]) -> Array:
    """Share of the unary that H keeps at `step`; `schedule` is ((first epoch, share), ...), rising in epochs."""
    epochs, shares = (jnp.array(column) for column in zip(*schedule, strict=True))
    return shares[jnp.searchsorted(epochs, step / steps_per_epoch, side="right") - 1]


def structure_loss(
    model: SccModel,
    variables: Variables,
    batch: Batch,
    rng: Array,
    step: Array,
    *,
    reconstruction: losses.Reconstruction,
    schedule: tuple[tuple[float, float], ...],
    steps_per_epoch: int,
    likelihood_noise: float | None,
    unary_weight: float,
) -> LossResult:
    """Eq. (7): the same on the G-CRF's output, whose unary is masked by a random H (paper, Sec. 3.3 and 4).

    x is `batch["ab"]`, g is `batch["lightness"]`. The KL term is constant here: the encoder is frozen. `unary_weight`
    times the unary's own error keeps the top layers, which are trained here, from serving the masked field at the cost
    of the unary. With a `likelihood_noise`, σ², the field's error gives way to the negative log-likelihood of the true
    colours under N(x, σ² A⁻¹), per pixel and channel: it asks the G-CRF for its own uncertainty besides.
    """
    noise, mask = jax.random.split(rng)
    code = losses.sample_normal(noise, *encode(model, variables, batch))
    trunk, _ = apply(model.networks, variables, "trunk", code, gray_features(model, variables, batch))
    decoded, stats_top = apply(model.networks, variables, "top", trunk, train=True)
    unary = _on_regressed(model, variables, batch, decoded[:, None])[:, 0]
    structure, stats = embed(model, variables, batch, train=True)
    share = kept_share(step, steps_per_epoch, schedule)
    kept = (jax.random.uniform(mask, structure[0].shape[:2]) < share).astype(jnp.float32)
    solved = make_consistent(model, structure, unary[:, None], kept, beta=model.beta_train)[:, 0]
    true = resize_field(batch["ab"], model.field)
    error, error_unary = reconstruction(solved, true).mean(), reconstruction(unary, true).mean()
    metrics = {
        "reconstruction": error,
        "reconstruction_unary": error_unary,
        "kept_share": share,
        "temperature": structure[1],
        "movement": jnp.linalg.norm(solved - unary) / jnp.linalg.norm(unary),
    }
    loss = error
    if likelihood_noise:
        loss = -likelihood(model, structure, unary, kept, true, noise=likelihood_noise).mean()
    return loss + unary_weight * error_unary, ({**stats, **stats_top}, metrics)


def likelihood(
    model: SccModel,
    structure: tuple[Float[Array, "B P D"], Float[Array, ""]],
    unary: Float[Array, "B F F 2"],
    kept: Float[Array, "B P"],
    true: Float[Array, "B F F 2"],
    *,
    noise: float,
) -> Float[Array, " B"]:
    """log N(true; x, σ² A⁻¹) per pixel and channel, nats, with σ² = `noise`; see `gcrf.log_likelihood`."""
    rows = lambda field: field.reshape(len(field), -1, field.shape[-1])  # noqa: E731
    targets, weights = believed(model, rows(unary), kept, model.beta_train)

    def one(embeddings: Array, targets: Array, weights: Array, true: Array) -> Array:
        similarity = gcrf.similarity(embeddings, structure[1], exclude_diagonal=model.exclude_diagonal)
        return gcrf.log_likelihood(similarity, targets, weights, true, noise=noise) / true.size

    return jax.vmap(one)(structure[0], targets, weights, rows(true))


def _absolute(difference: Array) -> Array:
    """Mean of |difference| over pixels and channels, the last three axes."""
    return jnp.abs(difference).mean(axis=(-3, -2, -1))


def _unary_of_truth(model: SccModel, variables: Variables, batch: Batch) -> Array:
    mean, _ = encode(model, variables, batch)
    return decode_one(model, variables, batch, mean)[0]


def _evaluate_unary(model: SccModel, variables: Variables, batch: Batch, rng: Array) -> dict[str, Array]:
    unary = _unary_of_truth(model, variables, batch)
    return {
        "absolute_error": _absolute(unary - resize_field(batch["ab"], model.field)),
        "kl_nats": losses.kl_to_standard_normal(*encode(model, variables, batch)),
    }


def _picture_unary(model: SccModel, variables: Variables, batch: Batch, rng: Array) -> dict[str, Array]:
    unary = _unary_of_truth(model, variables, batch)
    return {**gray_and_truth(batch), "unary": picture(batch["lightness"], unary)}


MASKED_SHARES = (1.0, 0.1, 0.01)
"""Shares of the unary that the structure stage's evaluation keeps; without a floor only the first."""


def _masked(
    model: SccModel, variables: Variables, batch: Batch, rng: Array
) -> tuple[Array, dict[float, Array]]:
    """The unary colours, and {share kept: the G-CRF's output}."""
    unary = _unary_of_truth(model, variables, batch)
    structure, _ = embed(model, variables, batch)
    uniform = jax.random.uniform(rng, structure[0].shape[:2])
    consistent = partial(make_consistent, model, structure, unary[:, None], beta=model.beta_test)
    shares = MASKED_SHARES if model.floor else MASKED_SHARES[:1]
    kept = {share: (uniform < share).astype(jnp.float32) for share in shares}
    return unary, {share: consistent(mask)[:, 0] for share, mask in kept.items()}


def _evaluate_structure(model: SccModel, variables: Variables, batch: Batch, rng: Array) -> dict[str, Array]:
    unary, solved = _masked(model, variables, batch, rng)
    true = resize_field(batch["ab"], model.field)
    errors = {f"absolute_error_kept_{share:g}": _absolute(x - true) for share, x in solved.items()}
    columns = (len(unary), model.field**2, 2)
    _, weights = believed(model, unary.reshape(columns), jnp.ones(columns[:2]), model.beta_test)
    monitored = jax.vmap(gcrf.diagnostics)(
        similarity(model, variables, batch), solved[1.0].reshape(columns), unary.reshape(columns), weights
    )
    return {"absolute_error_unary": _absolute(unary - true), **errors, **monitored}


def _picture_structure(model: SccModel, variables: Variables, batch: Batch, rng: Array) -> dict[str, Array]:
    unary, solved = _masked(model, variables, batch, rng)
    shown = {"unary": unary} | {f"kept {share:g}": x for share, x in solved.items()}
    return gray_and_truth(batch) | {name: picture(batch["lightness"], x) for name, x in shown.items()}


def _stages(config: Any, model: SccModel, first: FirstStages) -> list[Stage]:
    networks, inputs = model.networks, partial(example_inputs, model.networks, config)
    reconstruction = losses.RECONSTRUCTION[config.loss.reconstruction]
    learns = partial(_of_less_tinted, model)
    unary = build_stage(
        config,
        "unary",
        networks,
        inputs,
        trained=UNARY_NETWORKS,
        loss=learns(
            partial(unary_loss, model, reconstruction=reconstruction, kl_weight=config.loss.kl_weight)
        ),
        evaluate=partial(_evaluate_unary, model),
        pictures=partial(_picture_unary, model),
    )
    structure_error = partial(
        structure_loss,
        model,
        reconstruction=reconstruction,
        schedule=tuple(tuple(pair) for pair in config.stages.structure.schedule),
        steps_per_epoch=max(1, config.data.epoch_images // config.stages.structure.batch_size),
        likelihood_noise=config.loss.likelihood_noise,
        unary_weight=config.loss.unary_weight,
    )
    structure = build_stage(
        config,
        "structure",
        networks,
        inputs,
        trained=STRUCTURE_NETWORKS,
        loss=learns(structure_error),
        evaluate=partial(_evaluate_structure, model),
        pictures=partial(_picture_structure, model),
    )
    draw = partial(sample, model)
    mdn = mixture.stage(config, networks, inputs, encode=partial(encode, model), sample=draw, learns=learns)
    best = modes.stages(
        config,
        networks,
        inputs,
        decoder=("gray", *DECODER_NETWORKS),
        decode=partial(decode_versions, model),
        sample=draw,
        learns=learns,
    )
    return [
        *first(config, networks, inputs),
        unary,
        structure,
        mdn,
        *best,
        *guided.build_stages(config, networks, inputs),
    ]


def example_inputs(networks: Networks, config: Any, batch: Batch) -> ExampleInputs:
    """Zeros of the shape that each network takes, for one image."""
    side, field, latent = batch["lightness"].shape[1], config.model.field, config.model.latent
    width = config.width
    gray = tuple(
        jnp.zeros((1, side >> k, side >> k, scaled(c, width)))
        for k, c in zip((4, 3, 2, 1), GRAY_CHANNELS, strict=True)
    )
    return {
        "encoder": (jnp.zeros((1, side, side, 2)),),
        "gray": features.gray_inputs(networks, batch),
        "trunk": (jnp.zeros((1, latent)), gray),
        "top": (jnp.zeros((1, field, field, 2 * scaled(128, width))),),
        "structure": (features.blank_cells(networks, batch, field),),
        **features.inputs(networks, batch),
        **mixture.inputs(networks, batch),
        **guided.spread_inputs(gray, networks, batch, field),
    }


def _abstract_variables(model: SccModel, config: Any, carried: tuple[str, ...]) -> Variables:
    inputs = example_inputs(model.networks, config, example_batch(config))
    names = (*SAMPLING_NETWORKS, *carried, *guided.spread_networks(config))
    return abstract(model.networks, inputs, names)
