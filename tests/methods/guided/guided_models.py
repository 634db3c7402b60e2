"""Networks of a small config, and larger images of a batch."""

import jax

from colorize_jax.methods import scc
from colorize_jax.methods.parts.networks import init_networks


def begun(config, batch, *names):
    """The networks of a config, and variables of those that are named."""
    networks = scc.build_networks(config)
    inputs = scc.example_inputs(networks, config, batch)
    return networks, init_networks(jax.random.key(0), networks, inputs, names)


def with_large(batch):
    """The batch with its own images at half the size for the large ones."""
    sizes = {name: (4, 32, 32, value.shape[-1]) for name, value in batch.items()}
    large = {f"{name}_large": jax.image.resize(batch[name], size, "linear") for name, size in sizes.items()}
    return batch | large
