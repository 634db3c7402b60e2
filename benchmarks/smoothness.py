"""Why one method bleeds less than another: `python benchmarks/smoothness.py runs/…/evaluation scc vae_mdn …`.

`metrics.bleed` is a share: of a field's colour variance, what lies inside luminance superpixels. Blurring a field
lowers it, so a blurred one can look more consistent than the photo's own colours. For the images that `colorize-eval`
keeps for pictures (`gallery.npz`) of all these methods this prints, of their versions: the variance in space and the
part of it inside superpixels, in 1e-4 of network units squared; `bleed`, the mean of the images' shares; the same once
a Gaussian has blurred the versions; and for comparison the truth, blurred likewise.
"""

import sys
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from colorize_jax.evaluation import metrics

BLURS = (0.0, 1.0, 2.0, 4.0)  # pixels of 64


def main(folder: Path, methods: list[str]) -> None:
    loaded = {name: np.load(folder / name / "gallery.npz") for name in methods}
    # Each keeps its own best and worst, too.
    common = sorted(set.intersection(*(set(found["indices"].tolist()) for found in loaded.values())))

    def of_common(name: str, what: str) -> np.ndarray:
        places = {index: place for place, index in enumerate(loaded[name]["indices"].tolist())}
        return np.float32(loaded[name][what][[places[index] for index in common]])

    labels = [metrics.superpixels(image) for image in of_common(methods[0], "lightness")]
    rows = {"truth": of_common(methods[0], "truth")[:, None]}
    rows |= {name: of_common(name, "field") for name in methods}
    head = "".join(f"   blurred by {sigma:g}" for sigma in BLURS[1:])
    print(f"{'':14s}{'variance':>10}{'inside':>10}{'bleed':>10}{head}   ({len(labels)} images)")
    for name, fields in rows.items():
        variance = np.mean([image.var(axis=(1, 2)).sum(-1).mean() for image in fields])
        blurred = [gaussian_filter(fields, (0, 0, sigma, sigma, 0)) for sigma in BLURS]
        shares = [metrics.mean(metrics.bleed_mean(each, np.stack(labels))) for each in blurred]
        inside = np.mean(
            [
                np.nanmean(metrics.bleed(image, regions) * image.var(axis=(1, 2)).sum(-1))
                for image, regions in zip(fields, labels, strict=True)
            ]
        )
        others = "".join(f"{share:15.3f}" for share in shares[1:])
        print(f"{name:14s}{1e4 * variance:10.1f}{1e4 * inside:10.2f}{shares[0]:10.3f}{others}")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2:])
