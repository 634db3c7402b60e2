"""The classics on test photos: `python benchmarks/edits.py imagenet-samples.zip classics [photos] [draws] [protocol]`.

Writes edits.json, edits.md, edits.png and a contact sheet of four photos into the folder, and prints the table. All 50
photos and five draws are 2,250 answers a method, most of the time Levin's and DeepProp's.
"""

import sys
from pathlib import Path

from colorize_jax import classical, edit_report, edit_scores, reveals

# Without DeepProp's first answer, which compiles: `seconds` is of the answers that follow.
WARM_UP = 10


def main(archive: str, out: str, photos: int = 50, draws: int = 5, protocol: str = "paper") -> None:
    rule = reveals.protocol(protocol)
    every = max(1, 50 // photos)
    read = edit_scores.load_photos(archive, rule.side, every=every, limit=photos)
    # The first is the one that the others are compared with.
    methods = {"bilateral_solver": classical.METHODS["bilateral_solver"], **classical.METHODS}
    classical.METHODS["deepprop"](
        read[0].lightness, *edit_scores.revealed(read[0], rule, WARM_UP, draw=0, seed=0)
    )
    found = edit_scores.evaluate_edits(read, methods, protocol=rule, draws=draws)
    shown = read[:: max(1, len(read) // 4)][:4]
    sheets = {"edits_sheet": edit_report.sheet(shown, dict(classical.METHODS), rule)}
    print(edit_report.summary(found))
    for path in edit_report.write(Path(out), found, sheets):
        print(f"wrote {path}")


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(int, sys.argv[3:5]), *sys.argv[5:6])
