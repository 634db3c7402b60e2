"""The released model whose mixture and decoder go on learning, from photos of more sizes and shapes, vivid ones first.

    colorize-train --config=configs/scc_photos_vivid.py --workdir=runs/scc_photos_vivid
    colorize-export --workdir=runs/scc_photos_vivid --out=colorize_jax/weights/default

Crops reach beyond the photo, so that faces are seen small, too, and are squashed to squares, as photos are that are
colorized. Hardware, time and scores: `colorize_jax/weights/default/provenance.json` and `scores.json`.
"""

from ml_collections import ConfigDict

from colorize_jax.configs import scc_photos_modes


def get_config() -> ConfigDict:
    config = scc_photos_modes.get_config().unlock()
    config.seed = 9
    config.modes.chroma_power = 1.0
    config.mdn.choice = "cover"
    config.mdn.chroma = 1.0  # vivid colours need no more: `benchmarks/chroma.py`
    config.data.mixture = (
        ("lfw_deepfunneled", "train", 0.4),
        ("imagenette", "train", 0.18),
        ("tiny_imagenet", "train", 0.17),
        ("imagenet_photos", "train", 0.13),
        ("lsun_church", "train", 0.12),
    )
    config.data.crop = 0.6
    config.data.crop_largest = 1.4
    config.data.stretch = 1.35
    config.stages.modes.update({"epochs": 9.0, "lr": 7e-4})
    return config.lock()
