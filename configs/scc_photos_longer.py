"""`scc_photos` gone on with: begins with the networks of its run and trains each stage for some epochs more.

    colorize-train --config=configs/scc_photos_longer.py --workdir=runs/scc_photos_longer
    colorize-export --workdir=runs/scc_photos_longer --out=colorize_jax/weights/default

The data are those of `scc_photos`, with somewhat more of the many small photos. Hardware, time and scores:
`colorize_jax/weights/default/provenance.json` and `scores.json`.
"""

from ml_collections import ConfigDict

from colorize_jax.configs import scc_photos


def get_config() -> ConfigDict:
    config = scc_photos.get_config().unlock()
    config.init_from = "runs/scc_photos"
    config.seed = 1
    config.data.mixture = (
        ("lfw_deepfunneled", "train", 0.55),
        ("tiny_imagenet", "train", 0.2),
        ("imagenet_photos", "train", 0.1),
        ("imagenette", "train", 0.08),
        ("lsun_church", "train", 0.07),
    )
    config.stages.features.update({"epochs": 4.5, "lr": 7e-4})
    config.stages.unary.update({"epochs": 3.5, "lr": 7e-4})
    config.stages.structure.update({"epochs": 0.8, "lr": 7e-4})
    config.stages.structure.schedule = ((0.0, 1.0), (0.1, 0.5), (0.2, 0.25), (0.3, 0.1), (0.5, 0.03))
    config.stages.mdn.update({"epochs": 4.5, "lr": 7e-4})
    return config.lock()
