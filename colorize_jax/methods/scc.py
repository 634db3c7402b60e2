"""`scc`: Structural Consistency and Controllability for Diverse Colorization (Messaoud et al. 2018).

A VAE decodes a code z and the gray image into unary colours; a fully connected Gaussian CRF makes them structurally
consistent; a mixture density network proposes several z for a gray image. Stages, in order:

| stage | trains | objective |
|---|---|---|
| `features` | the gray feature network (none with VGG-16) | colour regression, absolute error |
| `unary` | encoder, gray features f1-f4, decoder | Eq. (7) on the unary colours |
| `structure` | structure encoder, the decoder's two top layers | Eq. (7) on the G-CRF's output, the unary masked by H |
| `mdn` | mixture density network | Eq. (9) |
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from colorize_jax import color, gcrf, losses
from colorize_jax.methods.base import Batch, Method, Samples, Stage, TrainState, Variables
from colorize_jax.methods.updates import adam, init_state, loss_to_update
from colorize_jax.models import features as feature_models
from colorize_jax.models.layers import resize_field, scaled
from colorize_jax.models.mdn import MixtureDensityNetwork
from colorize_jax.models.structure import StructureEncoder
from colorize_jax.models.vae import DecoderTop, DecoderTrunk, Encoder, GrayFeatures
from colorize_jax.models.vgg import load_vgg16
from colorize_jax.shapes import Array, Float

UNARY_NETWORKS = ("encoder", "gray", "trunk", "top")
STRUCTURE_NETWORKS = ("structure", "top")
SAMPLING_NETWORKS = ("gray", "trunk", "top", "structure", "features", "mdn")


def build(config: Any) -> Method:
    """The paper's method from a whole config; see `configs/base.py` for every field."""
    networks = build_networks(config)
    field, crf = config.model.field, dict(config.gcrf)
    parts = {"networks": networks, "field": field, "crf": crf}
    sampling = {"mixture_sigma": config.mdn.sigma, **parts}
    trains_features = config.features.network == "small"
    return Method(
        stages=tuple(_stages(config, parts, sampling)),
        abstract_variables=partial(_abstract_variables, networks, config),
        sample=partial(sample, **sampling),
        similarity=partial(similarity, **parts),
        reconstruct=partial(reconstruct, **parts),
        regress=partial(regress, networks=networks) if trains_features else None,
    )


def build_networks(config: Any) -> dict[str, nn.Module]:
    """Every network of the method, by the name under which its parameters are kept."""
    model, dtype = config.model, jnp.dtype(config.compute_dtype)
    vae = {"width": config.width, "dtype": dtype}
    networks = {
        "encoder": Encoder(latent=model.latent, dropout=model.dropout, **vae),
        "gray": GrayFeatures(**vae),
        "trunk": DecoderTrunk(**vae),
        "top": DecoderTop(**vae),
        "structure": StructureEncoder(temperature=initial_temperature(config), **vae),
        "features": feature_models.build(
            config.features.network, config.features.width or config.width, dtype
        ),
        "mdn": MixtureDensityNetwork(
            components=config.mdn.components,
            latent=model.latent,
            width=config.mdn.width or config.width,
            dropout=model.dropout,
            dtype=dtype,
        ),
    }
    return networks


def initial_temperature(config: Any) -> float:
    """`config.gcrf.temperature`, or √D where that is 0: inner products of D unit variances then have unit spread."""
    return config.gcrf.temperature or float((512 * config.width) ** 0.5)


def apply(
    networks: dict[str, nn.Module],
    variables: Variables,
    name: str,
    *inputs: Any,
    train: bool = False,
    rng: Any = None,
) -> tuple[Any, dict[str, Any]]:
    """Network `name` applied to `inputs`: (its output, {name: new batch statistics}; empty unless `train`)."""
    own = {"params": variables["params"][name], "batch_stats": variables["batch_stats"].get(name, {})}
    if not train:
        return networks[name].apply(own, *inputs, train=False), {}
    rngs = None if rng is None else {"dropout": rng}
    output, new = networks[name].apply(own, *inputs, train=True, mutable=["batch_stats"], rngs=rngs)
    return output, {name: new["batch_stats"]}


def decode(
    networks: dict[str, nn.Module], variables: Variables, code: Float[Array, "B Z"], gray: tuple[Array, ...]
) -> Float[Array, "B F F 2"]:
    """Unary colours α of a code, network units; `gray` are f1-f4."""
    trunk, _ = apply(networks, variables, "trunk", code, gray)
    return apply(networks, variables, "top", trunk)[0]


