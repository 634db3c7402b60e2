"""Edits that spread through a similarity learned for them: what a method needs to have them.

`defaults` has what they read of a config, `fields` the networks and the solves, `reveals` and `strokes` the simulated
edits of training, `stages` the stages.
"""

from colorize_jax.methods.guided.defaults import check, defaults
from colorize_jax.methods.guided.fields import corrector, spread_inputs, spread_networks, spreader
from colorize_jax.methods.guided.stages import build_stages

__all__ = ["build_stages", "check", "corrector", "defaults", "spread_inputs", "spread_networks", "spreader"]
