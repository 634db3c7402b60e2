"""A photo to several full-size colour versions, with any released model.

    from colorize_jax.inference.colorizer import Colorizer
    versions = Colorizer.load().colorize("photo.jpg", samples=5)
    versions.rgb[0]  # (H, W, 3) uint8

and to versions with a user's colours:

    edits = [{"kind": "point", "at": [120, 80], "color": "#b03a2e"}]
    edited = Colorizer.load().edit("photo.jpg", edits, samples=5)

Nothing that only training needs is imported here.
"""

import itertools
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np
from PIL import Image

from colorize_jax import bundle, color
from colorize_jax.control import layers, propagate
from colorize_jax.control.answer import MODES, EditSolver, Evidence, Held, answer, of_versions
from colorize_jax.control.document import EditDocument, as_edits
from colorize_jax.control.prior import Prior
from colorize_jax.control.raster import Marks
from colorize_jax.inference import origin
from colorize_jax.methods import base
from colorize_jax.methods.base import Method, Samples, Variables
from colorize_jax.methods.parts.histograms import colors_or_answers
from colorize_jax.photos import border, upsample
from colorize_jax.photos.encode import QUALITY
from colorize_jax.photos.metadata import Metadata
from colorize_jax.photos.photo import Photo, as_photo, write_pictures
from colorize_jax.shapes import Bool, Float, UInt8, UInt16

Picture = UInt8[np.ndarray, "H W *channels"] | UInt16[np.ndarray, "H W *channels"]
"""sRGB of 8 or 16 bits."""

_TOGETHER = 1 << 14  # pixels whose colours are converted at once


class Versions(NamedTuple):
    """N colour versions of one photo.

    Attributes:
      rgb: N sRGB pictures (H, W, 3), or (H, W, 4) where the photo has opacity; their L* is the photo's. They are
        uint8, or uint16 where the photo has more than 8 bits a channel.
      weights: mixture weight of each version.
      unary: colours as decoded, before the G-CRF, network units.
      field: colours after the G-CRF, network units; `rgb` shows them, lifted to full size.
      about: what the photo's file said beside its pixels, and where the colours are from.
    """

    rgb: list[Picture]
    weights: Float[np.ndarray, " N"]
    unary: Float[np.ndarray, "N F F 2"]
    field: Float[np.ndarray, "N F F 2"]
    about: Metadata = Metadata()

    def save(
        self,
        path: str | os.PathLike[str],
        number: int = 1,
        *,
        quality: int = QUALITY,
        overwrite: bool = False,
    ) -> None:
        """Writes a version as the program does: with what the photo's file said, and where the colours are from.

        Args:
          path: `.png` and `.tif` keep 16 bits; `.jpg` and `.webp`.
          number: of the version, from 1.
          quality: of JPEG and WebP, 1 to 100.
          overwrite: whether a file that is there is replaced.

        Raises:
          PhotoError: it cannot be written, or not as this format.
          ValueError: there is no such version.
        """
        if not 1 <= number <= len(self.rgb):
            raise ValueError(f"number is {number}; there are versions 1 to {len(self.rgb)}.")
        file = Path(path)
        about = {file: origin.numbered(self.about, number)}
        write_pictures({file: self.rgb[number - 1]}, about, quality=quality, overwrite=overwrite)