def embed(
    networks: dict[str, nn.Module], variables: Variables, batch: Batch, field: int, *, train: bool = False
) -> tuple[tuple[Array, Array], dict[str, Any]]:
    """Structure embeddings (B, P, D) and temperature of the lightness, shrunk to the field."""
    lightness = resize_field(batch["lightness"], field)
    return apply(networks, variables, "structure", lightness, train=train)


def make_consistent(
    embeddings: Float[Array, "B P D"],
    temperature: Array,
    unary: Float[Array, "B N F F 2"],
    kept: Float[Array, "B P"],
    *,
    beta: float,
    crf: dict[str, Any],
) -> Float[Array, "B N F F 2"]:
    """Eq. (6): the G-CRF's colours for N versions of each image, which share one factorisation.

    Args:
      embeddings: E of `structure`.
      temperature: τ of S.
      unary: α, network units.
      kept: diag(H), 1 where the unary colour counts.
      beta: β; `kept` has weight β, and every pixel the weak weight `crf['floor']`, which bounds the overshoot.
      crf: `config.gcrf`.
    """
    batch, samples, side, _, channels = unary.shape
    columns = jnp.moveaxis(unary, 1, 3).reshape(batch, side * side, samples * channels)
    weights = beta * kept + crf["floor"]
    solved = gcrf.solve(
        embeddings, columns, weights, temperature=temperature, exclude_diagonal=crf["exclude_diagonal"]
    )
    return jnp.moveaxis(solved.reshape(batch, side, side, samples, channels), 3, 1)


def sample(
    variables: Variables,
    batch: Batch,
    rng: Array,
    *,
    samples: int,
    rule: str,
    mixture_sigma: float,
    networks: dict[str, nn.Module],
    field: int,
    crf: dict[str, Any],
) -> Samples:
    """Several colour versions of each gray image (paper, Sec. 3.1).

    Args:
      variables: those of `abstract_variables`.
      batch: `lightness` (B, 64, 64, 1), network units, and `lightness_large` where the features are VGG-16's.
      rng: used by rule 'random' only.
      samples: N. Under 'modes' at most the number of mixture components.
      rule: 'modes', the mixture means by falling weight; or 'random', draws from the mixture.
    """
    codes, weights = draw_codes(variables, batch, rng, samples, rule, mixture_sigma, networks)
    gray, _ = apply(networks, variables, "gray", batch["lightness"])
    count, latent = codes.shape[0], codes.shape[-1]
    repeated = jax.tree.map(lambda f: jnp.repeat(f, samples, axis=0), gray)
    unary = decode(networks, variables, codes.reshape(count * samples, latent), repeated)
    unary = unary.reshape(count, samples, *unary.shape[1:])
    (embeddings, temperature), _ = embed(networks, variables, batch, field)
    kept = jnp.ones((count, field * field))
    solved = make_consistent(embeddings, temperature, unary, kept, beta=crf["beta_test"], crf=crf)
    return Samples(unary, solved, weights)


def draw_codes(
    variables: Variables,
    batch: Batch,
    rng: Array,
    samples: int,
    rule: str,
    mixture_sigma: float,
    networks: dict[str, nn.Module],
) -> tuple[Float[Array, "B N Z"], Float[Array, "B N"]]:
    """Codes from the mixture p(z | g) of Eq. (8), and the weights of the components that they come from."""
    (maps, _), _ = apply(networks, variables, "features", feature_models.source(networks["features"], batch))
    (log_weights, means), _ = apply(networks, variables, "mdn", maps)
    components = log_weights.shape[-1]
    if rule == "modes":
        if samples > components:
            raise ValueError(
                f"samples is {samples}, but rule 'modes' has {components} modes; use rule 'random'"
            )
        chosen = jax.lax.top_k(log_weights, samples)[1]
        spread: Array | float = 0.0
    elif rule == "random":
        choose, deviate = jax.random.split(rng)
        chosen = jax.random.categorical(
            choose, log_weights[:, None, :], shape=(log_weights.shape[0], samples)
        )
        spread = mixture_sigma * jax.random.normal(deviate, (*chosen.shape, means.shape[-1]))
    else:
        raise ValueError(f"rule is {rule!r}; allowed are 'modes' and 'random'")
    codes = jnp.take_along_axis(means, chosen[..., None], axis=1) + spread
    return codes, jnp.exp(jnp.take_along_axis(log_weights, chosen, axis=1))


