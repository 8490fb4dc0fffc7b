"""Runs and results on disk: records, checkpoints, events, fingerprints."""
