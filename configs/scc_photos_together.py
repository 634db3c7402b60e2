"""The released model whose correction and both S for edits learn together, from the corrected answer.

    colorize-train --config=configs/scc_photos_together.py --workdir=runs/scc_photos_together
    colorize-export --workdir=runs/scc_photos_together --out=colorize_jax/weights/default

Hardware, time and scores: `colorize_jax/weights/default/provenance.json` and `scores.json`.
"""

from ml_collections import ConfigDict

from colorize_jax.configs import scc_photos_edits


def get_config() -> ConfigDict:
    config = scc_photos_edits.get_config().unlock()
    config.seed = 7
    config.spread.together = True
    config.stages.correct.update({"epochs": 0.5, "lr": 1e-3})
    config.log.eval_every_epochs = 0.2
    return config.lock()
