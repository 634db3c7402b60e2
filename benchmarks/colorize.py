"""Where the time of colouring a photo goes: `python benchmarks/colorize.py [photo]`.

Prints seconds of the cold start's parts, measured once in this process, and of a one-megapixel photo with five
versions, warm. For the whole command, start to exit, time `colorize` itself. Timings of a shared machine: compare
them within one run.
"""

import sys
import time
from pathlib import Path

STARTED = time.perf_counter()

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

EXAMPLE = Path(__file__).parents[1] / "examples" / "astronaut_gray.jpg"


def main() -> None:
    marks = {}

    def mark(name: str, since: float) -> float:
        now = time.perf_counter()
        marks[name] = now - since
        return now

    from colorize_jax.inference.colorizer import Colorizer, render
    from colorize_jax.photos.photo import as_photo

    at = mark("import", STARTED)
    colorizer = Colorizer.load()
    at = mark("load and check the weights", at)
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else EXAMPLE
    photo = as_photo(path)
    colorizer.sample(photo, samples=5, seed=0, rule="modes")
    at = mark("compile and first networks", at)
    drawn = colorizer.sample(photo, samples=5, seed=0, rule="modes")
    field = np.asarray(drawn.field[0])
    at = mark("networks and G-CRF, warm", at)
    render(photo, field)
    at = mark(f"lift and gamut-map {photo.lightness.size / 1e6:.2f} Mpixel", at)
    large = as_photo(Image.open(path).convert("L").resize((1000, 1000)))
    at = time.perf_counter()
    render(large, field)
    mark("lift and gamut-map 1.00 Mpixel", at)
    for name, seconds in marks.items():
        print(f"{seconds:7.2f} s  {name}")


if __name__ == "__main__":
    main()
