"""The released model, whose fine field for edits begins with a corrected unary; all other networks are kept.

    colorize-train --config=configs/scc_photos_edits.py --workdir=runs/scc_photos_edits
    colorize-export --workdir=runs/scc_photos_edits --out=colorize_jax/weights/default

Made for one GPU. Not trained yet.
"""

from ml_collections import ConfigDict

from colorize_jax.config import beside


def get_config() -> ConfigDict:
    config = beside(__file__, "scc_photos_fine")
    config.seed = 5
    config.spread.correct = 24
    config.spread.turn = 0.5
    config.data.mixture = (
        ("imagenette", "train", 0.35),
        ("imagenet_photos", "train", 0.25),
        ("lsun_church", "train", 0.2),
        ("lfw_deepfunneled", "train", 0.2),
    )
    config.data.crop = 0.6
    config.stages.spread_fine.update({"epochs": 4.3, "batch_size": 32, "lr": 1e-3})
    config.log.eval_every_epochs = 2.0
    return config.lock()
