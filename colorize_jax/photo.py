"""The reader of photos by its short name: `from colorize_jax.photo import read_photo`."""

from colorize_jax.photos.photo import Photo, PhotoError, read_photo

__all__ = ["Photo", "PhotoError", "read_photo"]
