"""A photo to several full-size colour versions, with any released model.

    from colorize_jax.colorize import Colorizer
    versions = Colorizer.load().colorize("photo.jpg", samples=5)
    versions.rgb[0]  # (H, W, 3) uint8

Nothing that only training needs is imported here.
"""

import operator
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from PIL import Image

from colorize_jax import bundle, color, methods, upsample
from colorize_jax.methods.base import Samples, Variables
from colorize_jax.models.vgg import load_vgg16
from colorize_jax.photo import Photo, as_photo
from colorize_jax.shapes import Float, UInt8

RULES = ("modes", "random")


class Versions(NamedTuple):
    """N colour versions of one photo.

    Attributes:
      rgb: N sRGB pictures (H, W, 3), or (H, W, 4) where the photo has opacity; their L* is the photo's.
      weights: mixture weight of each version.
      unary: colours as decoded, before the G-CRF, network units.
      field: after it; what `rgb` shows, lifted to full size.
    """

    rgb: list[UInt8[np.ndarray, "H W *channels"]]
    weights: Float[np.ndarray, " N"]
    unary: Float[np.ndarray, "N F F 2"]
    field: Float[np.ndarray, "N F F 2"]


class Colorizer:
    """A method with its variables, ready for photos of any size; compiled once for each (samples, rule)."""

    def __init__(self, config: Any, sample: Callable[..., Samples], variables: Variables):
        """Args: a resolved config, `Method.sample` of the method that it names, and the variables this takes."""
        self.config = config
        self._variables = jax.device_put(variables)
        # On a CPU, LLVM's optimisation takes a second of a cold start and saves 0.03 s a photo.
        options = {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else None
        self._sample = jax.jit(sample, static_argnames=("samples", "rule"), compiler_options=options)

    @classmethod
    def load(cls, name_or_path: str | os.PathLike = "default") -> "Colorizer":
        """A model that comes with the package, by name, or one from a folder.

        Raises:
          ValueError: no such model, or one that is damaged or does not fit its config.
        """
        config = bundle.load_config(name_or_path)
        method = methods.build(config)
        loaded = bundle.load_bundle(name_or_path, method.abstract_variables())
        variables = loaded.variables
        if config.features.network == "vgg16":
            variables["params"]["features"] = load_vgg16()  # public weights: not in the bundle
        return cls(config, method.sample, variables)

    def colorize(
        self,
        image: str | os.PathLike | Image.Image | np.ndarray | Photo,
        samples: int = 5,
        seed: int = 0,
        rule: str = "modes",
    ) -> Versions:
        """Colours a photo of any size; colours that it has already only count for its lightness.

        Args:
          image: a path, a PIL image, an array (see `photo.photo_from_array`) or a Photo.
          samples: N, at least 1.
          seed: of rule 'random'; the same seed gives the same versions.
          rule: 'modes', the most probable versions by falling weight; or 'random', draws.

        Raises:
          PhotoError: an image that cannot be read; a ValueError.
          ValueError: an unknown rule, or more samples than the model has modes.
        """
        photo = as_photo(image)
        drawn = self.sample(photo, samples=samples, seed=seed, rule=rule)
        weights, unary, field = (np.asarray(x[0]) for x in (drawn.weights, drawn.unary, drawn.field))
        return Versions(render(photo, field), weights, unary, field)

    def sample(self, photo: Photo, *, samples: int, seed: int, rule: str) -> Samples:
        """The versions of one photo (B = 1) at the resolution of the field, network units."""
        if operator.index(samples) < 1:
            raise ValueError(f"samples is {samples}; allowed are whole numbers from 1.")
        if rule not in RULES:
            raise ValueError(f"rule is {rule!r}; allowed are {', '.join(RULES)}.")
        batch = network_input(photo, self.config.data.image_size, self.config.data.lightness_large)
        drawn = self._sample(self._variables, batch, jax.random.key(seed), samples=samples, rule=rule)
        if not np.isfinite(drawn.field).all():
            raise ValueError("the model's colours are not finite: its weights or its similarity are broken.")
        return drawn


def network_input(photo: Photo, size: int, large: int = 0) -> dict[str, Float[np.ndarray, "1 _ _ 1"]]:
    """The whole photo, squashed to squares, as a batch of one: `lightness`, and `lightness_large` where `large` > 0.

    Transparent parts look white to the networks, as they do in training.
    """
    shown = photo.lightness
    if photo.alpha is not None:
        shown = 100 + (shown - 100) * (photo.alpha / np.float32(255))
    sides = {"lightness": size} | ({"lightness_large": large} if large else {})
    return {
        name: color.lightness_to_network(upsample.resize(shown, side, side).clip(0, 100))[None, ..., None]
        for name, side in sides.items()
    }


def render(photo: Photo, field: Float[np.ndarray, "N F F 2"]) -> list[UInt8[np.ndarray, "H W *channels"]]:
    """Colour fields, network units, on the photo's lightness: lifted, gamut-mapped, with the photo's opacity."""
    pictures = [_canvas(photo) for _ in field]
    columns = color.network_to_ab(np.concatenate(list(field), axis=-1))
    for rows, planes in upsample.lift_tiles(columns, photo.lightness):
        for picture, ab in zip(pictures, planes.reshape(len(field), 2, *planes.shape[1:]), strict=True):
            lab = np.stack([photo.lightness[rows], *ab], axis=-1)
            picture[rows, :, :3] = color.lab_to_srgb_bytes(lab)
    return pictures


def _canvas(photo: Photo) -> UInt8[np.ndarray, "H W *channels"]:
    if photo.alpha is None:
        return np.empty((*photo.lightness.shape, 3), np.uint8)
    empty = np.zeros_like(photo.alpha)
    return np.stack([empty, empty, empty, photo.alpha], axis=-1)
