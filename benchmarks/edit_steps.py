"""What each step of mode 'guided' adds, in dB: `python benchmarks/edit_steps.py imagenet-samples.zip --every=4`.

Coarse solve, fine solve, correction, settling, of the released model; protocol `paper`, one draw a photo, 256×256.
"""

from colorize_jax.apps import common  # first: it sets numpy's threads

# isort: split
from collections.abc import Sequence
from unittest import mock

import numpy as np
from absl import flags

from colorize_jax import color
from colorize_jax.control import settle
from colorize_jax.control.answer import answer
from colorize_jax.evaluation import edits, reveals
from colorize_jax.evaluation.edit_methods import Reveals
from colorize_jax.inference.colorizer import Colorizer
from colorize_jax.photos import upsample
from colorize_jax.photos.photo import Photo

_MODEL = flags.DEFINE_string("model", "default", "A released model: its name or folder.")
_EVERY = flags.DEFINE_integer("every", 1, "Only every n-th photo.")

COUNTS = (1, 10, 50, 100)


def main(arguments: Sequence[str]) -> None:
    """Prints a line a step: the mean PSNR after 1, 10, 50 and 100 reveals."""
    (archive,) = arguments
    rule = reveals.protocol("paper")
    model, unsettled = (Colorizer.load(_MODEL.value) for _ in range(2))  # one compiles without settling
    photos = edits.load_photos(archive, rule.side, every=_EVERY.value)
    photos = [photo for photo in photos if not edits.is_gray(photo)]
    found: dict[str, list[list[float]]] = {}
    for photo in photos:
        prior = model.prior(Photo(photo.lightness.astype(np.float32), None))
        given = [edits.revealed(photo, rule, count, draw=0, seed=0) for count in COUNTS]

        def scores(prior, model=model, photo=photo, given=given):
            return [edits.psnr(photo, answered(model, prior, photo, *each)) for each in given]

        found.setdefault("coarse", []).append(scores(prior._replace(fine=None)))
        found.setdefault("fine", []).append(scores(prior._replace(context=None)))
        with mock.patch.object(settle, "settle", lambda _, field, *__: field):
            found.setdefault("corrected", []).append(scores(prior, unsettled))
        found.setdefault("settled", []).append(scores(prior))
    print(f"{len(photos)} photos; PSNR in dB after {', '.join(map(str, COUNTS))} reveals")
    for step, rows in found.items():
        print(f"{step:10s}", *(f"{mean:6.2f}" for mean in np.mean(rows, axis=0)))


def answered(model, prior, photo, targets, weights) -> np.ndarray:
    """ab of the photo, network units, with the reveals themselves as given."""
    (field,) = answer(prior, Reveals(targets, weights), "guided", None, model.solver)
    lifted = color.ab_to_network(upsample.lift(color.network_to_ab(field), photo.lightness))
    return np.where(weights[..., None], targets, lifted)


if __name__ == "__main__":
    common.run(main)
