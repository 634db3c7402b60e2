"""The networks, one file each, Flax linen."""
