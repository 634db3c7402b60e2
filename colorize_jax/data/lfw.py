"""Labeled Faces in the Wild, aligned by deep funneling (Huang et al. 2012): 13,233 faces, 250x250 JPEG."""

from colorize_jax.data.builder import ArchiveBuilder


class LfwDeepfunneled(ArchiveBuilder):
    """LFW deep-funneled from `lfw-deepfunneled.tgz` or the folder in it; 1,000 random test images."""