def similarity(
    variables: Variables, batch: Batch, *, networks: dict[str, nn.Module], field: int, crf: dict[str, Any]
) -> Float[Array, "B P P"]:
    """S = softmax_rows(E Eᵀ / τ), the learned similarity of Sec. 3.2."""
    (embeddings, temperature), _ = embed(networks, variables, batch, field)
    one = partial(gcrf.similarity, exclude_diagonal=crf["exclude_diagonal"])
    return jax.vmap(one, in_axes=(0, None))(embeddings, temperature)


def reconstruct(
    variables: Variables, batch: Batch, *, networks: dict[str, nn.Module], field: int, crf: dict[str, Any]
) -> tuple[Float[Array, "B F F 2"], Float[Array, "B F F 2"]]:
    """(unary, G-CRF output) decoded from the mean code of the true colours: what the VAE can express."""
    (mean, _), _ = apply(networks, variables, "encoder", batch["ab"])
    gray, _ = apply(networks, variables, "gray", batch["lightness"])
    unary = decode(networks, variables, mean, gray)
    (embeddings, temperature), _ = embed(networks, variables, batch, field)
    kept = jnp.ones((unary.shape[0], field * field))
    solved = make_consistent(embeddings, temperature, unary[:, None], kept, beta=crf["beta_test"], crf=crf)
    return unary, solved[:, 0]


def regress(
    variables: Variables, batch: Batch, *, networks: dict[str, nn.Module]
) -> Float[Array, "B 28 28 2"]:
    """The feature network's own single answer, network units: the deterministic regressor of the tables."""
    return apply(networks, variables, "features", batch["lightness"])[0][1]


def features_loss(
    variables: Variables, batch: Batch, rng: Array, step: Array, *, networks: dict[str, nn.Module]
) -> tuple[Array, tuple[dict[str, Any], dict[str, Array]]]:
    """Colour regression from the gray image, absolute error at 28x28."""
    (_, colours), stats = apply(networks, variables, "features", batch["lightness"], train=True)
    error = losses.absolute_error(colours, resize_field(batch["ab"], colours.shape[-2])).mean()
    return error, (stats, {"absolute_error": error})


def unary_loss(
    variables: Variables,
    batch: Batch,
    rng: Array,
    step: Array,
    *,
    networks: dict[str, nn.Module],
    field: int,
    reconstruction: str,
    kl_weight: float,
    crf: dict[str, Any],
) -> tuple[Array, tuple[dict[str, Any], dict[str, Array]]]:
    """Eq. (7) on the unary colours: reconstruction plus `kl_weight` times the KL divergence."""
    drop, noise = jax.random.split(rng)
    (mean, log_variance), stats_encoder = apply(
        networks, variables, "encoder", batch["ab"], train=True, rng=drop
    )
    code = losses.sample_normal(noise, mean, log_variance)
    gray, stats_gray = apply(networks, variables, "gray", batch["lightness"], train=True)
    trunk, stats_trunk = apply(networks, variables, "trunk", code, gray, train=True)
    unary, stats_top = apply(networks, variables, "top", trunk, train=True)
    error = losses.RECONSTRUCTION[reconstruction](unary, resize_field(batch["ab"], field)).mean()
    kl = losses.kl_to_standard_normal(mean, log_variance).mean()
    stats = {**stats_encoder, **stats_gray, **stats_trunk, **stats_top}
    return error + kl_weight * kl, (stats, {"reconstruction": error, "kl_nats": kl})


def kept_share(step: Array, steps_per_epoch: int, schedule: tuple[tuple[float, float], ...]) -> Array:
    """Share of the unary that H keeps at `step`; `schedule` is ((first epoch, share), ...), rising in epochs."""
    epochs, shares = (jnp.array(column) for column in zip(*schedule, strict=True))
    return shares[jnp.searchsorted(epochs, step / steps_per_epoch, side="right") - 1]


