"""The model in the package, from nothing: faces first, other photos besides, trained on two CPU cores in ten hours.

    launch/released --root=runs/released --sources=FOLDER

The plan is the history of the present weights, which were made by eleven runs, one after the other; BUILD_NOTES.md
tells what each was for, and what was done by hand that is not repeated here: a fresh run is the same recipe, and not
the same bits. The next release is a change of this file.
"""

from typing import Any

from ml_collections import ConfigDict

from colorize_jax import methods

FIRST = {
    "lfw_deepfunneled": 0.6,
    "tiny_imagenet": 0.15,
    "imagenette": 0.1,
    "imagenet_photos": 0.08,
    "lsun_church": 0.07,
}
"""Shares of the views in the first stages."""

FULL = ((0.0, 1.0), (0.1, 0.75), (0.2, 0.5), (0.3, 0.25), (0.4, 0.1))
LONGER = ((0.0, 1.0), (0.1, 0.5), (0.2, 0.25), (0.3, 0.1), (0.5, 0.03))
TOP = ((0.0, 1.0), (0.1, 0.5), (0.2, 0.1), (0.3, 0.03))
"""Schedules of the mask in the structure stages."""


def get_config() -> ConfigDict:
    config = _model()
    _add_versions(config)
    _add_edits(config)
    _add_modes(config)
    return config.lock()


def _model() -> ConfigDict:
    """The networks' sizes, and what all stages have in common."""
    config = methods.defaults("scc")
    config.width = 0.25
    config.features.width = 0.1875
    config.mdn.width = 0.125
    config.mdn.sigma = 0.1  # as the present weights, from before all methods took 0.1 for the variance
    config.mdn.choice = "cover"
    config.modes.learned = True
    config.spread.update({"learned": True, "fine": True, "correct": 16})
    config.data.update({"epoch_images": 12000, "lightness_large": 224, "ab_large": True})
    config.optim.warmup_steps = 100
    config.loss.kl_weight = 4e-4
    return config


def _add_versions(config: ConfigDict) -> None:
    """The paper's stages, three times over: colours in a code, the code from the gray image."""
    run = _run(0, **FIRST)
    _add(config, "features", "features", 3.0, 1e-3, run)
    _add(config, "unary", "unary", 4.5, 1e-3, run)
    _add(config, "structure", "structure", 0.6, 1e-3, run, batch_size=16, schedule=FULL)
    _add(config, "mdn", "mdn", 3.5, 1e-3, run)
    # Each of them for longer, with more of the many small photos.
    mixture = {"lfw_deepfunneled": 0.55, "tiny_imagenet": 0.2, "imagenet_photos": 0.1}
    mixture |= {"imagenette": 0.08, "lsun_church": 0.07}
    run = _run(1, **mixture)
    _add(config, "features_longer", "features", 4.5, 7e-4, run)
    _add(config, "unary_longer", "unary", 3.5, 7e-4, run)
    _add(config, "structure_longer", "structure", 0.8, 7e-4, run, batch_size=16, schedule=LONGER)
    _add(config, "mdn_longer", "mdn", 4.5, 7e-4, run)
    # The masks had cost the unary: now the structure stage has its own error, too. Statistics are measured anew.
    run = _run(2, loss={"unary_weight": 1.0}, **mixture)
    _add(config, "features_settled", "features", 0.0, 7e-4, run)
    _add(config, "unary_settled", "unary", 0.0, 7e-4, run)
    _add(config, "structure_top", "structure", 0.4, 5e-4, run, batch_size=16, schedule=TOP)
    _add(config, "mdn_top", "mdn", 0.6, 3e-4, run)


