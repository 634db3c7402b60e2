"""Chroma over PSNR of version 1: `python benchmarks/guess.py MODEL FOLDER`.

Version 1 of a model on the photo prior is the annealed mean of its histograms (`methods/parts/prior.guess`). Each row
is a vividness and a temperature, on the photos of a folder, squashed to 256x256: PSNR over gray's, dB; the share of
photos that are worse than gray; mean chroma over the photos'; the tint's share of the colour energy.
"""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict
from PIL import Image

from colorize_jax import bundle, color, methods
from colorize_jax.evaluation import natural
from colorize_jax.evaluation.predict import lift_all
from colorize_jax.inference.colorizer import network_input
from colorize_jax.photos.photo import photo_from_array

SIDE = 256
VIVIDNESS = (0.0, 0.25, 0.5, 1.0)
TEMPERATURES = (1.0, 0.7, 0.5, 0.38)


def squashed(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def first_versions(model: bundle.Model, vividness: float, temperature: float):
    """`inputs -> (B, 1, F, F, 2)`, network units."""
    config = ConfigDict(model.config)
    config.prior.update({"vividness": vividness, "temperature": temperature})
    sample = methods.build(config).colors.sample
    rule = methods.build(config).colors.rules[0]
    return jax.jit(
        lambda inputs: sample(model.variables, inputs, jax.random.key(0), samples=1, rule=rule).field
    )


def main(name: str, folder: Path) -> None:
    model = bundle.load_model(name)
    data = model.config.data
    pictures = [squashed(path) for path in sorted(folder.iterdir()) if path.is_file()]
    inputs = [network_input(photo_from_array(x), data.image_size, data.lightness_large) for x in pictures]
    lab = np.stack([np.asarray(color.srgb_to_lab(jnp.asarray(x / np.float32(255)))) for x in pictures])
    lightness, truth = color.lightness_to_network(lab[..., :1]), color.ab_to_network(lab[..., 1:])
    gray = natural.score(lightness, truth, np.zeros_like(truth)[:, None])
    true = natural.moments(truth[:, None])
    tint = true["tint_first"].mean() / true["energy_first"].mean()
    print(f"{len(pictures)} photos: gray {np.nanmean(gray['psnr_first']):.2f} dB, their own tint {tint:.2f}")
    print("vividness  temperature  gain, dB  worse, %  chroma  tint")
    for vividness in VIVIDNESS:
        for temperature in TEMPERATURES:
            answer = first_versions(model, vividness, temperature)
            fields = np.concatenate([np.asarray(answer(each)) for each in inputs])
            told = natural.score(lightness, truth, lift_all({"": fields}, lightness, method="bicubic")[""])
            mean = {key: float(np.nanmean(values)) for key, values in told.items() if "others" not in key}
            print(
                f"{vividness:9.2f}  {temperature:11.2f}  {mean['psnr_first'] - np.nanmean(gray['psnr_first']):+8.2f}"
                f"  {100 * mean['worse_than_gray']:8.0f}  {mean['chroma_first'] / true['chroma_first'].mean():6.2f}"
                f"  {mean['tint_first'] / mean['energy_first']:.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