def structure_loss(
    variables: Variables,
    batch: Batch,
    rng: Array,
    step: Array,
    *,
    networks: dict[str, nn.Module],
    field: int,
    crf: dict[str, Any],
    reconstruction: str,
    schedule: tuple[tuple[float, float], ...],
    steps_per_epoch: int,
) -> tuple[Array, tuple[dict[str, Any], dict[str, Array]]]:
    """Eq. (7) on the G-CRF's output, whose unary is masked by a random H (paper, Sec. 3.3 and 4).

    The KL term is constant here: the encoder is frozen.
    """
    noise, mask = jax.random.split(rng)
    (mean, log_variance), _ = apply(networks, variables, "encoder", batch["ab"])
    code = losses.sample_normal(noise, mean, log_variance)
    gray, _ = apply(networks, variables, "gray", batch["lightness"])
    trunk, _ = apply(networks, variables, "trunk", code, gray)
    unary, stats_top = apply(networks, variables, "top", trunk, train=True)
    (embeddings, temperature), stats = embed(networks, variables, batch, field, train=True)
    share = kept_share(step, steps_per_epoch, schedule)
    kept = (jax.random.uniform(mask, embeddings.shape[:2]) < share).astype(jnp.float32)
    solved = make_consistent(embeddings, temperature, unary[:, None], kept, beta=crf["beta_train"], crf=crf)[
        :, 0
    ]
    true = resize_field(batch["ab"], field)
    error = losses.RECONSTRUCTION[reconstruction](solved, true).mean()
    metrics = {
        "reconstruction": error,
        "reconstruction_unary": losses.RECONSTRUCTION[reconstruction](unary, true).mean(),
        "kept_share": share,
        "temperature": temperature,
        "movement": jnp.linalg.norm(solved - unary) / jnp.linalg.norm(unary),
    }
    return error, ({**stats, **stats_top}, metrics)


def mdn_loss(
    variables: Variables,
    batch: Batch,
    rng: Array,
    step: Array,
    *,
    networks: dict[str, nn.Module],
    sigma: float,
    relaxation: float,
) -> tuple[Array, tuple[dict[str, Any], dict[str, Array]]]:
    """Eq. (9), with z ~ q(z | x, g) of the frozen encoder."""
    noise, drop = jax.random.split(rng)
    (mean, log_variance), _ = apply(networks, variables, "encoder", batch["ab"])
    code = losses.sample_normal(noise, mean, log_variance)
    (maps, _), _ = apply(networks, variables, "features", feature_models.source(networks["features"], batch))
    (log_weights, means), stats = apply(networks, variables, "mdn", maps, train=True, rng=drop)
    value, assignment = losses.mixture_hard_assignment(
        code, log_weights, means, sigma=sigma, relaxation=relaxation
    )
    shares = assignment.mean(axis=0)
    metrics = {
        "assignment_entropy_nats": -(shares * jnp.log(shares + 1e-9)).sum(),
        "distance": _distance(code, means),
    }
    return value.mean(), (stats, metrics)


def _distance(code: Float[Array, "B Z"], means: Float[Array, "B M Z"]) -> Array:
    """Mean squared distance of a code to the closest mean."""
    return jnp.square(code[:, None] - means).sum(-1).min(-1).mean()


def mean_absolute(difference: Array) -> Array:
    """Mean of |difference| over all but the first axis."""
    return jnp.abs(difference).mean(axis=tuple(range(1, difference.ndim)))


def picture(lightness: Float[Array, "B H W 1"], ab: Float[Array, "B h w 2"]) -> Float[Array, "B H W 3"]:
    """sRGB in [0, 1] of a lightness and a colour field of any size, both in network units."""
    lab = color.network_to_lab(lightness, resize_field(ab, lightness.shape[1]))
    return jnp.clip(color.lab_to_srgb(color.gamut_map(lab)), 0, 1)


def _gray_and_truth(batch: Batch) -> dict[str, Array]:
    gray = picture(batch["lightness"], jnp.zeros_like(batch["ab"]))
    return {"gray": gray, "truth": picture(batch["lightness"], batch["ab"])}


def _evaluate_features(variables: Variables, batch: Batch, rng: Array, *, networks: Any, **_: Any):
    colours = regress(variables, batch, networks=networks)
    return {"absolute_error": mean_absolute(colours - resize_field(batch["ab"], colours.shape[-2]))}


def _picture_features(variables: Variables, batch: Batch, rng: Array, *, networks: Any, **_: Any):
    answer = picture(batch["lightness"], regress(variables, batch, networks=networks))
    return {**_gray_and_truth(batch), "regressed": answer}


def _code_and_unary(variables: Variables, batch: Batch, networks: Any) -> tuple[Array, Array, Array]:
    (mean, log_variance), _ = apply(networks, variables, "encoder", batch["ab"])
    gray, _ = apply(networks, variables, "gray", batch["lightness"])
    return mean, log_variance, decode(networks, variables, mean, gray)


