"""What a G-CRF solve must do at least, counted: the floor that `gcrf.py` holds times against.

Of one image with P pixels, D-wide embeddings and C columns, float32. Every symmetry counts as used, each P × P array
as written once and read once by each step that needs it, and arithmetic and memory traffic as overlapping, so that
no program reaches it. A solver's own extras (residual, preconditioner, pivots) are not in it.
"""

from typing import NamedTuple

BYTES = 4


class Rates(NamedTuple):
    """What this machine reaches, measured in the same run; a second."""

    flops: float  # in a large matrix product
    bytes: float  # in a large copy, read and written
    exps: float  # in exp of a large array

    def seconds(self, work: "Work") -> float:
        return max(work.flops / self.flops + work.exps / self.exps, work.bytes / self.bytes)


class Work(NamedTuple):
    flops: float = 0.0
    bytes: float = 0.0
    exps: float = 0.0


def stages(solver: str, pixels: int, width: int, columns: int, iterations: int = 0) -> dict[str, Work]:
    """The steps of a forward pass, and those of the backward pass, whose names begin with 'backward'.

    Args:
      solver: 'lu', 'cholesky', 'cg' or 'cg_matrix_free'.
      iterations: of CG; the backward pass is counted as taking as many.
    """
    square = pixels**2
    array = BYTES * square
    thin = 2 * square * columns  # S times C columns
    # Z = E Eᵀ by its triangle, and an exponential for each entry of S
    similarity = Work(square * width, array, square)
    # (Z̄ + Z̄ᵀ) E, and the rank-2C product inside of it by its triangle
    embeddings = Work(2 * square * width + square * (2 * columns + 1), array)
    if solver == "cg_matrix_free":
        product = Work(square * width + thin, 0, square)
        iterate = Work(*(2 * iterations * count for count in product))
        return {
            "similarity": similarity._replace(bytes=0),
            "solve": iterate,
            "backward solve": iterate,
            "backward S [x, b]": Work(square * width + 2 * thin, 0, square),
            "backward embeddings": Work(square * width + embeddings.flops, 0, square),
        }
    again = {"backward S [x, b]": Work(2 * thin, array), "backward embeddings": embeddings}
    if solver == "cg":
        iterate = Work(2 * iterations * thin, 2 * iterations * array)
        return {"similarity": similarity, "solve": iterate, "backward solve": iterate, **again}
    cubes = {"cholesky": 1 / 3, "lu": 2 / 3}[solver]
    triangles = Work(thin, array)
    return {
        "similarity": similarity,
        "matrix": Work(pixels**3, 1.5 * array),
        "factor": Work(cubes * pixels**3, array),
        "solve": triangles,
        "backward solve": triangles,
        **again,
    }


def seconds(rates: Rates, solver: str, batch: int, gradient: bool, **sizes: int) -> float:
    """The floor of `batch` images: of the forward pass, or of it and the gradient."""
    counted = stages(solver, **sizes)
    return batch * sum(
        rates.seconds(work) for name, work in counted.items() if gradient or not name.startswith("backward")
    )
