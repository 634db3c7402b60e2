"""What a model is worth: records, scores, tables, pages."""
