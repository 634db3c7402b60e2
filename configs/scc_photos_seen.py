"""The released model goes on once more: the decoder's own view of the photo, f1-f4, learns with the mixture.

    colorize-train --config=configs/scc_photos_seen.py --workdir=runs/scc_photos_seen
    colorize-export --workdir=runs/scc_photos_seen --out=colorize_jax/weights/default

f1-f4 had been learned beside the true colours' code, which told them what a thing is coloured. Hardware, time and
scores: `colorize_jax/weights/default/provenance.json` and `scores.json`.
"""

from ml_collections import ConfigDict

from colorize_jax.configs import scc_photos_vivid


def get_config() -> ConfigDict:
    config = scc_photos_vivid.get_config().unlock()
    config.seed = 10
    config.mdn.relaxation = 0.1
    config.data.mixture = (
        ("lfw_deepfunneled", "train", 0.36),
        ("imagenette", "train", 0.18),
        ("tiny_imagenet", "train", 0.18),
        ("imagenet_photos", "train", 0.14),
        ("lsun_church", "train", 0.14),
    )
    config.stages.modes.update({"epochs": 8.5, "lr": 1e-3})
    return config.lock()
