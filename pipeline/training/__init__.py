"""Training: the loop, its callbacks, shallow baselines and the processor's settings."""
