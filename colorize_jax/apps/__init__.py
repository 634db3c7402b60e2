"""Programs; no science in them."""
