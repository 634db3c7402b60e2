"""What fading does to version 1: `python benchmarks/faded.py MODEL FOLDER`.

Of a model on the photo prior, on the photos of a folder, squashed to 256x256. Each row is a way to fade, and whether
the encoder sees evened levels (`models/levels.py`): PSNR over gray's, dB; its mean difference from the same photos with
levels as they are, and the standard error; the share of photos that are worse than gray.
Only the lightness that the networks see is faded; the pictures are compared at the photos' own.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from guess import squashed
from ml_collections import ConfigDict

from colorize_jax import bundle, color, methods
from colorize_jax.evaluation import natural
from colorize_jax.evaluation.predict import lift_all
from colorize_jax.inference.colorizer import network_input
from colorize_jax.photos.photo import Photo

FADED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as it is": lambda x: x,
    "faded": lambda x: 25 + 0.55 * x,
    "pale": lambda x: 50 + 0.48 * x,
    "dark": lambda x: 0.6 * x,
    "gamma 1.8": lambda x: 100 * (x / 100) ** 1.8,
}
"""Of L*."""


def answers(model: bundle.Model, *, even: bool):
    """`inputs -> (B, 1, F, F, 2)`: version 1, network units."""
    config = ConfigDict(model.config)
    config.prior.even_levels = even
    colors = methods.build(config).colors
    key = jax.random.key(0)
    return jax.jit(
        lambda inputs: colors.sample(model.variables, inputs, key, samples=1, rule=colors.rules[0]).field
    )


def main(name: str, folder: Path) -> None:
    model = bundle.load_model(name)
    data = model.config.data
    pictures = [squashed(path) for path in sorted(folder.iterdir()) if path.is_file()]
    lab = np.stack([np.asarray(color.srgb_to_lab(jnp.asarray(x / np.float32(255)))) for x in pictures])
    lightness, truth = color.lightness_to_network(lab[..., :1]), color.ab_to_network(lab[..., 1:])
    gray = natural.score(lightness, truth, np.zeros_like(truth)[:, None])["psnr_first"]
    both = {even: answers(model, even=even) for even in (False, True)}
    print(
        f"{len(pictures)} photos: gray {gray.mean():.2f} dB\nlevels      even  gain, dB  difference   worse, %"
    )
    for way, fade in FADED.items():
        photos = [Photo(fade(each[..., 0].clip(0, 100)).astype(np.float32), None) for each in lab]
        inputs = [network_input(photo, data.image_size, data.lightness_large) for photo in photos]
        before = None
        for even, answer in both.items():
            fields = np.concatenate([np.asarray(answer(each)) for each in inputs])
            told = natural.score(lightness, truth, lift_all({"": fields}, lightness, method="bicubic")[""])
            gain = told["psnr_first"] - gray
            before = gain if before is None else before
            change = gain - before
            error = change.std() / len(change) ** 0.5
            print(
                f"{way:10}  {even!s:5} {gain.mean():+8.2f}  {change.mean():+.2f} ± {error:.2f}"
                f"  {100 * (gain < 0).mean():9.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
