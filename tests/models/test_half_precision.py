"""`config.compute_dtype = 'bfloat16'`: every network answers what it answers in float32, to the precision of bfloat16.

By real programs, of a training batch: compilers fuse more than they do of one image, and one fused wrongly.
"""

from functools import cache, partial

import jax
import numpy as np
import pytest

from colorize_jax.config import load
from colorize_jax.methods import resolve, scc
from colorize_jax.methods.parts.networks import example_batch

pytestmark = pytest.mark.usefixtures("whole_compiler")  # faults were in fused programs

IMAGES = 32
# The one that a compiler fused wrongly; half a minute or more for all seven.
NETWORKS = ["features"] + [
    pytest.param(name, marks=pytest.mark.slow)
    for name in ("encoder", "gray", "trunk", "top", "structure", "mdn")
]


@cache
def networks(dtype):
    config = load("base")
    config.width, config.compute_dtype = 1 / 8, dtype
    config = resolve(config, images=IMAGES)
    found = scc.build_networks(config)
    return found, scc.example_inputs(found, config, example_batch(config))


def drawn(key, tree):
    """Normal numbers in place of the leaves, a batch of each."""
    leaves, structure = jax.tree.flatten(tree)
    keys = jax.random.split(key, len(leaves))
    filled = [jax.random.normal(k, (IMAGES, *x.shape[1:])) for k, x in zip(keys, leaves, strict=True)]
    return jax.tree.unflatten(structure, filled)


def speaking(leaf):
    """Colour heads start at zero, which would hide all before them."""
    silent = leaf.ndim > 1 and not leaf.any()
    return 0.01 * jax.random.normal(jax.random.key(5), leaf.shape) if silent else leaf


@pytest.mark.parametrize("name", NETWORKS)
def test_bfloat16_answers_as_float32(name):
    (single, inputs), (half, _) = networks("float32"), networks("bfloat16")
    start = jax.jit(partial(single[name].init, train=False))
    variables = jax.tree.map(speaking, start(jax.random.key(1), *inputs[name]))
    batch = drawn(jax.random.key(0), inputs[name])
    expected, answer = (
        [np.asarray(x, np.float32) for x in jax.tree.leaves(apply(variables, *batch))]
        for apply in (jax.jit(partial(each[name].apply, train=False)) for each in (single, half))
    )
    for e, a in zip(expected, answer, strict=True):
        assert np.linalg.norm(a - e) < 0.02 * np.linalg.norm(e)
        assert e.ndim == 0 or (a != e).any()