def _add_edits(config: ConfigDict) -> None:
    """An S for edits, a finer field and a correction; all other networks are kept."""
    # Edits are made on photos of all kinds, so faces have a smaller share.
    run = _run(3, tiny_imagenet=0.4, imagenette=0.2, imagenet_photos=0.15, lfw_deepfunneled=0.15, lsun_church=0.1,
               optim={"calibration_batches": 0})  # fmt: skip
    _add(config, "spread_coarse", "spread_coarse", 3.0, 2e-3, run)
    _add(config, "spread", "spread", 0.4, 5e-4, run, batch_size=16)
    # A finer field, of photos of 224 pixels and more: it reads the lightness at 128.
    run = _run(4, imagenette=0.4, imagenet_photos=0.25, lsun_church=0.2, lfw_deepfunneled=0.15, large=128,
               optim={"calibration_batches": 0}, log={"eval_images": 64})  # fmt: skip
    _add(config, "spread_fine", "spread_fine", 0.27, 2e-3, run, batch_size=8)
    # A correction at the photo's own resolution; then once more; then together with both S, through the solves.
    mixture = {"imagenette": 0.35, "imagenet_photos": 0.3, "lsun_church": 0.2, "lfw_deepfunneled": 0.15}
    for label, seed, epochs, lr, every, together in (
        ("correct", 5, 1.1, 1.5e-3, 0.25, False),
        ("correct_again", 6, 0.344, 1.2e-3, 0.25, False),  # 1,032 steps; its correction did not settle yet
        ("correct_together", 7, 0.5, 1e-3, 0.2, True),
    ):
        run = _run(seed, large=224, spread={"turn": 0.25, "together": together}, optim={"calibration_batches": 0},
                   log={"eval_images": 64, "eval_every_epochs": every}, **mixture)  # fmt: skip
        _add(config, label, "correct", epochs, lr, run, batch_size=4)


def _add_modes(config: ConfigDict) -> None:
    """Mixture and decoder learn from the best of the colours that they propose."""
    seldom = {"optim": {"calibration_batches": 0}, "log": {"eval_every_epochs": 0.5}, "large": 224}
    run = _run(8, crop=0.7, lfw_deepfunneled=0.45, imagenette=0.18, tiny_imagenet=0.15, lsun_church=0.12,
               imagenet_photos=0.1, **seldom)  # fmt: skip
    _add(config, "modes", "modes", 2.6, 6e-4, run, calibration_batches=64)
    # Photos of more sizes and shapes, vivid ones first: crops reach beyond the photo, so faces are seen small, too.
    wide = {"crop": 0.6, "crop_largest": 1.4, "stretch": 1.35, "modes": {"chroma_power": 1.0}, **seldom}
    run = _run(9, lfw_deepfunneled=0.4, imagenette=0.18, tiny_imagenet=0.17, imagenet_photos=0.13, lsun_church=0.12,
               **wide)  # fmt: skip
    _add(config, "modes_vivid", "modes", 9.0, 7e-4, run, calibration_batches=64)
    run = _run(10, lfw_deepfunneled=0.36, imagenette=0.18, tiny_imagenet=0.18, imagenet_photos=0.14, lsun_church=0.14,
               mdn={"relaxation": 0.1}, **wide)  # fmt: skip
    _add(config, "modes_seen", "modes", 8.5, 1e-3, run, calibration_batches=64)


def _run(
    seed: int,
    *,
    crop: float = 0.85,
    crop_largest: float = 1.0,
    stretch: float = 1.0,
    large: int = 0,
    **rest: Any,
) -> dict[str, Any]:
    """What the stages of one run override: its seed, its data (in `rest` their shares), and sections of the config."""
    shares = {name: share for name, share in rest.items() if not isinstance(share, dict)}
    data = {
        "mixture": tuple((name, "train", share) for name, share in shares.items()),
        "crop": crop,
        "crop_largest": crop_largest,
        "stretch": stretch,
        "lightness_large": large,
        "ab_large": large == 224,
    }
    sections = {name: section for name, section in rest.items() if name not in shares}
    if large != 224:
        sections["spread"] = {"correct": 0}  # it is of photos in colour at 224 pixels
    return {"seed": seed, "data": data, **sections}


def _add(
    config: ConfigDict,
    label: str,
    kind: str,
    epochs: float,
    lr: float,
    overrides: dict[str, Any],
    *,
    batch_size: int = 32,
    **own: Any,
) -> None:
    """One more stage of the plan."""
    stage = {
        "kind": kind,
        "epochs": epochs,
        "batch_size": batch_size,
        "lr": lr,
        "overrides": overrides,
        **own,
    }
    config.stages[label] = ConfigDict(stage)
    config.plan = (*config.plan, label)
