"""A⁻¹ b on the host for one S and changing weights: conjugate gradients, deflated by the fields that S changes least.

Most eigenvalues of (I−S)ᵀ(I−S) are near 1, and those of fields that S leaves as they are near 0: without help, colours
would reach far away in as many steps as there are cells between. So the lowest eigenvectors V, with eigenvalues Λ, are
computed once, all others are taken for one number c, their mean, and the preconditioner is exact but for that:

    M = diag(w + c) − V (c − Λ) Vᵀ,     M⁻¹ = D + D U (1 − Uᵀ D U)⁻¹ Uᵀ D,     D = 1 / (w + c),   U = V (c − Λ)^½

Four or five steps are left, whatever the weights, where a Cholesky factor costs P³/3.
"""

from collections.abc import Callable

import numpy as np
from scipy.linalg import cho_factor, cho_solve, eigh

from colorize_jax.shapes import Float

_RANK = 96  # of 1024: with 64 vectors it takes one or two steps more, with 160 as long as with 96
_TOLERANCE = 3e-4  # of ‖b − A x‖ / ‖b‖ in each column: hundredths of a unit of a* and b*
_MOST_STEPS = 20


class Deflated:
    """Solves with (I−S)ᵀ(I−S) + diag(w) for weights that change, in float32; threads may share it."""

    def __init__(self, quadratic: Float[np.ndarray, "P P"], rank: int = _RANK):
        """Finds the eigenvectors: about as long as ten Cholesky factors.

        Args:
          quadratic: (I−S)ᵀ(I−S).
          rank: eigenvectors; at most P.
        """
        self._quadratic = np.asarray(quadratic, np.float32)
        pixels = len(quadratic)
        rank = min(rank, pixels)
        values, vectors = eigh(self._quadratic, subset_by_index=[0, rank - 1])
        rest = np.trace(quadratic, dtype=np.float64) - values.sum()
        self._others = float(rest / (pixels - rank) if rank < pixels else values[-1])
        self._known = np.asarray(vectors * np.sqrt(np.maximum(self._others - values, 0)), np.float32)

    @property
    def nbytes(self) -> int:
        """Memory that it holds, nearly."""
        return self._quadratic.nbytes + self._known.nbytes

    def solve(
        self, weights: Float[np.ndarray, " P"], right: Float[np.ndarray, "P K"]
    ) -> Float[np.ndarray, "P K"] | None:
        """A⁻¹ b; None where conjugate gradients do not get there.

        Args:
          weights: w > 0.
          right: b.
        """
        diagonal = np.asarray(weights, np.float32)
        rows = np.ascontiguousarray(right.T, np.float32)
        precondition = self._preconditioner(diagonal)
        enough = _TOLERANCE**2 * _dots(rows, rows)
        solution: np.ndarray = precondition(rows)
        residual = rows - self._applied(diagonal, solution)
        direction, before = np.zeros_like(rows), np.ones((len(rows), 1), np.float32)
        for _ in range(_MOST_STEPS):
            if (_dots(residual, residual) <= enough).all():
                return solution.T
            nearly = precondition(residual)
            now = _dots(residual, nearly)
            direction = nearly + _share(now, before) * direction
            image = self._applied(diagonal, direction)
            step = _share(now, _dots(direction, image))
            solution, residual = solution + step * direction, residual - step * image
            before = now
        return None

    def _applied(self, diagonal: np.ndarray, rows: np.ndarray) -> np.ndarray:
        # Row by row: for so few, BLAS multiplies a matrix with a vector faster than with a matrix.
        images: np.ndarray = np.stack([self._quadratic @ row for row in rows]) + diagonal * rows
        return images

    def _preconditioner(self, diagonal: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """r to M⁻¹ r, for rows."""
        inverse = 1 / (diagonal + self._others)
        scaled = self._known * inverse[:, None]
        small = np.eye(scaled.shape[1], dtype=np.float32) - self._known.T @ scaled
        factor = cho_factor(small, overwrite_a=True, check_finite=False)

        def precondition(rows: np.ndarray) -> np.ndarray:
            inner = cho_solve(factor, (rows @ scaled).T, overwrite_b=True, check_finite=False)
            nearly: np.ndarray = rows * inverse + (scaled @ inner).T
            return nearly

        return precondition


def _dots(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    dots: np.ndarray = np.einsum("kp,kp->k", first, second)
    return dots[:, None]


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole; 0 for a column that is solved already, of which nothing is left."""
    share: np.ndarray = part / np.where(whole > 0, whole, np.float32(np.inf))
    return share
