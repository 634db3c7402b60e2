"""The released model with a network that corrects its answers to edits, at full resolution; all others are kept.

    colorize-train --config=configs/scc_photos_edits.py --workdir=runs/scc_photos_edits
    colorize-export --workdir=runs/scc_photos_edits --out=colorize_jax/weights/default

Photos of 224 pixels and more, nearly whole, so that the network sees pixels and not blur. Hardware, time and scores:
`colorize_jax/weights/default/provenance.json` and `scores.json`.
"""

from ml_collections import ConfigDict

from colorize_jax.configs import scc_photos_fine


def get_config() -> ConfigDict:
    config = scc_photos_fine.get_config().unlock()
    config.seed = 5
    config.spread.correct = 16
    config.spread.turn = 0.25
    config.data.lightness_large = 224
    config.data.ab_large = True
    config.data.crop = 0.85
    config.data.mixture = (
        ("imagenette", "train", 0.35),
        ("imagenet_photos", "train", 0.3),
        ("lsun_church", "train", 0.2),
        ("lfw_deepfunneled", "train", 0.15),
    )
    config.stages.spread_fine.epochs = 0.0
    config.stages.correct.update({"epochs": 1.1, "batch_size": 4, "lr": 1.5e-3})
    config.log.eval_every_epochs = 0.25
    return config.lock()
