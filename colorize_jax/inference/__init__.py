"""Colour versions of photos and of folders of photos."""
