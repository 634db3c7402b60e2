"""The one training loop, its checkpoints, its devices and its telemetry."""
