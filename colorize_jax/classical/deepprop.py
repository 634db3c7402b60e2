"""Endo, Iizuka, Kanamori and Mitani 2016, *DeepProp*: a small network, fitted to one photo's strokes, spreads them.

Every stroke is a class. The network has two branches that join: one sees the luminance around a pixel, the other the
pixel's place. It tells how probably the pixel belongs to each stroke, and learns from the stroked pixels alone. The
strokes' colours are mixed by these probabilities. Here a stroke is a distinct revealed colour. The branch that sees the
luminance is fully connected here, and convolutional in the paper.
"""

from functools import partial
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from colorize_jax.classical.given import Weights, confidences
from colorize_jax.shapes import Array, Bool, Float, Int, PRNGKeyArray

MAX_STROKES = 256
"""Most distinct colours: the network's classes. Fewer are padded, so that it is compiled once a photo size."""

STEPS = 400
_BATCH = 256
_RATE = 3e-3
_PATCH = 9  # pixels a side
_WIDTH = 64
_CHUNK = 1 << 14  # pixels coloured at a time

LayerParameters = dict[str, dict[str, Array]]


def deepprop(
    lightness: Float[np.ndarray, "H W"],
    targets: Float[np.ndarray, "H W 2"],
    weights: Weights,
    *,
    steps: int = STEPS,
    seed: int = 0,
) -> Float[np.ndarray, "H W 2"]:
    """DeepProp's colorization of a photo from its revealed pixels; fitting takes most of the time.

    Args:
      lightness: CIE L* in [0, 100].
      targets: ab / 128, read where a weight is positive; equal colours are one stroke.
      weights: a pixel is drawn for training in proportion to its weight. No pixel is held exactly.
      steps: of Adam.
      seed: of the first parameters and of the draws.

    Returns:
      ab / 128, within the range of the targets; gray when nothing is revealed.

    Raises:
      ValueError: see `given.confidences`; or more than `MAX_STROKES` colours.
      ModuleNotFoundError: optax is not installed.
    """
    confidence = confidences(lightness, targets, weights).ravel()
    (shown,) = np.nonzero(confidence)
    if shown.size == 0:
        return np.zeros(targets.shape, np.float32)
    colors, stroke = np.unique(targets.reshape(-1, 2)[shown], axis=0, return_inverse=True)
    if len(colors) > MAX_STROKES:
        raise ValueError(
            f"targets has {len(colors)} distinct colours and the network at most {MAX_STROKES} classes; "
            "give every stroke one colour, such as its mean"
        )
    share = confidence[shown] / confidence[shown].sum()
    drawn = np.random.default_rng(seed).choice(shown.size, (steps, _BATCH), p=share)
    luminance = jnp.asarray(np.pad(lightness / 50 - 1, _PATCH // 2, mode="reflect"), jnp.float32)
    present = jnp.arange(MAX_STROKES) < len(colors)
    first = _initial(jax.random.key(seed))
    fitted = _fit(first, luminance, jnp.asarray(shown[drawn]), jnp.asarray(stroke.ravel()[drawn]), present)
    padded = np.zeros((MAX_STROKES, 2), np.float32)
    padded[: len(colors)] = colors
    return _paint(fitted, luminance, present, jnp.asarray(padded), lightness.size).reshape(targets.shape)


def _initial(rng: PRNGKeyArray) -> LayerParameters:
    """He's normal start; the class layer starts at zero, so that all strokes are equally probable."""
    sizes = {
        "patch": (_PATCH**2, _WIDTH),
        "patch_2": (_WIDTH, _WIDTH),
        "place": (2, _WIDTH),
        "joined": (2 * _WIDTH, _WIDTH),
    }
    keys = jax.random.split(rng, len(sizes))
    layers = {
        name: {"w": jax.random.normal(key, size) * (2 / size[0]) ** 0.5, "b": jnp.zeros(size[1])}
        for key, (name, size) in zip(keys, sizes.items(), strict=True)
    }
    return layers | {"class": {"w": jnp.zeros((_WIDTH, MAX_STROKES)), "b": jnp.zeros(MAX_STROKES)}}


def _log_probabilities(
    parameters: LayerParameters,
    luminance: Float[Array, "rows columns"],
    pixels: Int[Array, "B"],
    present: Bool[Array, "K"],
) -> Float[Array, "B K"]:
    """How probably each pixel belongs to each stroke; `luminance` is L* / 50 − 1, padded by half a patch."""
    height, width = (side - _PATCH + 1 for side in luminance.shape)
    y, x = jnp.divmod(pixels, width)
    offsets = jnp.arange(_PATCH)
    window = luminance[y[:, None, None] + offsets[None, :, None], x[:, None, None] + offsets[None, None]]
    place = jnp.stack([y / height, x / width], axis=1) * 2 - 1
    seen = _dense(parameters["patch"], window.reshape(-1, _PATCH**2))
    seen = _dense(parameters["patch_2"], seen)
    joined = jnp.concatenate([seen, _dense(parameters["place"], place)], axis=1)
    logits = _affine(parameters["class"], _dense(parameters["joined"], joined))
    return jax.nn.log_softmax(jnp.where(present[None], logits, -jnp.inf))


def _affine(layer: dict[str, Array], inputs: Float[Array, "B I"]) -> Float[Array, "B O"]:
    return inputs @ layer["w"] + layer["b"][None]


def _dense(layer: dict[str, Array], inputs: Float[Array, "B I"]) -> Float[Array, "B O"]:
    return jax.nn.relu(_affine(layer, inputs))


@jax.jit
def _fit(
    parameters: LayerParameters,
    luminance: Float[Array, "rows columns"],
    pixels: Int[Array, "steps B"],
    strokes: Int[Array, "steps B"],
    present: Bool[Array, "K"],
) -> LayerParameters:
    """Adam on the mean cross entropy of the drawn stroked pixels; the rate falls to zero by a cosine."""
    optax = _optax()
    optimizer = optax.adam(optax.cosine_decay_schedule(_RATE, len(pixels)))

    def loss(parameters: LayerParameters, pixels: Array, strokes: Array) -> Array:
        told = _log_probabilities(parameters, luminance, pixels, present)
        return -jnp.take_along_axis(told, strokes[:, None], axis=1).mean()

    def step(state: Any, batch: Any) -> tuple[Any, None]:
        parameters, moments = state
        updates, moments = optimizer.update(jax.grad(loss)(parameters, *batch), moments)
        return (optax.apply_updates(parameters, updates), moments), None

    (fitted, _), _ = jax.lax.scan(step, (parameters, optimizer.init(parameters)), (pixels, strokes))
    return fitted


def _optax() -> ModuleType:
    try:
        import optax
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("deepprop fits a network with optax; pip install 'optax>=0.2.5'") from error
    return optax


def _paint(
    parameters: LayerParameters, luminance: Array, present: Array, colors: Array, count: int
) -> Float[np.ndarray, "P 2"]:
    paint = partial(_mixed, parameters, luminance, present, colors)
    chunks = [
        # The last chunk runs past the photo's end: all have one size, and nothing is compiled twice.
        np.asarray(paint(jnp.minimum(jnp.arange(start, start + _CHUNK), count - 1)))
        for start in range(0, count, _CHUNK)
    ]
    return np.concatenate(chunks)[:count]


@jax.jit
def _mixed(
    parameters: LayerParameters,
    luminance: Float[Array, "rows columns"],
    present: Bool[Array, "K"],
    colors: Float[Array, "K 2"],
    pixels: Int[Array, "B"],
) -> Float[Array, "B 2"]:
    """The strokes' colours, mixed by their probabilities."""
    return jnp.exp(_log_probabilities(parameters, luminance, pixels, present)) @ colors
