"""Batches of a test set to the colour fields of every row, lifted to the images' size; on the host.

Networks run in batches on the device. What is random in image i is drawn from a key of its own, so that neither the
batch size nor the number of processes changes a number. `records` has the table of rows.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from colorize_jax import color
from colorize_jax.data.transforms import Example
from colorize_jax.evaluation import baselines as blind
from colorize_jax.evaluation.records import answer
from colorize_jax.methods.base import Colors, Distribution, Method, Samples, Variables, colors_of
from colorize_jax.photos import upsample
from colorize_jax.shapes import Array, Bool, Float, Int

# Images whose versions are drawn at once; a method that decodes hundreds of codes of each needs as much memory.
TOGETHER = 10

Predict = Callable[[Example, Any], dict[str, np.ndarray]]
"""`(batch, keys (B,)) -> {row: colour fields (B, N, H, W, 2)}`, network units, at the images' own resolution."""

Rows = Callable[[Variables, Any, Any], dict[str, Any]]
"""`(variables, network inputs, keys (B,)) -> {row: colour fields (B, N, h, w, 2)}` of one capability, on the device."""


def image_keys(seed: int, indices: Int[np.ndarray, "B"]) -> Any:
    """The random key of each image of a test set, by its place in it."""
    return jax.vmap(partial(jax.random.fold_in, jax.random.key(seed)))(np.asarray(indices, np.uint32))


def sample_each(
    sample: Callable[..., Samples], variables: Variables, batch: Any, keys: Any, *, samples: int, rule: str
) -> Samples:
    """`Colors.sample` with a key for each image, so that an image's versions do not depend on its neighbours."""

    def one(image: Any) -> Samples:
        inputs, key = image
        drawn = sample(variables, {k: v[None] for k, v in inputs.items()}, key, samples=samples, rule=rule)
        return jax.tree.map(lambda x: x[0], drawn)

    return jax.lax.map(one, (batch, keys), batch_size=min(TOGETHER, len(keys)))


def predictor(
    method: Method, variables: Variables, *, samples: int, rule: str, lift: str = "bicubic"
) -> Predict:
    """The method's rows of the table as one function of a batch: sampled, brought to the host, lifted.

    Args:
      method: from `methods.build`, with `colors` or a `distribution`.
      variables: those of `method.abstract_variables`, and the encoder's for the reconstruction rows.
      samples: N.
      rule: one of `Colors.rules`; not read where the method has a distribution alone.
      lift: of `upsample.lift`. 'bicubic' looks at no lightness, so that `bleed` measures the fields alone,
        and is the quicker one; 'jbu' is what photos are lifted by.

    Raises:
      ValueError: networks are missing from `variables`, or the method answers no gray image.
    """
    check_networks(method, variables)
    capabilities: list[Rows] = []
    if method.colors or not method.distribution:
        encoder = "encoder" in variables["params"]
        capabilities.append(
            _colored(
                colors_of(method), samples, rule, solved=similarity_of(method) is not None, encoder=encoder
            )
        )
    if method.distribution:
        capabilities.append(_classified(method.distribution))

    def predict(batch: Example, keys: Any) -> dict[str, np.ndarray]:
        inputs = network_inputs(batch)
        fields: dict[str, Any] = {}
        for rows in capabilities:
            fields |= rows(variables, inputs, keys)
        sides = fields[answer(fields)].shape[2:4]
        if sides != batch["ab"].shape[1:3]:
            fields = {"perfect_field": shrunk(batch["ab"], sides)[:, None], **fields}
        on_host = {name: np.asarray(value, np.float32) for name, value in fields.items()}
        return lift_all(on_host, batch["lightness"], method=lift)

    return predict


def check_networks(method: Method, variables: Variables) -> None:
    """Raises a ValueError that names the networks that the method needs and `variables` lack."""
    missing = sorted(set(method.abstract_variables()["params"]) - set(variables["params"]))
    if missing:
        raise ValueError(
            f"variables lack the networks {', '.join(missing)}; evaluate a run whose last stage is finished"
        )


