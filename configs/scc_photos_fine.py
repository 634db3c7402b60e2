"""The released model with a finer field for edits, of 64×64 cells; all other networks are kept.

    colorize-train --config=configs/scc_photos_fine.py --workdir=runs/scc_photos_fine
    colorize-export --workdir=runs/scc_photos_fine --out=colorize_jax/weights/default

Photos of 224 pixels and more, since the fine field reads the lightness at 128. Hardware, time and scores:
`colorize_jax/weights/default/provenance.json` and `scores.json`.
"""

from ml_collections import ConfigDict

from colorize_jax.configs import scc_photos_spread


def get_config() -> ConfigDict:
    config = scc_photos_spread.get_config().unlock()
    config.init_from = "default"
    config.seed = 4
    config.spread.fine = True
    config.data.lightness_large = 128
    config.data.mixture = (
        ("imagenette", "train", 0.4),
        ("imagenet_photos", "train", 0.25),
        ("lsun_church", "train", 0.2),
        ("lfw_deepfunneled", "train", 0.15),
    )
    for stage in ("spread_coarse", "spread"):
        config.stages[stage].epochs = 0.0
    config.stages.spread_fine.epochs = 0.27  # 400 steps
    config.log.eval_images = 64
    return config.lock()
