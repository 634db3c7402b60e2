"""`scc_photos_top` with an S of its own for edits; all other networks are kept.

    colorize-train --config=configs/scc_photos_spread.py --workdir=runs/scc_photos_spread
    colorize-export --workdir=runs/scc_photos_spread --out=colorize_jax/weights/default

Edits are made on photos of all kinds, so faces have a smaller share than in the stages before. Hardware, time and
scores: `colorize_jax/weights/default/provenance.json` and `scores.json`.
"""

from ml_collections import ConfigDict

from colorize_jax.configs import scc_photos_top


def get_config() -> ConfigDict:
    config = scc_photos_top.get_config().unlock()
    config.init_from = "runs/scc_photos_top"
    config.seed = 3
    config.spread.learned = True
    config.data.mixture = (
        ("tiny_imagenet", "train", 0.4),
        ("imagenette", "train", 0.2),
        ("imagenet_photos", "train", 0.15),
        ("lfw_deepfunneled", "train", 0.15),
        ("lsun_church", "train", 0.1),
    )
    for stage in ("features", "unary", "structure", "mdn"):
        config.stages[stage].epochs = 0.0
    config.optim.calibration_batches = 0
    config.stages.spread_coarse.update({"epochs": 3.0, "batch_size": 32, "lr": 2e-3})
    config.stages.spread.update({"epochs": 0.4, "batch_size": 16, "lr": 5e-4})
    return config.lock()