class Colorizer:
    """A method with its variables, ready for photos of any size; compiled once for each (samples, rule).

    Attributes:
      identity: which model it is, as pictures tell it; empty where it was not loaded.
    """

    identity: Mapping[str, str] = MappingProxyType({})

    def __init__(self, config: Any, method: Method, variables: Variables):
        """Of a resolved config, the method that it names, and the variables that this one needs.

        Raises:
          ValueError: the method colours no photos.
        """
        self.config = config
        self._variables = jax.device_put(variables)
        # On a CPU, LLVM's optimisation takes a second of a cold start and saves 0.03 s a photo.
        options = {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else None
        self._colors = colors_or_answers(method)
        sample, edits = self._colors.sample, method.edits or base.Edits()
        self._sample = jax.jit(sample, static_argnames=("samples", "rule"), compiler_options=options)
        many = partial(_sample_many, sample, self._colors.deterministic)
        self._sample_many = jax.jit(many, static_argnames=("samples", "rule"))
        self._similarity = edits.similarity and jax.jit(edits.similarity, compiler_options=options)
        self._spread = edits.spread and jax.jit(edits.spread, compiler_options=options)
        self._respond = edits.respond and jax.jit(edits.respond, compiler_options=options)
        self._correction = edits.correct and edits.correct._replace(
            apply=partial(jax.jit(edits.correct.apply), self._variables)
        )

    @classmethod
    def load(cls, name_or_path: str | os.PathLike[str] = "default") -> "Colorizer":
        """A model that comes with the package, by name, or one from a folder.

        Raises:
          ValueError: no such model, or one that is damaged or does not fit its config.
        """
        model = bundle.load_model(name_or_path)
        made = cls(model.config, model.method, model.variables)
        name, weights = Path(name_or_path).name, bundle.weights_sha256(name_or_path)
        made.identity = {"Method": str(model.config.method), "Model": name, "WeightsSHA256": weights}
        return made

    def colorize(
        self,
        image: str | os.PathLike[str] | Image.Image | np.ndarray | Photo,
        samples: int | None = None,
        seed: int = 0,
        rule: str | None = None,
    ) -> Versions:
        """Colours a photo of any size; colours that it has already only count for its lightness.

        Args:
          image: a path, a PIL image, an array (see `photo.photo_from_array`) or a Photo.
          samples: N, at least 1; by default 5, or as many as the rule gives.
          seed: of a rule that draws; the same seed gives the same versions.
          rule: how versions are chosen, by default the method's first. The paper's method has 'modes', the mixture's
            means, chosen as the model's config says; and 'random', draws.

        Raises:
          PhotoError: an image that cannot be read; a ValueError.
          ValueError: an unknown rule, or more samples than it gives.
        """
        photo = as_photo(image)
        versions = self.versions(photo, samples, seed=seed, rule=rule)
        about = self.origin(photo, samples, rule, seed)
        return versions._replace(rgb=render(photo, versions.field), about=about)

    def edit(
        self,
        image: str | os.PathLike[str] | Image.Image | np.ndarray | Photo,
        edits: EditDocument | Mapping[str, Any] | Sequence[Mapping[str, Any]] | str | os.PathLike[str],
        samples: int | None = None,
        mode: str = "over",
        *,
        seed: int = 0,
        rule: str | None = None,
        confidence: float | Float[np.ndarray, "F F"] | None = None,
    ) -> Versions:
        """Colours a photo as `colorize` does, with a user's edits spread through the learned similarity.

        Args:
          image: as `colorize` takes it.
          edits: a JSON file, its content, or a list of edits; see `colorize_jax.control.document`.
          samples: N, 5 by default. Modes 'alone' and 'guided' have one answer.
          mode: 'over' edits each of the versions of `colorize`; 'alone' colours from the edits and nothing else, and
            what they do not reach stays gray; 'guided' colours it as the model most expects, no more colourful than the
            edits are. 'over' and 'guided' refine and correct the answer where the model has learned to. A model whose
            network takes edits itself has 'guided' alone.
          seed: as `colorize` takes it.
          rule: likewise.
          confidence: of mode 'over': what holds a version's unary where edits do not reach, of the whole field or of
            each of its cells; by default as the model learned it, or else `config.gcrf.beta_test`.

        Returns:
          The versions; their `field` has the edits, but for closed regions and locks, which are on the pixels alone.
          Their `unary` is that of the model, 0 in mode 'alone', and the field itself where a network takes the edits.

        Raises:
          PhotoError: an image that cannot be read.
          EditError: edits that cannot be used, by index and kind.
          ValueError: an unknown mode or rule, too many samples, a bad confidence, or what the model has not learned.
        """
        if mode not in MODES:
            raise ValueError(f"mode is {mode!r}; allowed are {', '.join(MODES)}.")
        if mode != "over" and samples not in (None, 1):
            raise ValueError(
                f"samples is {samples}, but mode {mode!r} has one answer; leave it out, or set 1."
            )
        parsed, photo = as_edits(edits), as_photo(image)
        drawn = layers.layered(parsed, *photo.lightness.shape)
        if self.responds:
            responses = [self.respond(photo, marks, mode) for marks in drawn.marks]
            answers = [Versions([], np.ones(1, np.float32), field, field) for field in responses]
        else:
            prior = self.prior(photo)
            sampled = self.versions(photo, samples, seed=seed, rule=rule) if mode == "over" else None
            along = guide(photo)
            answers = [
                self._spread_over(prior, along, marks, mode, sampled, confidence) for marks in drawn.marks
            ]
        tiles = layers.tiles([_columns(each.field) for each in answers], guide(photo), drawn)
        about = self.origin(photo, samples, rule, seed, f"{len(parsed.edits)}, {mode}")
        versions = answers[0]
        rgb = render_tiles(photo, tiles, len(versions.field), painted(drawn.marks))
        return versions._replace(rgb=rgb, about=about)

    def _spread_over(
        self,
        prior: Prior,
        along: Float[np.ndarray, "H W"],
        marks: Marks,
        mode: str,
        sampled: Versions | None,
        confidence: float | Float[np.ndarray, "F F"] | None,
    ) -> Versions:
        """Versions with edits, without their pictures; `sampled` are those that mode 'over' edits."""
        if sampled is None:
            unary = prior.unary[None] * np.float32(mode == "guided")
            versions, held = Versions([], np.ones(1, np.float32), unary, unary), None
        else:
            versions, held = sampled, self.held(prior, sampled.unary, sampled.field, confidence)
        field = answer(prior, marks, mode, held, self.solver, confidence=confidence, lightness=along)
        return versions._replace(field=field)

    @property
    def responds(self) -> bool:
        """Whether a network of the method takes edits itself, so that none spreads through a similarity."""
        return self._respond is not None

    def respond(self, photo: Photo, marks: Evidence, mode: str = "guided") -> Float[np.ndarray, "1 h w 2"]:
        """The answer of a network that takes edits itself, network units; for a model that `responds`.

        Args:
          photo: of any size.
          marks: its edits. The network is told of them on as many cells as its photo has pixels.
          mode: the answer is that of 'guided'.

        Raises:
          ValueError: another mode, links, or a model that does not respond.
        """
        if self._respond is None:
            raise ValueError(f"method {self.config.method!r} has no network that takes edits; use `edit`.")
        network = f"method {self.config.method!r} takes edits by a network of its own"
        if mode != "guided":
            raise ValueError(f"mode is {mode!r}, but {network}, whose one answer is mode 'guided'; set that.")
        cells = marks.cells(self.config.data.image_size)
        if cells.links:
            raise ValueError(
                f"the edits hold a link, but {network}, which knows colours alone; leave it out."
            )
        ab = color.ab_to_network(cells.ab)[None].astype(np.float32)
        revealed = np.minimum(cells.weights, 1)[None, ..., None].astype(np.float32)
        return np.asarray(self._respond(self._variables, self._input(photo), ab, revealed))

    @property
    def solver(self) -> EditSolver:
        """How `control.answer` solves for this model's fields."""
        crf = self.config.gcrf
        return EditSolver(crf.beta_test, crf.floor, correction=self._correction)

    def held(
        self,
        prior: Prior,
        unary: Float[np.ndarray, "N F F 2"],
        field: Float[np.ndarray, "N F F 2"],
        confidence: float | Float[np.ndarray, "F F"] | None = None,
    ) -> Held:
        """Versions for mode 'over': with their own unary, or where edits have another S with what this makes of them.

        Args:
          prior: of the photo.
          unary: of the versions, network units.
          field: of the versions, likewise.
          confidence: as `edit` takes it.
        """
        if prior.confidence is None:
            return Held(unary, field)
        if confidence is None:
            return Held(propagate.smoothed(prior.similarity, field, of_versions(prior.confidence)), field)
        floor = self.config.gcrf.floor
        return Held(propagate.held(prior.similarity, field, confidence=confidence, floor=floor), field)

    def prior(self, photo: Photo) -> Prior:
        """What edits of a photo spread through and meet: the learned prior, or else S and gray.

        Raises:
          ValueError: the model's method has no similarity.
        """
        if self._spread is not None:
            found = self._spread(self._variables, self._input(photo))
            own: Prior = jax.tree.map(lambda x: np.asarray(x[0]), found._replace(context=None))
            return own._replace(context=found.context)
        if self._similarity is None:
            hint = "; Colorizer.edit in mode 'guided' takes them" if self.responds else ""
            raise ValueError(
                f"method {self.config.method!r} learns no similarity, so edits cannot spread{hint}."
            )
        similarity = np.asarray(self._similarity(self._variables, self._input(photo))[0])
        side = math.isqrt(len(similarity))
        gray = np.zeros((side, side, 2), np.float32)
        return Prior(similarity, gray, None)

    def request(self, samples: int | None = None, rule: str | None = None) -> tuple[int, str]:
        """The number of versions and the rule by which they are chosen, with the method's defaults for None.

        Raises:
          ValueError: an unknown rule, or more samples than it gives.
        """
        return self._colors.request(samples, rule)

    def origin(
        self, photo: Photo, samples: int | None, rule: str | None, seed: int, edits: str | None = None
    ) -> Metadata:
        """The photo's metadata, with where the colours of its versions are from.

        Args:
          photo: of the versions.
          samples, rule, seed: as `colorize` takes them.
          edits: how many there are, and their mode.
        """
        samples, rule = self.request(samples, rule)
        return origin.told(photo.about, self.identity, Rule=rule, Seed=seed, Versions=samples, Edits=edits)

    def versions(
        self, photo: Photo, samples: int | None = None, *, seed: int = 0, rule: str | None = None
    ) -> Versions:
        """As `colorize`, without the pictures and what is told about them."""
        drawn = self.sample(photo, samples=samples, seed=seed, rule=rule)
        weights, unary, field = (np.asarray(x[0]) for x in (drawn.weights, drawn.unary, drawn.field))
        return Versions([], weights, unary, field)

    def _input(self, photo: Photo) -> dict[str, Float[np.ndarray, "1 _ _ 1"]]:
        return network_input(photo, self.config.data.image_size, self.config.data.lightness_large)

    def sample(
        self, photo: Photo, *, samples: int | None = None, seed: int = 0, rule: str | None = None
    ) -> Samples:
        """The versions of one photo (B = 1) at the resolution of the field, network units."""
        samples, rule = self.request(samples, rule)
        drawn: Samples = self._sample(
            self._variables, self._input(photo), jax.random.key(seed), samples=samples, rule=rule
        )
        if not np.isfinite(drawn.field).all():
            raise ValueError("the model's colours are not finite: its weights or its similarity are broken.")
        return drawn

    def sample_many(
        self,
        inputs: Mapping[str, Float[np.ndarray, "B _ _ 1"]],
        *,
        samples: int | None = None,
        seed: int = 0,
        rule: str | None = None,
    ) -> Samples:
        """As `sample`, for B photos at once, whose `network_input`s are stacked; compiled once for each B.

        On a CPU a photo's versions depend neither on the others, nor on its place among them, to the last bit.
        Values that are not finite are returned and raise nothing: the other photos of the batch may be fine.
        """
        samples, rule = self.request(samples, rule)
        drawn: Samples = self._sample_many(
            self._variables, dict(inputs), jax.random.key(seed), samples=samples, rule=rule
        )
        return drawn


def _sample_many(
    sample: Callable[..., Samples],
    deterministic: tuple[str, ...],
    variables: Variables,
    batch: dict[str, jax.Array],
    rng: jax.Array,
    *,
    samples: int,
    rule: str,
) -> Samples:
    """Versions of several photos: one after another, or together on an accelerator under a rule that draws nothing.

    In a batch on a CPU the last photo of 16 came out with other bits than in any other place, probably because the last
    rows of a product are summed in another order. One by one takes about as long there.
    """
    if rule in deterministic and jax.default_backend() != "cpu":
        return sample(variables, batch, rng, samples=samples, rule=rule)

    # Each photo draws with the key itself, as it would alone: its versions do not depend on its place.
    def one(row: dict[str, jax.Array]) -> Samples:
        alone = {name: value[None] for name, value in row.items()}
        drawn = sample(variables, alone, jax.random.clone(rng), samples=samples, rule=rule)
        return Samples(*(value[0] for value in drawn))

    drawn: Samples = jax.lax.map(one, batch)
    return drawn


def network_input(photo: Photo, size: int, large: int = 0) -> dict[str, Float[np.ndarray, "1 _ _ 1"]]:
    """The whole photo, squashed to squares, as a batch of one: `lightness`, and `lightness_large` where `large` > 0.

    Transparent parts look white to the networks, as they do in training. In place of a border they see the mirror image
    of the photo, so that it tints nothing.
    """
    shown = photo.lightness
    if photo.alpha is not None:
        shown = 100 + (shown - 100) * (photo.alpha / np.float32(255))
    if photo.inside is not None:
        shown = border.filled(shown, photo.inside)
    sides = {"lightness": size} | ({"lightness_large": large} if large else {})
    return {
        name: color.lightness_to_network(upsample.resize(shown, side, side).clip(0, 100))[None, ..., None]
        for name, side in sides.items()
    }


def render(photo: Photo, field: Float[np.ndarray, "N F F 2"]) -> list[Picture]:
    """Colour fields, network units, on the photo's lightness: lifted, gamut-mapped, with its opacity and its bits.

    Its border stays gray.
    """
    return render_tiles(photo, upsample.lift_tiles(_columns(field), guide(photo)), len(field))


def guide(photo: Photo) -> Float[np.ndarray, "H W"]:
    """The lightness along which fields are lifted: that of the photo, mirrored in place of its border."""
    return photo.lightness if photo.inside is None else border.filled(photo.lightness, photo.inside)


def render_tiles(
    photo: Photo,
    tiles: Iterator[upsample.Tile],
    count: int,
    painted: Bool[np.ndarray, "H W"] | None = None,
) -> list[Picture]:
    """As `render`, for `count` fields that are lifted already: planes of CIE a* and b*, in turn.

    Pixels that are `painted` keep their colours on the border, too.
    """
    pictures = [_canvas(photo) for _ in range(count)]
    encoded = color.lab_to_srgb_words if photo.bits == 16 else color.lab_to_srgb_bytes
    for rows, planes in _joined(tiles):
        if photo.inside is not None:
            gray = border.outside(photo.inside, rows, planes.shape[2])
            planes[:, gray if painted is None else gray & ~painted[rows]] = 0
        for picture, ab in zip(pictures, planes.reshape(count, 2, *planes.shape[1:]), strict=True):
            lab = np.stack([photo.lightness[rows], *ab], axis=-1)
            picture[rows, :, :3] = encoded(lab)
    return pictures


def painted(marks: Sequence[Marks]) -> Bool[np.ndarray, "H W"]:
    """The pixels of a photo that edits lie on."""
    found: np.ndarray = np.any([(each.exact >= 0) | (each.soft >= 0) for each in marks], axis=0)
    return found


def _joined(tiles: Iterator[upsample.Tile]) -> Iterator[upsample.Tile]:
    """Neighbouring tiles as one, up to `_TOGETHER` pixels: of a small photo a tile is less work than its calls."""
    for _, group in itertools.groupby(tiles, key=lambda tile: tile[0].start * tile[1].shape[2] // _TOGETHER):
        rows, planes = zip(*group, strict=True)
        yield slice(rows[0].start, rows[-1].stop), np.concatenate(planes, axis=1)


def _columns(field: Float[np.ndarray, "N F F 2"]) -> Float[np.ndarray, "F F K"]:
    """Fields side by side, CIE ab."""
    ab: np.ndarray = color.network_to_ab(np.concatenate(list(field), axis=-1))
    return ab


def _canvas(photo: Photo) -> Picture:
    kind = np.uint16 if photo.bits == 16 else np.uint8
    canvas = np.zeros((*photo.lightness.shape, 3 if photo.alpha is None else 4), kind)
    if photo.alpha is not None:
        canvas[..., 3] = photo.alpha.astype(kind) * (257 if photo.bits == 16 else 1)
    return canvas
