"""Photos: archives -> tfds builders (ArrayRecord) -> transforms -> batches. Nothing here imports TensorFlow."""