def at_resolution(method: Method, side: int) -> Method:
    """The method, read by images that are larger than its own: each capability sees their means over side × side cells.

    Args:
      method: whose images have this side.
      side: in pixels; it divides the sides of the images.
    """

    def on_small(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda variables, batch, *rest, **named: function(variables, seen(batch, side), *rest, **named)

    colors, bins, edits = method.colors, method.distribution, method.edits
    if colors:
        colors = colors._replace(
            sample=on_small(colors.sample),
            regress=colors.regress and on_small(colors.regress),
            reconstruct=colors.reconstruct and on_small(colors.reconstruct),
        )
    if bins:
        bins = bins._replace(histograms=on_small(bins.histograms))
    if edits and edits.similarity:
        edits = edits._replace(similarity=on_small(edits.similarity))
    return method._replace(colors=colors, distribution=bins, edits=edits)


def seen(batch: dict[str, Any], side: int) -> dict[str, Any]:
    """A batch, NumPy or JAX, whose `lightness` and `ab` are means over side × side cells; larger pictures stay."""
    small = ("lightness", "ab")
    return {name: shrunk(x, (side, side)) if name in small else x for name, x in batch.items()}


def similarity_of(method: Method) -> Callable[..., Array] | None:
    """S of the G-CRF that made the method's versions; None without one, and then there is no field before it."""
    return method.edits.similarity if method.edits else None


def network_inputs(batch: Example) -> dict[str, np.ndarray]:
    """What networks read of a batch."""
    return {name: value for name, value in batch.items() if name != "mask"}


def _colored(colors: Colors, samples: int, rule: str, *, solved: bool, encoder: bool) -> Rows:
    sample = jax.jit(partial(sample_each, colors.sample, samples=samples, rule=rule))
    regress = jax.jit(colors.regress) if colors.regress else None
    reconstruct = jax.jit(colors.reconstruct) if colors.reconstruct and encoder else None

    def rows(variables: Variables, inputs: Any, keys: Any) -> dict[str, Any]:
        drawn, fields = sample(variables, inputs, keys), {}
        if regress:
            fields["regressor"] = regress(variables, inputs)[:, None]
        if reconstruct:
            unary, field = reconstruct(variables, inputs)
            fields |= {"reconstruction_unary": unary[:, None]} if solved else {}
            fields["reconstruction"] = field[:, None]
        fields |= {"unary": drawn.unary} if solved else {}
        return fields | {"field": drawn.field}

    return rows


def _classified(distribution: Distribution) -> Rows:
    @jax.jit
    def rows(variables: Variables, inputs: Any, keys: Any) -> dict[str, Any]:
        histograms, bins = distribution.histograms(variables, inputs), jnp.asarray(distribution.bins)
        expected = jnp.matmul(histograms, bins, precision="highest")
        return {"likeliest": bins[histograms.argmax(axis=-1)][:, None], "expected": expected[:, None]}

    return rows


def with_blind(predict: Predict | None, baselines: blind.Baselines) -> Predict:
    """Before the method's rows the truth and the blind baselines; these alone where `predict` is None."""

    def every_row(batch: Example, keys: Any) -> dict[str, np.ndarray]:
        known = {"truth": batch["ab"][:, None], **blind.predict(baselines, batch["ab"])}
        return known | (predict(batch, keys) if predict else {})

    return every_row


def shrunk(ab: Any, sides: tuple[int, int]) -> Any:
    """Pixels (B, H, W, C) to their means (B, h, w, C) over the cells of those sides; NumPy or JAX, as given.

    Raises:
      ValueError: the cells are not whole pixels.
    """
    batch, height, width, channels = ab.shape
    rows, columns = sides
    if height % rows or width % columns:
        raise ValueError(
            f"the field is {rows}×{columns}; its sides must divide those of the images, {height}×{width}"
        )
    cells = ab.reshape(batch, rows, height // rows, columns, width // columns, channels)
    return cells.mean(axis=(2, 4))


def lift_all(
    fields: dict[str, Float[np.ndarray, "B N _ _ 2"]], lightness: Float[np.ndarray, "B H W 1"], *, method: str
) -> dict[str, Float[np.ndarray, "B N H W 2"]]:
    """Every (B, N, h, w, 2) field at the lightness' own size: (B, N, H, W, 2), network units.

    All samples of one image and one resolution are lifted in one call, as extra channels.
    """
    lifted: dict[str, np.ndarray] = {}
    for sides in {value.shape[2:4] for value in fields.values()}:
        names = [name for name, value in fields.items() if value.shape[2:4] == sides]
        joined = np.concatenate([fields[name] for name in names], axis=1)
        if sides != lightness.shape[1:3]:
            joined = np.stack([_lift(f, l, method) for f, l in zip(joined, lightness, strict=True)])
        ends = np.cumsum([fields[name].shape[1] for name in names])
        lifted |= dict(zip(names, np.split(joined, ends[:-1], axis=1), strict=True))
    return {name: lifted[name] for name in fields}


def _lift(
    samples: Float[np.ndarray, "N h w 2"], lightness: Float[np.ndarray, "H W 1"], method: str
) -> Float[np.ndarray, "N H W 2"]:
    count, rows, columns, _ = samples.shape
    channels = np.moveaxis(samples, 0, 2).reshape(rows, columns, 2 * count)
    lifted = upsample.lift(channels, color.network_to_lightness(lightness[..., 0]), method=method)
    return np.moveaxis(lifted.reshape(*lifted.shape[:2], count, 2), 2, 0)


def real_rows(batch: Example) -> Bool[np.ndarray, "B"]:
    """Which rows of a batch are images and not padding."""
    return np.asarray(batch.get("mask", np.ones(batch["ab"].shape[0], bool)), bool)


def training_fields(batches: Iterable[Example]) -> Float[np.ndarray, "K H W 2"]:
    """Colour fields of a training set's images, without padding, to fit the blind baselines on.

    Raises:
      ValueError: there is no image.
    """
    parts = [batch["ab"][real_rows(batch)] for batch in batches]
    if not parts:
        raise ValueError(
            "the training split is empty, and the blind baselines are fitted on it; prepare it first"
        )
    return np.concatenate(parts)


def collect(batches: Iterable[Example], indices: Sequence[int]) -> Example:
    """The images of these places in the test set as one batch, in the order asked for, without padding.

    Raises:
      ValueError: the test set is shorter.
    """
    found: dict[int, Example] = {}
    start = 0
    for batch in batches:
        real = np.flatnonzero(real_rows(batch))
        wanted = [i for i in indices if start <= i < start + real.size]
        found |= {i: {name: value[real[i - start]] for name, value in batch.items()} for i in wanted}
        start += real.size
        if len(found) == len(set(indices)):
            break
    missing = [i for i in indices if i not in found]
    if missing:
        raise ValueError(f"images {missing} asked for, but the test set has {start}")
    names = [name for name in found[indices[0]] if name != "mask"]
    return {name: np.stack([found[i][name] for i in indices]) for name in names}
