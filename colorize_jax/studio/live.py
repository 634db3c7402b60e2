"""A photo that is open for editing: what depends on it alone is computed once, and an edit takes milliseconds."""

import functools
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float, Int16, UInt8
from PIL import Image
from scipy.linalg import cho_factor, cho_solve, solve

from colorize_jax import color
from colorize_jax.control import layers, propagate
from colorize_jax.control.answer import EditSolver, Held, answer, of_versions
from colorize_jax.control.document import EditDocument, Shape
from colorize_jax.control.layers import Layers
from colorize_jax.control.raster import CellEdits, DrawShape, Marks, Patch, draw_shape, mark
from colorize_jax.gcrf.interactive import host
from colorize_jax.gcrf.interactive.deflated import Deflated
from colorize_jax.gcrf.interactive.suggest import greedy
from colorize_jax.inference.colorizer import Colorizer, Picture, guide, painted, render_tiles
from colorize_jax.inference.origin import numbered
from colorize_jax.photos import border, upsample
from colorize_jax.photos.border import Inside
from colorize_jax.photos.metadata import Metadata
from colorize_jax.photos.photo import Photo
from colorize_jax.photos.upsample import PixelBox, cell_means
from colorize_jax.studio.tone import AS_THEY_ARE, Tone, Tones, tone_of

PREVIEW_SIDE = 768
"""Pixels of the longer side of what the page shows; colours are lifted to half of it."""
_LEAST_SIDE = 64  # of what is lifted to: two pixels a cell, for a photo of any shape
_REMEMBERED = 32  # shapes of a photo that are not drawn again
_FINISHED = 4  # fields at the photo's resolution that are not made again
_FEW = 3  # a third of the cells or fewer are added to the inverse; more are solved for anew


class Level(NamedTuple):
    """A photo at some size: CIE L*, the same as `colorizer.guide` has it, opacity, and what lies within its border."""

    lightness: Float[np.ndarray, "H W"]
    guide: Float[np.ndarray, "H W"]
    alpha: UInt8[np.ndarray, "H W"] | None
    inside: Inside | None


class Explained(NamedTuple):
    """What the edits leave open; see `explain.Explanation`.

    Attributes:
      variance: diag(A⁻¹) of the edits alone.
      suggested: x and y of the next edits, in fractions of the photo, best first.
      reduction: the share of all variance that each would take away.
    """

    variance: Float[np.ndarray, "F F"]
    suggested: Float[np.ndarray, "K 2"]
    reduction: Float[np.ndarray, " K"]


