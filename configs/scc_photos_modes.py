"""The released model whose mixture and decoder learn together, from the best of the colours that they propose.

    colorize-train --config=configs/scc_photos_modes.py --workdir=runs/scc_photos_modes
    colorize-export --workdir=runs/scc_photos_modes --out=colorize_jax/weights/default

The networks that edits spread through are kept. Hardware, time and scores:
`colorize_jax/weights/default/provenance.json` and `scores.json`.
"""

from ml_collections import ConfigDict

from colorize_jax.configs import scc_photos_together


def get_config() -> ConfigDict:
    config = scc_photos_together.get_config().unlock()
    config.seed = 8
    config.modes.learned = True
    config.mdn.chroma = 1.2  # chosen on training photos: `benchmarks/chroma.py`
    config.data.mixture = (
        ("lfw_deepfunneled", "train", 0.45),
        ("imagenette", "train", 0.18),
        ("tiny_imagenet", "train", 0.15),
        ("lsun_church", "train", 0.12),
        ("imagenet_photos", "train", 0.1),
    )
    config.data.crop = 0.7
    config.stages.correct.epochs = 0.0
    config.stages.modes.update({"epochs": 2.6, "batch_size": 32, "lr": 6e-4})
    config.log.eval_images = 256
    config.log.eval_every_epochs = 0.5
    return config.lock()
