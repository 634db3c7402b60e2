"""What edits that spread read of a config: an S of their own, on the frozen features; a finer field; a correction."""

from ml_collections import ConfigDict

from colorize_jax.config import check_fields, one_of, positive, stage_defaults


def defaults() -> ConfigDict:
    """`config.spread`, and its stages; nothing is learned for edits."""
    config = ConfigDict()
    config.spread = ConfigDict()
    config.spread.learned = False
    config.spread.width = 64  # of the learned vectors
    config.spread.hidden = 192
    config.spread.painted = (
        0.0  # share of the photos that learn from strokes in other colours, not from reveals
    )
    config.spread.fine = False  # one more solve, on a field of twice the side
    config.spread.fine_width = 24
    config.spread.fine_hidden = 64
    config.spread.correct = 0  # channels of the network that corrects the fine field; 0: none
    config.spread.correct_side = 112  # of its cells; its answer has twice as many pixels
    config.spread.draws = 4  # times that a photo is revealed in a step of stage 'correct'
    config.spread.together = False  # the stage 'correct' trains both S for edits, too, through the solves
    config.spread.turn = 0.0  # share of these whose colours are turned about gray

    config.stages = ConfigDict()
    config.stages.spread_coarse = stage_defaults(3.0, 32, 1e-3)
    config.stages.spread = stage_defaults(1.0, 16, 5e-4)
    config.stages.spread_fine = stage_defaults(0.2, 8, 2e-3)
    config.stages.correct = stage_defaults(1.0, 4, 1e-3)
    return config


def check(config: ConfigDict) -> None:
    """Raises a ValueError where a field of `defaults` is not allowed, or a correction lacks what it corrects."""
    allowed = {
        "spread.width": positive("a positive number of channels"),
        "spread.hidden": positive("a positive number of channels"),
        "spread.fine": one_of(True, False),
        "spread.fine_width": positive("a positive number of channels"),
        "spread.fine_hidden": positive("a positive number of channels"),
        "spread.correct": (
            lambda x: x >= 0 and x % 4 == 0,
            "a multiple of 4 channels, or 0 for no correction",
        ),
        "spread.correct_side": (lambda x: x > 0 and x % 8 == 0, "a multiple of 8 cells"),
        "spread.draws": positive("a positive number of times"),
        "spread.painted": (lambda x: 0 <= x <= 1, "a share in [0, 1]"),
        "spread.together": one_of(True, False),
        "spread.turn": (lambda x: 0 <= x <= 1, "a share in [0, 1]"),
    }
    check_fields(config, allowed)
    if config.spread.correct and not (config.spread.fine and config.data.ab_large):
        raise ValueError(
            f"config.spread.correct is {config.spread.correct}, but config.spread.fine is {config.spread.fine} and "
            f"config.data.ab_large {config.data.ab_large}; the correction is of the fine field and learned from large "
            "images in colour; set both to True"
        )
