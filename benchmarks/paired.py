"""Is the G-CRF's gain more than noise: `python benchmarks/paired.py evaluation/per_image.json [skip]`.

Of the per-image scores that colorize-eval wrote, without the first `skip` images: the mean, and the paired
difference with its standard error, of the fields against their unary and against the blind templates.
"""

import json
import sys
from pathlib import Path

import numpy as np


def main(path: Path, skip: int = 0) -> None:
    scores = json.loads(path.read_text())
    for metric, other in (
        ("eob_mae", "templates"),
        ("eob_mae", "regressor"),
        ("eob_mae", "unary"),
        ("bleed", "unary"),
    ):
        field, against = (np.array(scores[row][metric][skip:], float) for row in ("field", other))
        difference = field - against
        difference = difference[np.isfinite(difference)]
        error = difference.std(ddof=1) / len(difference) ** 0.5
        print(
            f"{metric:8} field {np.nanmean(field):.4f}, {other} {np.nanmean(against):.4f}, "
            f"ratio {np.nanmean(field) / np.nanmean(against):.3f}, "
            f"difference {difference.mean():+.5f} +- {error:.5f} ({len(difference)} images)"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
