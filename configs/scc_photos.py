"""The paper's four stages on photos of five sets, at the released model's sizes: the start of `released`, alone.

    colorize-train --config=scc_photos --workdir=runs/photos --config.data.dir=data

`launch/released --only=data` prepares the sets.
"""

from ml_collections import ConfigDict

from colorize_jax import methods
from colorize_jax.configs import released


def get_config() -> ConfigDict:
    config = methods.defaults("scc")
    config.width = 0.25
    config.features.width = 0.1875
    config.mdn.width = 0.125
    config.mdn.sigma = 0.1  # as `released`
    config.loss.kl_weight = 4e-4
    config.optim.warmup_steps = 100
    config.data.update({"epoch_images": 12000, "crop": 0.85})
    config.data.mixture = tuple((name, "train", share) for name, share in released.FIRST.items())
    for stage, epochs in {"features": 3.0, "unary": 4.5, "structure": 0.6, "mdn": 3.5}.items():
        config.stages[stage].epochs = epochs
    config.stages.structure.update({"batch_size": 16, "schedule": released.FULL})
    return config.lock()