class LivePhoto:
    """The versions of a photo, and edits over them.

    But for shapes that it remembers to have drawn, and the photo at smaller sizes, nothing in it changes after it is
    made, so threads may share it. Edits are drawn on the preview while they are made, and on the photo itself for
    `picture`.
    """

    def __init__(self, colorizer: Colorizer, photo: Photo, samples: int = 5):
        """Runs the networks and factors the unedited system: P³ once.

        Raises:
          ValueError: too many samples, or a model without a similarity.
        """
        drawn = colorizer.sample(photo, samples=samples)
        self._origin = colorizer.origin(photo, samples, None, 0)
        crf = colorizer.config.gcrf
        self.photo, self.preview = photo, preview_of(photo)
        self._whole_prior = colorizer.prior(photo)
        self.prior = self._whole_prior._replace(
            fine=None, context=None
        )  # what is quick, while the hand moves
        unary, field, self.weights = (np.asarray(x[0]) for x in (drawn.unary, drawn.field, drawn.weights))
        self.versions = colorizer.held(self.prior, unary, field)
        self._draw = _draw_once()
        self._levels = {0: Level(photo.lightness, guide(photo), photo.alpha, photo.inside)}
        self._solver = EditSolver(float(crf.beta_test), float(crf.floor), self._inverse)
        pixels = len(self.similarity)
        quadratic = host.system_matrix(self.similarity, np.zeros(pixels))
        self._deflated = Deflated(quadratic)
        self._alone = _Inverted.of(quadratic, np.full(pixels, self._solver.floor, np.float32))
        self._inverted = [self._alone]
        if self.prior.confidence is not None:
            firm = of_versions(self.prior.confidence)
            self._inverted.append(_Inverted.of(quadratic, firm.reshape(-1)))
        self._finisher = EditSolver(*self._solver[:3], correction=colorizer.solver.correction)
        self._finished: OrderedDict[tuple[bytes, int, float], Float[np.ndarray, "G G 2"]] = OrderedDict()
        self._finishing = threading.Lock()

    @property
    def similarity(self) -> Float[np.ndarray, "P P"]:
        """S of the photo."""
        return self.prior.similarity

    @property
    def side(self) -> int:
        """F of the field."""
        return len(self.prior.unary)

    @property
    def bytes(self) -> int:
        """Memory that it holds, nearly."""
        halves = [array for array in self.photo[:2] if array is not None]  # all levels: a third of the photo
        arrays = [
            *self.photo[:2],
            *(array[:, ::3] for array in halves),
            *self.preview[:3],
            *jax.tree.leaves(self._whole_prior),
            *(inverted.covariance for inverted in self._inverted),
            *self.versions,
        ]
        remembered = _REMEMBERED * self.preview.guide.size  # at most, as masks
        return self._deflated.nbytes + remembered + sum(array.nbytes for array in arrays if array is not None)

    def fields(self, edits: EditDocument, tones: Tones = AS_THEY_ARE) -> Float[np.ndarray, "N F F 2"]:
        """Colour fields under edits, network units: first of each version, at last of the edits alone, on gray.

        Args:
          edits: drawn on the preview.
          tones: how much colour the versions show.

        Raises:
          EditError: edits that the preview cannot take; see `raster.mark`.
        """
        drawn = self.layers(edits)
        found = merged(*self.shown([marks.cells(self.side) for marks in drawn.marks], drawn, tones=tones))
        shown = [tone_of(tones, version).saturation for version in range(len(found))]
        return found * np.array(shown, np.float32)[:, None, None, None]

    def shown(
        self,
        cells: Sequence[CellEdits],
        drawn: Layers,
        version: int | None = None,
        tones: Tones = AS_THEY_ARE,
    ) -> tuple[list[Float[np.ndarray, "N F F 2"]], Int16[np.ndarray, "H W"] | None]:
        """The answers to edits, and which of them each pixel of the preview shows; None where there is one.

        Args:
          cells: the edits of each answer on the cells.
          drawn: the same on the preview. What they leave free of a border shows the last answer, which is gray.
          version, tones: see `fields_of`.
        """
        fields = [self.fields_of(each, version, tones) for each in cells]
        if self.preview.inside is None:
            return fields, drawn.plane
        height, width = self.preview.lightness.shape
        bare = _bare(
            self.preview.inside, PixelBox(slice(0, height), slice(0, width)), (height, width), drawn.marks
        )
        plane = np.zeros_like(bare, np.int16) if drawn.plane is None else drawn.plane
        return [*fields, np.zeros_like(fields[0])], np.where(bare, np.int16(len(fields)), plane)

    def layers(self, edits: EditDocument) -> Layers:
        """Edits on the grid that previews are lifted to; which pixels of the preview show which answer."""
        inner = in_fractions(edits, *self.photo.lightness.shape)
        height, width = self.preview.lightness.shape
        kept, plane = layers.plan(inner, height, width, self._draw)
        height, width = self.preview.guide.shape
        return Layers(tuple(mark(inner, height, width, self._draw, only=each) for each in kept), plane)

    def fields_of(
        self, cells: CellEdits, version: int | None = None, tones: Tones = AS_THEY_ARE
    ) -> Float[np.ndarray, "N F F 2"]:
        """`fields`, of edits that are on the cells already, before their saturation.

        Args:
          cells: the edits.
          version: the only one that is wanted, from 0; N for the edits alone. All by default, which takes N + 1 times
            as long, and gives each to the bits that it has by itself.
          tones: of which the strength counts.
        """
        wanted = range(len(self.versions.field) + 1) if version is None else (version,)
        strengths = [np.float32(tone_of(tones, each).strength) for each in wanted]
        return np.concatenate([self._field(cells, *each) for each in zip(wanted, strengths, strict=True)])

    def _field(self, cells: CellEdits, version: int, strength: np.float32) -> Float[np.ndarray, "1 F F 2"]:
        # One at a time, though all share their matrix: a product of other columns rounds otherwise, and a version
        # would come out with other bits alone than among all.
        if version == len(self.versions.field):
            return answer(self.prior, cells, "alone", None, self._solver)
        return answer(self.prior, cells, "over", self._held(version, strength), self._solver)

    def _held(self, version: int, strength: np.float32) -> Held:
        return Held(*(strength * each[version : version + 1] for each in self.versions))

    def finished(
        self, marks: Marks, version: int, along: Float[np.ndarray, "H W"], tones: Tones = AS_THEY_ARE
    ) -> Float[np.ndarray, "G G 2"]:
        """The field of a version as the library has it: refined and corrected. The last few are kept.

        Args:
          marks: the edits.
          version: as `fields_of` takes it.
          along: the photo's L*, of any size.
          tones: of which the strength counts.
        """
        strength = np.float32(tone_of(tones, version).strength)
        if version == len(self.versions.field):
            return self._field(marks.cells(self.side), version, strength)[0]
        key = _digest(marks), version, float(strength)
        with self._finishing:  # one at a time: it takes all cores
            if key not in self._finished:
                held = self._held(version, strength)
                (field,) = answer(self._whole_prior, marks, "over", held, self._finisher, lightness=along)
                self._finished[key] = field
                while len(self._finished) > _FINISHED:
                    self._finished.popitem(last=False)
            return self._finished[key]

    def lifted(self, field: Float[np.ndarray, "F F 2"], marks: Marks) -> Float[np.ndarray, "2 h w"]:
        """CIE ab of a field on the preview, with the exact edits in it."""
        tiles = propagate.exact_tiles(color.network_to_ab(field), self.preview.guide, marks)
        return np.concatenate([planes for _, planes in tiles], axis=1)

    def about(self, edits: EditDocument, version: int, tones: Tones = AS_THEY_ARE) -> Metadata:
        """What goes beside the pixels of `picture`, which takes the same arguments."""
        told = None if version < len(self.versions.field) else "alone"
        made = f"{len(edits.edits)}, {told or 'over'}" if edits.edits or told else None
        tone = tone_of(tones, version)
        shown = {"Edits": made, "Tone": None if tone == Tone() else str(tone)}
        provenance = {**self._origin.provenance, **{name: text for name, text in shown.items() if text}}
        return numbered(self._origin._replace(provenance=provenance), version + 1)

    def picture(self, edits: EditDocument, version: int, tones: Tones = AS_THEY_ARE) -> Picture:
        """A version at full size: what `Colorizer.edit` gives.

        Args:
          edits: drawn on the photo itself.
          version: counted from 0; N for the edits alone.
          tones: how much colour the versions show.

        Raises:
          EditError: see `raster.mark`.
        """
        drawn, along = layers.layered(edits, *self.photo.lightness.shape), guide(self.photo)
        fields = [self.finished(marks, version, along, tones) for marks in drawn.marks]
        lifted = layers.tiles([color.network_to_ab(field) for field in fields], along, drawn)
        saturation = tone_of(tones, version).saturation
        tiles = ((rows, planes * saturation) for rows, planes in lifted)
        return render_tiles(self.photo, tiles, 1, painted(drawn.marks))[0]

    def window(
        self,
        edits: EditDocument,
        version: int,
        level: int,
        box: PixelBox,
        tones: Tones = AS_THEY_ARE,
        *,
        finished: bool = True,
    ) -> UInt8[np.ndarray, "r c 4"]:
        """A part of `picture` at its own resolution, or at a half, a quarter ... of it: sRGB and opacity.

        Args:
          edits: drawn on the photo.
          version: as `picture` takes it.
          level: how often the photo is halved.
          box: pixels of the photo at this level; what lies outside of it is cut off.
          tones: as `picture` takes them.
          finished: or else the colours of the preview, which are quicker.

        Raises:
          EditError: see `raster.mark`.
        """
        lightness, along, alpha, inside = self._level(level)
        box = PixelBox(
            *(slice(p.start, min(p.stop, size)) for p, size in zip(box, lightness.shape, strict=True))
        )
        if not all(p.start < p.stop for p in box):
            raise ValueError(
                f"the window lies outside the photo, which has {lightness.shape} pixels at this level"
            )
        inner = in_fractions(edits, *self.photo.lightness.shape)
        simple = not any(edit.exact or edit.closed or edit.kind == "lock" for edit in inner.edits)
        drawn = self.layers(inner) if simple else layers.layered(inner, *lightness.shape)
        fields = [
            self.finished(marks, version, self.preview.guide, tones)
            if finished
            else self.fields_of(marks.cells(self.side), version, tones)[0]
            for marks in drawn.marks
        ]
        columns = [color.network_to_ab(field) for field in fields]
        planes = (
            upsample.lift_window(columns[0], along, box)
            if simple
            else layers.window(columns, along, drawn, box)
        )
        if inside is not None:
            planes = np.where(_bare(inside, box, lightness.shape, drawn.marks), np.float32(0), planes)
        planes = planes * tone_of(tones, version).saturation
        pixels = np.full((*planes.shape[1:], 4), 255, np.uint8)
        pixels[..., :3] = color.lab_to_srgb_bytes(np.stack([lightness[box], *planes], axis=-1))
        if alpha is not None:
            pixels[..., 3] = alpha[box]
        return pixels

    def _level(self, level: int) -> Level:
        """The photo, halved so often; made when it is first asked for."""
        if level not in self._levels:
            lightness, along, alpha, inside = self._levels[0]
            small = _reduced(lightness, level)
            self._levels[level] = Level(
                small,
                small if along is lightness else _reduced(along, level),
                None if alpha is None else _reduced(alpha, level),
                None if inside is None else border.scaled(inside, lightness.shape, small.shape),
            )
        return self._levels[level]

    def explain(self, edits: EditDocument, suggestions: int = 3) -> Explained:
        """How open each cell is, and where edits would tell most; what links say is left out.

        Raises:
          EditError: see `fields`.
        """
        cells = self.layers(edits).marks[0].cells(self.side)
        known = self._solver.weight * cells.weights.reshape(-1)
        at = np.flatnonzero(known)
        rows = self._alone.covariance[at]
        covariance = self._alone.covariance - rows.T @ _solved_small(rows[:, at], known[at], rows)
        found = greedy(covariance, suggestions)
        row, column = np.divmod(found.pixels, self.side)
        return Explained(
            np.diag(covariance).reshape(self.side, self.side).astype(np.float32),
            (np.stack([column, row], axis=-1) + 0.5) / self.side,
            found.reduction / found.total,
        )

    def _inverse(self, similarity: np.ndarray, right: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """A⁻¹ b, in the quickest way that there is for it; a `propagate.Inverse`."""
        if similarity is self.similarity:  # no link has changed it
            for inverted in self._inverted:
                at = inverted.few(right, weights)
                if at is not None:
                    return inverted.added(at, right, weights)
            found = self._deflated.solve(weights[:, 0], right)
            if found is not None:
                return found
        return solve(host.system_matrix(similarity, weights[:, 0]), right, assume_a="pos")


class _Inverted(NamedTuple):
    """A system of few edits is solved by the inverse of the one without any.

    Attributes:
      weights: diag of A without (I−S)ᵀ(I−S), where no edit is.
      covariance: A⁻¹.
    """

    weights: Float[np.ndarray, " P"]
    covariance: Float[np.ndarray, "P P"]

    @classmethod
    def of(cls, quadratic: Float[np.ndarray, "P P"], weights: Float[np.ndarray, " P"]) -> "_Inverted":
        matrix = quadratic.copy()
        host.diagonal(matrix)[:] += weights
        _, covariance = host.solve_and_invert(matrix, np.zeros((len(matrix), 1)))
        return cls(weights, covariance)

    def few(self, right: np.ndarray, weights: np.ndarray) -> np.ndarray | None:
        """The cells with other weights, where they are few and b is 0 elsewhere."""
        other = np.abs(weights[:, 0] - self.weights) > 1e-6 * self.weights  # less is rounding
        at = np.flatnonzero(other)
        if len(at) > len(weights) // _FEW:
            return None
        return None if np.delete(right, at, axis=0).any() else at

    def added(self, at: np.ndarray, right: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """A⁻¹ b where there are δ more at the cells K, outside of which b is 0.

        Woodbury: G_:K (G_KK + diag(1/δ))⁻¹ (b_K / δ) with the kept G.
        """
        delta = weights[at, 0] - self.weights[at]
        rows = self.covariance[at]
        return rows.T @ _solved_small(rows[:, at], delta, right[at] / delta[:, None])


def _draw_once() -> DrawShape:
    """`draw_shape` that remembers: while one stroke is painted, all others are as before."""

    @functools.lru_cache(_REMEMBERED)
    def drawn(points: bytes, radius: float | None, *where: Any) -> Patch:
        return draw_shape(Shape(np.frombuffer(points).reshape(-1, 2), radius), *where)

    return lambda shape, *where: drawn(np.float64(shape.points).tobytes(), shape.radius, *where)


def _bare(
    inside: Inside, box: PixelBox, size: tuple[int, int], marks: Sequence[Marks]
) -> Bool[np.ndarray, "R C"]:
    """The pixels of a box that are of the border and that no edit lies on; marks may be of another size."""
    of_border = border.outside(inside, box.rows, size[1])[:, box.columns]
    covered = painted(marks)
    rows, columns = (
        (np.arange(part.start, part.stop) * drawn) // side
        for part, drawn, side in zip(box, covered.shape, size, strict=True)
    )
    return of_border & ~covered[np.ix_(rows, columns)]


def _digest(marks: Marks) -> bytes:
    """Of all that a field depends on: the pixels of the edits, their colours, strengths, reaches and links."""
    told = hashlib.blake2b(marks.soft.tobytes() + marks.exact.tobytes())
    patches = [patch for _, *regions in marks.links for patch in regions] + [marks.closed]
    for patch in filter(None, patches):
        told.update(repr(patch[:2]).encode() + patch.mask.tobytes())
    for edit in (*marks.edits, *(edit for edit, *_ in marks.links)):
        told.update(repr((edit.kind, edit.ab, edit.strength, edit.reach, edit.exact)).encode())
    return told.digest()


def merged(
    fields: Sequence[Float[np.ndarray, "N F F 2"]], plane: Int16[np.ndarray, "H W"] | None
) -> Float[np.ndarray, "N F F 2"]:
    """Of each answer its fields to one, each cell of which shows what most of its pixels show: for small pictures.

    Args:
      fields: of each answer.
      plane: the answer of each pixel; None where there is one.
    """
    if plane is None:
        return fields[0]
    side = fields[0].shape[1]
    shares = np.stack([cell_means((plane == i).astype(np.float32), side) for i in range(len(fields))])
    most = shares.argmax(axis=0)
    return np.take_along_axis(np.stack(fields), most[None, None, ..., None], axis=0)[0]


def _solved_small(covariance: np.ndarray, delta: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(G_KK + diag(1/δ))⁻¹ b."""
    if not len(delta):
        return right
    matrix = covariance + np.diag(1 / delta)
    return cho_solve(cho_factor(matrix, overwrite_a=True, check_finite=False), right, check_finite=False)


def in_fractions(edits: EditDocument, height: int, width: int) -> EditDocument:
    """Edits of a photo of height x width pixels in fractions of it, without a size.

    Raises:
      EditError: another size than the edits are for.
    """
    if edits.size not in (None, (width, height)):
        mark(edits._replace(edits=()), height, width)  # tells the two sizes
    if edits.units == "fraction":
        return edits._replace(size=None)

    def scaled(shape: Shape) -> Shape:
        radius = None if shape.radius is None else shape.radius / min(height, width)
        return Shape(shape.points / (width, height), radius)

    changed = (edit._replace(shapes=tuple(map(scaled, edit.shapes))) for edit in edits.edits)
    return EditDocument(tuple(changed), "fraction")


class Preview(NamedTuple):
    """A photo as the page shows it.

    Attributes:
      lightness: CIE L*, at most `PREVIEW_SIDE` pixels wide and high.
      guide: the same, without a border, at about half the size, where colours are lifted to.
      alpha: opacity, or None.
      inside: what lies within the border, or None.
    """

    lightness: Float[np.ndarray, "H W"]
    guide: Float[np.ndarray, "h w"]
    alpha: UInt8[np.ndarray, "H W"] | None
    inside: Inside | None


def preview_of(photo: Photo) -> Preview:
    """A photo in the size of the page; its shape may change where it is very thin, since positions are fractions."""
    height, width = photo.lightness.shape
    scale = min(1.0, PREVIEW_SIDE / max(height, width))
    size = tuple(max(_LEAST_SIDE, round(scale * side)) for side in (width, height))
    half = tuple(max(_LEAST_SIDE, side // 2) for side in size)
    lightness = _resized(Image.fromarray(photo.lightness), size)
    alpha = None if photo.alpha is None else np.asarray(Image.fromarray(photo.alpha).resize(size))
    inside = None if photo.inside is None else border.scaled(photo.inside, (height, width), lightness.shape)
    return Preview(lightness, _resized(Image.fromarray(guide(photo)), half), alpha, inside)


def _reduced(plane: np.ndarray, level: int) -> np.ndarray:
    return np.asarray(Image.fromarray(plane).reduce(2**level))


def _resized(image: Image.Image, size: tuple[int, ...]) -> np.ndarray:
    # Hamming: nearly as sharp as a cubic, and without overshoot, which would leave [0, 100].
    return np.asarray(image.resize((size[0], size[1]), Image.Resampling.HAMMING))
