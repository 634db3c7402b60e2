"""Edits that spread through a similarity learned for them: what a method needs to have them.

`fields` has the networks and the solves, `reveals` the simulated edits of training, `stages` the stages.
"""

from colorize_jax.methods.guided.fields import corrector, spread_inputs, spread_networks, spreader
from colorize_jax.methods.guided.stages import build_stages

__all__ = ["build_stages", "corrector", "spread_inputs", "spread_networks", "spreader"]
