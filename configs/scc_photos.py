"""The model in the package: faces first, other photos besides, small enough to be shipped and trained on two cores.

    colorize-data --dataset=lfw_deepfunneled --source=lfw-deepfunneled.tgz
    colorize-data --dataset=lsun_church --source=FOLDER   # with church_outdoor_{train,val}_lmdb.zip
    colorize-data --dataset=tiny_imagenet --source=tiny-imagenet-200.zip
    colorize-data --dataset=folder --name=imagenette --source=imagenette-224.zip
    colorize-data --dataset=folder --name=imagenet_photos --source=imagenet-train-256.zip
    colorize-train --config=configs/scc_photos.py --workdir=runs/scc_photos
    colorize-export --workdir=runs/scc_photos --out=colorize_jax/weights/default

Hardware, time and scores: `colorize_jax/weights/default/provenance.json` and `scores.json`.
"""

from ml_collections import ConfigDict

from colorize_jax.configs import base


def get_config() -> ConfigDict:
    config = base.get_config().unlock()
    config.width = 0.25
    config.features.width = 0.1875
    config.mdn.width = 0.125

    config.data.mixture = (
        ("lfw_deepfunneled", "train", 0.6),
        ("tiny_imagenet", "train", 0.15),
        ("imagenette", "train", 0.1),
        ("imagenet_photos", "train", 0.08),
        ("lsun_church", "train", 0.07),
    )
    config.data.test = ("lfw_deepfunneled", "test")
    config.data.crop = 0.85
    config.data.epoch_images = 12000

    config.loss.kl_weight = 4e-4
    # Two cores for an hour and a half: a few epochs a stage, and rates to match.
    config.optim.warmup_steps = 100
    config.stages.features.epochs = 3.0
    config.stages.unary.epochs = 4.5
    config.stages.structure.epochs = 0.6
    config.stages.structure.batch_size = 16
    config.stages.structure.schedule = ((0.0, 1.0), (0.1, 0.75), (0.2, 0.5), (0.3, 0.25), (0.4, 0.1))
    config.stages.mdn.epochs = 3.5
    config.log.eval_every_epochs = 1.0
    return config.lock()
