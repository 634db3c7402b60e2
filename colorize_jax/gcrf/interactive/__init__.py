"""Fields that change while somebody edits them, on the host."""