def _evaluate_unary(variables: Variables, batch: Batch, rng: Array, *, networks: Any, field: int, **_: Any):
    mean, log_variance, unary = _code_and_unary(variables, batch, networks)
    return {
        "absolute_error": mean_absolute(unary - resize_field(batch["ab"], field)),
        "kl_nats": losses.kl_to_standard_normal(mean, log_variance),
    }


def _picture_unary(variables: Variables, batch: Batch, rng: Array, *, networks: Any, **_: Any):
    _, _, unary = _code_and_unary(variables, batch, networks)
    return {**_gray_and_truth(batch), "unary": picture(batch["lightness"], unary)}


MASKED_SHARES = (1.0, 0.1, 0.01)
"""Shares of the unary that the structure stage's evaluation keeps."""


def _masked(
    variables: Variables, batch: Batch, rng: Array, networks: Any, field: int, crf: Any
) -> tuple[Array, dict[float, Array]]:
    """The unary colours, and {share kept: the G-CRF's output}."""
    _, _, unary = _code_and_unary(variables, batch, networks)
    (embeddings, temperature), _ = embed(networks, variables, batch, field)
    uniform = jax.random.uniform(rng, embeddings.shape[:2])
    consistent = partial(
        make_consistent, embeddings, temperature, unary[:, None], beta=crf["beta_test"], crf=crf
    )
    kept = {share: (uniform < share).astype(jnp.float32) for share in MASKED_SHARES}
    return unary, {share: consistent(kept=mask)[:, 0] for share, mask in kept.items()}


def _evaluate_structure(
    variables: Variables, batch: Batch, rng: Array, *, networks: Any, field: int, crf: Any, **_: Any
):
    unary, solved = _masked(variables, batch, rng, networks, field, crf)
    true = resize_field(batch["ab"], field)
    errors = {f"absolute_error_kept_{share:g}": mean_absolute(x - true) for share, x in solved.items()}
    matrices = similarity(variables, batch, networks=networks, field=field, crf=crf)
    flat = (len(unary), field * field, 2)
    weights = jnp.full(flat[:2], crf["beta_test"] + crf["floor"])
    monitored = jax.vmap(gcrf.diagnostics)(matrices, solved[1.0].reshape(flat), unary.reshape(flat), weights)
    return {"absolute_error_unary": mean_absolute(unary - true), **errors, **monitored}


def _picture_structure(
    variables: Variables, batch: Batch, rng: Array, *, networks: Any, field: int, crf: Any, **_: Any
):
    unary, solved = _masked(variables, batch, rng, networks, field, crf)
    named = {f"kept {share:g}": picture(batch["lightness"], x) for share, x in solved.items()}
    named = {"unary": picture(batch["lightness"], unary), **named}
    return {**_gray_and_truth(batch), **named}


def _evaluate_mdn(variables: Variables, batch: Batch, rng: Array, *, field: int, **parts: Any):
    drawn = sample(variables, batch, rng, samples=5, rule="modes", field=field, **parts)
    true = resize_field(batch["ab"], field)[:, None]
    each = {
        name: jnp.abs(x - true).mean(axis=(2, 3, 4))
        for name, x in (("field", drawn.field), ("unary", drawn.unary))
    }
    return {
        "best_absolute_error": each["field"].min(axis=1),
        "best_absolute_error_unary": each["unary"].min(axis=1),
        "first_absolute_error": each["field"][:, 0],
        "variance": drawn.field.var(axis=1).mean(axis=(1, 2, 3)),
        "top5_weight": drawn.weights.sum(axis=1),
    }


def _picture_mdn(variables: Variables, batch: Batch, rng: Array, **sampling: Any):
    drawn = sample(variables, batch, rng, samples=5, rule="modes", **sampling)
    versions = {f"version {n + 1}": picture(batch["lightness"], drawn.field[:, n]) for n in range(5)}
    return {**_gray_and_truth(batch), **versions}


EVALUATE = {
    "features": _evaluate_features,
    "unary": _evaluate_unary,
    "structure": _evaluate_structure,
    "mdn": _evaluate_mdn,
}
PICTURES = {
    "features": _picture_features,
    "unary": _picture_unary,
    "structure": _picture_structure,
    "mdn": _picture_mdn,
}


