"""User edits: their document, their raster, and how they spread."""
