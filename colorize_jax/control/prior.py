"""What a model knows of a photo before any edit. Methods fill it, `control.answer` solves with it."""

from collections.abc import Callable
from typing import Any, NamedTuple

from colorize_jax.shapes import Float


class Fine(NamedTuple):
    """What the fine field of a photo is solved from, or those of a batch.

    Attributes:
      rows: S by window, see `gcrf.solve_windowed`; G is the fine field's side.
      confidence: κ > 0 in the coarse field.
    """

    rows: Float[Any, "*B K G G"]
    confidence: Float[Any, "*B G G"]


class Prior(NamedTuple):
    """What edits of a photo spread through, and what they meet; or those of a batch, with a leading axis B.

    Attributes:
      similarity: S that edits spread through: row i tells how much cell i of the field leans on each other cell.
      unary: the model's single answer where edits say nothing, network units.
      confidence: κ > 0 that holds it there, learned with S; None for a model whose S was not learned for edits.
      fine: what mode 'guided' refines the field by; None for a model that learned no such thing.
      context: what the correction asks of the photos besides, arrays with a leading axis B; None without one.
    """

    similarity: Float[Any, "*B P P"]
    unary: Float[Any, "*B F F 2"]
    confidence: Float[Any, "*B F F"] | None
    fine: Fine | None = None
    context: Any = None


class Correction(NamedTuple):
    """What a model has learned to add to a fine field.

    Attributes:
      side: n, cells along the side of the field on which it is told of the edits.
      apply: `(variables, context, field, reach, colors, revealed, pixel_colors, pixels_revealed) -> (B, 2n, 2n, 2)`,
        network units; see `methods.guided.fields.correct`. An `EditSolver` has it with the variables bound.
    """

    side: int
    apply: Callable[..., Any]
