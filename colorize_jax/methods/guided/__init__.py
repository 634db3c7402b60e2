"""Edits that spread through a similarity learned for them."""