def _stages(config: Any, parts: dict[str, Any], sampling: dict[str, Any]) -> list[Stage]:
    networks, field, crf = parts["networks"], parts["field"], parts["crf"]
    loss = config.loss
    common = {"field": field, "reconstruction": loss.reconstruction, "crf": crf, "networks": networks}
    schedule = tuple(tuple(pair) for pair in config.stages.structure.schedule)
    structure_steps = max(1, config.data.epoch_images // config.stages.structure.batch_size)
    plan: list[tuple[str, tuple[str, ...], Callable[..., Any]]] = [
        ("features", ("features",), partial(features_loss, networks=networks)),
        ("unary", UNARY_NETWORKS, partial(unary_loss, kl_weight=loss.kl_weight, **common)),
        (
            "structure",
            STRUCTURE_NETWORKS,
            partial(structure_loss, schedule=schedule, steps_per_epoch=structure_steps, **common),
        ),
        (
            "mdn",
            ("mdn",),
            partial(mdn_loss, networks=networks, sigma=config.mdn.sigma, relaxation=config.mdn.relaxation),
        ),
    ]
    if config.features.network != "small":
        plan = plan[1:]
    return [_stage(config, name, trained, function, sampling) for name, trained, function in plan]


def _stage(
    config: Any, name: str, trained: tuple[str, ...], loss: Callable[..., Any], sampling: dict[str, Any]
) -> Stage:
    settings = config.stages[name]
    total_steps = max(1, round(settings.epochs * config.data.epoch_images / settings.batch_size))
    optimizer = adam(config.optim, settings.lr, total_steps)
    networks = sampling["networks"]
    pretrained = name == "mdn" and config.features.network == "vgg16"

    def init(rng: Array, batch: Batch, variables: Variables | None) -> TrainState:
        before = variables or {"params": {}, "batch_stats": {}}
        fresh = tuple(network for network in trained if network not in before["params"])
        new = init_networks(rng, networks, batch, fresh, config)
        if pretrained:
            new["params"]["features"] = load_vgg16()
        params = {**before["params"], **new["params"]}
        return init_state(params, {**before["batch_stats"], **new["batch_stats"]}, trained, optimizer)

    return Stage(
        name=name,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        init=init,
        update=loss_to_update(loss, trained, optimizer),
        evaluate=partial(EVALUATE[name], **sampling),
        pictures=partial(PICTURES[name], **sampling),
    )


def init_networks(
    rng: Array, networks: dict[str, nn.Module], batch: Batch, names: tuple[str, ...], config: Any
) -> Variables:
    """Fresh variables of the networks in `names`."""
    inputs = example_inputs(networks, batch, config)
    variables: Variables = {"params": {}, "batch_stats": {}}
    for name, key in zip(names, jax.random.split(rng, len(names)), strict=True):
        drawn = jax.jit(partial(networks[name].init, train=False))(key, *inputs[name])
        variables["params"][name] = drawn["params"]
        variables["batch_stats"][name] = drawn.get("batch_stats", {})
    return variables


def example_inputs(networks: dict[str, nn.Module], batch: Batch, config: Any) -> dict[str, tuple[Any, ...]]:
    """Zeros of the shape that each network takes, for one image."""
    side, field, latent = batch["lightness"].shape[1], config.model.field, config.model.latent
    width = config.width
    gray = tuple(
        jnp.zeros((1, side >> k, side >> k, scaled(c, width)))
        for k, c in ((4, 1024), (3, 512), (2, 256), (1, 128))
    )
    trunk = jnp.zeros((1, field, field, 2 * scaled(128, width)))
    return {
        "encoder": (jnp.zeros((1, side, side, 2)),),
        "gray": (jnp.zeros((1, side, side, 1)),),
        "trunk": (jnp.zeros((1, latent)), gray),
        "top": (trunk,),
        "structure": (jnp.zeros((1, field, field, 1)),),
        "features": (jnp.zeros_like(feature_models.source(networks["features"], batch)[:1]),),
        "mdn": (jnp.zeros((1, 28, 28, feature_models.channels(networks["features"]))),),
    }


def _abstract_variables(networks: dict[str, nn.Module], config: Any) -> Variables:
    side = config.data.image_size
    batch = {
        "lightness": jnp.zeros((1, side, side, 1)),
        "lightness_large": jnp.zeros((1, *2 * (config.data.lightness_large,), 1)),
    }
    # VGG-16's weights are public: whoever samples with them loads them (models/vgg.py).
    names = tuple(n for n in SAMPLING_NETWORKS if n != "features" or config.features.network == "small")
    return jax.eval_shape(lambda rng: init_networks(rng, networks, batch, names, config), jax.random.key(0))
