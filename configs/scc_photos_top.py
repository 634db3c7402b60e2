"""The end of `scc_photos_longer` once more: the unary's own error in the structure stage, and settled statistics.

    colorize-train --config=configs/scc_photos_top.py --workdir=runs/scc_photos_top
    colorize-export --workdir=runs/scc_photos_top --out=colorize_jax/weights/default

The masks of that stage had cost the unary: its error from the true colours' code rose from 0.0318 to 0.0337 on 256
test faces, because the decoder's top layers learned to serve few kept pixels. All other networks are kept. Hardware,
time and scores: `colorize_jax/weights/default/provenance.json` and `scores.json`.
"""

from ml_collections import ConfigDict

from colorize_jax.configs import scc_photos_longer


def get_config() -> ConfigDict:
    config = scc_photos_longer.get_config().unlock()
    config.init_from = "runs/scc_photos_longer"
    config.seed = 2
    config.loss.unary_weight = 1.0
    config.stages.features.epochs = 0.0
    config.stages.unary.epochs = 0.0
    config.stages.structure.update({"epochs": 0.4, "lr": 5e-4})
    config.stages.structure.schedule = ((0.0, 1.0), (0.1, 0.5), (0.2, 0.1), (0.3, 0.03))
    config.stages.mdn.update({"epochs": 0.6, "lr": 3e-4})
    return config.lock()
