"""A model as unsteady as real ones are: from photo to photo its versions change places, and their colours jump."""

import numpy as np

from colorize_jax import color
from colorize_jax.inference.colorizer import Colorizer, Versions

SIDE = 8
COLORS = np.array([[40, 30], [-30, 25], [5, -40], [0, 0], [25, -10]], np.float32)  # ab


class Flickering(Colorizer):
    """Five even versions, of which each call begins with another one; every other call they are `jump` bluer."""

    def __init__(self, jump: float = 12.0, *, calls: int = 0):
        self.calls, self._jump = calls, jump

    def request(self, samples=None, rule=None):
        return samples or len(COLORS), rule or "modes"

    def versions(self, photo, samples=None, *, seed=0, rule=None):
        ab = np.roll(COLORS, self.calls, axis=0)[:samples] - np.float32([0, self._jump * (self.calls % 2)])
        field = np.tile(color.ab_to_network(ab)[:, None, None], (1, SIDE, SIDE, 1)).astype(np.float32)
        self.calls += 1
        return Versions([], np.full(len(field), 0.2, np.float32), field, field)
